"""Checks of policies that make a list every month against the rest of the experiment."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from churnsim.campaign.settings import RiskList
from churnsim.config.messages import did_you_mean
from churnsim.config.paths import KeyPath
from churnsim.policy.settings import Adaptive, Bandit

if TYPE_CHECKING:
    from churnsim.experiment.settings import Experiment


def campaign_months(experiment: Experiment) -> range:
    """Return the calendar months in which some policy makes a list."""
    longest = max((policy.months for policy in experiment.policies.values() if isinstance(policy, Adaptive | Bandit)),
                  default=1)
    return range(experiment.campaign_month, experiment.campaign_month + longest)


def check_months(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    """Yield findings as (key path, message)."""
    most = experiment.pilot.outcome_months
    for name, policy in experiment.policies.items():
        if not isinstance(policy, Adaptive | Bandit):
            continue
        at = ("policies", name)
        horizon, least = experiment.evaluation.horizon_months, experiment.signals.risk_horizon_months
        if policy.months > horizon:
            yield (*at, "months"), f"must be at most evaluation.horizon_months ({horizon}; got {policy.months})"
        if not least <= policy.outcome_months <= most:
            yield (*at, "outcome_months"), (f"must lie between signals.risk_horizon_months ({least}) and "
                                            f"pilot.outcome_months ({most}; got {policy.outcome_months})")
        if experiment.campaign.tickets.channel is not None:
            yield (*at, "kind"), (f"{policy.kind} makes lists over months, and tickets are worked in the campaign "
                                  "month alone; set campaign.tickets.channel to null, or take the policy out")
        targeting = experiment.pilot.targeting
        if isinstance(targeting, RiskList) and targeting.logged == "reached":
            yield (*at, "kind"), (f"{policy.kind} learns from everybody whom it lists, and a log of those reached "
                                  "(pilot.targeting.logged) does not show the others; log all, or take the policy out")
        if isinstance(policy, Bandit) and policy.model == "segments":
            yield from _check_segments(policy, (*at, "segments"))


def _check_segments(policy: Bandit, at: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    from churnsim.signals.observe import feature_names

    known = feature_names()
    for k, name in enumerate(policy.segments):
        if name not in known:
            yield (*at, k), f"no feature {name!r}; there are {', '.join(known)}{did_you_mean(name, known)}"
        elif name in policy.segments[:k]:
            yield (*at, k), f"{name!r} stands there twice; name it once"

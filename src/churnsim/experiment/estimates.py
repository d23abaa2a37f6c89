"""What policies are worth by the pilot's holdout, estimated as an operator would, and the truth beside it.

Each policy lists subscribers of the holdout as it lists those of the campaign: with the same models, which have not
seen them, and its share of the budget and the staff. The pilot's log tells what the list would have been worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.pilot import enrol
from churnsim.campaign.pilot_design import held_out
from churnsim.campaign.settings import PilotSettings, RiskList
from churnsim.campaign.wave import planned_contact_time
from churnsim.core.columns import Subscribers
from churnsim.core.draws import integer_seed, make_key
from churnsim.errors import CapacityError, DataError
from churnsim.evaluation.intervals import mean_interval
from churnsim.evaluation.logged_trial import LoggedTrial, logged_trial
from churnsim.evaluation.off_policy import METHODS, policy_value
from churnsim.evaluation.truth import responses
from churnsim.experiment import stages
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.policy.checks import channels_of
from churnsim.policy.choice import Situation
from churnsim.policy.choices import Limits
from churnsim.policy.plan import Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import OVER_MONTHS, TRUTHFUL, PolicySettings, Readable
from churnsim.signals.observe import observe
from churnsim.signals.readable import READABLE
from churnsim.signals.rules import RULES
from churnsim.uplift.learned import LEAST_PROPENSITY
from churnsim.uplift.learners_kinds import ridge
from churnsim.uplift.models import Models
from churnsim.uplift.outcomes import NET_VALUE, outcomes
from churnsim.uplift.propensity import cross_fit_propensity
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[Any]]

PREFIX = "holdout."
TRUE_VALUE = "holdout_net_value"
# With fewer rows there is nothing to value policies on.
LEAST_ROWS = 100
# Of a handful of rows the spread is not known, and intervals are too narrow.
TRUSTED_ROWS = 30
COLUMNS = ("method", "value_amount", "se_amount", "low_amount", "high_amount", "spend_amount", "listed",
           "effective_rows", "true_value_amount", "plan_value_amount", "net_value_amount", "note")
ANY_CHANNEL = ("uplift_value", "budget_staff", "own")
"""Kinds that choose among all channels of the campaign."""


def is_valued(pilot: PilotSettings) -> bool:
    """Return whether there is a holdout whose log says what being listed is worth."""
    return pilot.holdout_share > 0.0 and not _only_reached(pilot)


def _only_reached(pilot: PilotSettings) -> bool:
    return isinstance(pilot.targeting, RiskList) and pilot.targeting.logged == "reached"


def holdout_base(world: World) -> Subscribers:
    """Return the pilot's holdout at the start of the pilot's month."""
    e = world.experiment
    enrolled = enrol(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine, signals=e.signals,
                     channels=e.channels, lost_months=e.campaign.lost_months)
    held = held_out(enrolled.base.ids, share=e.pilot.holdout_share, key=world.engine.key, month=e.pilot.start_month)
    assert held is not None
    return enrolled.base.take(np.flatnonzero(held))


def holdout_truth(world: World) -> dict[str, Float64]:
    """Return the array of a truth cell: what listing each of the holdout for each arm is worth, (n, A).

    In the pilot's month, under planned reach, over as many months as the campaign's; nothing without a holdout.
    """
    e, month = world.experiment, world.experiment.pilot.start_month
    if not is_valued(e.pilot):
        return {}
    base = holdout_base(world)
    plans = world.reach(observe(base, month=month, settings=e.signals, key=world.key))
    found = responses(base, world.inner_engines(), e.evaluation, offers=e.campaign.offers, month=month,
                      contact_time=planned_contact_time(e.signals.list_delay_days))
    return {TRUE_VALUE: stages.true_effects(world, base, plans, found, month=month).net_value}


def holdout_arrays(world: World, models: Models, trial: Trial) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a plan cell: what the operator knew of the holdout in the pilot's month, and its log.

    Parameters
    ----------
    models
        Fitted on the others.
    trial
        The whole pilot.
    """
    e = world.experiment
    if trial.holdout is None or not is_valued(e.pilot):
        return {}
    base = holdout_base(world)
    known = stages.predictions(world, models, base, rules=tuple(RULES), columns=tuple(READABLE),
                               month=e.pilot.start_month)
    rows = np.flatnonzero(trial.holdout)
    kept, others = trial.take(rows), trial.to_learn_from()
    learned = _net_value(models, others, models.unseen_risk(others))
    log = {"ids": base.ids, "given": given_arm(kept), "outcome": _net_value(models, kept, models.risk_of(kept)),
           "propensity": given_prob(trial, _design(world, trial))[rows],
           "outcome_by_arm": predicted_outcomes(others, learned, kept.X)}
    return {f"{PREFIX}{name}": values for name, values in (known | log).items()}


def given_arm(trial: Trial) -> Int64:
    """Return what each was given, (n,), 0 for nothing: who may not have the offer of his arm is left alone."""
    offered = trial.eligible & (trial.assigned[:, None] == np.array(trial.offers))
    return np.where(offered.any(axis=1), 1 + offered.argmax(axis=1), 0)


def given_prob(trial: Trial, prob: Float64) -> Float64:
    """Return the chances to be given each arm, (n, K + 1), from those to be assigned it."""
    found = np.where(np.column_stack([np.ones(len(prob), bool), trial.eligible]), prob, 0.0)
    found[:, 0] = 1.0 - found[:, 1:].sum(axis=1)
    return found


def _design(world: World, trial: Trial) -> Float64:
    """Return the chances of assignment; those of a past campaign are estimated, each row's without it."""
    if trial.propensity_by_arm is not None:
        return trial.propensity_by_arm
    e, arms = world.experiment, (CONTROL, *trial.offers)
    seed = integer_seed(make_key(seed=e.seed, replicate=world.replicate, purpose="learner"))
    found = cross_fit_propensity(trial.X, trial.assigned, arms=arms, folds=e.uplift.folds, seed=seed,
                                 clip=LEAST_PROPENSITY)
    return np.column_stack([found[arm] for arm in arms])


def _net_value(models: Models, trial: Trial, risk: Float64) -> Float64:
    return outcomes(trial, models.months_after(risk))[NET_VALUE]


def predicted_outcomes(trial: Trial, outcome: Float64, X: pd.DataFrame) -> Float64:
    """Return the outcome that rows of `X` are expected to have under each arm, (n, K + 1), by ridge on a trial."""
    given = given_arm(trial)
    found = [ridge().fit(trial.X[given == k].to_numpy(), outcome[given == k]).predict(X.to_numpy())
             for k in range(1 + len(trial.offers))]
    return np.column_stack(found)


@dataclass(frozen=True)
class Holdout:
    """Those of the holdout who may be listed, one row each.

    Attributes
    ----------
    plan
        What the operator knew of them; arms of other channels than the pilot's are not allowed.
    log
        What they were given in the pilot, and what came of it.
    outcome_by_arm
        (n, K + 1) expected outcomes.
    true_value
        (n, A) what listing each for each arm is worth.
    per_row
        Subscribers of the campaign who may be listed through the pilot's channel, for each row.
    is_design
        Whether the chances of the log are known.
    """

    plan: Plan
    log: LoggedTrial
    outcome_by_arm: Float64
    true_value: Float64
    per_row: float
    is_design: bool

    def limits(self, whole: Limits) -> Limits:
        """Return the rows' share of the campaign's limits: money, staff, and, rounded, numbers of segments."""
        share = 1.0 / self.per_row
        return Limits(whole.budget * share,
                      tuple(replace(each, capacity=each.capacity * share) for each in whole.resources),
                      tuple(replace(each, least=round(each.least * share),
                                    most=each.most if np.isinf(each.most) else round(each.most * share))
                            for each in whole.segments))

    def position(self, arm: Int64) -> Int64:
        """Return the position in the log's arms of arms of the plan, -1 being control, (n,)."""
        own = np.array([*(self.log.arms.index(each.offer) for each in self.plan.arms), 0])
        return np.asarray(own[arm])


def load_holdout(world: World, plan_cell: Cell, truth_cell: Cell) -> Holdout:
    """Return the holdout of a plan cell, with the truth of a truth cell."""
    e = world.experiment
    arrays = stages.below(PREFIX, plan_cell.arrays)
    plan = stages.load_plan(world, Cell(plan_cell.facts, arrays), arrays["ids"])
    through = np.array([arm.channel == plan.pilot_channel for arm in plan.arms])
    plan = replace(plan, allowed=plan.allowed & through)
    rows = np.flatnonzero(plan.allowed.any(axis=1))
    if len(rows) < LEAST_ROWS:
        raise DataError(f"pilot: {len(rows)} subscribers of the holdout may be listed, at least {LEAST_ROWS} are "
                        "needed to value policies on them; raise pilot.holdout_share, or enlarge pilot.size")
    listable = int((plan_cell.arrays["allowed"] & through).any(axis=1).sum())
    arms = (CONTROL, *e.campaign.offers)
    column = {offer: plan.arm(offer, plan.pilot_channel) for offer in e.campaign.offers}
    log = logged_trial(arrays["outcome"][rows], treatment=np.array(arms)[arrays["given"][rows]], arms=arms,
                       propensity={arm: arrays["propensity"][rows, k] for k, arm in enumerate(arms)},
                       costs={offer: plan.contact_cost[rows, k] for offer, k in column.items()})
    return Holdout(plan.take(rows), log, arrays["outcome_by_arm"][rows], truth_cell.arrays[TRUE_VALUE][rows],
                   listable / len(rows), not isinstance(e.pilot.targeting, RiskList))


def estimate_frames(world: World, settings: PolicySettings, plan_cell: Cell, truth_cell: Cell,
                    metrics: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """Return the table `estimates` of a policy cell: a row a method, or one that says why there is none.

    Parameters
    ----------
    metrics
        Of the policy in the campaign: `plan_value` and `net_value` stand beside the estimates.

    Returns
    -------
    dict
        Nothing without a holdout. Else ``estimates``: ``method``, ``value_amount`` with ``se_amount``, ``low_amount``
        and ``high_amount``, ``spend_amount``, ``listed``, ``effective_rows``, ``true_value_amount``,
        ``plan_value_amount``, ``net_value_amount``, ``note``. All for as many subscribers as the campaign has.
    """
    e = world.experiment
    if not e.pilot.holdout_share:
        return {}
    why, rows = not_valued(settings, e.policies, pilot=e.pilot), []
    if not why:
        try:
            rows = _estimates(world, settings, load_holdout(world, plan_cell, truth_cell))
        except (CapacityError, DataError) as error:
            why = str(error)
    if not rows:
        rows = [{**dict.fromkeys(COLUMNS, np.nan), "method": "", "note": why}]
    beside = {"plan_value_amount": metrics["plan_value"], "net_value_amount": metrics["net_value"]}
    return {"estimates": pd.DataFrame([row | beside for row in rows], columns=list(COLUMNS))}


def not_valued(settings: PolicySettings, policies: Mapping[str, PolicySettings], *, pilot: PilotSettings) -> str:
    """Say why a policy cannot be valued on the pilot, or nothing."""
    if isinstance(settings, Readable):
        why = not_valued(policies[settings.imitates], policies, pilot=pilot)
        return f"imitates {settings.imitates}: {why}" if why else ""
    if _only_reached(pilot):
        return "the past campaign's log names only those who were reached"
    if settings.kind in TRUTHFUL:
        return "knows the truth"
    if settings.kind in OVER_MONTHS:
        return "makes a list every month"
    if settings.kind == "capacity_aware":
        return "tries its lists in the campaign's contact centre"
    others = [name for name in dict.fromkeys(channels_of([settings])) if name != pilot.channel]
    return f"makes offers by {', '.join(others)}, the pilot by {pilot.channel}" if others else ""


def _estimates(world: World, settings: PolicySettings, holdout: Holdout) -> list[dict[str, Any]]:
    e = world.experiment
    given = Situation(holdout.plan, holdout.limits(world.limits(month=e.campaign_month)), world.key,
                      policies=e.policies, folder=world.folder, currency=e.currency)
    choice = choose(settings, given)
    listed = np.flatnonzero(choice.arm >= 0)
    facts = {"spend_amount": choice.planned_spend * holdout.per_row, "listed": len(listed) * holdout.per_row,
             "true_value_amount": float(holdout.true_value[listed, choice.arm[listed]].sum()) * holdout.per_row}
    rows = method_rows(holdout, choice.arm, confidence=e.evaluation.confidence)
    notes = _notes(settings, e.policies, len(e.campaign.channels), holdout)
    if len(listed) and rows[0]["effective_rows"] < TRUSTED_ROWS:
        notes.append(f"fewer than {TRUSTED_ROWS} effective rows: its intervals are too narrow")
    return [{**row, **facts, "note": "; ".join(notes)} for row in rows]


def method_rows(holdout: Holdout, arm: Int64, *, confidence: float) -> list[dict[str, Any]]:
    """Return what each method estimates a list (n,) of the holdout to be worth, against leaving all alone.

    Raises
    ------
    DataError
        The log cannot speak of the list.
    """
    log, own = holdout.log, np.eye(len(holdout.log.arms))[holdout.position(arm)]
    nobody = np.eye(len(log.arms))[np.zeros(len(log), np.int64)]
    # Estimated chances are clipped at the bound and then divided by their sum.
    least = LEAST_PROPENSITY if holdout.is_design else 0.0
    got = np.flatnonzero((arm >= 0) & (holdout.position(arm) == log.arm))
    weight = 1.0 / log.propensity[got, log.arm[got]]
    effective = float(weight.sum() ** 2 / (weight**2).sum()) if len(got) else 0.0
    rows = []
    for method in METHODS:
        expected = holdout.outcome_by_arm if method in ("dm", "dr") else None
        with_list, without = (policy_value(log, each, method=method, outcome_by_arm=expected, least_propensity=least)
                              for each in (own, nobody))
        gain = (with_list.contribution - without.contribution) * len(log) * holdout.per_row
        found = mean_interval(gain, confidence=confidence)
        rows.append({"method": method, "value_amount": found.mean, "se_amount": _standard_error(gain),
                     "low_amount": found.low, "high_amount": found.high, "effective_rows": effective})
    return rows


def _standard_error(values: Float64) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else np.nan


def _notes(settings: PolicySettings, policies: Mapping[str, PolicySettings], channels: int, holdout: Holdout
           ) -> list[str]:
    """Say what a reader should know of how a policy is valued."""
    kind = policies[settings.imitates].kind if isinstance(settings, Readable) else settings.kind
    notes = []
    if kind in ANY_CHANNEL and channels > 1:
        notes.append(f"its list by {holdout.plan.pilot_channel} alone; plan_value and net_value have all channels")
    if not holdout.is_design:
        notes.append("chances of assignment are estimated")
    return notes

"""What the result of a policy depends on beside its world."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from churnsim.config.named_class import class_digest
from churnsim.experiment.settings import Experiment
from churnsim.policy.settings import BUDGETED, Own, PolicySettings, Readable


def policy_sections(experiment: Experiment, name: str, folder: Path) -> dict[str, Any]:
    """Return what a policy's result depends on beyond its world: settings, the campaign; the budget if budgeted."""
    policy = experiment.policies[name]
    campaign = experiment.campaign.model_dump(mode="json")
    if policy.kind not in BUDGETED:
        campaign.pop("budget_amount")
    return {"policy": _plain(policy, experiment, folder), "campaign": campaign,
            "evaluation": experiment.evaluation.model_dump(mode="json")}


def _plain(policy: PolicySettings, experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Return the settings of a policy, with those of the one it imitates and the source of the user's own."""
    plain = policy.model_dump(mode="json")
    if isinstance(policy, Own):
        plain["source"] = class_digest(policy.policy, folder)
    if isinstance(policy, Readable):
        plain["imitated"] = _plain(experiment.policies[policy.imitates], experiment, folder)
    return plain

"""A plan of five subscribers made by hand, and the lists that policies make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from churnsim.core.draws import make_key
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.choices import Limits
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Arm, Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import BUDGETED, IN_PARTS, KINDS, PolicySettings
from churnsim.uplift.best import BestCampaign
from churnsim.uplift.models import RANKINGS

KEY = make_key(seed=1, replicate=0)
ARMS = (Arm("gift", 1, "call"), Arm("gift", 1, "sms"), Arm("device", 2, "call"), Arm("device", 2, "sms"))
CALL_GIFT = 0


class Untouchable:
    """Truth that nobody may look at."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"a policy read the true {name}")


HIDDEN: TrueEffects = Untouchable()  # type: ignore[assignment]


def made_plan(**changes: Any) -> Plan:
    """Return five subscribers and four arms: a call costs 1, an SMS 0.1; half accept the gift of 4 (device of 40).

    Calls reach one half and messages one fifth, so that giving arms costs 2, 0.5, 11 and 4.1.
    """
    n = 5
    values: dict[str, Any] = {
        "ids": np.array([10, 11, 12, 13, 14]),
        "arms": ARMS,
        "allowed": np.ones((n, 4), bool),
        "reach": np.tile([0.5, 0.2, 0.5, 0.2], (n, 1)),
        "contact_cost": np.tile([1.0, 0.1, 1.0, 0.1], (n, 1)),
        "accept": np.full((n, 4), 0.5),
        "offer_cost": np.tile([4.0, 4.0, 40.0, 40.0], (n, 1)),
        "risk": np.array([0.1, 0.5, 0.2, 0.4, 0.3]),
        "margin": np.array([100.0, 10.0, 30.0, 20.0, 0.0]),
        "minutes": np.tile([4.0, 1.0, 4.0, 1.0], (n, 1)),
        "segment": np.full(n, -1, np.int32),
        "months": {"value": np.zeros((n, 4))},
        "flags": {"w1": np.zeros(n, bool)},
        "best": best_at(1.0),
        "pilot_channel": "call",
    }
    values |= changes
    # Months of margin that a contact keeps, and what they are worth.
    months = values.pop("months")
    kept = {name: values["margin"][:, None] * each for name, each in months.items()}
    return Plan(**{"effects": months, "kept": kept, **values})


def best_at(depth: float, offer: str = "gift") -> Mapping[str, BestCampaign]:
    return {ranking: BestCampaign(offer, depth, 1.0) for ranking in (*RANKINGS, "uplift.value", "profit_lift.value")}


EXTRA: dict[str, dict[str, Any]] = {
    **{kind: {"offer": "gift", "channel": "call"} for kind in ("everyone", "everyone_capacity")},
    **{kind: {"learner": "value"} for kind in ("uplift", "profit_lift", "uplift_value", "budget_staff")},
    "rules": {"match": [{"rule": "w1", "offer": "gift", "channel": "sms"}]},
    "value_tier": {"tiers": [{"least_margin_amount": 25.0, "offer": "device", "channel": "call"},
                             {"least_margin_amount": 5.0, "offer": "gift", "channel": "sms"}]},
}
ONE_LIST = tuple(kind for kind in KINDS if kind in (*IN_PARTS, "budget_staff", "oracle"))
KEEP_TO_BUDGET = tuple(kind for kind in ONE_LIST if kind in BUDGETED)


def settings_of(kind: str, **changes: Any) -> PolicySettings:
    plain = {"kind": kind, **EXTRA.get(kind, {}), **changes}
    return TypeAdapter[PolicySettings](PolicySettings).validate_json(json.dumps(plain))


def given_of(plan: Plan, *, budget: float = 1e9, key: Any = KEY, **limits: Any) -> Situation:
    return Situation(plan, Limits(budget, **limits), key)


def chosen(
    kind: str, plan: Plan | None = None, *, budget: float = 1e9, truth: TrueEffects = HIDDEN, key: Any = KEY,
    **limits: Any,
) -> Choice:
    plan = made_plan() if plan is None else plan
    return choose(settings_of(kind), given_of(plan, budget=budget, key=key, **limits), truth=truth)

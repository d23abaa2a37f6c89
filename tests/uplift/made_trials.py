"""Simulated trials whose truth is known, and models fitted on them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.draws import Key, make_key
from churnsim.uplift.models import Models, Predictions
from churnsim.uplift.settings import Learner, UpliftSettings
from churnsim.uplift.trial import CONTROL, Trial

KEY = make_key(seed=1, replicate=0, purpose="learner")
OFFERS = ("call", "gift")
MONTHS, HORIZON, RATE = 6, 24, 0.1
VALUE = {"value": Learner(kind="dr_ridge", outcome="margin_months")}
STAY = {"stay": Learner(kind="t_logistic", outcome="stayed")}


def made_trial(*, n: int = 9000, effect: npt.ArrayLike = (0.10, 0.0), targeted: bool = False, seed: int = 3) -> Trial:
    """Return a trial in which assignment adds `effect` to the chance of staying six months.

    Two features; "risk" moves the chance to leave between 10 and 40 %. Of those with an offer 60 % are reached and
    half of these accept. `targeted`: the first offer helps the riskier half and drives the others away.
    """
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {"risk": rng.uniform(-1, 1, n), "noise": rng.normal(size=n)},
        index=pd.Index(np.arange(n) + 100, name="subscriber"),
    )
    code = rng.integers(0, 3, n)
    effects = np.concatenate([[0.0], np.asarray(effect, dtype=float)])[code]
    if targeted:
        effects = np.where(code == 1, np.where(X["risk"] > 0, 0.25, -0.25), 0.0)
    stay_prob = 0.75 - 0.15 * X["risk"].to_numpy() + effects
    u = rng.random(n)
    stayed = u < stay_prob
    reached = (code > 0) & (rng.random(n) < 0.6)
    return Trial(
        offers=OFFERS,
        X=X,
        assigned=np.array((CONTROL, *OFFERS))[code],
        propensity_by_arm=np.full((n, 3), 1 / 3),
        eligible=np.ones((n, 2), bool),
        reached=reached,
        accepted=reached & (rng.random(n) < 0.5),
        planned_reach=np.full(n, 0.6),
        stayed=stayed,
        left_early=~stayed & (u > (1 + stay_prob) / 2),
        margin_months=np.where(stayed, 6.0, 3.0),
        margin_amount=np.full(n, 20.0),
        net_margin_amount=np.where(stayed, 120.0, 60.0) - np.where(reached, 1.0, 0.0),
        margin_after_amount=np.full(n, 20.0),
        offer_cost_after_amount=np.zeros(n),
        offer_cost_amount=np.full((n, 2), 2.0),
        contact_cost_amount=np.full(n, 0.5),
    )


def fitted(
    trial: Trial,
    learners: dict[str, Learner] = VALUE,
    *,
    shrink: bool = True,
    key: Key = KEY,
    churn_model: str = "logistic",
    **others: object,
) -> Models:
    given = {"learners": learners, "folds": 3, "shrink": shrink, "min_reach_prob": 0.1, **others}
    settings = UpliftSettings.model_validate(given)
    return Models(
        trial,
        settings,
        churn_model=churn_model,
        risk_horizon_months=3,
        outcome_months=MONTHS,
        horizon_months=HORIZON,
        rate_annual=RATE,
        key=key,
    )


def predictions(models: Models, trial: Trial, rows: slice = slice(None)) -> Predictions:
    return models.predict(
        trial.X.iloc[rows],
        planned_reach=trial.planned_reach[rows],
        margin=trial.margin_amount[rows],
    )


def months(found: Predictions, name: str) -> npt.NDArray[np.float64]:
    return found.effects[name].per_contact

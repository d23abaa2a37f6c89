"""What an operator learns from a pilot: churn risk, acceptance, effects per offer, the best campaign."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.core.clock import discount_factor
from churnsim.core.draws import Key, integer_seed, stream, uniform
from churnsim.errors import DataError
from churnsim.signals.churn import ChurnModel, monthly_rate
from churnsim.signals.linear import RowwiseLogistic
from churnsim.uplift.best import BestCampaign
from churnsim.uplift.learners import fit
from churnsim.uplift.scores import (
    Calibration,
    calibrate,
    cross_fit_effects,
    cross_fit_outcomes,
    doubly_robust_scores,
    minimum_detectable_effect,
    shrink,
)
from churnsim.uplift.settings import Learner, UpliftSettings
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Depths that a ranking campaign tries on the pilot, as shares of those who may get the offer.
DEPTHS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
RANKINGS = ("random", "churn_risk", "risk_value")
RANDOM_ORDER = stream("uplift.random_order")
# Fewer acceptances or refusals than this teach no model; the offer's average is used instead.
MIN_EVENTS = 20
MIN_ROWS = 200


@dataclass(frozen=True)
class Predictions:
    """What the models say about subscribers, per contact.

    Attributes
    ----------
    risk
        (n,) chance of leaving within the churn model's horizon.
    accept
        (n, K) chance to take each offer once contacted through the pilot's channel.
    months
        learner -> (n, K): discounted months of margin that a contact with the offer keeps.
    """

    risk: Float64
    accept: Float64
    months: dict[str, Float64]


class Models:
    """Models fitted on one trial.

    Parameters
    ----------
    trial
        The finished pilot.
    settings
        Learners and how their scores are shrunk.
    churn_model, risk_horizon_months
        Kind and horizon of the churn model.
    outcome_months, horizon_months
        Length of the pilot's outcomes and of the evaluation: months between them are expected, not seen.
    rate_annual
        Discount rate.
    key
        Seeds of folds and fits.

    Attributes
    ----------
    report
        One row an offer and learner: subscribers and events per arm, average effect of assignment with its
        standard error, minimum detectable effect, calibration of the learner.
    best
        Ranking -> the offer and depth that did best on the pilot.
    """

    def __init__(self, trial: Trial, settings: UpliftSettings, *, churn_model: str, risk_horizon_months: int,
                 outcome_months: int, horizon_months: int, rate_annual: float, key: Key) -> None:
        self.offers = trial.offers
        self.settings = settings
        self._outcome_months, self._horizon, self._rate = outcome_months, horizon_months, rate_annual
        seed = integer_seed(key)
        control = (trial.assigned == CONTROL) & trial.here
        if not control.any():
            raise DataError("pilot: nobody was assigned to control; enlarge pilot.size or "
                            "pilot.control_share")
        self.churn = ChurnModel(churn_model, horizon_months=risk_horizon_months, seed=seed)
        self.churn.fit(trial.X[control], trial.left_early[control])
        known = self.churn.predict(trial.X)[trial.here]
        self.mean_risk = float(known.mean())
        self.base_rate = float(monthly_rate(known, horizon_months=risk_horizon_months).mean())
        risk = self._risk(trial.X, ~trial.here)
        self._accept = {name: _AcceptModel(trial, name) for name in trial.offers}
        outcomes = {"stayed": trial.stayed.astype(np.float64),
                    "margin_months": trial.margin_months + trial.stayed * self.months_after(risk)}
        self._effects: dict[str, dict[str, tuple[object, Calibration]]] = {}
        rows: list[dict[str, object]] = []
        _require_rows(trial)
        scores = {name: {offer: _pilot_scores(trial, offer, outcome, settings.folds, seed)
                         for offer in trial.offers}
                  for name, outcome in outcomes.items()
                  if name == "margin_months" or name in {known.outcome for known in settings.learners.values()}}
        for name, learner in settings.learners.items():
            outcome = outcomes[learner.outcome]
            self._effects[name] = {}
            for offer in trial.offers:
                fitted, effects = _learn(trial, offer, learner, outcome, settings.folds, seed)
                calibration = calibrate(effects, scores[learner.outcome][offer][:, None])
                self._effects[name][offer] = fitted, calibration
                rows.append(_report_row(trial, offer, name, learner, outcome, calibration))
        self.report = pd.DataFrame(rows)
        self.best = {ranking: self._best_campaign(trial, ranking, scores["margin_months"], key)
                     for ranking in RANKINGS}

    def _risk(self, X: pd.DataFrame, lost: Flags) -> Float64:
        """Return the chance of leaving; who has left and comes back leaves as often as the average [assumption]."""
        return np.where(lost, self.mean_risk, self.churn.predict(X))

    def months_after(self, risk: Float64) -> Float64:
        """Return the discounted months expected after the pilot's outcome months for those who stayed, (n,).

        At a constant monthly rate half way between the subscriber's own predicted rate and the mean: part of
        a high risk is a passing state [assumption].
        """
        own = monthly_rate(risk, horizon_months=self.churn.horizon_months)
        stay = 1.0 - (own + self.base_rate) / 2.0
        total = np.zeros(len(risk))
        for month in range(self._outcome_months, self._horizon):
            total += discount_factor(month, rate_annual=self._rate) * stay ** (month - self._outcome_months)
        return total

    def predict(self, X: pd.DataFrame, *, planned_reach: Float64, learners: Collection[str] | None = None,
                lost: Flags | None = None) -> Predictions:
        """Return predictions for the rows of `X`.

        Parameters
        ----------
        X
            (n, features).
        planned_reach
            (n,) chance of contact through the pilot's channel with the pilot's staff: effects of assignment
            are divided by it, valid because an unanswered attempt has no effect of its own.
        learners
            Names of those asked for; None: all.
        lost
            (n,) who has left; None: nobody.
        """
        risk = self._risk(X, np.zeros(len(X), bool) if lost is None else lost)
        reach = np.maximum(planned_reach, self.settings.min_reach_prob)
        seen = range(self._outcome_months)
        half = sum(discount_factor(month, rate_annual=self._rate) for month in seen) / 2.0
        months = {}
        for name, learner in self.settings.learners.items():
            if learners is not None and name not in learners:
                continue
            per_contact = np.column_stack([self._effect(name, offer, X) / reach for offer in self.offers])
            if learner.outcome == "stayed":
                per_contact = per_contact * (half + self.months_after(risk))[:, None]
            months[name] = per_contact
        accept = np.column_stack([self._accept[offer].predict(X) for offer in self.offers])
        return Predictions(risk, accept, months)

    def _effect(self, learner: str, offer: str, X: pd.DataFrame) -> Float64:
        fitted, calibration = self._effects[learner][offer]
        if self.settings.shrink and not calibration.kept_slope.any():
            # Everybody is given the average, whatever the learner would say.
            return np.full(len(X), shrink(calibration.mean_effect[None], calibration)[0, 0])
        raw = fitted.predict(X).to_numpy()  # type: ignore[attr-defined]
        return shrink(raw, calibration)[:, 0] if self.settings.shrink else np.asarray(raw[:, 0])

    def _best_campaign(self, trial: Trial, ranking: str, scores: Mapping[str, Float64], key: Key
                       ) -> BestCampaign:
        """Try every offer and depth on the pilot: value kept less planned cost, a subscriber of the pilot."""
        risk = self._risk(trial.X, ~trial.here)
        ids = trial.X.index.to_numpy(dtype=np.int64)
        order_by = {"random": uniform(key, RANDOM_ORDER, ids), "churn_risk": risk,
                    "risk_value": risk * trial.margin_amount}[ranking]
        found = []
        for column, offer in enumerate(trial.offers):
            rows = trial.rows_for(offer)
            accept = self._accept[offer].predict(trial.X.iloc[rows])
            cost = (trial.contact_cost_amount[rows]
                    + trial.planned_reach[rows] * accept * trial.offer_cost_amount[rows, column])
            gain = scores[offer] * trial.margin_amount[rows] - cost
            running = np.cumsum(gain[np.argsort(-order_by[rows], kind="stable")])
            for depth in DEPTHS:
                taken = max(1, round(depth * len(rows)))
                found.append(BestCampaign(offer, depth, float(running[taken - 1] / len(rows))))
        return max(found, key=lambda campaign: campaign.value_amount)


class _AcceptModel:
    """Chance to accept an offer given a contact, from those reached in the pilot; a rate if they are few."""

    def __init__(self, trial: Trial, offer: str) -> None:
        reached = np.flatnonzero((trial.assigned == offer) & trial.reached)
        accepted = trial.accepted[reached]
        self.rate = float(accepted.mean()) if len(reached) else 0.0
        self._model = None
        if min(int(accepted.sum()), int((~accepted).sum())) >= MIN_EVENTS:
            self._model = make_pipeline(StandardScaler(), RowwiseLogistic(max_iter=1000))
            self._model.fit(trial.X.iloc[reached].to_numpy(), accepted)

    def predict(self, X: pd.DataFrame) -> Float64:
        if self._model is None or not len(X):
            return np.full(len(X), self.rate)
        return np.asarray(self._model.predict_proba(X.to_numpy())[:, 1], dtype=np.float64)


def _require_rows(trial: Trial) -> None:
    for offer in trial.offers:
        assigned = trial.assigned[trial.rows_for(offer)]
        smallest = min(int((assigned == arm).sum()) for arm in (CONTROL, offer))
        if smallest < MIN_ROWS:
            raise DataError(f"pilot: {smallest} subscribers in the smaller arm for offer {offer!r}, at least "
                            f"{MIN_ROWS} are needed to learn its effects; enlarge pilot.size")


def _learn(trial: Trial, offer: str, learner: Learner, outcome: Float64, folds: int, seed: int
           ) -> tuple[object, Float64]:
    """Return the learner fitted on all rows that tell about the offer, and its out-of-fold effects on them."""
    rows, arms = trial.rows_for(offer), (CONTROL, offer)
    propensity = trial.propensity(offer)
    X, y, treatment = trial.X.iloc[rows], outcome[rows], trial.assigned[rows]
    train = partial(fit, learner.kind)
    fitted = train(X, y, treatment=treatment, arms=arms, propensity=propensity, seed=seed)
    return fitted, cross_fit_effects(train, X, y, treatment=treatment, arms=arms, propensity=propensity,
                                     folds=folds, seed=seed)


def _pilot_scores(trial: Trial, offer: str, outcome: Float64, folds: int, seed: int) -> Float64:
    """Return the doubly robust score of being assigned the offer, one a row of `trial.rows_for(offer)`."""
    rows, arms = trial.rows_for(offer), (CONTROL, offer)
    X, y, treatment = trial.X.iloc[rows], outcome[rows], trial.assigned[rows]
    expected = cross_fit_outcomes(X, y, treatment=treatment, arms=arms, folds=folds, seed=seed)
    return doubly_robust_scores(y, treatment=treatment, arms=arms, propensity=trial.propensity(offer),
                                outcome_by_arm=expected)[:, 0]


def _report_row(trial: Trial, offer: str, name: str, learner: Learner, outcome: Float64, found: Calibration
                ) -> dict[str, object]:
    rows = trial.rows_for(offer)
    treated = trial.assigned[rows] == offer
    n_arm, n_control = int(treated.sum()), int((~treated).sum())
    mde = minimum_detectable_effect(float(outcome[rows].std()), n_arm=n_arm, n_control=n_control)
    return {
        "learner": name, "kind": learner.kind, "outcome": learner.outcome, "offer": offer,
        "n_offer": n_arm, "n_control": n_control,
        "left_offer": int((~trial.stayed[rows][treated]).sum()),
        "left_control": int((~trial.stayed[rows][~treated]).sum()),
        "reached_share": float(trial.reached[rows][treated].mean()),
        "effect_of_assignment": float(found.ate[0]), "effect_se": float(found.ate_se[0]),
        "minimum_detectable_effect": mde,
        "calibration_slope": float(found.slope[0]), "calibration_slope_se": float(found.slope_se[0]),
        "kept_share_of_mean": float(found.shrink[0]), "kept_share_of_spread": float(found.kept_slope[0]),
    }

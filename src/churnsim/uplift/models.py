"""What an operator learns from a pilot: churn risk, reach, acceptance, effects per offer, the best campaign."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.clock import discount_factor
from churnsim.core.draws import Key, integer_seed, stream, uniform
from churnsim.errors import DataError
from churnsim.signals.churn import ChurnModel, monthly_rate
from churnsim.uplift.best import BestCampaign, campaign_name
from churnsim.uplift.effects import Effects
from churnsim.uplift.learned import Learned, assignment, learn, pilot_scores, report_row, require_rows
from churnsim.uplift.outcomes import MARGIN_MONTHS, NET_VALUE, STAYED, learned_outcomes
from churnsim.uplift.rankings import Tried, best_campaign
from churnsim.uplift.response import ResponseModel, accept_rows, calibration_table, reach_features, reach_rows
from churnsim.uplift.settings import UpliftSettings
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Rankings that ask no learner, then those by a learner's effects.
RANKINGS = ("random", "churn_risk", "risk_value")
LEARNED_RANKINGS = ("uplift", "profit_lift")
RANDOM_ORDER = stream("uplift.random_order")


@dataclass(frozen=True)
class Predictions:
    """What the models say about subscribers.

    Attributes
    ----------
    risk
        (n,) chance of leaving within the churn model's horizon.
    accept
        (n, K) chance to take each offer once contacted through the pilot's channel.
    reach
        (n,) chance of contact through the pilot's channel with the pilot's staff.
    effects
        learner -> what it learned.
    """

    risk: Float64
    accept: Float64
    reach: Float64
    effects: Mapping[str, Effects]

    @property
    def kept(self) -> dict[str, Float64]:
        """Learner -> (n, K): discounted margin kept by a contact through the pilot's channel, before offer cost."""
        return {name: effects.tau_contact for name, effects in self.effects.items()}


class Models:
    """Models fitted on one trial.

    Parameters
    ----------
    trial
        The finished pilot, or a past campaign. Its holdout is left alone.
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
    folder
        Folder of the experiment file: estimators of one's own are looked for there first.

    Attributes
    ----------
    report
        One row an offer and learner: subscribers and events per arm, average effect of assignment with its
        standard error, minimum detectable effect, calibration of the learner.
    responses
        One row an offer, and one or two of reach: how the models of accepting and of being reached do on rows they
        did not see.
    best
        Ranking -> the offer and depth that did best on the pilot; of a ranking by a learner's effects, the name is
        that of :func:`~churnsim.uplift.best.campaign_name`.
    """

    def __init__(self, trial: Trial, settings: UpliftSettings, *, churn_model: str, risk_horizon_months: int,
                 outcome_months: int, horizon_months: int, rate_annual: float, key: Key, folder: Path = Path()) -> None:
        self.offers = trial.offers
        self.settings = settings
        self._outcome_months, self._horizon, self._rate = outcome_months, horizon_months, rate_annual
        self._reached_only = trial.reached_only
        seed, trial = integer_seed(key), trial.to_learn_from()
        self._seed = seed
        control = (trial.assigned == CONTROL) & trial.here
        if not control.any():
            raise DataError("pilot: nobody was assigned to control; enlarge pilot.size or "
                            "pilot.control_share")
        self.churn = ChurnModel(churn_model, horizon_months=risk_horizon_months, seed=seed)
        self.churn.fit(trial.X[control], trial.left_early[control])
        known = self.churn.predict(trial.X)[trial.here]
        self.mean_risk = float(known.mean())
        self.base_rate = float(monthly_rate(known, horizon_months=risk_horizon_months).mean())
        self._accept = {name: ResponseModel(trial.X.iloc[accept_rows(trial, name)],
                                            trial.accepted[accept_rows(trial, name)]) for name in trial.offers}
        self._reach = self._reach_model(trial)
        self.responses = calibration_table(trial, learned_reach=self._reach is not None, folds=settings.folds)
        self._fit(trial, seed, key, folder)

    def _fit(self, trial: Trial, seed: int, key: Key, folder: Path) -> None:
        """Learn the effects of every offer, and which campaign would have done best.

        An offer is learned against control on those who could be given it: who may have what differs from offer to
        offer, and a fit of several arms at once would leave out whoever may not have them all.
        """
        require_rows(trial)
        risk = self.unseen_risk(trial)
        known = learned_outcomes(trial, self.months_after(risk))
        chances = {offer: assignment(trial, offer, self.settings, seed) for offer in trial.offers}
        used = {learner.outcome for learner in self.settings.learners.values()} | {MARGIN_MONTHS}
        folds, adjusted = self.settings.folds, self.settings.propensity != "ignored"
        scores = {name: {offer: pilot_scores(trial, offer, known[name], chances[offer], adjusted=adjusted, folds=folds,
                                             seed=seed) for offer in trial.offers} for name in known if name in used}
        self._learned: dict[str, dict[str, Learned]] = {}
        rows: list[dict[str, object]] = []
        for name, learner in self.settings.learners.items():
            self._learned[name] = {}
            for offer in trial.offers:
                found = learn(trial, offer, learner, known[learner.outcome], scores[learner.outcome][offer],
                              chances[offer], folds=folds, seed=seed, folder=folder)
                self._learned[name][offer] = found
                rows.append(report_row(trial, offer, name, learner, known[learner.outcome], found.calibration))
        self.report = pd.DataFrame(rows)
        self.best = self._best(trial, scores[MARGIN_MONTHS], risk, key)
        for offers in self._learned.values():
            for offer, found in offers.items():
                offers[offer] = found.without_rows()

    def _reach_model(self, trial: Trial) -> ResponseModel | None:
        if self.settings.reach == "planned":
            return None
        rows = reach_rows(trial)
        X = reach_features(trial.X.iloc[rows], trial.planned_reach[rows])
        return ResponseModel(X, trial.reached[rows])

    def _risk(self, X: pd.DataFrame, lost: Flags) -> Float64:
        """Return the chance of leaving; who has left and comes back leaves as often as the average [assumption]."""
        return np.where(lost, self.mean_risk, self.churn.predict(X))

    def risk_of(self, trial: Trial) -> Float64:
        """Return the chance of leaving of the rows of a trial that nothing was learned from, (n,)."""
        return self._risk(trial.X, ~trial.here)

    def unseen_risk(self, trial: Trial) -> Float64:
        """Return the chance of leaving of the rows that were learned from, (n,), by churn models that did not see them.

        The model's own answers on rows of its fit look better than they are: a ranking by them would be judged by
        what it was made of.
        """
        fold = np.random.default_rng(self._seed).permutation(len(trial.X)) % self.settings.folds
        control = (trial.assigned == CONTROL) & trial.here
        risk = np.full(len(trial.X), self.mean_risk)
        for held_out in range(self.settings.folds):
            rows, learned = (fold == held_out) & trial.here, (fold != held_out) & control
            model = ChurnModel(self.churn.kind, horizon_months=self.churn.horizon_months, seed=self._seed)
            risk[rows] = model.fit(trial.X[learned], trial.left_early[learned]).predict(trial.X[rows])
        return risk

    def stay_monthly(self, risk: Float64) -> Float64:
        """Return the chance to stay each month after the pilot's outcome months, (n,).

        At a rate half way between the subscriber's own predicted one and the mean: part of a high risk is a passing
        state [assumption].
        """
        own = monthly_rate(risk, horizon_months=self.churn.horizon_months)
        return 1.0 - (own + self.base_rate) / 2.0

    def months_after(self, risk: Float64) -> Float64:
        """Return the discounted months expected after the pilot's outcome months for those who stayed, (n,).

        At the constant rate of :meth:`stay_monthly`.
        """
        stay = self.stay_monthly(risk)
        total = np.zeros(len(risk))
        for month in range(self._outcome_months, self._horizon):
            total += discount_factor(month, rate_annual=self._rate) * stay ** (month - self._outcome_months)
        return total

    def predict(self, X: pd.DataFrame, *, planned_reach: Float64, margin: Float64,
                learners: Collection[str] | None = None, lost: Flags | None = None) -> Predictions:
        """Return predictions for the rows of `X`.

        Parameters
        ----------
        X
            (n, features).
        planned_reach
            (n,) chance of contact through the pilot's channel with the pilot's staff.
        margin
            (n,) monthly margin.
        learners
            Names of those asked for; None: all.
        lost
            (n,) who has left; None: nobody.
        """
        risk = self._risk(X, np.zeros(len(X), bool) if lost is None else lost)
        reach = planned_reach
        if self._reach is not None:
            reach = self._reach.predict(reach_features(X, planned_reach))
        accept = np.column_stack([self._accept[offer].predict(X) for offer in self.offers])
        found = {}
        for name in self.settings.learners:
            if learners is None or name in learners:
                assigned = np.column_stack([self._effect(name, offer, X) for offer in self.offers])
                found[name] = self._effects(name, assigned, risk, reach, accept, margin)
        return Predictions(risk, accept, reach, found)

    def _effects(self, learner: str, raw: Float64, risk: Float64, reach: Float64, accept: Float64, margin: Float64
                 ) -> Effects:
        """Return what raw effects, (n, K) in units of the learner's outcome, mean in months and money."""
        outcome = self.settings.learners[learner].outcome
        ones = np.ones(len(risk))
        floored = np.maximum(reach, self.settings.min_reach_prob)
        # A log of the reached shows what a contact does.
        assigned = raw * floored[:, None] if self._reached_only else raw
        months = ones
        if outcome == STAYED:
            seen = range(self._outcome_months)
            half = sum(discount_factor(month, rate_annual=self._rate) for month in seen) / 2.0
            months = half + self.months_after(risk)
        return Effects(assigned, months, ones if outcome == NET_VALUE else margin, floored, accept,
                       moves=self.settings.unanswered == "no_effect")

    def _effect(self, learner: str, offer: str, X: pd.DataFrame) -> Float64:
        found = self._learned[learner][offer]
        if self.settings.shrink and not found.calibration.kept_slope.any():
            # Everybody is given the average, whatever the learner would say.
            return np.full(len(X), found.shrunk(found.calibration.mean_effect)[0])
        raw = found.fitted.predict(X).to_numpy()[:, 0]
        return found.shrunk(raw) if self.settings.shrink else np.asarray(raw)

    def _best(self, trial: Trial, scores: Mapping[str, Float64], risk: Float64, key: Key) -> dict[str, BestCampaign]:
        """Try every ranking, offer and depth on the pilot: value kept less planned cost, a subscriber of the pilot."""
        ids = trial.X.index.to_numpy(dtype=np.int64)
        order_by = {"random": uniform(key, RANDOM_ORDER, ids), "churn_risk": risk,
                    "risk_value": risk * trial.margin_amount}
        tried = {}
        for offer in trial.offers:
            rows = trial.rows_for(offer)
            margin, reach = trial.margin_amount[rows], trial.planned_reach[rows]
            accept = self._accept[offer].predict(trial.X.iloc[rows])
            offer_cost = trial.offer_cost_amount[rows, trial.offers.index(offer)]
            cost = trial.contact_cost_amount[rows] + reach * accept * offer_cost
            kept = scores[offer] * reach if self._reached_only else scores[offer]
            orders = {ranking: values[rows] for ranking, values in order_by.items()}
            for name in self.settings.learners:
                effects = self._effects(name, self._unseen(name, offer)[:, None], risk[rows], reach, accept[:, None],
                                        margin)
                listed = effects.assigned[:, 0] * effects.months
                value = effects.tau_assign[:, 0] - cost
                for kind, score in zip(LEARNED_RANKINGS, (listed, value), strict=True):
                    orders[campaign_name(kind, name)] = score
            tried[offer] = Tried(kept * margin - cost, orders)
        return {ranking: best_campaign(tried, ranking) for ranking in next(iter(tried.values())).order_by}

    def _unseen(self, learner: str, offer: str) -> Float64:
        """Return the effects on the pilot's own rows, each by learners that did not see it."""
        found = self._learned[learner][offer]
        return found.shrunk(found.out_of_fold) if self.settings.shrink else found.out_of_fold

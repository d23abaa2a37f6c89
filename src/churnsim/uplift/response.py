"""Chances of a yes learned from a pilot, of being reached and of accepting, and how far they can be believed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.signals.linear import RowwiseLogistic
from churnsim.uplift.scores import calibrate
from churnsim.uplift.trial import CONTROL, Trial

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Fewer of either answer than this teach no model; their share is used instead.
MIN_EVENTS = 20


class ResponseModel:
    """The chance of a yes given features: a logistic regression, or the share of yes if there are too few of either.

    Parameters
    ----------
    X, yes
        (n, features) and (n,) bool.

    Attributes
    ----------
    share
        Share of yes, 0 without rows.
    """

    def __init__(self, X: pd.DataFrame, yes: Flags) -> None:
        self.share = float(yes.mean()) if len(yes) else 0.0
        self._model: Pipeline | None = None
        if min(int(yes.sum()), int((~yes).sum())) >= MIN_EVENTS:
            self._model = make_pipeline(StandardScaler(), RowwiseLogistic(max_iter=1000))
            self._model.fit(X.to_numpy(), yes)

    def predict(self, X: pd.DataFrame) -> Float64:
        """Return the chance of a yes, (n,)."""
        if self._model is None or not len(X):
            return np.full(len(X), self.share)
        return np.asarray(self._model.predict_proba(X.to_numpy())[:, 1], dtype=np.float64)


def accept_rows(trial: Trial, offer: str) -> npt.NDArray[np.int64]:
    """Return the rows that tell about accepting an offer: those who were reached with it."""
    return np.flatnonzero((trial.assigned == offer) & trial.reached)


def reach_rows(trial: Trial) -> npt.NDArray[np.int64]:
    """Return the rows that tell about reach: assigned an offer they could be given."""
    own = trial.assigned[:, None] == np.array(trial.offers)
    return np.flatnonzero((trial.assigned != CONTROL) & (own & trial.eligible).any(axis=1))


def reach_features(X: pd.DataFrame, planned_reach: Float64) -> pd.DataFrame:
    """Return the features with the log-odds of the reach that was planned, which knows answering habits."""
    planned = np.clip(planned_reach, 1e-3, 1.0 - 1e-3)
    return X.assign(planned_reach_log_odds=np.log(planned / (1.0 - planned)))


def calibration_table(trial: Trial, *, learned_reach: bool, folds: int) -> pd.DataFrame:
    """Return how the models of accepting each offer and of being reached do on rows that they did not see.

    Columns: ``response`` ("accept", "planned reach", "reach"), ``offer``, rows and share of yes, the mean prediction,
    and ``slope``, that of least squares of the answer on the prediction, with its standard error: 1 for a calibrated
    model, 0 for one that sorts no better than chance, NaN where all are predicted the same. A log of those reached
    tells nothing of reach.
    """
    rows = []
    for offer in trial.offers:
        own = accept_rows(trial, offer)
        X, yes = trial.X.iloc[own], trial.accepted[own]
        rows.append(_calibration("accept", offer, _out_of_fold(X, yes, folds), yes))
    if trial.reached_only:
        return pd.DataFrame(rows)
    own = reach_rows(trial)
    planned, yes = trial.planned_reach[own], trial.reached[own]
    rows.append(_calibration("planned reach", "", planned, yes))
    if learned_reach:
        X = reach_features(trial.X.iloc[own], planned)
        rows.append(_calibration("reach", "", _out_of_fold(X, yes, folds), yes))
    return pd.DataFrame(rows)


def _out_of_fold(X: pd.DataFrame, yes: Flags, folds: int) -> Float64:
    fold = np.arange(len(yes)) % folds
    found = np.zeros(len(yes))
    for held_out in range(min(folds, len(yes))):
        held = fold == held_out
        found[held] = ResponseModel(X[~held], yes[~held]).predict(X[held])
    return found


def _calibration(response: str, offer: str, predicted: Float64, yes: Flags) -> dict[str, object]:
    n = len(yes)
    slope = slope_se = np.nan
    if n >= MIN_EVENTS:
        found = calibrate(predicted[:, None], yes.astype(np.float64)[:, None])
        if np.isfinite(found.slope_se[0]):
            slope, slope_se = float(found.slope[0]), float(found.slope_se[0])
    return {"response": response, "offer": offer, "n": n, "yes": int(yes.sum()),
            "share": float(yes.mean()) if n else np.nan, "mean_predicted": float(predicted.mean()) if n else np.nan,
            "slope": slope, "slope_se": slope_se}

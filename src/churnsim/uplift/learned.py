"""One offer learned against control on a trial: chances of assignment, the fit, its scores, a row of the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from churnsim.errors import DataError
from churnsim.uplift.learners import FittedLearner, LearnerFit
from churnsim.uplift.propensity import cross_fit_propensity, overlapping, require_overlap
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
Chances = Mapping[str, float | Float64]

MIN_ROWS = 200
# Estimated chances are kept so far from 0 and 1, for a weight of a hundred is noise. If more rows than this share are
# (nearly) so far out, the offer and control were given to different people, and nothing can be learned.
LEAST_PROPENSITY = 0.01
NEARLY = 1.05
MOST_OUTSIDE = 0.1


@dataclass(frozen=True)
class Learned:
    """What a learner knows of an offer.

    Attributes
    ----------
    fitted
        The learner, fitted on all rows that tell about the offer.
    calibration
        How far rows that it did not see confirm it.
    out_of_fold
        (m,) effects on these rows, each by a learner that did not see it; empty once they are of no more use.
    """

    fitted: FittedLearner
    calibration: Calibration
    out_of_fold: Float64

    def shrunk(self, effects: Float64) -> Float64:
        """Return raw effects (n,) drawn in to what was confirmed, (n,)."""
        return shrink(effects[:, None], self.calibration)[:, 0]

    def without_rows(self) -> Learned:
        """Return the same without the effects on the trial's rows."""
        return replace(self, out_of_fold=np.zeros(0))


def require_rows(trial: Trial) -> None:
    """Raise a DataError that names an offer tried on too few."""
    for offer in trial.offers:
        assigned = trial.assigned[trial.rows_for(offer)]
        smallest = min(int((assigned == arm).sum()) for arm in (CONTROL, offer))
        if smallest < MIN_ROWS:
            raise DataError(f"pilot: {smallest} subscribers in the smaller arm for offer {offer!r}, at least "
                            f"{MIN_ROWS} are needed to learn its effects; enlarge pilot.size")


def assignment(trial: Trial, offer: str, settings: UpliftSettings, seed: int) -> Chances:
    """Return the chances of control and the offer that learners are told, for the rows that tell about it.

    Raises
    ------
    DataError
        They are not known, and more than `MOST_OUTSIDE` of the rows were all but surely given the offer, or all but
        surely not.
    """
    rows = trial.rows_for(offer)
    if settings.propensity == "ignored":
        share = float((trial.assigned[rows] == offer).mean())
        return {CONTROL: 1.0 - share, offer: share}
    known = trial.propensity(offer)
    if known is not None:
        return known
    estimated = cross_fit_propensity(trial.X.iloc[rows], trial.assigned[rows], arms=(CONTROL, offer),
                                     folds=settings.folds, seed=seed, clip=LEAST_PROPENSITY)
    least = NEARLY * LEAST_PROPENSITY
    if (~overlapping(estimated, rows=len(rows), least=least)).mean() > MOST_OUTSIDE:
        require_overlap(estimated, rows=len(rows), least=least)
    return estimated


def learn(trial: Trial, offer: str, learner: Learner, outcome: Float64, scores: Float64, chances: Chances, *,
          folds: int, seed: int, folder: Path) -> Learned:
    """Fit a learner on all rows that tell about the offer, and calibrate it on rows that it did not see."""
    rows, arms = trial.rows_for(offer), (CONTROL, offer)
    X, y, treatment = trial.X.iloc[rows], outcome[rows], trial.assigned[rows]
    train = LearnerFit(learner, folder)
    fitted = train(X, y, treatment=treatment, arms=arms, propensity=chances, seed=seed)
    effects = cross_fit_effects(train, X, y, treatment=treatment, arms=arms, propensity=chances, folds=folds, seed=seed)
    return Learned(fitted, calibrate(effects, scores[:, None]), effects[:, 0])


def pilot_scores(trial: Trial, offer: str, outcome: Float64, chances: Chances, *, adjusted: bool, folds: int,
                 seed: int) -> Float64:
    """Return the doubly robust score of being assigned the offer, one a row of `trial.rows_for(offer)`.

    Not `adjusted`, the arms are compared as they are: the scores' mean is the difference of the arms' means.
    """
    rows, arms = trial.rows_for(offer), (CONTROL, offer)
    X, y, treatment = trial.X.iloc[rows], outcome[rows], trial.assigned[rows]
    if adjusted:
        expected = cross_fit_outcomes(X, y, treatment=treatment, arms=arms, folds=folds, seed=seed)
    else:
        expected = np.tile([y[treatment == arm].mean() for arm in arms], (len(y), 1))
    return doubly_robust_scores(y, treatment=treatment, arms=arms, propensity=chances, outcome_by_arm=expected)[:, 0]


def report_row(trial: Trial, offer: str, name: str, learner: Learner, outcome: Float64, found: Calibration
               ) -> dict[str, object]:
    """Return what the trial tells about an offer and what a learner made of it.

    Effects on average: of being assigned, of a contact (over the share reached), of accepting (over the share that
    accepted), in units of the outcome; the latter two if the step before has no effect of its own.
    """
    rows = trial.rows_for(offer)
    treated = trial.assigned[rows] == offer
    n_arm, n_control = int(treated.sum()), int((~treated).sum())
    mde = minimum_detectable_effect(float(outcome[rows].std()), n_arm=n_arm, n_control=n_control)
    reached = float(trial.reached[rows][treated].mean())
    accepted = float(trial.accepted[rows][treated].mean())
    # The log of the reached shows the effect of a contact; being listed leads to one as often as was planned.
    listed = float(trial.planned_reach[rows].mean()) if trial.reached_only else 1.0
    return {
        "learner": name, "kind": learner.kind, "outcome": learner.outcome, "offer": offer,
        "n_offer": n_arm, "n_control": n_control,
        "left_offer": int((~trial.stayed[rows][treated]).sum()),
        "left_control": int((~trial.stayed[rows][~treated]).sum()),
        "reached_share": reached,
        "effect_of_assignment": listed * float(found.ate[0]), "effect_se": listed * float(found.ate_se[0]),
        "tau_contact": float(found.ate[0]) / reached if reached else np.nan,
        "tau_accept": float(found.ate[0]) / accepted if accepted else np.nan,
        "minimum_detectable_effect": listed * mde,
        "calibration_slope": float(found.slope[0]), "calibration_slope_se": float(found.slope_se[0]),
        "kept_share_of_mean": float(found.shrink[0]), "kept_share_of_spread": float(found.kept_slope[0]),
    }

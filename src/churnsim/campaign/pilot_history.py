"""A past campaign on a list of subscribers at risk: who was listed, and what of it stands in the log."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import expit, logit

from churnsim.campaign.pilot_design import of_kind, offer_shares
from churnsim.campaign.settings import PilotSettings, RiskList
from churnsim.core.columns import Subscribers
from churnsim.core.draws import integer_seed
from churnsim.lifecycle.default import Lifecycle
from churnsim.signals.churn import ChurnModel
from churnsim.signals.observe import features, listed_rows, observe
from churnsim.signals.settings import SignalsSettings

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

# Log-odds further out list somebody surely or never.
MOST_LOG_ODDS = 40.0


def score_last_month(base: Subscribers, *, engine: Lifecycle, signals: SignalsSettings, month: int) -> ChurnModel:
    """Let the month before `month` pass, and return the churn model that the operator learns from it.

    Parameters
    ----------
    base
        Everybody at the start of the month before; changed to the start of `month`.
    """
    seen = base.take(listed_rows(base, month=month - 1, silent_days=signals.silent_days))
    X = features(observe(seen, month=month - 1, settings=signals, key=engine.key))
    engine.run([(base, None)], start=month - 1, months=1)
    left = base["departure_time"][np.searchsorted(base.ids, seen.ids)] <= month
    return ChurnModel(signals.churn_model, horizon_months=1, seed=integer_seed(engine.key)).fit(X, left)


def listing_probabilities(settings: PilotSettings, rule: RiskList, *, score: Float64, dissatisfaction: Float64,
                          lost: Flags, tries: Sequence[str], for_lost: Flags) -> Float64:
    """Return the chance of every arm under a risk list, control first, (n, K + 1); rows sum to one.

    Being listed has log-odds ``a + strength * z + unobserved_strength * w`` with z and w the standardised log-odds of
    the churn score and dissatisfaction, and `a` such that `listed_share` are listed on average.

    Parameters
    ----------
    score
        (n,) predicted chance of leaving; of no meaning for who has left, who counts as the average.
    dissatisfaction
        (n,) what the log does not show.
    """
    z = _standardised(logit(np.clip(score, 1e-6, 1.0 - 1e-6)), ~lost)
    lean = rule.strength * z + rule.unobserved_strength * _standardised(dissatisfaction, ~lost)
    listed = np.full(len(score), rule.listed_share)
    if lean.any():
        span = MOST_LOG_ODDS + float(np.abs(lean).max())
        listed = expit(brentq(lambda a: expit(a + lean).mean() - rule.listed_share, -span, span) + lean)
    shares = offer_shares(settings, tries)
    own = np.array([of_kind(shares, ~for_lost), of_kind(shares, for_lost)])[lost.astype(np.int64)]
    # Nobody is listed who has no offer.
    listed = listed * own.any(axis=1)
    return np.column_stack([1.0 - listed, listed[:, None] * own])


def _standardised(values: Float64, rows: Flags) -> Float64:
    """Return values in standard deviations from the mean of `rows`, 0 for the others."""
    spread = float(values[rows].std()) if rows.any() else 0.0
    if spread == 0.0:
        return np.zeros(len(values))
    return np.where(rows, (values - values[rows].mean()) / spread, 0.0)

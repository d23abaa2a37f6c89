"""How a contacted subscriber responds: the true acceptance probability and the keyed acceptance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, stream, uniform
from churnsim.core.smooth import logit
from churnsim.lifecycle.covariates import COVARIATES
from churnsim.lifecycle.default import Lifecycle
from churnsim.offers.settings import Offer
from churnsim.offers.table import OfferTable

Float64 = npt.NDArray[np.float64]


def acceptance_prob(offer: Offer, base: Subscribers, *, engine: Lifecycle, month: int, channel_factor: float
                    ) -> Float64:
    """Return the probability that each subscriber, contacted in `month`, takes the offer, (n,).

    Logistic in the offer's covariates as they stood at the end of the month before; `channel_factor`
    multiplies the odds.
    """
    before = engine.at(base, max(month - 1, 0))
    log_odds = np.full(len(base), logit(offer.acceptance.base_prob))
    for name, coefficient in offer.acceptance.coefficients.items():
        log_odds += coefficient * np.asarray(COVARIATES[name].compute(before), dtype=np.float64)
    # Far below the overflow of exp, and already certain.
    odds = channel_factor * np.exp(np.minimum(log_odds, 600.0))
    return np.asarray(odds / (1.0 + odds), dtype=np.float64)


def accepts(name: str, prob: Float64, ids: npt.NDArray[np.int64], *, key: Key, month: int
            ) -> npt.NDArray[np.bool_]:
    """Return who takes an offer, (n,) bool: one keyed draw a subscriber, offer and month."""
    return uniform(key, stream(f"campaign.accept.{name}"), ids, month=month) < prob


def chosen_acceptance(base: Subscribers, offer: npt.NDArray[np.int64], factor: Float64, *, offers: OfferTable,
                      engine: Lifecycle, month: int) -> npt.NDArray[np.int8]:
    """Return the code of the offer each contacted subscriber accepts, 0 for none, (n,) int8.

    Parameters
    ----------
    offer
        (n,) code of the offer made, 0 for none.
    factor
        (n,) acceptance factor of the channel used.
    """
    accepted = np.zeros(len(base), np.int8)
    for name in offers.names:
        code = offers.code(name)
        rows = np.flatnonzero(offer == code)
        if len(rows):
            some = base.take(rows)
            prob = np.empty(len(rows))
            for value in np.unique(factor[rows]):
                same = factor[rows] == value
                prob[same] = acceptance_prob(offers.settings[name], some, engine=engine, month=month,
                                             channel_factor=float(value))[same]
            accepted[rows[accepts(name, prob, some.ids, key=engine.key, month=month)]] = code
    return accepted

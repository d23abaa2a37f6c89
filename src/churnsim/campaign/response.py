"""How a contacted subscriber responds: the true acceptance probability and the keyed acceptance."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from churnsim.capacity.work import Channels
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, stream, uniform
from churnsim.core.smooth import logit
from churnsim.lifecycle.covariates import covariate
from churnsim.lifecycle.default import Lifecycle
from churnsim.offers.settings import Offer
from churnsim.offers.table import OfferTable

Float64 = npt.NDArray[np.float64]
LEAST_FEE = 0.01


def odds_factor(offer: Offer, channel: str, channels: Channels) -> float:
    """Return the factor on the odds of acceptance when an offer is made through a channel."""
    return channels[channel].acceptance_factor * offer.acceptance.channel_factors.get(channel, 1.0)


def worth_in_fees(offer: Offer, base: Subscribers) -> Float64:
    """Return what an offer is worth to each subscriber, (n,) monthly fees: fees waived, and direct cost."""
    gift = offer.direct_cost_per_line_amount * base["lines"] + offer.direct_cost_amount
    return np.asarray(offer.discount * offer.discounted_bills
                      + gift / np.maximum(base["plan_price_amount"].astype(np.float64), LEAST_FEE))


def acceptance_prob(offer: Offer, base: Subscribers, *, engine: Lifecycle, month: int, channel_factor: float
                    ) -> Float64:
    """Return the probability that each subscriber, contacted in `month`, takes the offer and keeps it, (n,).

    Logistic in the offer's covariates as they stood at the end of the month before and in its worth;
    `channel_factor` (:func:`odds_factor`) multiplies the odds. Who withdraws within days did not accept.
    """
    before = engine.at(base, max(month - 1, 0))
    log_odds = np.full(len(base), logit(offer.acceptance.base_prob))
    log_odds += offer.acceptance.log_odds_per_fee_month * worth_in_fees(offer, base)
    for name, coefficient in offer.acceptance.coefficients.items():
        log_odds += coefficient * np.asarray(covariate(name).compute(before), dtype=np.float64)
    # Far below the overflow of exp, and already certain.
    odds = channel_factor * np.exp(np.minimum(log_odds, 600.0))
    return np.asarray((1.0 - offer.acceptance.withdrawal_prob) * odds / (1.0 + odds), dtype=np.float64)


def accepts(name: str, prob: Float64, ids: npt.NDArray[np.int64], *, key: Key, month: int
            ) -> npt.NDArray[np.bool_]:
    """Return who takes an offer, (n,) bool: one keyed draw a subscriber, offer and month."""
    return uniform(key, stream(f"campaign.accept.{name}"), ids, month=month) < prob


def chosen_acceptance(base: Subscribers, offer: npt.NDArray[np.int64], channel: npt.NDArray[np.str_], *,
                      channels: Channels, offers: OfferTable, engine: Lifecycle, month: int
                      ) -> npt.NDArray[np.int8]:
    """Return the code of the offer each contacted subscriber accepts, 0 for none, (n,) int8.

    Parameters
    ----------
    offer
        (n,) code of the offer made, 0 for none.
    channel
        (n,) name of the channel used.
    """
    accepted = np.zeros(len(base), np.int8)
    for name in offers.names:
        code = offers.code(name)
        rows = np.flatnonzero(offer == code)
        if len(rows):
            some = base.take(rows)
            prob = np.empty(len(rows))
            for used in np.unique(channel[rows]).tolist():
                same = channel[rows] == used
                factor = odds_factor(offers.settings[name], used, channels)
                prob[same] = acceptance_prob(offers.settings[name], some, engine=engine, month=month,
                                             channel_factor=factor)[same]
            accepted[rows[accepts(name, prob, some.ids, key=engine.key, month=month)]] = code
    return accepted

"""What a churn score can earn in a campaign at best, and from which churn rate a campaign pays: closed forms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betainc

from churnsim.errors import ConfigError, DataError
from churnsim.uplift.learners_data import Float64, refuse_gaps


@dataclass(frozen=True)
class MaximumProfit:
    """The profit of a campaign at its best depth.

    Attributes
    ----------
    per_subscriber
        Profit over all subscribers, targeted or not, in the currency.
    share_targeted
        The depth that earns it; its mean, where acceptance is uncertain.
    """

    per_subscriber: float
    share_targeted: float


def maximum_profit(left: npt.ArrayLike, score: npt.ArrayLike, *, accept_prob: float, lifetime_value: float,
                   offer_cost: float, contact_cost: float) -> MaximumProfit:
    """Return the maximum profit (MP) of targeting the highest scores.

    Max over depths of (g (V - d) - f) pi0 F0 - (d + f) pi1 F1: leavers among the targeted accept with probability g
    and are then saved, stayers all take the offer (Verbeke, Dejaeger, Martens, Hur and Baesens, 2012, EJOR
    218(1):211-229). pi0, pi1 are the shares of leavers and stayers, F0, F1 the parts of them that are targeted.

    Parameters
    ----------
    left
        (n,) 1 for who left, 0 for who stayed.
    score
        (n,) higher for who is more likely to leave; equal scores are targeted together.
    accept_prob
        g, 0 to 1.
    lifetime_value, offer_cost, contact_cost
        V, d, f: of a subscriber saved, of an offer taken, of a contact.

    Raises
    ------
    ConfigError
        Parameters out of range.
    DataError
        Shapes that do not fit, gaps, outcomes other than 0 and 1, or only one of them.

    Examples
    --------
    >>> found = maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9], accept_prob=0.3,
    ...                        lifetime_value=200, offer_cost=10, contact_cost=1)
    >>> found.per_subscriber, found.share_targeted
    (23.875, 0.875)
    """
    _require_costs(lifetime_value, offer_cost, contact_cost)
    if not 0.0 <= accept_prob <= 1.0:
        raise ConfigError(f"accept_prob must be from 0 to 1 (got {accept_prob})")
    leavers, stayers = _roc_hull(left, score)
    profit = ((accept_prob * (lifetime_value - offer_cost) - contact_cost) * leavers
              - (offer_cost + contact_cost) * stayers)
    best = int(profit.argmax())
    return MaximumProfit(float(profit[best]), float(leavers[best] + stayers[best]))


def expected_maximum_profit(left: npt.ArrayLike, score: npt.ArrayLike, *, alpha: float = 6.0, beta: float = 14.0,
                            lifetime_value: float = 200.0, offer_cost: float = 10.0, contact_cost: float = 1.0
                            ) -> MaximumProfit:
    """Return the expected maximum profit (EMP) of a churn score, acceptance drawn from Beta(alpha, beta).

    The mean over g of :func:`maximum_profit`, each at its own best depth (Verbraken, Verbeke and Baesens, 2013, IEEE
    TKDE 25(5):961-973). Exact: the best depth is a corner of the ROC curve's convex hull, and changes from one to the
    next where g = (pi1 (d + f) dF1 + pi0 f dF0) / (pi0 (V - d) dF0).

    Parameters
    ----------
    alpha, beta
        Of the law of g, above 0; the defaults have mean .3.
    left, score, lifetime_value, offer_cost, contact_cost
        As in :func:`maximum_profit`.

    Raises
    ------
    ConfigError, DataError
        As :func:`maximum_profit`.

    Examples
    --------
    >>> found = expected_maximum_profit([0, 1, 0, 1, 0, 1, 0, 1], [.1, .2, .3, .4, .5, .7, .8, .9])
    >>> round(found.per_subscriber, 4), round(found.share_targeted, 4)
    (23.8756, 0.8744)
    """
    _require_costs(lifetime_value, offer_cost, contact_cost)
    if not (alpha > 0.0 and beta > 0.0):
        raise ConfigError(f"alpha and beta must be above 0 (got {alpha} and {beta})")
    leavers, stayers = _roc_hull(left, score)
    more_leavers, more_stayers = np.diff(leavers), np.diff(stayers)
    change = np.full(len(more_leavers), np.inf)
    np.divide((offer_cost + contact_cost) * more_stayers + contact_cost * more_leavers,
              (lifetime_value - offer_cost) * more_leavers, out=change, where=more_leavers > 0.0)
    limits = np.concatenate([[0.0], np.minimum(change, 1.0), [1.0]])
    chance = np.diff(betainc(alpha, beta, limits))
    accepted = alpha / (alpha + beta) * np.diff(betainc(alpha + 1.0, beta, limits))
    profit = ((lifetime_value - offer_cost) * leavers * accepted
              - (contact_cost * leavers + (offer_cost + contact_cost) * stayers) * chance)
    return MaximumProfit(float(profit.sum()), float(((leavers + stayers) * chance).sum()))


def campaign_profit(*, subscribers: float, share_targeted: float, churn_rate: float, lift: float, accept_prob: float,
                    lifetime_value: float, offer_cost: float, contact_cost: float, fixed_cost: float = 0.0) -> float:
    """Return the profit of a campaign among the riskiest: N a {[g V + d (1 - g)] b l - d - f} - A.

    Neslin, Gupta, Kamakura, Lu and Mason (2006, JMR 43(2):204-211), as derived again from :func:`maximum_profit`, of
    which it is one depth.

    Parameters
    ----------
    subscribers, share_targeted
        N, and a, the share of them that is targeted.
    churn_rate, lift
        b, the share that leaves, and l, how many times as many leave among the targeted.
    accept_prob, lifetime_value, offer_cost, contact_cost
        g, V, d, f as in :func:`maximum_profit`.
    fixed_cost
        A, of the campaign.

    Examples
    --------
    >>> round(campaign_profit(subscribers=1e6, share_targeted=0.1, churn_rate=0.025, lift=10, accept_prob=0.3,
    ...                       lifetime_value=200, offer_cost=10, contact_cost=1))
    575000
    """
    saved = accept_prob * lifetime_value + offer_cost * (1.0 - accept_prob)
    return subscribers * share_targeted * (saved * churn_rate * lift - offer_cost - contact_cost) - fixed_cost


def break_even_churn_rate(*, accept_prob: float, lifetime_value: float, offer_cost: float, contact_cost: float
                          ) -> float:
    """Return the churn rate among the targeted from which a campaign pays: (d + f) / (g V + d (1 - g)).

    Where :func:`campaign_profit` without fixed cost is 0; above 1, no campaign pays.

    Raises
    ------
    ConfigError
        Neither saving anybody nor sparing an offer is worth anything.

    Examples
    --------
    >>> round(break_even_churn_rate(accept_prob=0.3, lifetime_value=200, offer_cost=10, contact_cost=1), 4)
    0.1642
    """
    saved = accept_prob * lifetime_value + offer_cost * (1.0 - accept_prob)
    if not saved > 0.0:
        raise ConfigError(f"accept_prob {accept_prob} and lifetime_value {lifetime_value}: a contact saves nothing, so "
                          "no campaign breaks even")
    return (offer_cost + contact_cost) / saved


def _require_costs(lifetime_value: float, offer_cost: float, contact_cost: float) -> None:
    if not 0.0 <= offer_cost < lifetime_value or not contact_cost >= 0.0:
        raise ConfigError("costs must not be negative, and lifetime_value must be above offer_cost (got lifetime_value "
                          f"{lifetime_value}, offer_cost {offer_cost}, contact_cost {contact_cost})")


def _roc_hull(left: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Float64, Float64]:
    """Return leavers and stayers targeted, as shares of all, at the corners of the upper hull from nobody to all."""
    outcome, scores = np.asarray(left, dtype=np.float64), np.asarray(score, dtype=np.float64)
    if outcome.ndim != 1 or outcome.shape != scores.shape:
        raise DataError(f"left has shape {outcome.shape} and score {scores.shape}; give both one value a row")
    refuse_gaps("score", scores)
    found = np.unique(outcome).tolist()
    if found != [0.0, 1.0]:
        raise DataError(f"left has the values {found[:5]}; give 1 for who left and 0 for who stayed, and some of each")
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=np.nan) != 0.0)
    leavers = np.append(0.0, np.cumsum(outcome[order])[last])
    stayers = np.append(0.0, np.cumsum(1.0 - outcome[order])[last])
    corners: list[int] = []
    for i in range(len(leavers)):
        while len(corners) > 1 and _below(stayers, leavers, corners[-2], corners[-1], i):
            corners.pop()
        corners.append(i)
    return leavers[corners] / len(outcome), stayers[corners] / len(outcome)


def _below(x: Float64, y: Float64, a: int, b: int, c: int) -> bool:
    """Tell whether point b is on or below the line from a to c."""
    return bool((x[b] - x[a]) * (y[c] - y[a]) >= (x[c] - x[a]) * (y[b] - y[a]))

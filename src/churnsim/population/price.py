"""Brand tier, fee and price sensitivity: a joint law, and its exact conditional where a table gives tier or fee."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from churnsim.population.categories import BRAND_TIERS
from churnsim.population.drawing import Array, Drawer, Float64
from churnsim.population.lookup import Lookup, in_order
from churnsim.population.settings import Traits


class PriceLaw:
    """The joint law of price sensitivity s, brand tier and fee of an account.

    s = mu + z with mu the scenario's shift; rank R = rho s + sqrt(1 - rho^2) e; the tier is the interval of R between
    the quantiles that give the tiers their shares over all scenarios together; log fee = log median + log tier factor
    + b s + sigma n, where the median is that of the account's kind, scenario and lines. z, e, n are standard normal.

    Parameters
    ----------
    traits
        Of the population.
    """

    def __init__(self, traits: Traits) -> None:
        lookup = Lookup(traits)
        self.correlation = traits.brand_tier_by_price_sensitivity
        self.other = np.sqrt(1.0 - self.correlation**2)
        self.slope = traits.price_log_by_price_sensitivity
        self.noise = traits.price_log_sd
        self.means = lookup.by_scenario("price_sensitivity")
        self.shares = in_order(traits.brand_tier_shares, BRAND_TIERS)
        self.log_factors = np.log(in_order(traits.brand_tier_price_factors, BRAND_TIERS))
        inner = [_mixture_quantile(share, lookup.scenario_weights(), self.correlation * self.means)
                 for share in (np.cumsum(self.shares) / self.shares.sum())[:-1]]
        self.edges = np.array([-np.inf, *inner, np.inf])

    def draw(self, draw: Drawer, log_median: Float64) -> None:
        """Fill price sensitivity, brand tier and fee; `log_median` is log of the median fee, (n,)."""
        fee, tier = draw.known("plan_price_amount"), draw.known("brand_tier")
        sensitivity = self.means[draw.base["usage_scenario"]] + draw.normal("price_sensitivity")
        rank = self.correlation * sensitivity + self.other * draw.normal("brand_tier")
        drawn_tier = np.searchsorted(self.edges[1:-1], rank, side="right")
        if fee is not None or tier is not None:
            nothing = np.full(len(log_median), np.nan)
            fee, tier = (nothing if values is None else values for values in (fee, tier))
            given = ~np.isnan(fee) | ~np.isnan(tier)
            above = np.log(np.maximum(fee, 0.01)) - np.maximum(log_median, np.log(0.01))
            conditional = self._given(draw, above, tier)
            sensitivity = np.where(given, conditional[0], sensitivity)
            drawn_tier = np.where(given, conditional[1], drawn_tier)
        draw.put("price_sensitivity", sensitivity)
        draw.put("brand_tier", drawn_tier)
        draw.put("plan_price_amount", np.exp(log_median + self.log_factors[draw.base["brand_tier"]]
                                             + self.slope * sensitivity
                                             + self.noise * draw.normal("plan_price_amount")))

    def _given(self, draw: Drawer, above: Float64, tier: Float64) -> tuple[Float64, npt.NDArray[np.int64]]:
        """Return price sensitivity and tier given the log of the fee over its median, or the tier, or both.

        Given fee and tier factor, s is normal of mean m = (mu sigma^2 + b r) / (b^2 + sigma^2) and variance
        v = sigma^2 / (b^2 + sigma^2), with r the log of the fee over its median less the log factor. Given the tier
        too, R is normal of mean rho m and variance rho^2 v + 1 - rho^2 cut off at the tier's edges, and s given R is
        normal again. An unknown tier is drawn first: each has the weight of its fee's density times its chance.
        """
        spread = self.slope**2 + self.noise**2
        mu = self.means[draw.base["usage_scenario"]][:, None]
        informative = ~np.isnan(above)[:, None] & (spread > 0.0)
        r = np.where(informative, np.nan_to_num(above)[:, None] - self.log_factors, 0.0)
        m = np.where(informative, (mu * self.noise**2 + self.slope * r) / (spread or 1.0), mu + 0.0 * r)
        v = np.where(informative, self.noise**2 / (spread or 1.0), 1.0)
        sd = np.sqrt(np.maximum(self.correlation**2 * v + self.other**2, 1e-24))
        low, high = (ndtr((edges - self.correlation * m) / sd) for edges in (self.edges[:-1], self.edges[1:]))
        log_density = np.where(informative, -0.5 * (r - self.slope * mu) ** 2 / (spread or 1.0), 0.0)
        weight = (high - low) * np.exp(log_density - log_density.max(axis=1, keepdims=True))
        weight = np.where(weight.sum(axis=1, keepdims=True) > 0.0, weight, self.shares)
        drawn = _pick_each(weight, draw.uniform("brand_tier"))
        code = np.where(np.isnan(tier), drawn, np.nan_to_num(tier)).astype(np.int64)
        m, low, high = (np.take_along_axis(values, code[:, None], axis=1)[:, 0] for values in (m, low, high))
        v, sd = v[:, 0], sd[:, 0]
        between = low + draw.uniform("brand_tier", index=1) * (high - low)
        rank = ndtri(np.clip(between, 1e-300, 1.0 - 1e-16))
        return (m + self.correlation * v / sd * rank
                + np.sqrt(v) * self.other / sd * draw.normal("price_sensitivity")), code


def _mixture_quantile(share: float, weights: Float64, means: Float64) -> float:
    """Return where a mixture of unit normals has `share` below, infinite for 0 and 1."""
    if not 1e-12 < share < 1.0 - 1e-12:
        return -np.inf if share < 0.5 else np.inf
    bounds = float(means.min()) - 9.0, float(means.max()) + 9.0
    return float(brentq(lambda x: float(weights @ ndtr(x - means)) / float(weights.sum()) - share, *bounds, xtol=1e-12))


def _pick_each(weight: Array, u: Float64) -> npt.NDArray[np.int64]:
    """Return a column of each row of `weight`, (n, options), taken with its share of the row."""
    edges = np.cumsum(weight, axis=1)
    return np.asarray((u[:, None] * edges[:, -1:] >= edges[:, :-1]).sum(axis=1), dtype=np.int64)

"""Lifetime value: the closed form of the shifted-beta-geometric law beside what the simulation says.

Who renews each period with a chance that differs between subscribers by a beta law has the survival
S(t) = B(a, b + t) / B(a, b) [Fader, Hardie 2007]: retention rises with tenure although nobody's own chance does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import minimize
from scipy.special import betaln, expit

from churnsim.core.clock import MONTHS_PER_YEAR, discount_factor
from churnsim.core.columns import Subscribers
from churnsim.errors import DataError
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.default import Lifecycle

Float64 = npt.NDArray[np.float64]

# Nobody tells a beta law from a narrower one beyond: alpha + beta is held within, a constant chance lies on the edge.
LARGEST_LOG, LARGEST_LOG_ODDS = float(np.log(1e6)), 12.0
# What is discounted further than exp(-this) does not count.
NEGLIGIBLE_LOG = 30.0


@dataclass(frozen=True)
class Sbg:
    """A shifted-beta-geometric law of lifetimes.

    Attributes
    ----------
    alpha, beta
        Of the beta law of the chance to leave in a period, above 0.
    log_likelihood
        Of the survival table that it was fitted to.
    """

    alpha: float
    beta: float
    log_likelihood: float = float("nan")

    def survival(self, periods: npt.ArrayLike) -> Float64:
        """Return the share still there after `periods`, S(t) = B(alpha, beta + t) / B(alpha, beta).

        >>> Sbg(1.0, 1.0).survival([0, 1, 2]).round(4).tolist()
        [1.0, 0.5, 0.3333]
        """
        t = np.asarray(periods, dtype=np.float64)
        return np.asarray(np.exp(betaln(self.alpha, self.beta + t) - betaln(self.alpha, self.beta)))

    def lifetime(self, *, discount_rate: float, renewals: int = 0) -> float:
        """Return the expected discounted number of periods still paid for, the present one first.

        sum_t S(n + t) / S(n) / (1 + d)**t = F(1, beta + n; alpha + beta + n; 1 / (1 + d)), F Gauss's hypergeometric
        function [Fader, Hardie 2010]: the sum is taken, since libraries' F fails beyond alpha + beta of some hundreds.

        Parameters
        ----------
        discount_rate
            A period's, at least 0; at 0 the sum is infinite unless alpha is above 1.
        renewals
            Times that the subscriber has renewed, n.
        """
        b = self.beta + renewals
        if discount_rate == 0.0:
            return (self.alpha + b - 1.0) / (self.alpha - 1.0) if self.alpha > 1.0 else float("inf")
        t = np.arange(np.ceil(NEGLIGIBLE_LOG / np.log1p(discount_rate)))
        retention = (b + t) / (self.alpha + b + t)
        return 1.0 + float(np.cumprod(retention / (1.0 + discount_rate)).sum())


def fit_sbg(survivors: Sequence[float] | Float64) -> Sbg:
    """Fit the law to a survival table by maximum likelihood.

    Log-likelihood: sum of (n(t-1) - n(t)) log P(T = t) over periods, plus n(last) log S(last), where
    P(T = t) = S(t-1) - S(t).

    Parameters
    ----------
    survivors
        (periods + 1,) subscribers still there after 0, 1, ... periods, not increasing. The likelihood is that of as
        many; whole numbers are not needed.

    Raises
    ------
    DataError
        Fewer than three entries, none at the start, an increase, or nobody left or stayed.
    """
    n = np.asarray(survivors, dtype=np.float64)
    if len(n) < 3 or not np.isfinite(n).all() or n[0] <= 0.0 or (np.diff(n) > 0.0).any():
        raise DataError("survivors: must be 3 or more finite numbers that start above 0 and never rise "
                        f"(got {n.tolist()})")
    if n[0] == n[-1] or n[1] == 0.0:
        raise DataError("survivors: nothing can be fitted if nobody leaves, or all in the first period "
                        f"(got {n.tolist()})")
    lost, periods = -np.diff(n), np.arange(len(n))

    def law(x: Float64) -> tuple[float, float]:
        """Return alpha and beta for the log-odds of the mean chance to leave, and the log of alpha + beta."""
        mean, both = float(expit(x[0])), float(np.exp(x[1]))
        return mean * both, (1.0 - mean) * both

    def loss(x: Float64) -> float:
        alpha, beta = law(x)
        survival = betaln(alpha, beta + periods) - betaln(alpha, beta)
        # P(T = t) = S(t - 1) alpha / (alpha + beta + t - 1).
        leaving = survival[:-1] + np.log(alpha) - np.log(alpha + beta + periods[:-1])
        return -float((lost * leaving).sum() + n[-1] * survival[-1])

    first = np.clip(lost[0] / n[0], 1e-6, 1.0 - 1e-6)
    # The scale of the likelihood is that of the table; the search wants one near 1.
    found = minimize(lambda x: loss(x) / n[0], np.array([np.log(first / (1.0 - first)), 1.0]), method="Nelder-Mead",
                     bounds=[(-LARGEST_LOG_ODDS, LARGEST_LOG_ODDS), (-LARGEST_LOG, LARGEST_LOG)],
                     options={"maxiter": 5000, "xatol": 1e-8, "fatol": 1e-14})
    alpha, beta = law(found.x)
    return Sbg(alpha, beta, -loss(found.x))


@dataclass(frozen=True)
class Lifetimes:
    """Simulated lifetimes of a base, expected: the clocks of leaving integrated out.

    Attributes
    ----------
    active
        (months, n) probability to be on the network when each month starts.
    margin
        (months, n) revenue less cost to serve and retention costs of that month, weighted by it.
    """

    active: Float64
    margin: Float64


def simulate_lifetimes(base: Subscribers, engine: Lifecycle, *, start: int, months: int, threads: int = 1) -> Lifetimes:
    """Let months pass for a base that is not contacted; `base` is not changed."""
    active, margin = np.zeros((months, len(base))), np.zeros((months, len(base)))

    def watch(block: Block) -> None:
        at = block.month.number - start, slice(block.low, block.high)
        active[at] = block["active_prob"]
        margin[at] = (block["active_prob"] * (block["revenue"].astype(np.float64) - block["cost_to_serve"])
                      - block["billed_prob"] * (block["discount"] + block["upkeep"]))

    engine.run([(base.copy(), None)], start=start, months=months, observe=watch, realise=False, threads=threads)
    return Lifetimes(active, margin)


def lifetime_table(found: Lifetimes, *, groups: npt.NDArray[np.str_], fit_months: int, rate_annual: float
                   ) -> pd.DataFrame:
    """Set lifetimes and lifetime values by the closed form beside the simulated ones.

    The closed form is fitted to the survival of the first `fit_months` months and knows nothing of the rest; its
    lifetime value takes the mean margin of these months for all that follow.

    Parameters
    ----------
    groups
        (n,) group of each subscriber; a law is fitted to each, and to all.
    fit_months
        At least 2, at most the simulated months less 1.
    rate_annual
        Annual discount rate.

    Returns
    -------
    DataFrame
        A row a group, "all" first: `group`, `subscribers`, `negative_margin_share` (of those whose simulated value
        is below 0), `margin_amount` (mean a month while active, over the fitted months), `alpha`, `beta`, and for the
        months simulated `lifetime_months_closed`, `lifetime_months_simulated`, `value_closed`, `value_simulated`,
        with `value_closed_unbounded`, the closed form without a last month.
    """
    months = len(found.active)
    if not 2 <= fit_months < months:
        raise DataError(f"fit_months: must be 2 to {months - 1}, the months simulated less 1 (got {fit_months})")
    names = ["all", *np.unique(groups).tolist()]
    masks = [np.ones(len(groups), bool), *(groups == name for name in names[1:])]
    return pd.DataFrame([_row(name, found.active[:, rows], found.margin[:, rows], fit_months, rate_annual)
                         for name, rows in zip(names, masks, strict=True)])


def _row(name: str, active: Float64, margin: Float64, fit_months: int, rate_annual: float) -> dict[str, object]:
    months = np.arange(len(active))
    factor = np.array([discount_factor(int(month), rate_annual=rate_annual) for month in months])
    survivors = active.sum(axis=1)
    law = fit_sbg(survivors[:fit_months + 1])
    paid = float(margin[:fit_months].sum() / active[:fit_months].sum())
    closed = law.survival(months)
    monthly_rate = (1.0 + rate_annual) ** (1.0 / MONTHS_PER_YEAR) - 1.0
    value = factor @ margin
    return {"group": name, "subscribers": active.shape[1], "negative_margin_share": float((value < 0.0).mean()),
            "margin_amount": paid, "alpha": law.alpha, "beta": law.beta,
            "lifetime_months_closed": float(closed.sum()),
            "lifetime_months_simulated": float(survivors.sum() / active.shape[1]),
            "value_closed": paid * float(factor @ closed), "value_simulated": float(value.mean()),
            "value_closed_unbounded": paid * law.lifetime(discount_rate=monthly_rate)}

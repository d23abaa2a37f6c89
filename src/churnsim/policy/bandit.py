"""What a bandit believes of each arm, and draws from it: Thompson sampling.

Thompson, 1933, doi 10.1093/biomet/25.3-4.285.

The outcome of a subscriber with context z under arm a is ``z . (b + d_a)`` and normal noise; ``d_0 = 0`` is leaving
alone. With one column of ones for everybody and a column for each segment, these are beliefs about segments; with
features, about a line in them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from churnsim.core.draws import Key, normal, stream

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

DRAW = stream("policy.bandit.draw")
COMPARED = stream("policy.bandit.compared")
# Against a mean of which nothing is known, and slopes that the data say are 0.
FLAT, LEAST_VARIANCE = 1e-9, 1e-9
ROUNDS = 50


class Beliefs:
    """A normal posterior of a linear model with an arm-specific part, learned from rows as they come.

    The first column of a context is 1; what it is multiplied by has a flat prior. The other coefficients of an arm have
    a normal prior around 0 whose variance is the one that makes the data likeliest (MacKay, 1992, doi
    10.1162/neco.1992.4.3.415): where the data show no differences, an arm does the same to everybody.

    Parameters
    ----------
    width
        Columns of a context.
    arms
        Arms, leaving alone included as arm 0.

    Examples
    --------
    Two rows left alone and two treated: the effect is the difference of their means.

    >>> import numpy as np
    >>> beliefs = Beliefs(width=1, arms=2)
    >>> beliefs.learn(np.ones((4, 1)), np.array([0, 0, 1, 1]), np.array([1.0, 3.0, 5.0, 9.0]))
    >>> beliefs.mean().round(6).tolist()
    [[2.0], [5.0]]
    """

    def __init__(self, *, width: int, arms: int) -> None:
        self.width, self.arms = width, arms
        self._products = np.zeros((arms, width, width))
        self._sums = np.zeros((arms, width))
        self._squares = 0.0
        self._rows = 0
        self._posterior: tuple[Float64, Float64] | None = None

    def learn(self, context: Float64, arm: Int64, outcome: Float64) -> None:
        """Add rows: contexts (n, width), arms (n,), outcomes (n,)."""
        for a in range(self.arms):
            own = arm == a
            self._products[a] += context[own].T @ context[own]
            self._sums[a] += context[own].T @ outcome[own]
        self._squares += float(outcome @ outcome)
        self._rows += len(outcome)
        self._posterior = None

    def mean(self) -> Float64:
        """Return the posterior means, (arms, width): b, then d of each arm."""
        return self._known()[0].reshape(self.arms, self.width)

    def covariance(self) -> Float64:
        """Return the posterior covariance of all coefficients, arms outermost."""
        factor = self._known()[1]
        return np.asarray(cho_solve((factor, True), np.eye(len(factor))))

    def draw(self, key: Key, *, month: int) -> Float64:
        """Return coefficients drawn from the posterior, (arms, width): b, then d of each arm."""
        mean, factor = self._known()
        noise = normal(key, DRAW, np.arange(len(mean)), month=month)
        drawn = mean + solve_triangular(factor, noise, lower=True, trans="T")
        return np.asarray(drawn).reshape(self.arms, self.width)

    def _known(self) -> tuple[Float64, Float64]:
        """Return the posterior mean, and the lower Cholesky factor of the precision."""
        if self._posterior is None:
            self._posterior = self._solve()
        return self._posterior

    def _solve(self) -> tuple[Float64, Float64]:
        products, sums = self._joint()
        variance = self._noise()
        slopes = np.tile(np.arange(self.width) > 0, (self.arms, 1))
        prior = np.full(self.arms, 1.0)
        for _ in range(ROUNDS if self.width > 1 else 1):
            precision = np.where(slopes, 1.0 / prior[:, None], FLAT).ravel()
            factor = cho_factor(products / variance + np.diag(precision), lower=True)
            mean = cho_solve(factor, sums / variance)
            spread = np.diag(cho_solve(factor, np.eye(len(mean)))).reshape(self.arms, self.width)
            before = prior
            if self.width > 1:
                known = (self.width - 1) - spread[:, 1:].sum(axis=1) / prior
                size = (mean.reshape(self.arms, self.width)[:, 1:] ** 2).sum(axis=1)
                prior = np.maximum(size / np.maximum(known, LEAST_VARIANCE), LEAST_VARIANCE)
            if np.allclose(prior, before, rtol=1e-3):
                break
        return np.asarray(mean), np.tril(factor[0])

    def _joint(self) -> tuple[Float64, Float64]:
        """Return cross products and sums of the whole model: every row tells of b, a treated one of d of its arm."""
        a, w = self.arms, self.width
        products = np.zeros((a, w, a, w))
        products[0, :, 0] = self._products.sum(axis=0)
        for k in range(1, a):
            products[k, :, k] = products[0, :, k] = products[k, :, 0] = self._products[k]
        sums = np.vstack([self._sums.sum(axis=0), self._sums[1:]])
        return products.reshape(a * w, a * w), sums.ravel()

    def _noise(self) -> float:
        """Return the variance of outcomes around lines fitted to each arm by least squares."""
        explained = 0.0
        for product, total in zip(self._products, self._sums, strict=True):
            explained += float(total @ np.linalg.lstsq(product, total, rcond=None)[0])
        free = max(self._rows - self.arms * self.width, 1)
        return max((self._squares - explained) / free, 1e-12)

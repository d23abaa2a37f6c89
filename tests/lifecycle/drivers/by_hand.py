"""Steps of drivers with chosen uniforms, and the limits of shares in many draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from churnsim.lifecycle.block import Draws

from ..examples import KEY

N = 200_000
# False-alarm rate of one share below, over seeds: 1e-4.
Z = norm.isf(5e-5)


class Chosen(Draws):
    """Draws whose lanes are chosen, whatever the stream; lanes not given are one half.

    Parameters
    ----------
    uniform
        What draws of 52 bits give; None: the first lane.
    """

    def __init__(self, ids, *lanes, uniform=None):
        super().__init__(KEY, ids, ())
        self.chosen = np.full((4, len(ids)), np.float32(0.5))
        for lane, values in zip(self.chosen, lanes, strict=False):
            lane[:] = values
        self.digits = self.chosen[0].astype(np.float64) if uniform is None else np.broadcast_to(uniform, len(ids))

    def lanes(self, source, count=4):
        return self.chosen[:count]

    def uniform(self, source, rows=None, *, month=None):
        return self.digits[slice(None) if rows is None else rows]


def assert_share(hits, prob):
    assert abs(hits.mean() - prob) < Z * np.sqrt(prob * (1.0 - prob) / len(hits))


def assert_mean(values, mean, sd):
    assert abs(values.mean() - mean) < Z * sd / np.sqrt(len(values))


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def log_odds(prob):
    return np.log(prob / (1.0 - prob))


def approx(values):
    return pytest.approx(values, rel=1e-5)

"""Chances of events from a probability and log-odds by covariate."""

from __future__ import annotations

from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.block import Block, Float32, Ids
from churnsim.lifecycle.covariates import columns_read, weighted_sum


def chance(prob: float, log_odds: dict[str, float], block: Block, rows: Ids | None = None) -> Float32:
    """Return 1 / (1 + exp(-(logit(prob) + sum of log-odds x covariate))), float32.

    Parameters
    ----------
    prob
        Chance when every covariate is zero, strictly between 0 and 1.
    log_odds
        Added log-odds per unit of a covariate, by its name.
    rows
        Positions in the block for which it is asked; None: all. For few rows it costs less.
    """
    some = block if rows is None else block.some(rows, columns_read(log_odds))
    return logistic32(weighted_sum(log_odds, some, intercept=logit(prob)))

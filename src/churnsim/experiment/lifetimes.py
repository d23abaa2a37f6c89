"""What the subscribers of an experiment are worth: lifetime value in closed form beside the simulated one."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churnsim.errors import ConfigError
from churnsim.evaluation.lifetime import lifetime_table, simulate_lifetimes
from churnsim.experiment.load import Loaded
from churnsim.experiment.stages import decision_base, history
from churnsim.experiment.world import make_world
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import active_rows

GROUPS = ("customer_type", "payment", "value_tier", "usage_scenario", "brand_tier")
MAX_MONTHS = 240


def lifetimes(exp: Loaded, *, months: int = 60, fit_months: int = 24, by: str = "customer_type", replicate: int = 0
              ) -> pd.DataFrame:
    """Return lifetime values of those on the network as the campaign month starts, when nobody is contacted.

    Parameters
    ----------
    exp
        A loaded experiment.
    months
        Months simulated, 3 to 240.
    fit_months
        Months whose survival the closed form (sBG) is fitted to, 2 to `months` - 1.
    by
        Groups, each with a law of its own: customer_type, payment, value_tier, usage_scenario or brand_tier.
    replicate
        Which replicate, from 0.

    Returns
    -------
    DataFrame
        See :func:`churnsim.evaluation.lifetime.lifetime_table`.

    Raises
    ------
    ConfigError
        A number is out of range, or there is no such group.

    Examples
    --------
    >>> lifetimes(load("experiments/quickstart.yaml"))[["group", "value_closed", "value_simulated"]]  # doctest: +SKIP
    """
    for name, value, low, high in (("months", months, 3, MAX_MONTHS), ("fit_months", fit_months, 2, months - 1)):
        if not low <= value <= high:
            raise ConfigError(f"{name}: must be {low} to {high} (got {value})")
    if by not in GROUPS:
        raise ConfigError(f"by: no such group {by!r}; there are {', '.join(GROUPS)}")
    start = exp.experiment.campaign_month
    world = make_world(exp.experiment, replicate=replicate, folder=exp.folder, months=start + months)
    base = decision_base(history(world), world.engine.schema)
    base = base.take(active_rows(base, month=start))
    groups = np.array(SCHEMA[by].categories)[base[by]]
    return lifetime_table(simulate_lifetimes(base, world.engine, start=start, months=months), groups=groups,
                          fit_months=fit_months, rate_annual=exp.experiment.evaluation.discount_rate_annual)

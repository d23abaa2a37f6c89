"""The log of an experiment's pilot or past campaign, for analyses of one's own."""

from __future__ import annotations

import pandas as pd

from churnsim.errors import ConfigError
from churnsim.experiment.load import Loaded
from churnsim.experiment.stages import pilot_trial
from churnsim.experiment.world import make_world


def pilot_log(exp: Loaded, *, replicate: int = 0) -> pd.DataFrame:
    """Run the pilot, and return what the operator has of it: a row a subscriber, indexed by id.

    Parameters
    ----------
    exp
        A loaded experiment; section `pilot` is run, nothing else.
    replicate
        Which replicate, from 0.

    Returns
    -------
    DataFrame
        ``assigned``, ``propensity.ARM`` (not of a past campaign, of which nobody knows), ``eligible.OFFER``,
        ``offer_cost_amount.OFFER``; who was ``reached``, ``accepted``, ``stayed``; the amounts of the outcome months;
        ``holdout`` if there is one; the features, ``x.NAME``. Columns are those of
        :class:`churnsim.uplift.trial.Trial`.

    Raises
    ------
    ConfigError
        `replicate` is below 0, or the experiment couples subscribers.

    Examples
    --------
    >>> log = pilot_log(load("experiments/quickstart.yaml"))  # doctest: +SKIP
    >>> log.groupby("assigned")["stayed"].mean()  # doctest: +SKIP
    """
    if replicate < 0:
        raise ConfigError(f"replicate: must be at least 0 (got {replicate})")
    return pilot_trial(make_world(exp.experiment, replicate=replicate, folder=exp.folder)).frame()

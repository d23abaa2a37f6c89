"""The operator's table: what its systems hold at the start of a month, and nothing else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import Schema, Subscribers
from churnsim.core.draws import Key, normal, stream
from churnsim.population.categories import STATES
from churnsim.population.columns import SCHEMA
from churnsim.signals.settings import SignalsSettings

OBSERVED = Schema(column for column in SCHEMA.values() if column.visibility == "observed")
SUSPENDED = STATES.index("suspended")
USAGE_NOISE = stream("signals.usage_noise")


class Observed(Subscribers):
    """A base without its latent columns: all that features, learners, rules and policies are given.

    Attributes
    ----------
    month
        Calendar month at whose start the table was made; the last full month is the one before.
    """

    def __init__(self, base: Subscribers, month: int) -> None:
        super().__init__(OBSERVED, base.ids, {name: base[name] for name in OBSERVED})
        self.month = month


def observe(base: Subscribers, *, month: int, settings: SignalsSettings, key: Key) -> Observed:
    """Return the operator's table at the start of `month`: a copy, usage with the systems' error."""
    table = Observed(base.copy(), month)
    for ago in range(1, 7):
        error = settings.usage_noise_log_sd * normal(key, USAGE_NOISE, table.ids, month=month, index=ago)
        table.lag("usage_gb", month=month, months_ago=ago)[...] *= np.exp(error)
    return table


def active_rows(base: Subscribers, *, month: int) -> npt.NDArray[np.int64]:
    """Return the positions of those on the network at the start of `month`.

    Who has decided to leave but is still served is among them: the operator cannot know.
    """
    return np.flatnonzero((base["join_month"] < month) & (base["departure_time"] > month))


def features(table: Observed) -> pd.DataFrame:
    """Return the features of learners and churn models, one row a subscriber, float64, indexed by id."""

    def past(name: str, ago: int) -> npt.NDArray[np.float64]:
        values = table.lag(name, month=table.month, months_ago=ago).astype(np.float64)
        return np.asarray(np.maximum(values, 0.01))

    def recent(name: str, first: int) -> npt.NDArray[np.float64]:
        return (past(name, first) + past(name, first + 1) + past(name, first + 2)) / 3.0

    left = table["contract_left_months"]
    postpaid = table["payment"] == 0
    kind = table["customer_type"]
    columns = {
        "log_price": np.log(np.maximum(table["plan_price_amount"] / table["lines"], 0.01)),
        "log_lines": np.log(table["lines"]),
        "family": kind == 1,
        "enterprise": kind >= 2,
        "prepaid": ~postpaid,
        "migrant": table["locality"] == 1,
        "log_tenure": np.log1p(table["tenure_months"]),
        "newness": np.exp(-table["tenure_months"] / 3.0),
        "out_of_contract": postpaid & (left == 0),
        "contract_ending": (left >= 1) & (left <= 2),
        "contract_left": left,
        "log_usage": np.log(past("usage_gb", 1)),
        "usage_change": np.log(past("usage_gb", 1) / recent("usage_gb", 2)),
        "usage_trend": np.log(recent("usage_gb", 1) / recent("usage_gb", 4)),
        "bill_change": np.log(past("bill_amount", 1) / recent("bill_amount", 2)),
        "complaints": table["complaint_stock"],
        "faults": table["fault_stock"],
        "ad_clicks": table["ad_click_stock"],
        "arrears": table["arrears_months"],
        "suspended": table["state"] == SUSPENDED,
        "discount": table["discount_share"],
    }
    return pd.DataFrame({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()},
                        index=pd.Index(table.ids, name="subscriber"))

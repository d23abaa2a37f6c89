"""Churn by months in service, simulated and in the operator's table."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import Subscribers

Float64 = npt.NDArray[np.float64]

# First whole month of each band; the last is open.
BAND_STARTS = (0, 6, 10, 11, 12, 13, 14, 16, 19, 25, 37, 62)
BAND_EDGES = np.array([*BAND_STARTS, np.inf])
BANDS = ("<6", "6-9", "10", "11", "12", "13", "14-15", "16-18", "19-24", "25-36", "37-61", "62+")


def reweighted_rate(share: npt.ArrayLike, *, table_share: float, monthly_rate: float) -> Float64:
    """Return the monthly churn behind the share of churners among some rows of an oversampled table.

    The odds are multiplied by those of the population over those of the table: the usual correction for rows
    sampled by outcome, by which the whole table's share becomes exactly `monthly_rate`.

    Parameters
    ----------
    share
        Share of churners among the rows of interest, 0 to 1, any shape.
    table_share
        Share of churners in the whole table, strictly between 0 and 1.
    monthly_rate
        Monthly churn of the population, strictly between 0 and 1.

    >>> reweighted_rate([0.0, 0.288, 0.449, 1.0], table_share=0.288, monthly_rate=0.02).round(4).tolist()
    [0.0, 0.02, 0.0395, 1.0]
    """
    p = np.asarray(share, dtype=np.float64)
    left = p * monthly_rate / table_share
    stayed = (1.0 - p) * (1.0 - monthly_rate) / (1.0 - table_share)
    return np.asarray(left / (left + stayed), dtype=np.float64)


def tenure_churn(
    base: Subscribers, *, months: int, tenure_months: Float64, churn: Float64, monthly_rate: float
) -> pd.DataFrame:
    """Set simulated churn by age when deciding to leave beside the table's churn by age when observed.

    The simulated rate is 1 - exp(-decisions / months at risk), both counted within the band of whole months
    in service. In the table (as in Cell2Cell) the months in service are the age when the row was taken and
    the outcome follows in a later window, so the same hump stands a month or two earlier in its column.

    Parameters
    ----------
    base
        After `months` months of a run from month 0 in which nobody was contacted.
    months
        Months of the run.
    tenure_months, churn
        (n,) of the table's rows: months in service; 1 left, 0 stayed. Rows with a NaN in either are left out.
    monthly_rate
        Monthly churn of the population that the table stands for.

    Returns
    -------
    DataFrame
        A row per band: ``band``, ``simulated_monthly_rate`` (NaN if nobody was at risk),
        ``simulated_events``, ``simulated_months_at_risk``, ``table_rate_reweighted`` (NaN without rows),
        ``table_rows``.
    """
    events, at_risk_months = _simulated(base, months)
    usable = ~np.isnan(tenure_months) & ~np.isnan(churn)
    band = np.searchsorted(BAND_EDGES, tenure_months[usable], side="right") - 1
    rows = np.bincount(band, minlength=len(BANDS))
    left = np.bincount(band, weights=churn[usable], minlength=len(BANDS))
    share = np.divide(left, rows, out=np.full(len(BANDS), np.nan), where=rows > 0)
    rate = np.divide(events, at_risk_months, out=np.full(len(BANDS), np.nan), where=at_risk_months > 0)
    table_rate = reweighted_rate(share, table_share=float(churn[usable].mean()), monthly_rate=monthly_rate)
    return pd.DataFrame(
        {
            "band": BANDS,
            "simulated_monthly_rate": 1.0 - np.exp(-rate),
            "simulated_events": events,
            "simulated_months_at_risk": at_risk_months,
            "table_rate_reweighted": table_rate,
            "table_rows": rows,
        }
    )


def _simulated(base: Subscribers, months: int) -> tuple[npt.NDArray[np.int64], Float64]:
    """Return decisions and months at risk per band between month 0 and `months`."""
    joined = base["join_month"].astype(np.float64)
    decision = base["decision_time"]
    # An entrant's first age is below 0, where no band is.
    first_age, last_age = -joined, np.minimum(decision, months) - joined
    at_risk = np.array(
        [
            (np.minimum(last_age, high) - np.maximum(first_age, low)).clip(0.0).sum()
            for low, high in pairwise(BAND_EDGES)
        ]
    )
    left = decision < months
    band = np.searchsorted(BAND_EDGES, (decision - joined)[left], side="right") - 1
    return np.bincount(band, minlength=len(BANDS)), at_risk

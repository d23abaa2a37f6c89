"""The operator's table: what its systems hold at the start of a month, and nothing else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import HISTORY_MONTHS, Schema, Subscribers
from churnsim.core.draws import Key, normal, stream
from churnsim.population.categories import (
    ACQUISITION_CHANNELS,
    BRAND_TIERS,
    BUILDING_ACCESS,
    PAYMENTS,
    STATES,
    USAGE_SCENARIOS,
)
from churnsim.population.columns import SCHEMA
from churnsim.signals.quality import HISTORIES, Array, Flags, spoil, tame
from churnsim.signals.settings import SignalsSettings

Float64 = npt.NDArray[np.float64]

OBSERVED = Schema(column for column in SCHEMA.values() if column.visibility == "observed")
SUSPENDED, CHURNED = STATES.index("suspended"), STATES.index("churned")
PREPAID = PAYMENTS.index("prepaid")
USAGE_NOISE = stream("signals.usage_noise")
DAYS_PER_MONTH = 30.0


class Observed(Subscribers):
    """A base without its latent columns: all that features, learners, rules and policies are given.

    Attributes
    ----------
    month
        Calendar month at whose start the table was made; the last full month is the one before.
    missing
        Column -> whose cell is missing, (n,) bool; such a cell holds 0, in ``nps`` -1.
    has_outliers
        Whether histories hold wild values.
    """

    def __init__(self, base: Subscribers, month: int) -> None:
        super().__init__(OBSERVED, base.ids, {name: base[name] for name in OBSERVED})
        self.month = month
        self.missing: dict[str, Flags] = {}
        self.has_outliers = False


def observe(base: Subscribers, *, month: int, settings: SignalsSettings, key: Key) -> Observed:
    """Return the operator's table at the start of `month`: a copy, with the systems' errors.

    Usage is reported with an error; who left is silent, and `churned` once the operator knows it: prepaid ones after
    ``signals.silent_days``, others at once; the rest is as dirty as ``signals.data_quality`` says.
    """
    table = Observed(base.copy(), month)
    for ago in range(1, HISTORY_MONTHS + 1):
        error = settings.usage_noise_log_sd * normal(key, USAGE_NOISE, table.ids, month=month, index=ago)
        table.lag("usage_gb", month=month, months_ago=ago)[...] *= np.exp(error)
    _silence(table, base["departure_time"])
    active = listed_rows(base, month=month, silent_days=settings.silent_days)
    lost = base["departure_time"] <= month
    lost[active] = False
    table["state"][lost] = CHURNED
    table.missing = spoil(table, month=month, settings=settings.data_quality, key=key)
    table.has_outliers = settings.data_quality.outlier_share > 0.0
    return table


def _silence(table: Observed, departure_time: Float64) -> None:
    """Show those who left as they are seen: no use, no bill, no recharge.

    Months count as a whole: the month of leaving shows its use, each later one 0. Stocks, which hold contacts and
    complaints of the time before, run on as they would have [simplification].
    """
    rows = np.flatnonzero(departure_time <= table.month)
    if not len(rows):
        return
    departure = departure_time[rows]
    for ago in range(1, HISTORY_MONTHS + 1):
        gone = rows[departure <= table.month - ago]
        for name in HISTORIES:
            table.lag(name, month=table.month, months_ago=ago)[gone] = 0.0
    days = (DAYS_PER_MONTH * (table.month - departure)).astype(np.float32)
    prepaid = table["payment"][rows] == PREPAID
    table["recharge_days"][rows[prepaid]] = np.maximum(table["recharge_days"][rows], days)[prepaid]
    for name in ("balance_amount", "ticket_open"):
        table[name][rows] = 0
    gone = rows[departure <= table.month - 1]
    for name in ("app_logins", "porting_request"):
        table[name][gone] = 0


def active_rows(base: Subscribers, *, month: int, lost_months: int = 0) -> npt.NDArray[np.int64]:
    """Return the positions of those on the network at the start of `month`.

    Who has decided to leave but is still served is among them: the operator cannot know. With `lost_months`, those who
    left within so many months are too.
    """
    return np.flatnonzero((base["join_month"] < month) & (base["departure_time"] > month - lost_months))


def listed_rows(base: Subscribers, *, month: int, silent_days: float, lost_months: int = 0
                ) -> npt.NDArray[np.int64]:
    """Return the positions of those who stand in the operator's table of the active at the start of `month`.

    These are the ones on the network, and who pays in advance and left less than `silent_days` ago: the operator
    sees a subscriber that makes no use of the network, and no departure. Such a one can be listed and contacted, in
    vain. The truth about who is there is :func:`active_rows`. With `lost_months`, those who left within so many months
    stand there too, if the operator knows it as churned.
    """
    silent = (base["payment"] == PREPAID) & (base["departure_time"] > month - silent_days / DAYS_PER_MONTH)
    known = base["departure_time"] > month - lost_months
    return np.flatnonzero((base["join_month"] < month) & (known | silent))


def features(table: Observed) -> pd.DataFrame:
    """Return the features of learners and churn models, one row a subscriber, float64, indexed by id.

    A row depends on its own cells alone, and has no missing value. Cleaning: wild values of histories are cut (see
    :func:`~churnsim.signals.quality.tame`); a missing cell counts as 0 and sets the flag ``unknown_<column>``; of
    rows of one id the first is kept.
    """
    columns = {**_account(table), **_contract(table), **_use(table), **_experience(table),
               **{f"unknown_{name}": cells for name, cells in table.missing.items() if name != "nps"}}
    found = pd.DataFrame({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()},
                         index=pd.Index(table.ids, name="subscriber"))
    return found if found.index.is_unique else found[~found.index.duplicated()]


def feature_names() -> tuple[str, ...]:
    """Return the names of the features of clean tables."""
    nobody = Observed(Subscribers.empty(OBSERVED, np.zeros(0, np.int64)), HISTORY_MONTHS)
    return tuple(str(name) for name in features(nobody).columns)


def _account(table: Observed) -> dict[str, Array]:
    """Return what the account is."""
    kind, tier, channel = (table[name] for name in ("customer_type", "brand_tier", "acquisition_channel"))
    scenarios = {f"is_{name}": table["usage_scenario"] == code for code, name in enumerate(USAGE_SCENARIOS) if code}
    return {
        "log_price": np.log(np.maximum(table["plan_price_amount"] / table["lines"], 0.01)),
        "log_lines": np.log(table["lines"]),
        "family": kind == 1,
        "enterprise": kind >= 2,
        **scenarios,
        "prepaid": table["payment"] == PREPAID,
        "migrant": table["locality"] == 1,
        "shared_building": table["building_access"] == BUILDING_ACCESS.index("shared"),
        "online": channel == ACQUISITION_CHANNELS.index("online"),
        "dealer": channel == ACQUISITION_CHANNELS.index("social_dealer"),
        "budget_brand": tier == BRAND_TIERS.index("budget"),
        "premium_brand": tier == BRAND_TIERS.index("premium"),
        "broadband": table["broadband"],
        "smart_home": table["smart_home"],
        "device_age": np.log1p(table["device_age_months"]),
    }


def _contract(table: Observed) -> dict[str, Array]:
    """Return tenure, contract, what leaving costs, and what is owed."""
    left = table["contract_left_months"]
    locked = table["lock_in_left_months"] > 0
    return {
        "log_tenure": np.log1p(table["tenure_months"]),
        "newness": np.exp(-table["tenure_months"] / 3.0),
        "came_back": table["spell"] > 0,
        "out_of_contract": (table["payment"] != PREPAID) & (left == 0),
        "contract_ending": (left >= 1) & (left <= 2),
        "contract_just_ended": np.exp(-table["contract_ended_months"] / 1.5),
        "contract_left": left,
        "termination_fee": _in_fees(table, "termination_fee_amount", 24.0),
        "lock_in": locked * _in_fees(table, "lock_in_amount", 6.0),
        "balance": _in_fees(table, "balance_amount", 6.0),
        "recharge_months": table["recharge_days"] / DAYS_PER_MONTH,
        "arrears": table["arrears_months"],
        "plan_changes": table["plan_change_stock"],
        "suspended": table["state"] == SUSPENDED,
        "discount": table["discount_share"],
    }


def _use(table: Observed) -> dict[str, Array]:
    """Return use and bills of the last six months."""
    months = {name: np.stack([table.lag(name, month=table.month, months_ago=ago).astype(np.float64)
                              for ago in range(1, HISTORY_MONTHS + 1)]) for name in HISTORIES}
    if table.has_outliers:
        months = {name: tame(history) for name, history in months.items()}
    usage, voice, bill = (np.maximum(months[name], 0.01) for name in HISTORIES)

    def recent(history: Float64, first: int) -> Float64:
        return np.asarray((history[first - 1] + history[first] + history[first + 1]) / 3.0)

    return {
        "log_usage": np.log(usage[0]),
        "usage_change": np.log(usage[0] / recent(usage, 2)),
        "usage_trend": np.log(recent(usage, 1) / recent(usage, 4)),
        "log_voice": np.log(voice[0]),
        "voice_change": np.log(voice[0] / recent(voice, 2)),
        "bill_change": np.log(bill[0] / recent(bill, 2)),
        "app_logins": np.log1p(table["app_logins"]),
    }


def _experience(table: Observed) -> dict[str, Array]:
    """Return complaints, contacts, offers, the survey, and signs of looking elsewhere."""
    nps = table["nps"].astype(np.float64)
    return {
        "complaints": table["complaint_stock"],
        "ticket_hours": np.log1p(table["ticket_hours"]),
        "ticket_open": table["ticket_open"],
        "faults": table["fault_stock"],
        "hotline_calls": table["hotline_stock"],
        "shop_visits": table["shop_stock"],
        "surveyed": nps >= 0.0,
        "nps": np.maximum(nps, 0.0),
        "ad_clicks": table["ad_click_stock"],
        "porting_request": table["porting_request"],
        "contacts": table["contact_stock"],
        "recent_offer": 1.0 / (1.0 + table["months_since_offer"]),
    }


def _in_fees(table: Observed, name: str, most: float) -> Float64:
    fee = np.maximum(table["plan_price_amount"].astype(np.float64), 0.01)
    return np.minimum(table[name] / fee, most)

"""The numbers of a portrait: who is there, who leaves when and why, and what they pay."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.evaluation.tenure_churn import reweighted_rate
from churnsim.experiment.settings import Experiment
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.drivers.tenure import states_at
from churnsim.population.categories import CUSTOMER_TYPES, STATES
from churnsim.population.generate import generate
from churnsim.population.table import ImportedTable, read_table

Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Frames = dict[str, pd.DataFrame]

MONTHS = 12
SIMULATED, TABLE = "simulated", "table"
TENURE_STARTS = (0, 1, 2, 3, 6, 10, 11, 12, 13, 14, 16, 19, 25, 37, 62)
TENURES = ("0", "1", "2", "3-5", "6-9", "10", "11", "12", "13", "14-15", "16-18", "19-24", "25-36", "37-61", "62+")
LENGTHS = (12, 24)
Z = 1.96


@dataclass(frozen=True)
class Rows:
    """Subscribers as they were when a month began, and whether they left (decided to leave) in it.

    Attributes
    ----------
    columns
        Name -> (n,): observed columns; histories (6, n), the last month first.
    left
        (n,) 1 left, 0 stayed.
    source
        "simulated" or "table".
    monthly_rate, outcome_share
        Of a table in which churners are more frequent than in the population; None: as they are.
    """

    source: str
    columns: Mapping[str, npt.NDArray[np.generic]]
    left: Float64
    monthly_rate: float | None = None
    outcome_share: float | None = None

    def rate(self, mask: Mask) -> tuple[float, float, float, int, int]:
        """Return monthly churn of some rows, the limits of its 95 % interval (Wilson), rows and leavers."""
        rows, leavers = int(mask.sum()), int(self.left[mask].sum())
        if not rows:
            return np.nan, np.nan, np.nan, 0, 0
        share = leavers / rows
        centre = (share + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
        half = Z * np.sqrt(share * (1 - share) / rows + Z**2 / (4 * rows**2)) / (1 + Z**2 / rows)
        shares = np.array([share, max(centre - half, 0.0), min(centre + half, 1.0)])
        if self.monthly_rate is not None and self.outcome_share is not None:
            shares = reweighted_rate(shares, table_share=self.outcome_share, monthly_rate=self.monthly_rate)
        return float(shares[0]), float(shares[1]), float(shares[2]), rows, leavers


@dataclass(frozen=True)
class Portrait:
    """What a portrait shows.

    Attributes
    ----------
    name, preset, seed, currency
        Of the experiment.
    subscribers, leavers
        Simulated subscribers when the months counted begin, and how many left in them.
    first_month
        Calendar month from which `MONTHS` months are counted.
    table_rows, delay_months
        Rows of the real table, and months between a row and the month of its outcome; 0 without one.
    frames
        Name -> numbers, a column `source` telling simulated from table.
    absent
        Names of figures that the table cannot have, and why.
    """

    name: str
    preset: str
    seed: int
    currency: str
    subscribers: int
    leavers: int
    first_month: int
    table_rows: int
    delay_months: int
    frames: Frames
    absent: dict[str, str]


COLUMNS = ("tenure_months", "contract_length_months", "contract_left_months", "customer_type", "state")


def make_portrait(experiment: Experiment, folder: Path, *, table: Path | None = None, mapping: Path | None = None
                  ) -> Portrait:
    """Simulate an experiment's base and count it, beside an operator's table if one is given.

    Parameters
    ----------
    experiment
        Its first replicate is shown: lifecycle.history_months pass, then 12 months are counted.
    folder
        Paths in the experiment are relative to it.
    table, mapping
        A real table and its mapping file, both or neither.

    Raises
    ------
    ConfigError, DataError
        The table or its mapping cannot be used.
    """
    start = experiment.campaign_month
    world = make_world(experiment, replicate=0, folder=folder, months=start + MONTHS)
    base = world.population(until=start + MONTHS)
    world.engine.run([(base, None)], start=0, months=start)
    here = (base["join_month"] < start) & (base["departure_time"] > start)
    states = np.bincount(states_at(base, month=start)[here], minlength=len(STATES))
    rows, causes = _simulated(world, base, start)
    parts, frames = [rows], {"states": _shares(SIMULATED, STATES, states)}
    absent: dict[str, str] = {}
    delay = 0
    if table is not None and mapping is not None:
        given = read_table(table, mapping, currency=experiment.currency, size=None, key=world.key)
        seen, absent = _table_rows(given, world)
        parts.append(seen)
        delay = given.delay_months
        if "state" in seen.columns:
            counts = np.bincount(seen.columns["state"].astype(int), minlength=len(STATES))
            frames["states"] = pd.concat([frames["states"], _shares(TABLE, STATES, counts)])
    frames |= _frames(parts)
    real = [k for k, cause in enumerate(experiment.lifecycle.causes.values()) if not cause.apparent]
    names = tuple(experiment.lifecycle.causes)
    frames["causes"] = _shares(SIMULATED, tuple(names[k] for k in real), causes[real], label="cause")
    return Portrait(experiment.name, experiment.preset, experiment.seed, experiment.currency, int(here.sum()),
                    int(rows.left.sum()), start, len(parts[1].left) if len(parts) > 1 else 0, delay, frames, absent)


def _simulated(world: World, base: Subscribers, start: int) -> tuple[Rows, npt.NDArray[np.int64]]:
    """Let the counted months pass; return a row a subscriber and month, and leavers by cause."""
    found: list[tuple[dict[str, npt.NDArray[np.generic]], Float64]] = []
    causes = np.zeros(len(world.experiment.lifecycle.causes), np.int64)
    for month in range(start, start + MONTHS):
        rows = np.flatnonzero((base["join_month"] <= month) & (base["decision_time"] >= month))
        before = _columns(base, rows, month)
        world.engine.run([(base, None)], start=month, months=1)
        left = (base["decision_time"][rows] < month + 1).astype(np.float64)
        causes += np.bincount(base["cause"][rows][left > 0] - 1, minlength=len(causes))
        found.append((before, left))
    columns = {name: np.concatenate([part[name] for part, _ in found], axis=-1) for name in found[0][0]}
    return Rows(SIMULATED, columns, np.concatenate([left for _, left in found])), causes


def _columns(base: Subscribers, rows: npt.NDArray[np.int64], month: int) -> dict[str, npt.NDArray[np.generic]]:
    columns: dict[str, npt.NDArray[np.generic]] = {name: base[name][rows] for name in COLUMNS}
    for name in ("usage_gb", "bill_amount"):
        columns[name] = np.stack([base.lag(name, month=month, months_ago=ago)[rows]
                                  for ago in range(1, HISTORY_MONTHS + 1)])
    return columns


def _table_rows(real: ImportedTable, world: World) -> tuple[Rows, dict[str, str]]:
    """Return the table's rows with the columns that it gives, and why figures lack it."""
    base = generate(real.ids, world.experiment.population.traits, key=world.key, known=real.known)
    columns = _columns(base, np.arange(len(base)), 0)
    mapped = set(real.known)
    needs = {"tenure_months": {"tenure_months"}, "state": {"tenure_months"}, "usage_gb": {"usage_gb"},
             "contract_length_months": {"contract_length_months"}, "customer_type": {"customer_type"},
             "contract_left_months": {"contract_length_months", "contract_left_months"}}
    kept = {name: values for name, values in columns.items() if needs.get(name, set()) <= mapped}
    if not mapped & {"bill_amount", "plan_price_amount"}:
        kept.pop("bill_amount")
    known = None if real.churn is None else ~np.isnan(real.churn)
    absent = {"causes": "a table tells no causes"}
    for figure, wanted in (("tenure", "tenure_months"), ("contract_month", "contract_left_months"),
                           ("revenue", "customer_type"), ("usage_before", "usage_gb")):
        if wanted not in kept:
            absent[figure] = f"{' and '.join(sorted(needs[wanted] - mapped))} not mapped"
        elif known is None and figure != "revenue":
            absent[figure] = "the mapping names no churn"
    if real.churn is None or known is None:
        return Rows(TABLE, kept, np.full(len(base), np.nan)), absent
    kept = {name: values[..., known] for name, values in kept.items()}
    churn = real.churn[known]
    return Rows(TABLE, kept, churn, real.monthly_rate, float(churn.mean())), absent


def _frames(parts: list[Rows]) -> Frames:
    makers: dict[str, tuple[tuple[str, ...], Callable[[Rows], list[dict[str, object]]]]] = {
        "tenure": (("tenure_months",), _tenure), "contract_month": (("contract_left_months",), _contract_month),
        "revenue": (("customer_type", "bill_amount"), _revenue), "usage_before": (("usage_gb",), _usage_before)}
    frames = {}
    for name, (needs, make) in makers.items():
        rows = [row for part in parts if set(needs) <= set(part.columns) for row in make(part)]
        frames[name] = pd.DataFrame([{"source": row.pop("source"), **row} for row in rows])
    return frames


def _rate(part: Rows, mask: Mask) -> dict[str, object]:
    rate, low, high, rows, leavers = part.rate(mask)
    return {"source": part.source, "monthly_rate": rate, "low": low, "high": high, "rows": rows, "leavers": leavers}


def _tenure(part: Rows) -> list[dict[str, object]]:
    if np.isnan(part.left).any():
        return []
    band = np.searchsorted(TENURE_STARTS, part.columns["tenure_months"], side="right") - 1
    return [{"band": name, **_rate(part, band == k)} for k, name in enumerate(TENURES)]


def _contract_month(part: Rows) -> list[dict[str, object]]:
    """Return churn by month of the running contract, and out of contract."""
    if np.isnan(part.left).any():
        return []
    left = part.columns["contract_left_months"].astype(np.int64)
    length = part.columns["contract_length_months"].astype(np.int64)
    rows = [{"contract_length_months": size, "contract_month": month,
             **_rate(part, (length == size) & (left == size - month + 1))}
            for size in LENGTHS for month in range(1, size + 1)]
    return [*rows, {"contract_length_months": 0, "contract_month": 0, **_rate(part, left == 0)}]


def _revenue(part: Rows) -> list[dict[str, object]]:
    kind, bill = part.columns["customer_type"].astype(np.int64), part.columns["bill_amount"][0].astype(np.float64)
    counts = np.bincount(kind, minlength=len(CUSTOMER_TYPES))
    amounts = np.bincount(kind, weights=bill, minlength=len(CUSTOMER_TYPES))
    return [{"source": part.source, "customer_type": name, "share_of_subscribers": float(counts[k] / counts.sum()),
             "share_of_revenue": float(amounts[k] / amounts.sum())} for k, name in enumerate(CUSTOMER_TYPES)]


def _usage_before(part: Rows) -> list[dict[str, object]]:
    """Return usage of those who left and who stayed, each one's six-month mean = 100: the mean over subscribers."""
    if np.isnan(part.left).any():
        return []
    usage = part.columns["usage_gb"].astype(np.float64)
    usual = usage.mean(axis=0)
    rows: list[dict[str, object]] = []
    for name, mask in (("left", part.left > 0), ("stayed", part.left == 0)):
        some = mask & (usual > 0)
        index = 100.0 * (usage[:, some] / usual[some]).mean(axis=1) if some.any() else np.full(len(usage), np.nan)
        rows += [{"source": part.source, "who": name, "months_before": ago, "usage_index": float(value)}
                 for ago, value in enumerate(index, start=1)]
    return rows


def _shares(source: str, names: tuple[str, ...], counts: npt.NDArray[np.int64], *, label: str = "state"
            ) -> pd.DataFrame:
    total = max(int(counts.sum()), 1)
    return pd.DataFrame({"source": source, label: names, "subscribers": counts, "share": counts / total})

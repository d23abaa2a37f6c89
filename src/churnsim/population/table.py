"""Start from an operator's table: read it, translate its columns, and say what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.columns import HISTORY_MONTHS, Column
from churnsim.core.draws import Key, stream, uniform
from churnsim.errors import DataError
from churnsim.population.categories import PAYMENTS
from churnsim.population.cells import Cells, Texts, read_cells
from churnsim.population.columns import SCHEMA
from churnsim.population.generate import QUIET
from churnsim.population.mapping import (
    MAPPED,
    NEEDED,
    ChurnMap,
    Code,
    ColumnMap,
    HistoryMap,
    TableMapping,
    code_of,
    limits,
    read_mapping,
)

Float64 = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

SUBSET = stream("population.table_subset")
TEMPLATE = stream("population.table_template")

IMPUTED = "imputed from preset"
# What `generate` gives where neither the table nor the preset knows.
DEFAULTS = {
    "bill_amount": "set to plan_price_amount",
    "nps": "set to -1, never asked",
    "months_since_offer": "set to 127, never",
    **dict.fromkeys(QUIET, "set to 0"),
}
PREPAID = PAYMENTS.index("prepaid")
# What is wrong with a number below 0, where the number alone does not say it.
BELOW_ZERO = {
    "contract_left_months": " (the contract ended before the table was made; 0 is out of contract)",
    "contract_length_months": " (the contract ends before it starts)",
    "tenure_months": " (joined after the table was made)",
}


@dataclass(frozen=True)
class ImportedTable:
    """The rows of an operator's table as columns of subscribers, in the order of their source ids.

    Attributes
    ----------
    ids
        (n,) int64: rank of the source id among all rows of the table, whatever their order in the file.
    source_id
        (n,) text: what the operator calls the subscriber.
    known
        Columns for :func:`~churnsim.population.generate.generate`: (n,) float64, (6, n) for histories; NaN
        where the table has nothing.
    report
        A row per column: ``column``, ``origin`` ("table column X", "imputed from preset", ...),
        ``share_imputed``.
    churn
        (n,) float64: 1 left, 0 stayed, NaN unknown; None if the mapping names no outcome.
    monthly_rate
        Monthly churn of the population that the table stands for; None without an outcome.
    delay_months
        Months between the row and the month in which the outcome falls.
    """

    ids: Ids
    source_id: Texts
    known: Mapping[str, Float64]
    report: pd.DataFrame
    churn: Float64 | None
    monthly_rate: float | None
    delay_months: int = 0

    def __len__(self) -> int:
        return len(self.ids)


def read_table(
    path: str | Path, mapping_path: str | Path, *, currency: str, size: int | None, key: Key
) -> ImportedTable:
    """Read an operator's table through its mapping file.

    Parameters
    ----------
    path
        CSV with a header, gzipped CSV or Parquet. Empty cells and NA, NaN, null, None are missing.
    mapping_path
        YAML, see :class:`~churnsim.population.mapping.TableMapping`.
    currency
        Of the experiment; amounts are converted to it.
    size
        None: all rows. Fewer than there are: a random subset, drawn by (key, id).

    Raises
    ------
    ConfigError
        The mapping file is wrong.
    DataError
        The table cannot be read, lacks a column that the mapping names, or holds a cell that does not fit.
    """
    mapping, tree = read_mapping(mapping_path, currency=currency)
    cells = read_cells(Path(path), mapping, tree, str(mapping_path))
    source_id = cells.source_ids(mapping.source_id)
    order = np.argsort(source_id, kind="stable")
    ids = np.arange(len(order), dtype=np.int64)
    if size is not None:
        if size > len(ids):
            raise DataError(
                f"population.size is {size}, but {path} has {len(ids)} rows; lower it, or "
                "leave it out to take every row"
            )
        ids = np.sort(np.argsort(uniform(key, SUBSET, ids), kind="stable")[:size]).astype(np.int64)
    rows = order[ids]
    known = {name: values[..., rows] for name, values in _known(cells, mapping).items()}
    churn = None if mapping.churn is None else _churn(cells, mapping.churn)[rows]
    return ImportedTable(
        ids,
        source_id[rows],
        known,
        _report(mapping, known),
        churn,
        None if mapping.churn is None else mapping.churn.monthly_rate,
        0 if mapping.churn is None else mapping.churn.delay_months,
    )


def _known(cells: Cells, mapping: TableMapping) -> dict[str, Float64]:
    fx_rate = mapping.fx_rate or 1.0
    columns = {
        name: _column(cells, SCHEMA[name], wanted, fx_rate) for name, wanted in mapping.columns.items()
    }
    _check_contracts(cells, mapping, columns)
    return columns | {
        name: _history(cells, SCHEMA[name], wanted, fx_rate) for name, wanted in mapping.histories.items()
    }


def _check_contracts(cells: Cells, mapping: TableMapping, columns: Mapping[str, Float64]) -> None:
    """Refuse rows whose contract contradicts itself."""
    left, length, payment = (
        columns.get(name) for name in ("contract_left_months", "contract_length_months", "payment")
    )
    source = None if left is None else mapping.columns["contract_left_months"].from_column
    if left is None or source is None:
        return
    if length is not None and (bad := left > length).any():
        row = int(np.flatnonzero(bad)[0])
        raise cells.error(
            source,
            bad,
            f"{left[row]:g} months are left on a contract of {length[row]:g} months",
            f"correct one of the two, or take columns.contract_length_months out of {cells.mapping}",
        )
    if payment is not None and (bad := (left > 0.0) & (payment == PREPAID)).any():
        raise cells.error(
            source,
            bad,
            f"{left[bad][0]:g} months are left on a contract of one who pays in advance",
            f"contracts bind those who pay after use; correct columns.payment or the months in {cells.mapping}",
        )


def bootstrap(table: ImportedTable, ids: Ids, key: Key) -> dict[str, Float64]:
    """Return `known` columns for other subscribers: each id takes a random row of the table as template.

    Parameters
    ----------
    ids
        (m,) int64: such as those of a pilot. A row depends on (key, id) alone.
    """
    rows = np.floor(uniform(key, TEMPLATE, ids) * len(table)).astype(np.int64)
    return {name: values[..., rows] for name, values in table.known.items()}


def _column(cells: Cells, column: Column, wanted: ColumnMap, fx_rate: float) -> Float64:
    """Return one column of the subscribers, NaN where it is to be imputed."""
    name, source = column.name, wanted.from_column
    if source is None:
        assert wanted.value is not None
        size = len(next(iter(cells.columns.values())))
        return np.full(size, code_of(column, wanted.value) * (fx_rate if column.unit == "amount" else 1.0))
    listed: Mapping[str, Code] | None = wanted.values
    if listed is None and column.categories:
        listed = {label: label for label in column.categories}
    if listed is None:
        values = cells.numbers(source, name)
    else:
        values = cells.translated(
            source,
            {text: code_of(column, code) for text, code in listed.items()},
            at=f"columns.{name}.values",
            other=None if wanted.other is None else code_of(column, wanted.other),
        )
    values = wanted.scale * values + wanted.offset
    if wanted.valid is not None:
        values = np.where((values < wanted.valid[0]) | (values > wanted.valid[1]), np.nan, values)
    values = _finished(cells, column, source, values, wanted.clip, fx_rate)
    refuses = wanted.missing == "refuse" or (wanted.missing is None and name in NEEDED)
    if refuses and (missing := np.isnan(values)).any():
        what = "is empty" if cells.missing(source)[missing][0] else "holds {cell}, which 'valid' excludes"
        raise cells.error(
            source,
            missing,
            f"{what}, but {name} is needed",
            f"fill it in, or set columns.{name}.missing to impute in {cells.mapping}",
        )
    return values


def _finished(
    cells: Cells,
    column: Column,
    source: str,
    values: Float64,
    clip: tuple[float, float] | None,
    fx_rate: float,
) -> Float64:
    """Clip, convert amounts, round whole numbers, and refuse what a column cannot hold; (n,)."""
    if clip is not None:
        values = np.clip(values, *clip)
    if column.unit == "amount":
        values = values * fx_rate
    if np.dtype(column.dtype).kind == "i":
        values = np.rint(values)
    low, high = limits(column)
    bad = (values < low) | (values > high)
    if bad.any():
        section = "histories" if column.history else "columns"
        hint = BELOW_ZERO.get(column.name, "") if values[bad][0] < 0.0 else ""
        rule = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        raise cells.error(
            source,
            bad,
            f"makes {column.name} {values[bad][0]:g}{hint}, which must be {rule}",
            f"correct it, or set {section}.{column.name}.clip in {cells.mapping}",
        )
    return values


def _history(cells: Cells, column: Column, wanted: HistoryMap, fx_rate: float) -> Float64:
    """Return six months, (6, n), the oldest first; NaN where all of a row is to be imputed."""

    def read(name: str) -> Float64:
        return cells.numbers(name, column.name)

    if wanted.months is not None:
        sources = wanted.months
        months = [read(name) for name in sources]
    elif wanted.from_column is not None:
        sources = (wanted.from_column,) * HISTORY_MONTHS
        months = [read(wanted.from_column)] * HISTORY_MONTHS
    else:
        assert wanted.mean is not None and wanted.change is not None
        sources = (wanted.mean,) * HISTORY_MONTHS
        mean, change = read(wanted.mean), read(wanted.change)
        months = [mean - change / 3.0] * (HISTORY_MONTHS - 1) + [mean + change]
    out = np.stack(
        [
            _finished(cells, column, source, wanted.scale * values, wanted.clip, fx_rate)
            for source, values in zip(sources, months, strict=True)
        ]
    )
    known = ~np.isnan(out)
    usual = np.where(known, out, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return np.where(known | ~known.any(axis=0), out, usual)


def _churn(cells: Cells, wanted: ChurnMap) -> Float64:
    if wanted.values is not None:
        return cells.translated(wanted.from_column, wanted.values, at="churn.values")
    values = cells.numbers(wanted.from_column, "churn")
    bad = ~np.isnan(values) & (values != 0.0) & (values != 1.0)
    if bad.any():
        raise cells.error(
            wanted.from_column,
            bad,
            "{cell} is neither 1 (left) nor 0 (stayed)",
            f"translate it with churn.values in {cells.mapping}",
        )
    return values


def _report(mapping: TableMapping, known: Mapping[str, Float64]) -> pd.DataFrame:
    sources: dict[str, list[str]] = {}
    for path, column in mapping.table_columns().items():
        if path[0] in ("columns", "histories"):
            sources.setdefault(str(path[1]), []).append(column)
    rows = []
    for name in MAPPED:
        if name not in known:
            rows.append((name, DEFAULTS.get(name, IMPUTED), 1.0))
            continue
        origin = (
            f"table column {', '.join(dict.fromkeys(sources[name]))}" if name in sources else "mapping value"
        )
        lacking = np.atleast_2d(np.isnan(known[name])).any(axis=0)
        rows.append((name, origin, float(lacking.mean())))
    return pd.DataFrame(rows, columns=["column", "origin", "share_imputed"])

"""Start from an operator's table: read it, translate its columns, and say what it lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.config.messages import did_you_mean
from churnsim.config.paths import dotted
from churnsim.config.source import Tree
from churnsim.core.columns import HISTORY_MONTHS, Column
from churnsim.core.draws import Key, stream, uniform
from churnsim.errors import DataError
from churnsim.population.columns import SCHEMA
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
Texts = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]

SUBSET = stream("population.table_subset")
TEMPLATE = stream("population.table_template")

FORMATS = (".csv", ".csv.gz", ".parquet")
MISSING_TEXTS = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"))
IMPUTED = "imputed from preset"
# What `generate` gives where neither the table nor the preset knows.
DEFAULTS = {
    "bill_amount": "set to plan_price_amount",
    "complaint_stock": "set to 0",
    "fault_stock": "set to 0",
    "ad_click_stock": "set to 0",
    "arrears_months": "set to 0",
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
    cells = _read_cells(Path(path), mapping, tree, str(mapping_path))
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


def _known(cells: _Cells, mapping: TableMapping) -> dict[str, Float64]:
    fx_rate = mapping.fx_rate or 1.0
    columns = {
        name: _column(cells, SCHEMA[name], wanted, fx_rate) for name, wanted in mapping.columns.items()
    }
    return columns | {
        name: _history(cells, SCHEMA[name], wanted, fx_rate) for name, wanted in mapping.histories.items()
    }


def bootstrap(table: ImportedTable, ids: Ids, key: Key) -> dict[str, Float64]:
    """Return `known` columns for other subscribers: each id takes a random row of the table as template.

    Parameters
    ----------
    ids
        (m,) int64: such as those of a pilot. A row depends on (key, id) alone.
    """
    rows = np.floor(uniform(key, TEMPLATE, ids) * len(table)).astype(np.int64)
    return {name: values[..., rows] for name, values in table.known.items()}


@dataclass(frozen=True)
class _Cells:
    """The cells of the table as text, and what messages call the two files."""

    table: str
    mapping: str
    columns: Mapping[str, Texts]

    def error(self, column: str, bad: Mask, found: str, remedy: str) -> DataError:
        """Describe the first bad row; `found` may show its {cell}."""
        row = int(np.flatnonzero(bad)[0])
        others = f" (and {int(bad.sum()) - 1} more)" if bad.sum() > 1 else ""
        text = found.replace("{cell}", repr(self.columns[column][row]))
        return DataError(f"{self.table}: column {column!r}, row {row + 1}{others}: {text}; {remedy}")

    def missing(self, column: str) -> Mask:
        return np.fromiter((text in MISSING_TEXTS for text in self.columns[column]), np.bool_)

    def source_ids(self, column: str) -> Texts:
        """Return the ids of the rows, refusing missing and repeated ones."""
        texts = self.columns[column]
        if (missing := self.missing(column)).any():
            raise self.error(column, missing, "there is no id", "every row needs its source_id")
        repeated = pd.Series(texts).duplicated().to_numpy()
        if repeated.any():
            first = int(np.flatnonzero(texts == texts[np.flatnonzero(repeated)[0]])[0]) + 1
            raise self.error(
                column,
                repeated,
                f"the id {{cell}} stands in row {first} already",
                "keep one row a subscriber",
            )
        return texts

    def numbers(self, column: str, target: str) -> Float64:
        """Return a column as numbers, NaN where a cell is missing."""
        missing = self.missing(column)
        values = pd.to_numeric(
            pd.Series(np.where(missing, "nan", self.columns[column])), errors="coerce"
        ).to_numpy(np.float64)
        bad = ~missing & ~np.isfinite(values)
        if bad.any():
            raise self.error(
                column,
                bad,
                f"{{cell}} is text where {target} needs a number",
                f"correct it, or translate it with 'values' in {self.mapping}",
            )
        return values

    def translated(
        self, column: str, codes: Mapping[str, float], *, at: str, other: float | None = None
    ) -> Float64:
        """Return a column with each text replaced by its number, NaN where a cell is missing.

        `at` is the key of the mapping file that holds the codes.
        """
        position, texts = pd.factorize(self.columns[column])
        unknown = np.nan if other is None else other
        by_text = np.array([codes.get(text, np.nan if text in MISSING_TEXTS else unknown) for text in texts])
        unlisted = np.array(
            [other is None and text not in codes and text not in MISSING_TEXTS for text in texts]
        )
        if unlisted.any():
            raise self.error(
                column, unlisted[position], f"{{cell}} has no entry in {at}", f"add it in {self.mapping}"
            )
        return np.asarray(by_text[position], dtype=np.float64)


def _read_cells(path: Path, mapping: TableMapping, tree: Tree, mapping_name: str) -> _Cells:
    if not path.name.endswith(FORMATS):
        raise DataError(
            f"{path}: population.table.path must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        )
    named = mapping.table_columns()
    try:
        present = _header(path)
        absent = [
            f"{tree.origin(at)}: {dotted(at)}: {path.name} has no column {name!r}"
            f"{did_you_mean(name, present) or '; it has ' + ', '.join(present)}"
            for at, name in named.items()
            if name not in present
        ]
        if absent:
            raise DataError("\n".join(absent))
        frame = _load(path, sorted(set(named.values())))
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; check population.table.path, which is relative to the experiment file"
        ) from None
    except (OSError, EOFError, ValueError) as error:
        raise DataError(
            f"{path}: cannot be read ({str(error).splitlines()[0]}); save the table again as "
            f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        ) from None
    if not len(frame):
        raise DataError(f"{path}: has a header but no rows; give at least one subscriber")
    return _Cells(str(path), mapping_name, {str(name): _texts(frame[name]) for name in frame})


def _header(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return [str(name) for name in pq.read_schema(path).names]
    return [str(name) for name in pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns]


def _load(path: Path, columns: list[str]) -> pd.DataFrame:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
        return frame
    return pd.read_csv(path, usecols=columns, dtype=str, keep_default_na=False, encoding="utf-8-sig")


def _texts(cells: pd.Series[Any]) -> Texts:
    """Return cells as stripped text; whole floats (a Parquet integer column with gaps) lose their ".0"."""

    def text(cell: Any) -> str:
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return str(cell).strip()

    missing = cells.isna().to_numpy()
    out = np.empty(len(cells), dtype=object)
    out[:] = ["" if empty else text(cell) for cell, empty in zip(cells.tolist(), missing, strict=True)]
    return out


def _column(cells: _Cells, column: Column, wanted: ColumnMap, fx_rate: float) -> Float64:
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
    cells: _Cells,
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
        rule = f"at least {low:g}" if high == np.inf else f"between {low:g} and {high:g}"
        raise cells.error(
            source,
            bad,
            f"makes {column.name} {values[bad][0]:g}, which must be {rule}",
            f"correct it, or set {section}.{column.name}.clip in {cells.mapping}",
        )
    return values


def _history(cells: _Cells, column: Column, wanted: HistoryMap, fx_rate: float) -> Float64:
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


def _churn(cells: _Cells, wanted: ChurnMap) -> Float64:
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

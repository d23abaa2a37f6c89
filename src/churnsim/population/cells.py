"""The cells of an operator's table as text, and messages that say where a wrong one stands."""

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
from churnsim.errors import DataError
from churnsim.population.mapping import TableMapping

Float64 = npt.NDArray[np.float64]
Texts = npt.NDArray[np.object_]
Mask = npt.NDArray[np.bool_]

FORMATS = (".csv", ".csv.gz", ".parquet")
MISSING_TEXTS = frozenset(("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"))


@dataclass(frozen=True)
class Cells:
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


def read_cells(path: Path, mapping: TableMapping, tree: Tree, mapping_name: str) -> Cells:
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
    return Cells(str(path), mapping_name, {str(name): _texts(frame[name]) for name in frame})


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

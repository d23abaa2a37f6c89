"""What a run leaves behind: labels of codes, and the state of subscribers as a table.

Recorders are observers of the engine: :mod:`churnsim.lifecycle.summary`, :mod:`churnsim.lifecycle.events`,
:mod:`churnsim.lifecycle.panel`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.core.columns import HISTORY_MONTHS, Column, Schema, Subscribers
from churnsim.lifecycle.block import Array
from churnsim.lifecycle.drivers.tenure import states_at
from churnsim.lifecycle.views import SCHEMES

NONE = "none"


@dataclass(frozen=True)
class Labels:
    """What the codes of an experiment mean.

    Attributes
    ----------
    offers, causes
        Names in code order, from code 1.
    apparent
        Which of the causes lose nobody: a line is replaced by another of the operator.
    """

    offers: tuple[str, ...]
    causes: tuple[str, ...]
    apparent: tuple[str, ...] = ()

    def of(self, column: Column) -> tuple[str, ...]:
        """Return the labels of a column's codes, empty if it has none."""
        named = {"offer_code": (NONE, *self.offers), "accepted": (NONE, *self.offers), "cause": (NONE, *self.causes)}
        return column.categories or named.get(column.name, ())


def state_table(base: Subscribers, *, month: int, labels: Labels, latent: bool,
                source_id: npt.NDArray[np.object_] | None = None) -> pa.Table:
    """Return a base at the start of `month` as a table, one row a subscriber, codes as dictionaries of labels.

    Parameters
    ----------
    latent
        True adds what only the simulator knows: traits, satisfaction, when and why a subscriber decides to leave.
    source_id
        (n,) ids of the operator's own, None for who has none; adds the column `source_id`.

    Returns
    -------
    pyarrow.Table
        `subscriber` (the id) and the stored columns of the base's schema. A history is six
        columns: ``usage_gb_lag1`` is the month before `month`. `state` is "churned" for those who have left, whose
        other values are what they would be had they stayed; beside it stand its views of five, four and three stages
        (:mod:`churnsim.lifecycle.views`), null where it has none. `departure_time` and `decision_time` are in months
        since the start, null where it has not come to that; without `latent`, `departure_time` is null for those
        who have not left yet.
    """
    columns: dict[str, pa.Array] = {"subscriber": pa.array(base.ids)}
    if source_id is not None:
        columns["source_id"] = pa.array(source_id, pa.string())
    for column in base.schema.stored:
        if latent or column.visibility == "observed":
            columns.update(_arrays(base, column, month, labels))
    if not latent:
        left = base["departure_time"]
        columns["departure_time"] = pa.array(left, mask=left > month)
    return pa.table(columns)


def _arrays(base: Subscribers, column: Column, month: int, labels: Labels) -> Iterator[tuple[str, pa.Array]]:
    name = column.name
    if column.history:
        for ago, at in enumerate(names_in_table(column), start=1):
            yield at, pa.array(base.lag(name, month=month, months_ago=ago))
        return
    if name == "state":
        states = states_at(base, month=month)
        yield name, coded(states, column.categories)
        for scheme in SCHEMES:
            yield scheme.column, coded(scheme.codes(states), scheme.stages)
        return
    values = base[name]
    if named := labels.of(column):
        yield name, coded(values, named)
    else:
        yield name, pa.array(values, mask=np.isinf(values) if values.dtype.kind == "f" else None)


def names_in_table(column: Column) -> tuple[str, ...]:
    """Return the columns of a table that hold a subscriber's column: six of a history, ``usage_gb_lag1`` and so on."""
    if not column.history:
        return (column.name,)
    return tuple(f"{column.name}_lag{ago}" for ago in range(1, HISTORY_MONTHS + 1))


def latent_part(table: pa.Table, schema: Schema) -> pa.Table:
    """Return the latent columns of a table of states of `schema`, beside its subscriber and month."""
    keys = [name for name in ("subscriber", "month") if name in table.column_names]
    latent = [name for column in schema.stored if column.visibility == "latent" for name in names_in_table(column)]
    return table.select([*keys, *latent])


def choose_columns(table: pa.Table, names: Sequence[str] | None, schema: Schema) -> pa.Table:
    """Return the named columns of a table of states, beside its ids; None: all. A history may be named as a whole."""
    if names is None:
        return table
    chosen = [name for name in ("subscriber", "source_id") if name in table.column_names]
    for name in names:
        column = schema.get(name)
        chosen += [each for each in ((name,) if column is None else names_in_table(column))
                   if each in table.column_names]
    return table.select(list(dict.fromkeys(chosen)))


def coded(values: Array, labels: Sequence[str]) -> pa.DictionaryArray:
    """Return int8 codes as a dictionary array of their labels, null below 0."""
    codes = np.asarray(values, np.int8)
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=codes < 0), pa.array(labels))

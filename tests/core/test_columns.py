from __future__ import annotations

import numpy as np
import pytest

from churnsim.core.columns import HISTORY_MONTHS, Column, Schema, Subscribers
from churnsim.errors import DataError

SCHEMA = Schema((
    Column("kind", "int8", "code", "observed", "population", "kind", ("one", "two")),
    Column("level", "float32", "1", "latent", "population", "level"),
    Column("bill", "float32", "amount", "observed", "usage", "bill", history=True),
))


def base(n=4):
    made = Subscribers.empty(SCHEMA, np.arange(10, 10 + n))
    made["kind"] = np.arange(n) % 2
    made["level"] = np.arange(n)
    made["bill"] = np.arange(HISTORY_MONTHS)[:, None] * 100 + np.arange(n)
    return made


def same(a, b):
    return np.array_equal(a.ids, b.ids) and all(
        a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name]) for name in SCHEMA)


def test_a_column_is_declared_once():
    column = SCHEMA["level"]
    with pytest.raises(DataError, match=r"^column 'level' is declared twice; rename one of the two$"):
        Schema((column, column))


def test_a_schema_is_a_mapping_in_the_order_of_declaration():
    assert list(SCHEMA) == ["kind", "level", "bill"]
    assert len(SCHEMA) == 3
    assert SCHEMA["bill"].history


def test_empty_has_every_column_at_its_shape_and_type():
    made = Subscribers.empty(SCHEMA, np.arange(3))
    assert len(made) == 3
    assert {name: (made[name].shape, str(made[name].dtype)) for name in SCHEMA} == {
        "kind": ((3,), "int8"), "level": ((3,), "float32"), "bill": ((6, 3), "float32")}
    assert not made["bill"].any()


def test_lag_reads_the_ring_by_calendar_month():
    """Month m stands in row m % 6: month 8 in row 2, five months before it in row 3, month -1 in row 5."""
    made = base()
    assert [made.lag("bill", month=8, months_ago=ago)[0] for ago in range(6)] == [200, 100, 0, 500, 400, 300]
    assert made.lag("bill", month=0, months_ago=1)[0] == 500
    made.lag("bill", month=8, months_ago=0)[...] = 7
    assert made["bill"][2].tolist() == [7] * 4


def test_views_write_through_and_copies_do_not():
    made = base()
    view = made.view(1, 3)
    assert view.ids.tolist() == [11, 12]
    view["level"] = [50.0, 60.0]
    view.lag("bill", month=0, months_ago=0)[...] = -1
    assert made["level"].tolist() == [0, 50, 60, 3]
    assert made["bill"][0].tolist() == [0, -1, -1, 3]
    for other in (made.copy(), made.take(np.arange(4))):
        assert same(other, made)
        other["level"] = 99
        other.ids[0] = 0
        assert made["level"].tolist() == [0, 50, 60, 3]
        assert made.ids[0] == 10


def test_assigning_keeps_the_array_and_its_type():
    made = base()
    array = made["kind"]
    made["kind"] = np.ones(4, bool)
    assert made["kind"] is array
    assert array.dtype == np.int8


def test_take_and_concat_undo_each_other():
    made = base(7)
    parts = [made.take(np.array(rows)) for rows in ([4, 0], [6], [1, 5, 2, 3])]
    mixed = Subscribers.concat(parts)
    assert mixed.ids.tolist() == [14, 10, 16, 11, 15, 12, 13]
    assert mixed["bill"][3].tolist() == [304, 300, 306, 301, 305, 302, 303]
    assert same(mixed.take(np.argsort(mixed.ids)), made)
    assert all(column[..., 0].ndim == column.ndim - 1 and column.flags.c_contiguous
               for column in mixed.take(np.array([2, 0])).columns.values())


def test_codes_as_labels():
    assert base(3).labels("kind").tolist() == ["one", "two", "one"]

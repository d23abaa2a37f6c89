from __future__ import annotations

import pytest

from churnsim.config.paths import dotted, exists, lookup

DATA = {"a": [{"b": None}], "c": 1}


def test_dotted_shows_indices_in_brackets() -> None:
    assert dotted(()) == ""
    assert dotted(("a", 0, "b")) == "a[0].b"
    assert dotted((0, 1)) == "[0][1]"


def test_null_exists() -> None:
    assert exists(DATA, ())
    assert exists(DATA, ("a", 0, "b"))
    assert lookup(DATA, ("a", 0)) == {"b": None}


@pytest.mark.parametrize("path", [("a", 1), ("a", "b"), ("c", "d"), ("c", 0), (0,), ("x",)])
def test_paths_that_lead_nowhere(path: tuple[str | int, ...]) -> None:
    assert not exists(DATA, path)
    with pytest.raises(LookupError):
        lookup(DATA, path)

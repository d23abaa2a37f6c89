"""Dirty data: each kind by its share, none by default, and features that stand it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from small_world import small_world
from test_observe import CLEAN, settings

from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import OBSERVED, Observed, features, observe
from churnsim.signals.quality import HISTORIES, MAY_BE_MISSING, repeated_rows, spoil, tame
from churnsim.signals.settings import DataQuality

KEY = make_key(seed=3, replicate=0)
MONTH, N = 8, 20_000
# False-alarm rate of one share below: 1e-4.
Z = norm.isf(5e-5)


def quality(**changes: float) -> DataQuality:
    return DataQuality.model_validate(CLEAN | changes)


@pytest.fixture(scope="module")
def base() -> Subscribers:
    """Months that tell where they came from: 6 in the oldest, 1 in the newest; every other cell is 1 or so."""
    made = Subscribers.empty(SCHEMA, np.arange(N))
    for name in OBSERVED:
        made[name] = 1
    for ago in range(1, 7):
        for name in HISTORIES:
            made.lag(name, month=MONTH, months_ago=ago)[:] = ago
    made["departure_time"] = np.inf
    return made


def months(table: Subscribers, name: str) -> np.ndarray:
    """Return months 1 to 6 ago, (6, n)."""
    return np.stack([table.lag(name, month=MONTH, months_ago=ago) for ago in range(1, 7)])


def assert_share(hits: np.ndarray, share: float) -> None:
    assert abs(hits.mean() - share) < Z * np.sqrt(share * (1.0 - share) / hits.size)


def test_clean_data_are_as_without(base: Subscribers) -> None:
    """The factor of outliers alone does nothing, nor do repeated rows, which are of exported tables."""
    usual = observe(base, month=MONTH, settings=settings(), key=KEY)
    other = observe(base, month=MONTH, settings=settings(outlier_factor=3.0, duplicate_share=1.0), key=KEY)
    for name in OBSERVED:
        assert np.array_equal(usual[name], other[name]), name
        assert np.array_equal(usual[name], base[name]) is (name != "usage_gb"), name
    assert usual.missing == {} and not usual.has_outliers
    pd.testing.assert_frame_equal(features(usual), features(other), check_exact=True)


def test_late_rows_show_the_month_before(base: Subscribers) -> None:
    table = base.copy()
    assert spoil(table, month=MONTH, settings=quality(late_share=0.3), key=KEY) == {}
    late = months(table, "usage_gb")[0] == 2
    assert_share(late, 0.3)
    for name in HISTORIES:
        seen = months(table, name)
        assert (seen[:, late].T == [2, 3, 4, 5, 6, 6]).all() and (seen[:, ~late].T == [1, 2, 3, 4, 5, 6]).all(), name


def test_outliers_are_single_months_times_the_factor(base: Subscribers) -> None:
    table = base.copy()
    spoil(table, month=MONTH, settings=quality(outlier_share=0.05, outlier_factor=20.0), key=KEY)
    wild = {name: months(table, name) / months(base, name) for name in HISTORIES}
    for name, factor in wild.items():
        assert set(np.unique(factor)) == {1.0, 20.0}, name
        for month in factor:
            assert_share(month == 20.0, 0.05)
        assert_share((factor[0] == 20.0) & (factor[1] == 20.0), 0.0025)
    assert_share((wild["usage_gb"] == 20.0) & (wild["bill_amount"] == 20.0), 0.0025)
    assert all(np.array_equal(table[name], base[name]) for name in OBSERVED if name not in HISTORIES)


def test_missing_cells_are_marked_and_hold_nothing(base: Subscribers) -> None:
    table = base.copy()
    lacks = spoil(table, month=MONTH, settings=quality(missing_share=0.2), key=KEY)
    assert set(lacks) == set(MAY_BE_MISSING) <= set(OBSERVED)
    for name, cells in lacks.items():
        assert_share(cells, 0.2)
        assert (table[name][cells] == (-1 if name == "nps" else 0)).all() and (table[name][~cells] == 1).all()
    both = lacks["locality"] & lacks["app_logins"]
    assert_share(both, 0.04)
    assert all(np.array_equal(table[name], base[name]) for name in OBSERVED if name not in lacks)


def test_dirt_is_drawn_by_id_and_month(base: Subscribers) -> None:
    dirty = settings(missing_share=0.3, outlier_share=0.3, late_share=0.3)
    whole = observe(base, month=MONTH, settings=dirty, key=KEY)
    rows = np.array([70, 3, 11])
    some = observe(base.take(rows), month=MONTH, settings=dirty, key=KEY)
    for name in OBSERVED:
        assert np.array_equal(some[name], whole[name][..., rows]), name
    later = observe(base, month=MONTH + 1, settings=dirty, key=KEY)
    assert not np.array_equal(later.missing["locality"], whole.missing["locality"])
    # A row's features depend on its own cells alone.
    pd.testing.assert_frame_equal(features(some), features(whole).iloc[rows], check_exact=True)


def test_features_of_dirty_data_by_hand(base: Subscribers) -> None:
    """Months 2, 1, 1, 60, 1, 3 ago 1 to 6 have the median 1.5: 60 becomes 6."""
    one = base.take(np.array([0]))
    for ago, usage in enumerate((2.0, 1.0, 1.0, 60.0, 1.0, 3.0), start=1):
        one.lag("usage_gb", month=MONTH, months_ago=ago)[:] = usage
    table = Observed(one, MONTH)
    table.has_outliers = True
    table.missing = {"locality": np.array([True]), "device_age_months": np.array([False]), "nps": np.array([True])}
    found = features(table).iloc[0]
    assert found["usage_change"] == pytest.approx(np.log(2.0 / ((1.0 + 1.0 + 6.0) / 3.0)))
    assert [name for name in found.index if name.startswith("unknown")] == [
        "unknown_locality", "unknown_device_age_months"]  # fmt: skip
    assert (found["unknown_locality"], found["unknown_device_age_months"]) == (1.0, 0.0)


def test_tame_by_hand() -> None:
    """Median of the months with use; a row without use stays, whatever stands beside it."""
    rows = np.array([[0, 0, 0, 0, 1, 100], [0] * 6, [5, 5, 5, 5, 5, 19], [0, 0, 0, 0, 0, 7], [1, 2, 0, 0, 2, 9]], float)
    # 4 x 50.5 is above 100; the last row has the median 2.
    assert tame(rows.T).T[:4].tolist() == rows[:4].tolist()
    assert tame(rows.T).T[4].tolist() == [1.0, 2.0, 0.0, 0.0, 2.0, 8.0]


def test_repeated_ids_count_once(base: Subscribers) -> None:
    few = base.take(np.array([4, 4, 9]))
    assert features(Observed(few, MONTH)).index.tolist() == [4, 9]


def test_repeated_rows_of_an_exported_table() -> None:
    ids = np.arange(N)
    rows = repeated_rows(ids, month=MONTH, settings=quality(duplicate_share=0.1), key=KEY)
    counts = np.bincount(rows, minlength=N)
    assert set(counts) == {1, 2} and (np.diff(rows) >= 0).all()
    assert_share(counts == 2, 0.1)
    assert repeated_rows(ids, month=MONTH, settings=quality(), key=KEY).tolist() == ids.tolist()


def test_models_run_on_dirty_data() -> None:
    """All kinds of dirt at once: no feature is missing or infinite, and the churn model sees them."""
    from churnsim.experiment.stages import fit_models

    share = "signals.data_quality.{}_share=0.2"
    world = small_world(*(share.format(kind) for kind in ("missing", "outlier", "late", "duplicate")))
    models = fit_models(world)
    population = world.pilot_population()
    table = observe(population, month=2, settings=world.experiment.signals, key=world.key)
    seen = features(table)
    assert np.isfinite(seen.to_numpy()).all() and "unknown_locality" in seen
    risk = models.predict(seen.iloc[:100], planned_reach=np.full(100, 0.3), margin=np.full(100, 20.0)).risk
    assert np.isfinite(risk).all() and risk.std() > 0.0

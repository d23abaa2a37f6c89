"""Power of a pilot: by hand, against the normal formula, and against pilots that are really drawn."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from churnsim.errors import ConfigError
from churnsim.uplift.power import (
    arm_cells,
    power_row,
    power_table,
    simulate_pilots,
    size_needed,
    true_effect,
    wilson_interval,
)

N = 10_000


def twins(stay: float, effect: float, n: int = N) -> np.ndarray:
    """Return who stays without and with an offer, exactly these shares."""
    place = (np.arange(n) + 0.5) / n
    return np.column_stack([place < stay, place < stay + effect])


def halves(n: int = N) -> np.ndarray:
    return np.full((n, 2), 0.5)


def test_cells_by_hand() -> None:
    stayed = np.array([[1, 1], [0, 1], [0, 0], [1, 0]], bool)
    prob = np.array([[0.5, 0.5], [0.5, 0.5], [0.6, 0.2], [0.5, 0.0]])
    cells = arm_cells(stayed, propensity=prob, eligible=np.array([1, 1, 1, 1], bool))
    # Groups in order of their chances; the last row cannot get the offer, and of the first two one stays unlisted.
    assert cells.share == pytest.approx(np.array([[[0.125, 0.125], [0.0, 0.25]], [[0.15, 0.0], [0.05, 0.0]]]))
    assert cells.weight == pytest.approx(np.array([[2.0, 2.0], [0.8 / 0.6, 4.0]]))
    assert true_effect(cells) == pytest.approx((2.0 / 2.8) - (1.0 / 2.8))


def test_the_true_effect_is_that_of_the_twins() -> None:
    cells = arm_cells(twins(0.8, 0.05), propensity=halves(), eligible=np.ones(N, bool))
    assert true_effect(cells) == pytest.approx(0.05)


def test_size_by_the_textbook_formula() -> None:
    cells = arm_cells(twins(0.8, 0.05), propensity=halves(), eligible=np.ones(N, bool))
    z = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
    by_hand = z**2 * (0.8 * 0.2 / 0.5 + 0.85 * 0.15 / 0.5) / 0.05**2
    assert size_needed(cells) == pytest.approx(by_hand)
    half = arm_cells(twins(0.8, 0.05), propensity=halves(), eligible=np.arange(N) % 2 == 0)
    assert size_needed(half) == pytest.approx(2 * by_hand, rel=1e-3)
    assert size_needed(arm_cells(twins(0.8, 0.0), propensity=halves(), eligible=np.ones(N, bool))) == np.inf
    with pytest.raises(ConfigError) as caught:
        size_needed(cells, power=1.0)
    assert str(caught.value) == "alpha is 0.05 and power 1; give both inside (0, 1)"


def test_simulated_power_is_what_the_formula_says() -> None:
    """At the size needed for 80 %; 4 standard errors of a share of 4,000 pilots: false alarm 6e-5."""
    cells = arm_cells(twins(0.8, 0.05), propensity=halves(), eligible=np.ones(N, bool))
    row = power_row(cells, size=round(size_needed(cells)), pilots=4000, seed=1, alpha=0.05, power=0.8)
    assert row["power"] == pytest.approx(0.8, abs=4 * np.sqrt(0.16 / 4000))
    assert row["power_low"] < row["power"] < row["power_high"] and row["true_effect"] == pytest.approx(0.05)
    size = row["size"]
    assert isinstance(size, int)
    assert row["n_offer"] == pytest.approx(size / 2, rel=0.01)
    assert row["left_control"] == pytest.approx(size / 2 * 0.2, rel=0.02)
    # The detectable effect goes by the pooled share of leavers.
    assert row["minimum_detectable_effect"] == pytest.approx(0.05, rel=0.02)


def test_no_effect_is_found_as_often_as_the_test_allows() -> None:
    """2.5 % on either side of an effect of almost 0; 4 standard errors of 8,000 pilots: false alarm 6e-5."""
    cells = arm_cells(twins(0.8, 0.0), propensity=halves(), eligible=np.ones(N, bool))
    _, effect, error = simulate_pilots(cells, size=4000, pilots=8000, seed=2)
    found = np.abs(effect) > NormalDist().inv_cdf(0.975) * error
    assert found.mean() == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 8000))


def test_unequal_chances_are_weighted_away() -> None:
    """Leavers get the offer more often; the counts of pilots really drawn agree with those of the cells."""
    rng = np.random.default_rng(3)
    stayed = twins(0.7, 0.1)
    prob = np.where(stayed[:, :1], [[0.7, 0.3]], [[0.4, 0.6]])
    cells = arm_cells(stayed, propensity=prob, eligible=np.ones(N, bool))
    assert true_effect(cells) == pytest.approx(0.1)
    counts, effect, error = simulate_pilots(cells, size=3000, pilots=4000, seed=4)
    # 4 standard errors each, false alarm 1.3e-4; the weighted means have a bias of the order of 1 / size.
    assert effect.mean() == pytest.approx(0.1, abs=4 * effect.std() / np.sqrt(4000) + 1e-3)
    assert error.mean() == pytest.approx(effect.std(), rel=0.05)
    drawn = np.empty(400)
    for k in range(400):
        rows = rng.integers(0, N, 3000)
        arm = (rng.random(3000) > prob[rows, 0]).astype(int)
        drawn[k] = stayed[rows[arm == 1], 1].sum()
    assert counts[:, 1, 1].mean() == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(400))


def test_small_pilots_with_an_empty_arm_find_nothing() -> None:
    cells = arm_cells(twins(0.5, 0.2), propensity=halves(), eligible=np.ones(N, bool))
    _, _, error = simulate_pilots(cells, size=1, pilots=50, seed=1)
    assert np.isinf(error).all()
    assert power_row(cells, size=1, pilots=50, seed=1, alpha=0.05, power=0.8)["power"] == 0.0


def test_a_table_has_a_row_an_offer_and_size() -> None:
    stayed = np.column_stack([twins(0.8, 0.05), twins(0.8, -0.02)[:, 1], twins(0.8, 0.1)[:, 1]])
    eligible = np.column_stack([np.ones(N, bool), np.ones(N, bool), np.zeros(N, bool)])
    table = power_table(stayed, propensity=np.full((N, 4), 0.25), eligible=eligible, offers=("call", "gift", "none"),
                        sizes=[1000, 4000], enrolled_share=0.5, pilots=200, seed=1, alpha=0.05, power=0.8)
    assert list(zip(table["offer"], table["size"], strict=True)) == [
        ("call", 1000), ("call", 4000), ("gift", 1000), ("gift", 4000)]
    assert table["n_offer"].to_numpy() == pytest.approx([125, 500, 125, 500], rel=0.02)
    again = power_table(stayed, propensity=np.full((N, 4), 0.25), eligible=eligible, offers=("call", "gift", "none"),
                        sizes=[1000, 4000], enrolled_share=0.5, pilots=200, seed=1, alpha=0.05, power=0.8)
    assert table.equals(again)


@pytest.mark.parametrize(("found", "low", "high"), [(0, 0.0, 0.2775), (10, 0.7225, 1.0), (5, 0.2366, 0.7634)])
def test_interval_of_a_share_by_wilson(found: int, low: float, high: float) -> None:
    assert wilson_interval(found, 10) == pytest.approx((low, high), abs=1e-4)

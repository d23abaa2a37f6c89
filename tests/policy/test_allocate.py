"""The budget path against a case by hand, the linear relaxation and every plan there is."""

from __future__ import annotations

from itertools import product
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from churnsim.errors import DataError
from churnsim.policy.allocate import BudgetPath, budget_path, fill_by_rank
from churnsim.policy.choices import Segment

GAINS = np.array([[30.0, 10.0], [40.0, 50.0], [10.0, 55.0]])
COSTS = np.array([[3.0, 6.0]] * 3)


@st.composite
def problems(draw: st.DrawFn, max_rows: int = 12, max_arms: int = 4) -> tuple[np.ndarray, np.ndarray, float]:
    """Values (some negative), costs (some zero) and a budget; half in whole numbers, so that slopes tie."""
    shape = draw(st.integers(1, max_rows)), draw(st.integers(1, max_arms))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values, costs = rng.normal(2.0, 5.0, shape), rng.uniform(0.1, 10.0, shape)
    if draw(st.booleans()):
        values, costs = np.round(values), np.round(costs)
    costs[rng.random(shape) < 0.1] = 0.0
    budget = draw(st.floats(0.0, 1.2)) * costs.max(axis=1).sum()
    return values, costs, float(budget)


def relaxation(values: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """Best value of the linear relaxation: shares of arms, at most one whole arm a row."""
    n_rows, n_arms = values.shape
    one_arm = np.kron(np.eye(n_rows), np.ones(n_arms))
    solved = linprog(
        -values.ravel(),
        A_ub=np.vstack([one_arm, costs.ravel()]),
        b_ub=np.append(np.ones(n_rows), budget),
        bounds=(0, None),
        method="highs",
    )
    assert solved.success
    return -float(solved.fun)


def best_plan(values: np.ndarray, costs: np.ndarray, budget: float) -> float:
    """Best value of all plans of whole arms, by trying each one."""
    plans = (np.array(arms) for arms in product(range(-1, values.shape[1]), repeat=len(values)))
    return max(worth(values, arms) for arms in plans if worth(costs, arms) <= budget)


def worth(table: np.ndarray, arm: np.ndarray) -> float:
    chosen = arm >= 0
    return float(table[chosen, arm[chosen]].sum())


def steps(path: BudgetPath) -> list[tuple[int, int, float, float]]:
    columns = (path.subscriber, path.arm, path.spend, path.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_three_subscribers_by_hand() -> None:
    # Slopes: row 1 arm 0 13.3; row 0 arm 0 10; row 2 arm 1 9.2; row 1 from arm 0 to 1 3.3; no other gains.
    path = budget_path(GAINS, COSTS)
    assert steps(path) == [(1, 0, 3, 40), (0, 0, 6, 70), (2, 1, 12, 125), (1, 1, 15, 135)]
    assert path.price == pytest.approx([40 / 3, 10, 55 / 6, 10 / 3])


@pytest.mark.parametrize(
    ("budget", "arm", "spend", "value", "shadow_price", "gap"),
    [
        (0, [-1, -1, -1], 0, 0, 40 / 3, 0),
        (2, [-1, -1, -1], 0, 0, 40 / 3, 80 / 3),
        (3, [-1, 0, -1], 3, 40, 10, 0),
        (11, [0, 0, -1], 6, 70, 55 / 6, 5 * 55 / 6),
        (12, [0, 0, 1], 12, 125, 10 / 3, 0),
        (15, [0, 1, 1], 15, 135, 0, 0),
        (np.inf, [0, 1, 1], 15, 135, 0, 0),
    ],
)
def test_plans_by_hand(
    budget: float, arm: list[int], spend: float, value: float, shadow_price: float, gap: float
) -> None:
    plan = budget_path(GAINS, COSTS).at(budget)
    assert plan.arm.tolist() == arm
    assert (plan.spend, plan.value) == (spend, value)
    assert (plan.shadow_price, plan.gap) == pytest.approx((shadow_price, gap))


@settings(max_examples=250, deadline=None, derandomize=True)
@given(problems())
def test_value_and_gap_are_the_linear_relaxation(problem: tuple[np.ndarray, np.ndarray, float]) -> None:
    values, costs, budget = problem
    plan = budget_path(values, costs).at(budget)
    assert plan.value + plan.gap == pytest.approx(relaxation(values, costs, budget), rel=1e-6, abs=1e-6)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(problems())
def test_plan_adds_up_and_fits(problem: tuple[np.ndarray, np.ndarray, float]) -> None:
    values, costs, budget = problem
    path = budget_path(values, costs)
    plan = path.at(budget)
    assert plan.value == pytest.approx(worth(values, plan.arm))
    assert plan.spend == pytest.approx(worth(costs, plan.arm))
    assert plan.spend <= budget * (1 + 1e-9)
    assert (path.price[1:] <= path.price[:-1]).all()
    assert (np.diff(path.spend, prepend=0) >= 0).all()
    assert (np.diff(path.value, prepend=0) > 0).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(problems(max_rows=5, max_arms=3))
def test_gap_bounds_the_loss_against_every_plan(problem: tuple[np.ndarray, np.ndarray, float]) -> None:
    values, costs, budget = problem
    plan = budget_path(values, costs).at(budget)
    best = best_plan(values, costs, budget)
    assert plan.value - 1e-9 <= best <= plan.value + plan.gap + 1e-9


@settings(max_examples=100, deadline=None, derandomize=True)
@given(problems(), st.randoms(use_true_random=False))
def test_order_of_rows_and_arms_does_not_matter(
    problem: tuple[np.ndarray, np.ndarray, float], random: Random
) -> None:
    values, costs, budget = problem
    rows = random.sample(range(len(values)), len(values))
    arms = random.sample(range(values.shape[1]), values.shape[1])
    plan = budget_path(values, costs).at(budget)
    shuffled = budget_path(values[rows][:, arms], costs[rows][:, arms]).at(budget)
    assert shuffled.value + shuffled.gap == pytest.approx(plan.value + plan.gap)


def test_permuted_rows_give_the_same_arms_where_no_slopes_tie() -> None:
    rng = np.random.default_rng(3)
    values, costs, order = rng.normal(2, 5, (500, 4)), rng.uniform(1, 10, (500, 4)), rng.permutation(500)
    for budget in (10.0, 300.0, 900.0):
        arm = budget_path(values, costs).at(budget).arm
        assert (budget_path(values[order], costs[order]).at(budget).arm == arm[order]).all()


def test_memory_order_does_not_matter() -> None:
    rng = np.random.default_rng(4)
    values, costs = rng.integers(-3, 9, (200, 5)), rng.integers(0, 4, (200, 5))
    fortran = budget_path(np.asfortranarray(values), np.asfortranarray(costs))
    assert steps(fortran) == steps(budget_path(values, costs))


def test_ties_go_by_row_then_arm() -> None:
    path = budget_path([[2, 2], [2, 4], [4, 2]], [[1, 1], [1, 2], [2, 1]])
    assert [step[:2] for step in steps(path)] == [(0, 0), (1, 0), (1, 1), (2, 1), (2, 0)]
    many = budget_path(np.tile([[1.0], [2.0]], (500, 1)), np.ones((1000, 1)))
    assert many.subscriber.tolist() == [*range(1, 1000, 2), *range(0, 1000, 2)]


def test_rounded_slopes_do_not_turn_the_steps_of_a_row_around() -> None:
    # On one line by hand, but (6.3 - 5.6) / 1 is 0.7000000000000002 and 5.6 / 8 is 0.7.
    path = budget_path([[5.6, 6.3]], [[8, 9]])
    assert path.arm.tolist() == [0, 1]
    assert path.price.tolist() == [0.7, 0.7]
    assert path.at(9).arm.tolist() == [1]


def test_free_arms_come_first_even_without_budget() -> None:
    plan = budget_path([[1, 9], [2, 3]], [[0, 1], [0, 0]]).at(0)
    assert plan.arm.tolist() == [0, 1]
    assert (plan.spend, plan.value, plan.shadow_price, plan.gap) == (0, 4, 8, 0)


def test_arms_of_no_value_are_never_given() -> None:
    plan = budget_path([[-5, 0], [-1, -2]], [[0, 0], [1, 2]]).at(100)
    assert plan.arm.tolist() == [-1, -1]
    assert (plan.spend, plan.value, plan.shadow_price, plan.gap) == (0, 0, 0, 0)


def test_disallowed_arms_are_not_given_nor_looked_at() -> None:
    plan = budget_path([[9, 1], [np.nan, 5]], [[1, 1], [-1, 1]], allowed=[[False, True], [False, True]]).at(2)
    assert plan.arm.tolist() == [1, 1]


def test_no_subscribers() -> None:
    plan = budget_path(np.empty((0, 3)), np.empty((0, 3))).at(10)
    assert plan.arm.tolist() == []
    assert (plan.spend, plan.value, plan.shadow_price, plan.gap) == (0, 0, 0, 0)


def test_a_plan_that_costs_exactly_the_budget_fits() -> None:
    # 0.1 added ten times is 0.9999999999999999, three times 0.30000000000000004.
    path = budget_path(np.ones((10, 1)), np.full((10, 1), 0.1))
    assert [(path.at(b / 10).arm >= 0).sum() for b in range(11)] == list(range(11))
    assert path.at(0.3).gap == 0


@pytest.mark.parametrize(
    ("values", "costs", "message"),
    [
        ([[1], [3]], [[1], [-2]], "cost of row 1, arm 0: must be a finite number of at least 0 (got -2.0)"),
        ([[1, 2]], [[np.nan, 1]], "cost of row 0, arm 0: must be a finite number of at least 0 (got nan)"),
        ([[1, 2]], [[1, np.inf]], "cost of row 0, arm 1: must be a finite number of at least 0 (got inf)"),
        ([[1, np.nan]], [[1, 1]], "value of row 0, arm 1: must be a finite number (got nan); 1 such cells."),
        ([[1, 2]], [[1], [2]], "must have one shape (subscribers, arms) (got (1, 2), (2, 1), (1, 2))"),
    ],
)
def test_bad_tables_are_refused(values: list[list[float]], costs: list[list[float]], message: str) -> None:
    with pytest.raises(DataError) as refused:
        budget_path(values, costs)
    assert message in str(refused.value)


@pytest.mark.parametrize("budget", [-1.0, np.nan])
def test_bad_budgets_are_refused(budget: float) -> None:
    with pytest.raises(DataError, match=rf"budget: must be a number of at least 0 \(got {budget}\)"):
        budget_path(GAINS, COSTS).at(budget)
    with pytest.raises(DataError, match=rf"budget: must be a number of at least 0 \(got {budget}\)"):
        fill_by_rank([0], [1], budget)


@pytest.mark.parametrize(
    ("budget", "taken"),
    [
        (0, []),
        (3, []),
        (4, [2]),
        (8, [2]),  # row 1 (cost 1) would fit, but row 0 (cost 5) comes before it
        (9, [0, 2]),
        (np.inf, [0, 1, 2]),
    ],
)
def test_ranking_stops_at_the_first_that_does_not_fit(budget: float, taken: list[int]) -> None:
    assert np.flatnonzero(fill_by_rank([2, 0, 1], [5, 1, 4, 0], budget)).tolist() == taken


def test_ranking_of_nobody_takes_nobody() -> None:
    assert fill_by_rank([], [1, 2], 10).tolist() == [False, False]


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[int], np.ndarray, np.ndarray, tuple[Segment, ...], float, int]:
    """Rows in some order, their costs and segments, least and most numbers, a budget, how many are wanted."""
    n = draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = rng.permutation(n)[: draw(st.integers(0, n))].tolist()
    bounds = [sorted((draw(st.integers(0, 3)), draw(st.integers(0, 4)))) for _ in range(2)]
    segments = tuple(Segment(f"s{k}", *each) for k, each in enumerate(bounds))
    cost = rng.integers(0, 4, n).astype(float)
    return order, cost, rng.integers(-1, 2, n), segments, draw(st.sampled_from([0.0, 4.0, 9.0, 1e9])), draw(
        st.integers(0, n))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(rankings())
def test_ranking_by_segments_is_that_of_a_plain_walk(
    case: tuple[list[int], np.ndarray, np.ndarray, tuple[Segment, ...], float, int],
) -> None:
    """Take the first of each segment up to its least number, then the wanted ones in order up to its most."""
    order, cost, segment, segments, budget, wanted = case
    counts, first, then = [0] * len(segments), [], []
    for row in order:
        if (code := segment[row]) >= 0 and counts[code] < segments[code].least:
            counts[code] += 1
            first.append(row)
    can = all(count == each.least for count, each in zip(counts, segments, strict=True))
    for row in order[:wanted]:
        code = segment[row]
        if row not in first and (code < 0 or counts[code] < segments[code].most):
            counts[code] += code >= 0
            then.append(row)
    taken: list[int] = []
    for row in [*first, *then]:
        if sum(cost[taken]) + cost[row] > budget:
            break
        taken.append(row)
    if can and len(taken) >= len(first):
        found = fill_by_rank(order, cost, budget, wanted=wanted, segment=segment, segments=segments)
        assert np.flatnonzero(found).tolist() == sorted(taken)
    else:
        message = "subscribers must be listed, but only" if not can else "lower the least numbers or raise the budget"
        with pytest.raises(DataError, match=message):
            fill_by_rank(order, cost, budget, wanted=wanted, segment=segment, segments=segments)


def test_only_the_wanted_are_taken_without_segments() -> None:
    assert np.flatnonzero(fill_by_rank([2, 0, 1], [5, 1, 4], 100, wanted=2)).tolist() == [0, 2]
    assert not fill_by_rank([2, 0, 1], [5, 1, 4], 100, wanted=0).any()


@pytest.mark.parametrize(
    ("order", "cost", "message"),
    [
        ([0, 2], [1, 1], "order: names row 2, but costs has rows 0 to 1"),
        ([0, -1], [1, 1], "order: names row -1, but"),
        ([1, 0, 1], [1, 1], "order: names row 1 2 times; rank each row once"),
        ([0.5], [1, 1], "order: must be a list of row numbers (got float64 of shape (1,))"),
        ([1, 0], [1, -1], "cost of row 1: must be a finite number of at least 0 (got -1.0)"),
        ([0], [np.nan, 1], "cost of row 0: must be a finite number of at least 0 (got nan)"),
    ],
)
def test_bad_rankings_are_refused(order: list[int], cost: list[float], message: str) -> None:
    with pytest.raises(DataError) as refused:
        fill_by_rank(order, cost, 10)
    assert message in str(refused.value)

"""Plans under budget, staff and segments' limits: by hand, against the linear program, and against every plan."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from churnsim.core.draws import make_key
from churnsim.errors import ConfigError, DataError
from churnsim.policy import prices as prices_module
from churnsim.policy.allocate import budget_path
from churnsim.policy.choices import Choices, Limits, Resource, Segment, choices, draw_holdout
from churnsim.policy.dual import Rules, sums_by_chunk
from churnsim.policy.prices import PricedPlan, plan_by_prices, plan_parts_by_prices

GAINS = np.array([[30.0, 10.0], [40.0, 50.0], [10.0, 55.0]])
COSTS = [3.0, 6.0]
TEAMS = ((1.0, 0.0, 0.0, 0.5), (0.0, 1.0, 0.0, 0.5), (0.0, 0.5, 1.0, 0.0))


def random_base(n: int, seed: int, *, dtype: type = np.float64, n_arms: int = 4, **more: object) -> Choices:
    rng = np.random.default_rng(seed)
    values, costs = rng.normal(2.0, 5.0, (n, n_arms)), rng.uniform(0.1, 10.0, (n, n_arms))
    effort = rng.uniform(0.5, 12.0, (n, n_arms))
    return choices(values.astype(dtype), costs.astype(dtype), effort=effort.astype(dtype), **more)


def scarce(base: Choices, seed: int, segments: tuple[Segment, ...] = ()) -> Limits:
    """A budget and three teams, each with a part of what the best plan without limits would take of it."""
    rng = np.random.default_rng(seed)
    without = plan_by_prices(base, Limits(resources=tuple(Resource("", np.inf, rates) for rates in TEAMS)))
    shares = rng.uniform(0.05, 1.0, 4)
    teams = tuple(Resource(f"team {k}", without.used[k] * shares[k], TEAMS[k]) for k in range(3))
    return Limits(without.spend * shares[3], teams, segments)


def left_hand_sides(base: Choices, limits: Limits) -> tuple[np.ndarray, np.ndarray]:
    """Limits as a dense matrix over (row, arm) and their right-hand sides, written without the package."""
    n, n_arms = base.values.shape
    codes = np.broadcast_to(base.segment, n)
    rows = [np.broadcast_to(base.costs, (n, n_arms)).ravel()]
    most = [limits.budget]
    for resource in limits.resources:
        rows.append((base.effort * np.array(resource.per_effort)).ravel())
        most.append(resource.capacity)
    for s, segment in enumerate(limits.segments):
        inside = np.repeat((codes == s).astype(float), n_arms)
        rows += [inside, -inside]
        most += [segment.most, -float(segment.least)]
    kept = np.isfinite(most)
    return np.array(rows)[kept], np.array(most)[kept]


def relaxation(base: Choices, limits: Limits) -> float:
    """Best value where subscribers may be given shares of arms."""
    n, n_arms = base.values.shape
    rules, most = left_hand_sides(base, limits)
    one_arm = np.kron(np.eye(n), np.ones(n_arms))
    solved = linprog(-base.values.ravel().astype(float), A_ub=np.vstack([one_arm, rules]),
                     b_ub=np.append(np.ones(n), most), bounds=[(0, float(may)) for may in base.may.ravel()],
                     method="highs")
    assert solved.success, solved.message
    return -float(solved.fun)


def best_plan(base: Choices, limits: Limits) -> float:
    """Best value of whole subscribers, by trying every plan; minus infinity if none keeps the limits."""
    rules, most = left_hand_sides(base, limits)
    n, n_arms = base.values.shape
    best = -np.inf
    for arms in product(range(-1, n_arms), repeat=n):
        given_arm = np.array([arm == np.arange(n_arms) for arm in arms])
        if (given_arm <= base.may).all() and (rules @ given_arm.ravel() <= most + 1e-9).all():
            best = max(best, float((base.values * given_arm).sum()))
    return best


def assert_keeps(plan: PricedPlan, base: Choices, limits: Limits) -> None:
    rules, most = left_hand_sides(base, limits)
    given_arm = plan.arm[:, None] == np.arange(base.n_arms)
    assert (given_arm <= base.may).all()
    assert (rules @ given_arm.ravel() <= most + 2e-9 * np.abs(most)).all()
    assert plan.value == pytest.approx(float((base.values * given_arm).sum(dtype=np.float64)))
    assert plan.spend == pytest.approx(float((base.costs * given_arm).sum(dtype=np.float64)))


@pytest.mark.parametrize(("budget", "value"), [(3, 40), (6, 70), (12, 125), (15, 135), (100, 135)])
def test_three_subscribers_by_hand(budget: float, value: float) -> None:
    plan = plan_by_prices(choices(GAINS, COSTS), Limits(budget))
    assert (plan.value, plan.spend) == (value, min(budget, 15))
    assert plan.bound == pytest.approx(value, rel=1e-6)


def test_one_minute_of_staff_by_hand() -> None:
    # Arm 1 takes a minute. With two minutes rows 1 and 2 get it: 30 + 50 + 55. With one, row 2 gets it, since it gains
    # 45 by it and row 1 gains 10: 30 + 40 + 55. With half a minute, half of row 2's 45 is lost in shares.
    base = choices(GAINS, COSTS, effort=[0, 1])
    plans = [plan_by_prices(base, Limits(100, (Resource("team", minutes, (0, 1)),))) for minutes in (2, 1, 0.5, 0)]
    assert [plan.value for plan in plans] == [135, 125, 80, 80]
    assert [plan.bound for plan in plans] == pytest.approx([135, 125, 102.5, 80], rel=1e-6)
    assert plans[2].prices.resources == pytest.approx([45], rel=1e-5)
    assert plans[2].prices.money == 0
    assert plans[1].arm.tolist() == [0, 0, 1]
    assert plans[1].used.tolist() == [1]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.integers(1, 60), st.integers(0, 2**31))
def test_bound_is_the_linear_relaxation(n: int, seed: int) -> None:
    base = random_base(n, seed, allowed=np.random.default_rng(seed).random((n, 4)) < 0.8)
    limits = scarce(base, seed)
    plan = plan_by_prices(base, limits)
    assert plan.bound == pytest.approx(relaxation(base, limits), rel=1e-6, abs=1e-8)
    assert plan.value <= plan.bound + 1e-9
    assert_keeps(plan, base, limits)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(4, 40), st.integers(0, 2**31), st.booleans())
def test_bound_is_the_linear_relaxation_with_segments(n: int, seed: int, whole_numbers: bool) -> None:
    rng = np.random.default_rng(seed)
    values, costs = rng.normal(-1.0, 5.0, (n, 3)), rng.uniform(0.1, 10.0, (n, 3))
    if whole_numbers:
        values, costs = np.round(values), np.round(costs)
    base = choices(values, costs, segment=np.arange(n) % 3 - 1)
    limits = Limits(12.0 * n / 3, segments=(Segment("a", least=n // 4, most=n // 3), Segment("b", most=n // 5)))
    plan = plan_by_prices(base, limits)
    assert plan.bound == pytest.approx(relaxation(base, limits), rel=1e-6, abs=1e-6)
    assert_keeps(plan, base, limits)
    assert n // 4 <= plan.listed[0] <= n // 3 and plan.listed[1] <= n // 5


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**31))
def test_gap_bounds_the_loss_against_every_plan(seed: int) -> None:
    base = random_base(5, seed, n_arms=4)
    limits = scarce(base, seed)
    plan = plan_by_prices(base, limits)
    best = best_plan(base, limits)
    assert plan.value - 1e-9 <= best <= plan.value + plan.gap + 1e-9


def test_one_budget_agrees_with_the_exact_path() -> None:
    rng = np.random.default_rng(1)
    values, costs = rng.normal(2, 5, (3000, 4)), rng.uniform(0.1, 10, (3000, 4))
    exact = budget_path(values, costs).at(2000.0)
    plan = plan_by_prices(choices(values, costs), Limits(2000.0))
    assert plan.bound == pytest.approx(exact.value + exact.gap, rel=1e-6)
    assert plan.value >= exact.value * (1 - 1e-4)
    assert plan.prices.money == pytest.approx(exact.shadow_price, rel=0.02)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gap_is_small_for_fifty_thousand(dtype: type) -> None:
    for seed in range(3):
        base = random_base(50_000, seed, dtype=dtype)
        limits = scarce(base, seed)
        plan = plan_by_prices(base, limits)
        assert 0 <= plan.gap < 1e-4 * plan.bound
        assert_keeps(plan, base, limits)


def test_equal_subscribers_share_scarce_staff() -> None:
    # All are alike: 1000 calls at 10 minutes are 166.67 calls in 1,667 minutes; messages of half the value do not run
    # out. The relaxation gives 166.7 calls and messages to all the others.
    base = choices(np.tile([10.0, 5.0], (1000, 1)), [1.0, 0.1], effort=[10.0, 1.0])
    plan = plan_by_prices(base, Limits(resources=(Resource("team", 1667.0, (1, 0)),)))
    assert np.bincount(plan.arm).tolist() == [166, 834]
    assert plan.bound == pytest.approx(5000 + 5 * 166.7, rel=1e-6)
    assert plan.prices.resources == pytest.approx([0.5], rel=1e-5)


def test_prices_are_what_a_little_more_is_worth() -> None:
    base = random_base(20_000, 5)
    limits = scarce(base, 11)
    plan = plan_by_prices(base, limits, tolerance=1e-8)
    assert plan.prices.money > 0 and (plan.prices.resources > 0).any()
    more = limits.budget * 1e-3
    richer = plan_by_prices(base, Limits(limits.budget + more, limits.resources), tolerance=1e-8)
    assert (richer.bound - plan.bound) / more == pytest.approx(plan.prices.money, rel=0.02)
    for k, team in enumerate(limits.resources):
        more = team.capacity * 1e-3
        teams = list(limits.resources)
        teams[k] = Resource(team.name, team.capacity + more, team.per_effort)
        better = plan_by_prices(base, Limits(limits.budget, tuple(teams)), tolerance=1e-8)
        assert (better.bound - plan.bound) / more == pytest.approx(plan.prices.resources[k], rel=0.05, abs=0.005)


def test_least_number_takes_the_least_bad_and_has_a_price() -> None:
    base = choices([[-5, -1], [-2, -9], [-4, -3], [7, 1]], [1, 1], segment=[0, 0, 0, 1])
    plan = plan_by_prices(base, Limits(10, segments=(Segment("students", least=2), Segment("others"))))
    assert plan.arm.tolist() == [1, 0, -1, 0]
    assert (plan.value, plan.listed.tolist()) == (4, [2, 1])
    assert -3 - 1e-6 <= plan.prices.segments[0] <= -2 + 1e-6
    assert plan.prices.segments[1] == 0


def test_most_of_a_segment_takes_its_best() -> None:
    base = choices([[5], [2], [4], [1]], [0], segment=[0, 0, 0, -1])
    plan = plan_by_prices(base, Limits(segments=(Segment("students", most=2),)))
    assert plan.arm.tolist() == [0, -1, 0, 0]
    assert 2 <= plan.prices.segments[0] <= 4


def test_least_number_makes_room_where_staff_is_short() -> None:
    # The one minute goes to the segment although row 0 gains far more by it.
    base = choices([[100], [1]], [0], effort=[1], segment=[-1, 0])
    team = Resource("team", 1, (1,))
    plan = plan_by_prices(base, Limits(resources=(team,), segments=(Segment("students", least=1),)))
    assert plan.arm.tolist() == [-1, 0]


def test_holdout_and_forbidden_cells_are_left_alone_and_not_looked_at() -> None:
    held = np.array([True, False, False])
    allowed = [[True, True], [False, True], [True, True]]
    values = GAINS.copy()
    values[1, 0] = np.nan
    values[0] = np.inf
    plan = plan_by_prices(choices(values, COSTS, allowed=allowed, holdout=held), Limits(100))
    assert plan.arm.tolist() == [-1, 1, 1]


def test_holdout_is_a_share_and_an_id_keeps_its_lot() -> None:
    ids, key = np.arange(20_000), make_key(seed=1, replicate=0)
    held = draw_holdout(key, ids, share=0.1)
    assert abs(held.mean() - 0.1) < 5 * 0.3 / np.sqrt(20_000)
    assert (draw_holdout(key, ids[500:900], share=0.1) == held[500:900]).all()
    assert (draw_holdout(key, ids, share=0.1, month=1) != held).any()
    assert not draw_holdout(key, ids, share=0).any()
    with pytest.raises(ConfigError, match=r"share of the holdout: must lie in \[0, 1\] \(got 1.5\)"):
        draw_holdout(key, ids, share=1.5)


@pytest.mark.parametrize("budget", [0.0, 2.9])
def test_nobody_is_listed_below_the_cheapest_arm(budget: float) -> None:
    plan = plan_by_prices(choices(GAINS, COSTS), Limits(budget))
    assert plan.arm.tolist() == [-1, -1, -1]
    assert (plan.value, plan.spend) == (0, 0)
    assert plan.bound == pytest.approx(budget * 40 / 3, rel=1e-6, abs=1e-6)


def test_free_arms_are_given_without_a_budget() -> None:
    assert plan_by_prices(choices([[1, 9], [2, 3]], [0, 1]), Limits(0)).arm.tolist() == [0, 0]


def test_nobody_is_listed_where_all_effects_are_negative() -> None:
    plan = plan_by_prices(choices(-GAINS, COSTS), Limits(100))
    assert plan.arm.tolist() == [-1, -1, -1]
    assert (plan.value, plan.bound, plan.prices.money) == (0, 0, 0)


def test_nobody_there() -> None:
    plan = plan_by_prices(choices(np.empty((0, 2)), COSTS), Limits(5))
    assert (len(plan.arm), plan.value, plan.gap) == (0, 0, 0)


def test_limits_that_are_infinite_do_not_matter() -> None:
    plan = plan_by_prices(choices(GAINS, COSTS), Limits())
    assert (plan.value, plan.gap, plan.prices.money) == (135, 0, 0)


def assert_same(one: PricedPlan, other: PricedPlan) -> None:
    assert (one.arm == other.arm).all()
    assert (one.value, one.spend, one.bound) == (other.value, other.spend, other.bound)
    assert one.prices.money == other.prices.money
    assert (one.prices.resources == other.prices.resources).all()
    assert (one.used == other.used).all()


def test_same_bits_for_any_threads_and_partitions() -> None:
    codes = np.arange(10_000) % 4 - 1
    base = random_base(10_000, 3, dtype=np.float32, segment=codes)
    limits = scarce(base, 3, (Segment("a", most=300), Segment("b", least=1200), Segment("c")))
    plan = plan_by_prices(base, limits)
    assert_keeps(plan, base, limits)
    for threads in (2, 3, 16):
        assert_same(plan_by_prices(base, limits, threads=threads), plan)
    for block in (1024, 3072, 9216):
        cuts = [np.arange(first, min(first + block, 10_000)) for first in range(0, 10_000, block)]
        assert_same(plan_parts_by_prices([lambda rows=rows: base.take(rows) for rows in cuts], limits), plan)


def test_few_undecided_subscribers_suffice(monkeypatch: pytest.MonkeyPatch) -> None:
    base = random_base(20_000, 4)
    limits = scarce(base, 4)
    whole = plan_by_prices(base, limits)
    monkeypatch.setattr(prices_module, "UNDECIDED_ROWS", 2000)
    plan = plan_by_prices(base, limits)
    assert_keeps(plan, base, limits)
    assert plan.value == pytest.approx(whole.value, rel=1e-5)
    # All are alike, so all are undecided: more are fetched until the plan keeps its limits.
    monkeypatch.setattr(prices_module, "UNDECIDED_ROWS", 10)
    alike = plan_by_prices(choices(np.ones((500, 1)), [1.0]), Limits(200))
    assert (alike.arm == 0).sum() == 200


def test_dual_of_partitions_adds_up_to_the_relaxation_of_all() -> None:
    base = random_base(5000, 6)
    limits = scarce(base, 6)
    rules, plan = Rules.of(limits, 4), plan_by_prices(base, limits)
    prices = np.append(plan.prices.money, plan.prices.resources)
    tables = [sums_by_chunk(base.take(rows), rules.weights(prices)) for rows in np.split(np.arange(5000), [1024, 3072])]
    sums = np.concatenate(tables).sum(axis=0)
    assert sums[0] + prices @ (rules.most - rules.matrix @ sums) == plan.bound


def test_a_spread_of_partitions_gets_functions_that_processes_can_be_sent() -> None:
    import pickle

    called = []

    def spread(function, *items):
        called.append(pickle.loads(pickle.dumps(function)))
        return map(called[-1], *items)

    base = choices(GAINS, COSTS)
    plan = plan_parts_by_prices([lambda: base, lambda: base], Limits(12), spread=spread)
    assert called and plan.value == pytest.approx(140)


BASE = choices(GAINS, COSTS, segment=[0, 0, 1])


@pytest.mark.parametrize(("limits", "message"), [
    (Limits(5, segments=(Segment("students", least=3), Segment("b"))),
     "segment students: at least 3 subscribers must get an arm, but only 2 may"),
    (Limits(5, segments=(Segment("students", least=2), Segment("b"))),
     r"segments students \(at least 2\): budget, resources and other limits fall short of this by 0.3 subscribers"),
    (Limits(8, segments=(Segment("students", least=2), Segment("b", least=1))),
     r"segments students \(at least 2\), b \(at least 1\): .* by 0.3 subscribers; lower the least numbers or"),
    (Limits(segments=(Segment("students"),)), "segment: names position 1, but the limits have segments 0 to 0"),
])
def test_limits_that_cannot_be_kept_are_refused(limits: Limits, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plan_by_prices(BASE, limits)


def test_least_number_that_only_shares_can_keep_is_refused() -> None:
    # Of arms 0 (2 minutes, 0 messages) and 1 (0, 2), half of each would do for one subscriber: whole ones break one.
    base = choices([[1, 1]], [0, 0], effort=[2, 2], segment=[0])
    limits = Limits(resources=(Resource("team", 1, (1, 0)), Resource("messages", 1, (0, 1))),
                    segments=(Segment("students", least=1),))
    with pytest.raises(DataError, match="can be had with shares of subscribers only, not with whole ones"):
        plan_by_prices(base, limits)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Limits(-1), r"budget: must be a number of at least 0 \(got -1\)"),
    (lambda: Limits(np.nan), r"budget: must be a number of at least 0 \(got nan\)"),
    (lambda: Resource("team", -5, (1,)), r"capacity of team: must be a number of at least 0 \(got -5\)"),
    (lambda: Resource("team", 5, (1, np.nan)), "per_effort of team: must be finite numbers of at least 0"),
    (lambda: Segment("students", 5, 4), r"segment students: needs 0 <= least <= most \(got least 5, most 4\)"),
    (lambda: plan_by_prices(BASE, Limits(5, (Resource("team", 5, (1,)),))),
     r"per_effort of team: must have a number for each of the 2 arms \(got 1\)"),
    (lambda: plan_by_prices(BASE, Limits(5), tolerance=0), r"tolerance in \(0, 1\) and at least 1 thread \(got 0, 1\)"),
    (lambda: plan_by_prices(BASE, Limits(5), threads=0), r"at least 1 thread \(got 1e-06, 0\)"),
])
def test_bad_limits_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()


@pytest.mark.parametrize(("values", "costs", "more", "message"), [
    ([[1, np.nan]], [1, 1], {}, r"value of row 0, arm 1: must be a finite number \(got nan\); 1 such cells"),
    ([[1], [3]], [[1], [-2]], {}, r"cost of row 1, arm 0: must be a finite number of at least 0 \(got -2.0\)"),
    ([[1, 2]], [1, np.inf], {}, r"cost of row 0, arm 1: must be a finite number of at least 0 \(got inf\)"),
    ([[1]], [1], {"effort": [-1]}, r"effort of row 0, arm 0: must be a finite number of at least 0 \(got -1.0\)"),
    ([1, 2], [1, 2], {}, r"values: must have the shape \(subscribers, arms\) \(got \(2,\)\)"),
    ([[1, 2]], [1, 2, 3], {}, r"costs: must have the shape \(1, 2\) of the values, or \(2,\) for all"),
    ([[1, 2]], [1, 2], {"allowed": [True]}, r"allowed: must have the shape \(1, 2\) of the values \(got \(1,\)\)"),
    ([[1, 2]], [1, 2], {"holdout": [True, False]}, r"holdout: must have the shape \(1,\) of the values \(got \(2,\)\)"),
    ([[1, 2]], [1, 2], {"segment": [0, 1]}, r"segment: must have the shape \(1,\) of the values \(got \(2,\)\)"),
    ([[1, 2]], [1, 2], {"segment": [-2]}, r"segment: must be positions .*, or -1 for none \(got -2 among int64"),
    ([[1, 2]], [1, 2], {"segment": [0.5]}, r"segment: must be positions .* \(got 0.5 among float64 numbers\)"),
])
def test_bad_tables_are_refused(values, costs, more, message: str) -> None:
    with pytest.raises(DataError, match=message):
        choices(values, costs, **more)


def test_partitions_must_have_the_same_arms() -> None:
    one, other = choices([[1]], [1]), choices([[1, 2]], [1, 2])
    with pytest.raises(DataError, match=r"all partitions must have the same arms \(got \[1, 2\] arms\)"):
        plan_parts_by_prices([lambda: one, lambda: other], Limits(5))
    with pytest.raises(DataError, match="there must be at least one partition"):
        plan_parts_by_prices([], Limits(5))

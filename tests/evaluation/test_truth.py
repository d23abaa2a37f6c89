"""The true expected effect against brute force over futures that it never drew."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from small_world import base_at_campaign, small_world

from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.evaluation.ledger import EXPECTED, REALISED, Bookkeeper, compare_worlds
from churnsim.evaluation.truth import Responses, expected_effects, realised_responses, responses
from churnsim.experiment.world import World
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.market import make_market
from churnsim.lifecycle.treatment import everybody

Float64 = npt.NDArray[np.float64]

MONTH, CONTACT, HORIZON = 8, 0.1, 12
# The offers of the campaign, which have the first codes.
NAMES = ("discount_30", "contract_device", "service_recovery")


def test_effects_by_hand() -> None:
    # Two draws, a contact alone and two offers, one subscriber.
    value = np.array([[[-2.0], [10.0], [4.0]], [[0.0], [20.0], [8.0]]])
    staying = value / 100.0
    found = expected_effects(
        Responses((0, 1, 2), value, staying, np.zeros(value[:, 0].shape)),
        offer_code=[1, 2, 1],
        accept=np.array([[0.5, 0.25, 0.1]]),
        reach=np.array([[0.4, 0.4, 1.0]]),
        contact_cost=np.array([[1.0, 2.0, 0.5]]),
    )
    # 0.4 x (0.5 x 10 - 0.5 x 2) = 1.6 and 0.4 x 10 = 4: mean 2.8, less the contact.
    draws = [[1.6, 4.0], [0.4 * (1.0 - 1.5), 0.4 * 2.0], [1.0 - 1.8, 2.0]]
    assert found.net_value[0] == pytest.approx([2.8 - 1.0, 0.3 - 2.0, 0.6 - 0.5])
    assert found.net_value_se[0] == pytest.approx([abs(b - a) / 2 for a, b in draws])
    assert found.staying[0] == pytest.approx([0.028, 0.003, 0.006])


def test_one_draw_has_no_standard_error() -> None:
    ones = np.ones((1, 2, 1))
    found = expected_effects(
        Responses((0, 1), ones, ones, ones[:, 0]),
        offer_code=[1],
        accept=np.ones((1, 1)),
        reach=np.ones((1, 1)),
        contact_cost=np.zeros((1, 1)),
    )
    assert found.net_value_se.tolist() == [[0.0]]


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("evaluation.inner_draws=24")


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    base = base_at_campaign(world)
    return base.take(np.flatnonzero(base["departure_time"] > MONTH)[:300])


def future(world: World, number: int) -> Lifecycle:
    """Return another future of the world's market, keyed apart from the world and from the inner draws."""
    e = world.experiment
    key = make_key(seed=e.seed, replicate=number, purpose="brute force")
    market = make_market(
        e.market,
        regions=e.population.traits.regions,
        cells_per_region=e.population.traits.cells_per_region,
        months=MONTH + HORIZON,
        key=key,
        past=world.engine.market,
        past_months=MONTH,
    )
    return Lifecycle(e.lifecycle, market, world.offers, key=key)


def test_expected_effect_is_the_mean_over_futures_of_realised_twin_differences(world: World, base: Subscribers) -> None:
    """300 subscribers, every treatment, 60 futures with departures against 24 inner draws without.

    Each treatment's mean within 4 standard errors of both sides together, 8 comparisons: false alarm 5e-4. Draws
    are the unit: in a future all subscribers share the market.
    """
    settings = world.experiment.evaluation.model_copy(update={"horizon_months": HORIZON})
    n, arms = len(base), 2 + len(NAMES)
    futures = 60
    value, staying = np.empty((futures, arms - 1)), np.empty((futures, arms - 1))
    for number in range(futures):
        kept = Bookkeeper(settings, world.offers, start=MONTH, n=n, arms=arms)
        runs = [base.copy() for _ in range(arms)]
        treated = [everybody(n, contact_time=CONTACT, accepted=code) for code in range(arms - 1)]
        future(world, number).run(
            list(zip(runs, [None, *treated], strict=True)), start=MONTH, months=HORIZON, observe=kept.observe
        )
        for code in range(arms - 1):
            money = compare_worlds(kept.worlds[0], kept.worlds[code + 1], estimate=REALISED)
            value[number, code] = money.net_value.mean() / 100.0
            change = kept.worlds[code + 1].still_active - kept.worlds[0].still_active
            staying[number, code] = change[REALISED].mean()
    found = responses(base, world.inner_engines(), settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
    for brute, inner in ((value, found.value.mean(axis=2)), (staying, found.staying.mean(axis=2))):
        error = np.sqrt(brute.var(axis=0, ddof=1) / len(brute) + inner.var(axis=0, ddof=1) / len(inner))
        z = (brute.mean(axis=0) - inner.mean(axis=0)) / error
        assert np.abs(z).max() < 4.0, z
    assert (found.staying.mean(axis=(0, 2))[1:] > 0).all()


def test_one_draw_is_the_ledgers_expected_net_value(world: World, base: Subscribers) -> None:
    """Under one key truth and ledger integrate the same clocks: they differ by the ledger's rounding alone.

    The contact falls into the notice period, where who is still billed need not be who was given the discount.
    """
    settings = world.experiment.evaluation
    n, arms = len(base), 2 + len(NAMES)
    engine = world.inner_engines()[0]
    kept = Bookkeeper(settings, world.offers, start=MONTH, n=n, arms=arms)
    treated = [everybody(n, contact_time=0.95, accepted=code) for code in range(arms - 1)]
    runs = [base.copy() for _ in range(arms)]
    engine.run(
        list(zip(runs, [None, *treated], strict=True)),
        start=MONTH,
        months=settings.horizon_months,
        observe=kept.observe,
    )
    found = responses(base, [engine], settings, offers=NAMES, month=MONTH, contact_time=0.95)
    for code in range(arms - 1):
        money = compare_worlds(kept.worlds[0], kept.worlds[code + 1], estimate=EXPECTED)
        # Three postings a month in each world, half a cent each.
        assert np.abs(money.net_value / 100.0 - found.value[0, code]).max() < 0.03 * settings.horizon_months
        change = kept.worlds[code + 1].still_active - kept.worlds[0].still_active
        assert change[EXPECTED] == pytest.approx(found.staying[0, code], abs=1e-12)


def test_each_subscriber_has_an_effect_of_its_own(world: World, base: Subscribers) -> None:
    """Per subscriber the mean of 400 futures agrees: 40 z values are standard normal but for their few tails."""
    settings = world.experiment.evaluation.model_copy(update={"horizon_months": HORIZON})
    few = base.take(np.arange(40))
    code = world.offers.code("service_recovery")
    copies = 100
    # Copies under other ids are other futures of the same subscriber.
    many = Subscribers.concat([few] * copies)
    many.ids = np.arange(len(many)) + 10_000
    total: list[Float64] = []
    for number in range(4):
        kept = Bookkeeper(settings, world.offers, start=MONTH, n=len(many), arms=2)
        future(world, number).run(
            [(many.copy(), None), (many.copy(), everybody(len(many), contact_time=CONTACT, accepted=code))],
            start=MONTH,
            months=HORIZON,
            observe=kept.observe,
        )
        total.append(compare_worlds(*kept.worlds, estimate=REALISED).net_value.reshape(copies, 40) / 100.0)
    brute = np.concatenate(total)
    found = responses(few, world.inner_engines(), settings, offers=NAMES, month=MONTH,
                      contact_time=CONTACT).value[:, code]
    error = np.sqrt(brute.var(axis=0, ddof=1) / len(brute) + found.var(axis=0, ddof=1) / len(found))
    z = (brute.mean(axis=0) - found.mean(axis=0)) / np.maximum(error, 1e-9)
    # Four in a thousand normal values pass 2.9; five of 40 have a chance below 1e-6.
    assert (np.abs(z) > 2.9).sum() < 5, z
    # And the differences between subscribers are those found: the slope of one on the other is 1, far from 0.
    weight = 1.0 / np.maximum(error, 1e-9) ** 2
    x, y = (values - np.average(values, weights=weight) for values in (found.mean(axis=0), brute.mean(axis=0)))
    slope, slope_error = (weight * x * y).sum() / (weight * x * x).sum(), (weight * x * x).sum() ** -0.5
    assert abs(slope - 1.0) < 4.0 * slope_error and slope > 3.0 * slope_error, (slope, slope_error)


def test_standard_error_shrinks_with_draws(world: World, base: Subscribers) -> None:
    few = base.take(np.arange(200))
    n, settings = len(few), world.experiment.evaluation
    ones = np.ones((n, 1))
    errors = []
    for draws in (6, 24):
        found = responses(few, world.inner_engines()[:draws], settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
        effects = expected_effects(found, offer_code=[1], accept=ones, reach=ones, contact_cost=0 * ones)
        errors.append(float(np.sqrt((effects.net_value_se**2).mean())))
    # Four times the draws, half the error; the first has 5 degrees of freedom for each of 200 subscribers.
    assert errors[1] / errors[0] == pytest.approx(0.5, rel=0.25)


def test_inner_draws_are_never_the_worlds() -> None:
    keys = set()
    for replicate in range(3):
        world = small_world("evaluation.inner_draws=40", replicate=replicate)
        inner = world.inner_engines()
        assert len(inner) == 40
        keys |= {engine.key for engine in inner} | {world.key}
        market, drawn = world.engine.market, inner[0].market
        assert np.array_equal(drawn.network[:MONTH], market.network[:MONTH])
        assert not (drawn.network[MONTH:] == market.network[MONTH:]).any()
    assert len(keys) == 3 * 41


def test_the_base_is_not_changed_and_nobody_is_needed_for_anybody(world: World, base: Subscribers) -> None:
    before = base.copy()
    engines, settings = world.inner_engines()[:1], world.experiment.evaluation
    found = responses(base, engines, settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
    assert all(np.array_equal(base[name], before[name], equal_nan=True) for name in base.columns)
    rows = np.array([200, 3])
    some = responses(base.take(rows), engines, settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
    assert np.array_equal(some.value, found.value[:, :, rows])
    threaded = responses(base, engines, settings, offers=NAMES, month=MONTH, contact_time=CONTACT, threads=2)
    assert np.array_equal(threaded.value, found.value)


def test_who_has_decided_already_is_worth_no_offer(world: World, base: Subscribers) -> None:
    gone = base.take(np.arange(5))
    gone["decision_time"], gone["departure_time"] = MONTH - 0.1, MONTH + 0.2
    found = responses(gone, world.inner_engines()[:1], world.experiment.evaluation, offers=NAMES, month=MONTH,
                      contact_time=CONTACT)
    assert not found.value.any() and not found.staying.any()


def test_an_offer_without_effect_costs_what_it_gives(world: World, base: Subscribers) -> None:
    """A discount that changes nothing is worth minus its bills, each with the chance to fall due."""
    quiet = small_world(
        "offers.discount_30.hazard_multipliers={price: 1.0, competitor: 1.0, contract_end: 1.0}",
        "lifecycle.contact={wake: 0.0, goodwill_points: 0.0, goodwill_points_by_attitude: 0.0, fatigue_points: 0.0}",
        "lifecycle.contact.discount_shock_persistence=0.0",
        "lifecycle.causes.price.coefficients.discount_shock=0.0",
        "lifecycle.usage.overage_price_per_gb=0.0",
        *(f"lifecycle.plan.{name}=1.0e-9" for name in ("change_prob", "line_loss_prob", "line_gain_prob")),
        "lifecycle.causes.internal_substitution=null",
        "lifecycle.causes.churn_and_rejoin=null",
        "offers.move_help=null",
        "evaluation.discount_rate_annual=0.0",
        *(f"lifecycle.causes.{name}.intercept=-30.0" for name in world.experiment.lifecycle.causes),
    )
    found = responses(base, quiet.inner_engines()[:1], quiet.experiment.evaluation, offers=NAMES, month=MONTH,
                      contact_time=CONTACT)
    there = (base["departure_time"] == np.inf) & (base["state"] != 5)
    bills = found.value[0, quiet.offers.code("discount_30")]
    share = quiet.experiment.offers["discount_30"]
    full = -share.discount_share * share.discount_months * base["plan_price_amount"].astype(np.float64)
    # Suspended months are billed a share of the fee, so some discounts are smaller.
    close = np.isclose(bills, full, rtol=1e-5)
    assert close[there].mean() > 0.9 and (bills[there] >= full[there] * (1 + 1e-5)).all()


# What happens to the twins in one future


def test_realised_twins_are_the_ledgers(world: World, base: Subscribers) -> None:
    """In the world's own future, to the ledger's rounding."""
    settings = world.experiment.evaluation
    n, arms = len(base), 2 + len(NAMES)
    kept = Bookkeeper(settings, world.offers, start=MONTH, n=n, arms=arms)
    treated = [everybody(n, contact_time=CONTACT, accepted=code) for code in range(arms - 1)]
    runs = [base.copy() for _ in range(arms)]
    world.engine.run(
        list(zip(runs, [None, *treated], strict=True)),
        start=MONTH,
        months=settings.horizon_months,
        observe=kept.observe,
    )
    before = base.copy()
    found = realised_responses(base, world.engine, settings, offers=NAMES, month=MONTH, contact_time=CONTACT, threads=2)
    assert all(np.array_equal(base[name], before[name], equal_nan=True) for name in base.columns)
    assert found.value.shape == found.staying.shape == (1, arms - 1, n)
    for code in range(arms - 1):
        money = compare_worlds(kept.worlds[0], kept.worlds[code + 1], estimate=REALISED)
        assert np.abs(money.net_value / 100.0 - found.value[0, code]).max() < 0.03 * settings.horizon_months
        change = kept.worlds[code + 1].still_active - kept.worlds[0].still_active
        assert np.array_equal(change[REALISED], found.staying[0, code])
    assert set(np.unique(found.staying)) <= {-1.0, 0.0, 1.0} and (found.staying == 1.0).any()
    rows = np.array([200, 3])
    some = realised_responses(base.take(rows), world.engine, settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
    assert np.array_equal(some.value, found.value[:, :, rows])


def test_the_mean_of_realised_twins_is_the_expected_one(world: World, base: Subscribers) -> None:
    """Given a future's months, the clocks of leaving are drawn for each subscriber by itself: 40 x 300 units.

    Each treatment's value and staying within 4 standard errors, 8 comparisons: false alarm 5e-4.
    """
    settings = world.experiment.evaluation.model_copy(update={"horizon_months": HORIZON})
    value, staying = [], []
    for number in range(100, 140):
        engine = future(world, number)
        once = realised_responses(base, engine, settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
        mean = responses(base, [engine], settings, offers=NAMES, month=MONTH, contact_time=CONTACT)
        value.append(once.value[0] - mean.value[0])
        staying.append(once.staying[0] - mean.staying[0])
    for differences in (np.concatenate(value, axis=1), np.concatenate(staying, axis=1)):
        z = differences.mean(axis=1) / (differences.std(axis=1, ddof=1) / np.sqrt(differences.shape[1]))
        assert np.abs(z).max() < 4.0, z
        assert (differences.std(axis=1) > 0.01).all()

"""Worlds that share their draws differ only by what is done differently: everything else is the same to the bit."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from small_world import base_at_campaign, small_world

from churnsim.core.columns import Column
from churnsim.core.draws import make_key, stream
from churnsim.evaluation.ledger import REALISED, Bookkeeper, compare_worlds
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.default import Lifecycle, default_drivers
from churnsim.lifecycle.driver import Change, Driver
from churnsim.lifecycle.engine import Engine
from churnsim.lifecycle.leaving import Leaving
from churnsim.lifecycle.treatment import Treatment, contacts, everybody, nobody
from churnsim.population.columns import SCHEMA

from .examples import KEY, engine, lifecycle, same, varied

START, MONTHS = 2, 4
DISCOUNT = 1
NOTICE = 1.0 / 3.0
SETTINGS = lifecycle()
WORLD = engine(SETTINGS)
EVALUATION = EvaluationSettings(horizon_months=MONTHS, discount_rate_annual=0.1, terminal_value="residual",
                                inner_draws=1, confidence=0.95)


def started(n):
    """Return varied subscribers as they are at START."""
    base = varied(np.arange(n))
    WORLD.run([(base, None)], start=0, months=START)
    return base


def mixed(ids):
    """Two thirds are contacted, at times and with acceptances that follow from the id."""
    return contacts(np.where(ids % 3 > 0, (ids % 29) / 29.0, np.inf), np.where(ids % 3 > 0, ids % 5, 0).astype(np.int8))


BASE = started(3000)
EVERYTHING = tuple(LIFECYCLE_SCHEMA)


class Outcome:
    """All that is to be known of a run: every column of the default lifecycle by arm and month, and the ledger."""

    def __init__(self, arms, *, world=WORLD, base=BASE, observers=(), **how):
        self.columns = {}
        self.books = Bookkeeper(EVALUATION, WORLD.offers, start=START, n=len(base), arms=len(arms))
        observers = (self.books.observe, self._keep, *observers)

        def observe(block):
            for observer in observers:
                observer(block)

        world.run([(base.copy(), treatment) for treatment in arms], start=START, months=MONTHS, observe=observe, **how)

    def _keep(self, block):
        for name in EVERYTHING:
            column = block[name]
            whole = self.columns.setdefault((block.arm, block.month.number, name),
                                            np.zeros((*column.shape[:-1], len(BASE)), column.dtype))
            whole[..., block.low:block.high] = column

    def differs(self, other, *, arm=0, other_arm=0):
        """Return which ids differ in any column of any month or in any amount, (n,)."""
        differs = (self.books.worlds[arm].cents != other.books.worlds[other_arm].cents).any(axis=(0, 1, 2))
        for (its_arm, month, name), column in self.columns.items():
            if its_arm == arm:
                equal = _same_bits(column, other.columns[other_arm, month, name])
                differs |= ~equal.reshape(-1, len(BASE)).all(axis=0)
        return differs


def _same_bits(a, b):
    assert a.dtype == b.dtype
    return (a == b) | ((a != a) & (b != b))


TREATED = mixed(BASE.ids)
USUAL = Outcome([None, TREATED])


def test_different_treatments_do_differ():
    """What follows could not fail otherwise."""
    differs = USUAL.differs(USUAL, arm=1)
    contacted = (BASE.ids % 3 > 0) & (BASE["decision_time"] >= START)
    assert not differs[~contacted].any()
    assert differs[contacted].mean() > 0.9
    assert len(USUAL.columns) == 2 * MONTHS * len(EVERYTHING)
    assert set(SCHEMA) < set(EVERYTHING)


@pytest.mark.parametrize("nothing", [nobody(), contacts(np.full(len(BASE), np.inf), np.zeros(len(BASE), np.int8))],
                         ids=["nobody", "no contact time"])
def test_an_empty_policy_changes_nothing(nothing):
    run = Outcome([None, nothing])
    assert not run.differs(USUAL).any()
    assert not run.differs(run, arm=1).any()
    for estimate in (0, 1):
        money = compare_worlds(*run.books.worlds, estimate=estimate)
        assert not np.any([*astuple(money), money.net_value])


@pytest.mark.parametrize(("row", "times", "codes"), [
    (78, [0.1], [DISCOUNT]), (78, [0.0], [0]), (1503, [0.2, 0.2, 0.9], [0, 0, 2]), (2999, [0.5, 0.99], [4, 0])])
def test_treating_one_id_changes_that_id_only(row, times, codes):
    many = len(times)
    one = Treatment(np.full(many, row), np.array(times), np.array(codes, np.int8))
    run = Outcome([None, one])
    assert not run.differs(USUAL).any()
    assert np.flatnonzero(run.differs(USUAL, arm=1)).tolist() == [row]
    money = compare_worlds(*run.books.worlds, estimate=1)
    assert np.flatnonzero(money.net_value).tolist() in ([row], [])


@pytest.mark.parametrize("row", [78, 1503])
def test_treating_one_id_where_many_come_back_changes_that_id_only(row):
    settings = lifecycle(win_back={"return_prob": 0.4, "persistence": 0.5, "hazard_factor": 1.5,
                                   "cause_factors": {"service": 1.0, "price": 1.0, "gone": 1.0}})
    world = engine(settings)
    base = BASE.copy()
    gone = base["departure_time"] <= START
    base["return_factor"][gone] = 1.0
    one = Treatment(np.array([row]), np.array([0.2]), np.array([DISCOUNT], np.int8))
    run = Outcome([None, one], world=world, base=base)
    assert np.flatnonzero(run.differs(run, arm=1)).tolist() == [row]
    assert run.columns[0, START + MONTHS - 1, "spell"][gone].any()
    assert not run.differs(Outcome([None], world=world, base=base, block=700)).any()


@pytest.fixture(scope="module")
def preset():
    """Return the world of the preset and everybody at the start of its campaign month."""
    world = small_world("lifecycle.win_back.return_prob=0.1")
    return world, base_at_campaign(world)


def monthly(preset, rows, *, realise, **how):
    """Return every column by arm and month of a run of some rows; in arm 1 each meets its own contacts."""
    world, base = preset
    base, columns = base.take(rows), {}

    def keep(block):
        for name, column in block.columns.items():
            whole = columns.setdefault((block.arm, block.month.number, name),
                                       np.zeros((*column.shape[:-1], len(base)), column.dtype))
            whole[..., block.low:block.high] = column

    world.engine.run([(base, None), (base.copy(), mixed(base.ids))], start=world.experiment.campaign_month, months=5,
                     observe=keep, realise=realise, **how)
    return columns


@pytest.mark.parametrize("realise", [False, True], ids=["expected", "realised"])
def test_an_id_has_the_same_bits_whoever_else_is_there(preset, realise):
    """Which columns the changes of a month write differs from block to block: it must not show."""
    everybody_there = np.arange(len(preset[1]))
    usual = monthly(preset, everybody_there, realise=realise)
    for name in ("returned_prob", "accepted", "substituted", "shopping", "offer_left_months"):
        assert any(column.any() for (arm, _, its), column in usual.items() if arm and its == name)
    cases = [(np.array([row]), {}) for row in range(0, len(everybody_there), 61)]
    cases += [(np.arange(3, len(everybody_there), 7), {}), (everybody_there, {"block": 31}),
              (everybody_there, {"block": 101, "threads": 2})]
    for rows, how in cases:
        some = monthly(preset, rows, realise=realise, **how)
        assert [place for place, column in usual.items() if not _same_bits(column[..., rows], some[place]).all()] == []


LOOKS = stream("test.looks")
SEEN = Column("times_seen", "int32", "times", "latent", "onlooker", "how often a coin fell heads")


def look(block, month, draws):
    block["times_seen"] += draws.lanes(LOOKS)[0] < 0.5
    block["times_seen"] += draws.uniform(LOOKS) < 0.5


def with_seen(base):
    base = base.copy()
    base.columns["times_seen"] = np.zeros(len(base), np.int32)
    return base


ONLOOKER = Driver("onlooker", look, reads=("satisfaction",), writes=("times_seen",), streams=(LOOKS,), columns=(SEEN,))
IDLE = Driver("idle", streams=(stream("test.idle"),))
IMPOSSIBLE = Driver("impossible", causes=("never",),
                    hazards=lambda block: np.zeros((1, len(block)), np.float32))


@pytest.mark.parametrize("more", [(ONLOOKER,), (IDLE,), (IMPOSSIBLE,), (IDLE, ONLOOKER, IMPOSSIBLE)],
                         ids=["a driver", "a stream", "a cause that never comes", "all"])
@pytest.mark.parametrize("first", [False, True])
def test_what_does_nothing_changes_nothing(more, first):
    usual = default_drivers(SETTINGS, WORLD.market, WORLD.offers)
    # The code of a cause is its position: one that stands first would only rename the others.
    drivers = (*more, *usual) if first and IMPOSSIBLE not in more else (*usual, *more)
    leaving = Leaving(drivers, notice_months=NOTICE).driver()
    world = Engine((leaving, *drivers) if first else (*drivers, leaving), schema=LIFECYCLE_SCHEMA, key=KEY)
    base = with_seen(BASE) if ONLOOKER in more else BASE
    run = Outcome([None, TREATED], world=world, base=base)
    for arm in (0, 1):
        assert not run.differs(USUAL, arm=arm, other_arm=arm).any()


def test_further_drivers_of_the_lifecycle_change_nothing():
    base, seen = with_seen(BASE), []
    world = Lifecycle(SETTINGS, WORLD.market, WORLD.offers, key=KEY, more=(ONLOOKER, IMPOSSIBLE))
    run = Outcome([None, TREATED], world=world, base=base, observers=(lambda block: seen.append(block["times_seen"]),))
    for arm in (0, 1):
        assert not run.differs(USUAL, arm=arm, other_arm=arm).any()
    assert np.mean(seen[-1]) == pytest.approx(MONTHS, abs=0.2), "it did look"


def test_a_moment_at_which_nothing_changes_moves_decisions_by_rounding_only():
    """Its month is added up in two parts."""
    def when(block, month, draws):
        rows = np.flatnonzero(block.ids % 2)
        return rows, np.full(len(rows), 0.37)

    idle = Driver("idle", changes=(Change("nothing", (), (), when, lambda *_: None),))
    run = Outcome([None], world=Lifecycle(SETTINGS, WORLD.market, WORLD.offers, key=KEY, more=(idle,)))
    last = START + MONTHS - 1
    assert np.isfinite(USUAL.columns[0, last, "decision_time"]).sum() > 300
    for name in EVERYTHING:
        np.testing.assert_allclose(run.columns[0, last, name].astype(float), USUAL.columns[0, last, name].astype(float),
                                   rtol=1e-14, err_msg=name)


def test_observers_and_further_arms_change_nothing():
    months = []
    run = Outcome([None, everybody(len(BASE), contact_time=0.3, accepted=2), TREATED],
                  observers=(lambda block: months.append(block.month.number),))
    assert not run.differs(USUAL).any()
    assert not run.differs(USUAL, arm=2, other_arm=1).any()
    assert run.differs(USUAL, arm=1, other_arm=1).any()
    assert len(months) == 3 * MONTHS


def test_more_newcomers_leave_everybody_else_as_they_are():
    """Another arrival rate: those of the start, and newcomers who join under both, go through the same months."""
    bases = {}
    for share in (0.0, 0.02, 0.1):
        world = small_world("population.size=1000", f"market.arrivals_share_monthly={share}")
        bases[share] = base_at_campaign(world)
    few, many = bases[0.02], bases[0.1]
    assert len(bases[0.0]) == 1000 < len(few) < len(many)
    assert np.isfinite(few["decision_time"][:1000]).any()
    assert same(few.take(np.arange(1000)), bases[0.0])
    assert same(many.take(np.flatnonzero(np.isin(many.ids, few.ids))), few)


def test_a_large_base_is_the_same_for_every_block_size_and_number_of_threads():
    n = 120_000
    base = started(n)
    treated = mixed(base.ids)

    def run(block, threads):
        books = Bookkeeper(EVALUATION, WORLD.offers, start=START, n=n, arms=2)
        arms = [(base.copy(), None), (base.copy(), treated)]
        WORLD.run(arms, start=START, months=MONTHS, observe=books.observe, block=block, threads=threads)
        return [arm for arm, _ in arms], books

    bases, books = run(100_000, 1)
    assert books.worlds[0].monthly.all(axis=0).any()
    assert (books.worlds[0].monthly != books.worlds[1].monthly).any()
    for block, threads in ((1000, 1), (1000, 2), (16_384, 1), (16_384, 2), (100_000, 2)):
        other_bases, other_books = run(block, threads)
        for arm in (0, 1):
            assert same(bases[arm], other_bases[arm])
            for one, other in zip(astuple(books.worlds[arm]), astuple(other_books.worlds[arm]), strict=True):
                np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(books.offer_cost_to_stayers, other_books.offer_cost_to_stayers)


def test_twins_vary_less_than_strangers(request):
    """Variance of a subscriber's saved margin under an offer: the reference run by other draws against its twin."""
    n = len(BASE)
    offer = everybody(n, contact_time=0.3, accepted=DISCOUNT)
    run = Outcome([None, offer])
    stranger = Outcome([None], world=engine(SETTINGS, key=make_key(seed=6, replicate=0)))
    treated = run.books.worlds[1]
    twin = compare_worlds(run.books.worlds[0], treated, estimate=REALISED)
    other = compare_worlds(stranger.books.worlds[0], treated, estimate=REALISED)
    ratio = other.saved_margin.var() / twin.saved_margin.var()
    request.node.user_properties.append(("variance of saved margin, other draws over the same", round(float(ratio), 1)))
    assert ratio > 10.0

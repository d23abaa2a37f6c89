"""Coming back after leaving: closed forms, expected against realised, and what is not touched by it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from churnsim.core.draws import uniform
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers import win_back
from churnsim.lifecycle.treatment import contacts
from churnsim.offers.settings import Offer
from churnsim.offers.table import offer_table
from churnsim.population.columns import SCHEMA

from ..examples import KEY, engine, lifecycle, subscribers, varied
from .by_hand import approx

# A sum leaves 4 standard errors by chance in 6.3e-5 of all seeds; each test says how many it looks at.
LIMIT = 4.0
N = 200_000
DISCOUNT = 1
NO_OFFER = np.zeros(4, bool)
OFTEN = {"return_prob": 0.3, "persistence": 0.6, "cause_factors": {"service": 0.8, "price": 1.0, "gone": 0.3},
         "hazard_factor": 1.7}
# Nothing happens but leaving for one cause.
STILL = {"usage": {"noise_log_sd": 0.0, "idle_prob": 0.0}, "contacts": {"shop_prob": 0.0},
         "service": {"fault_prob": 1e-9, "complaint_prob": 1e-9, "complaint_log_odds": {}},
         "shopping": {"base_prob": 1e-9, "log_odds": {}}, "arrears": {"miss_prob": 1e-9},
         "suspension": {"enter_prob": 1e-9}}


def still(hazard, *, notice_days=0.0, **returns):
    """Return a world of a constant hazard of one cause, `price`."""
    settings = {"return_prob": 0.2, "persistence": 0.5, "cause_factors": {"price": 0.9}, "hazard_factor": 1.0,
                **returns}
    return engine(lifecycle(**STILL, notice_days=notice_days, win_back=settings,
                            causes={"price": {"intercept": float(np.log(hazard))}}))


PAIRS = {"active": "active_prob", "billed": "billed_prob", "undecided": "undecided_prob"}


class Seen:
    """Sums over subscribers by month of what happens, of its probability, and of the variance of the difference."""

    def __init__(self):
        self.sums, self.months = {}, {}

    def observe(self, block):
        for name, prob in PAIRS.items():
            p = block[prob]
            at = self.sums.setdefault((name, block.arm, block.month.number), np.zeros(3))
            at += block[name].sum(), p.sum(), (p * (1.0 - p)).sum()
        self.months.setdefault(block.month.number, []).append(block["active_prob"].mean())

    def distance(self, *names):
        found = [abs(real - prob) / np.sqrt(varies) for (name, _, _), (real, prob, varies) in self.sums.items()
                 if name in (names or PAIRS) and varies > 1.0]
        assert len(found) > 2
        return max(found)

    def share(self, name, months, part=0):
        return np.array([self.sums[name, 0, month][part] for month in range(months)]) / N


def run(world, base, treatment=None, *, start=0, months=8, **how):
    seen = Seen()
    world.run([(base, treatment)], start=start, months=months, observe=seen.observe, **how)
    return seen


def stays(hazard, months):
    """Return the chance to be there by month: who comes back never leaves again, of factor .9, chance .2, .5."""
    m = np.arange(months)
    first = np.exp(-hazard * m)
    left = first - np.exp(-hazard * (m + 1))
    back = [sum(left[leave] * 0.18 * (1.0 - 0.5 ** (month - leave)) / 0.5 for leave in range(month)) for month in m]
    return first + np.array(back)


def test_who_comes_back_for_good_by_closed_form():
    """P(active at m) = exp(-h m) + sum over months l of leaving x f r (1 - p**(m - l)) / (1 - p); 7 shares, 4e-4."""
    world, base = still(0.3, hazard_factor=0.0), subscribers(N)
    seen = run(world, base)
    expected = stays(0.3, 8)
    np.testing.assert_allclose(seen.share("active", 8, 1), expected, rtol=1e-5)
    share = seen.share("active", 8)
    off = np.abs(share - expected)[1:] / np.sqrt(expected * (1.0 - expected) / N)[1:]
    assert off.max() < LIMIT
    wrong = stays(0.3 * 1.03, 8)
    assert (np.abs(share - wrong)[1:] / np.sqrt(wrong * (1.0 - wrong) / N)[1:]).max() > LIMIT


def test_with_notice_by_hand():
    """Ten days' notice, h = ln 2, two months: a decision after two thirds of a month leaves in the next.

    Month 1 starts with 2**(-2/3); 1 - 2**(-2/3) left in month 0, .18 of them are back when month 1 starts. At the
    start of month 2: 2**(-5/3) never decided before two thirds of month 1; of those back, 2**(-2/3) neither; away
    from month 0 come .09; 2**(-2/3) - 2**(-5/3) of the first and (1 - 2**(-2/3)) of those back left in month 1.
    """
    base = subscribers(10)
    seen = run(still(np.log(2.0), notice_days=10.0), base, months=3, realise=False).months
    served = 2.0 ** (-2 / 3)
    left = 1.0 - served
    back = 0.18 * left
    assert seen[1][0] == approx(served + back)
    left_next = served - served / 2 + back * (1.0 - served)
    assert seen[2][0] == approx(served / 2 + back * served + 0.09 * left + 0.18 * left_next)


def lively(**returns):
    return engine(lifecycle(win_back={**OFTEN, **returns}, causes={
        "service": {"intercept": -2.5, "coefficients": {"complaint_stock": 0.8, "dissatisfaction": 0.5}},
        "price": {"intercept": -2.5, "coefficients": {"discount_shock": 1.0, "shopping": 1.0, "wake": 0.8}},
        "gone": {"intercept": -3.0, "coefficients": {"migrant": 0.9, "season": 0.3}}}))


def treated(ids):
    """Three quarters are contacted, two thirds of them take an offer, one of them a discount."""
    return contacts(np.where(ids % 4 > 0, (ids % 29) / 29.0, np.inf), np.where(ids % 4 > 0, ids % 3, 0).astype(np.int8))


def test_expected_is_what_happens():
    """Being there, owing the discount and being undecided, with notice, searches, contacts: 18 sums, 1e-3."""
    base = varied(np.arange(N))
    seen = run(lively(), base, treated(base.ids), months=7)
    assert seen.distance() < LIMIT
    assert (base["spell"] > 0).mean() > 0.1 and (base["spell"] > 1).any()


@cache
def usual():
    return run(lively(), varied(np.arange(N)), months=7)


@pytest.mark.parametrize("wrong", [
    {"return_prob": 0.33}, {"persistence": 0.66}, {"hazard_factor": 2.2},
    {"cause_factors": {"service": 0.8, "price": 1.0, "gone": 0.6}}], ids=lambda wrong: next(iter(wrong)))
def test_a_wrong_recursion_is_found_out(wrong):
    """What happens usually, against probabilities of a world that is some 10 % off."""
    other = run(lively(**wrong), varied(np.arange(N)), months=7, realise=False)
    mixed = Seen()
    mixed.sums = {at: np.concatenate([sums[:1], other.sums[at][1:]]) for at, sums in usual().sums.items()}
    assert usual().distance("active") < LIMIT
    assert mixed.distance("active") > LIMIT


def test_a_run_may_start_while_some_are_away():
    """Leavers of months 0 to 3, those on notice and those who are back go on as in one run: 12 sums, 8e-4."""
    whole, parts = varied(np.arange(N)), varied(np.arange(N))
    world = lively()
    run(world, whole, months=8)
    run(world, parts, months=4)
    away = parts["departure_time"] <= 4
    assert away.mean() > 0.1 and (parts["spell"] > 0).mean() > 0.02
    later = run(world, parts, start=4, months=4)
    for name in SCHEMA:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    assert later.distance() < LIMIT


def test_the_discount_is_not_owed_after_a_return():
    """All take it in month 0 at h = 1; by month 2 most who are there came back, and only the others are billed."""
    world = still(1.0, return_prob=0.5, persistence=0.5, cause_factors={"price": 1.0})
    base = subscribers(N)
    seen = run(world, base, contacts(np.zeros(N), np.full(N, DISCOUNT, np.int8)), months=4)
    assert seen.distance() < LIMIT
    # The offer multiplies the hazard by .4 for this month and two more.
    np.testing.assert_allclose(seen.share("billed", 4, 1)[1:], np.exp(-0.4 * np.arange(1, 4)), rtol=1e-5)
    assert (seen.share("active", 4, 1)[2:] > seen.share("billed", 4, 1)[2:] + 0.1).all()
    back = base["spell"] > 0
    assert back.any()

    def look(block):
        assert not (block["billed"] & back).any() and (block["active"] & back).any()

    base["discount_left_months"] = 3
    world.run([(base, None)], start=4, months=1, observe=look, block=N)


def test_factors_by_hand():
    """.9 of the cause times that of the offer; at 2.5 x .2 / (1 - .5) = 1 all come back: no factor is above it."""
    back = win_back.WinBack(still(0.5).settings.win_back, np.array([1.0, 2.0, 9.0]), NO_OFFER)
    np.testing.assert_allclose(back.factors(("price", "other")), [[0.9, 0.0], [1.8, 0.0], [2.5, 0.0]])


def test_an_offer_in_effect_at_the_decision_counts():
    """Taken at half time of month 0 by all, it doubles the chance of those who decide later: 4 sums, 3e-4.

    At h = 1, without notice: 1 - exp(-.5) leave at chance .18, exp(-.5) (1 - exp(-.5)) at .36.
    """
    settings = lifecycle(**STILL, notice_days=0.0, causes={"service": {"intercept": 0.0}}, win_back={
        "return_prob": 0.2, "persistence": 0.5, "cause_factors": {"service": 0.9}, "hazard_factor": 0.5})
    usual = engine(settings)
    doubling = replace(usual.offers, return_factor=np.array([1, 2, 1, 1, 1], np.float32))
    world = Lifecycle(settings, usual.market, doubling, key=KEY)
    seen = run(world, subscribers(N), contacts(np.full(N, 0.5), np.full(N, DISCOUNT, np.int8)), months=5)
    early = 1.0 - np.exp(-0.5)
    np.testing.assert_allclose(seen.months[1][0], np.exp(-1.0) + 0.18 * early + 0.36 * np.exp(-0.5) * early, rtol=1e-5)
    assert seen.distance() < LIMIT


def test_chances_to_come_back_while_away_add_up():
    """Conditional chances of .5 x .2, .1, .05, ...: the share that is ever back is .5 x .4."""
    back = win_back.WinBack(still(0.5).settings.win_back, np.ones(1), NO_OFFER)
    away = np.ones(1)
    for month in range(40):
        chance = 0.5 * back.chance[month] / (1.0 - 0.5 * back.before[month])
        away *= 1.0 - chance
    assert away[0] == approx(1.0 - 0.5 * 0.4)


def test_a_returner_starts_anew():
    world = still(3.0, return_prob=0.9, persistence=0.0, cause_factors={"price": 1.0})
    base, seen = subscribers(500), []
    world.run([(base, None)], start=0, months=2, observe=lambda block: seen.append(
        {name: block[name].copy() for name in ("returned", "spell", "active", "departure_time")}))
    left = seen[0]["departure_time"] < 1.0
    u = uniform(KEY, win_back.RETURNS, base.ids, month=1)
    np.testing.assert_array_equal(seen[1]["returned"], left & (u < 0.9))
    np.testing.assert_array_equal(seen[1]["spell"], seen[1]["returned"])
    assert seen[1]["active"][seen[1]["returned"]].all()
    # Fresh clocks: hazard 3 again, or never decided.
    again = base["decision_time"][seen[1]["returned"]]
    assert (again >= 1.0).all() and np.isfinite(again).mean() > 0.9


def test_without_a_chance_nothing_of_it_is_there():
    for returns in ({"return_prob": 0.0}, {"cause_factors": {}}, {"cause_factors": {"price": 0.0}}):
        assert "win_back" not in [driver.name for driver in lively(**returns).drivers]
    assert next(driver.name for driver in lively().drivers) == "win_back"


def test_it_changes_no_draw_of_others():
    """The path of everything but leaving is the same to the bit; who never came back left as without it."""
    one, other = varied(np.arange(20_000)), varied(np.arange(20_000))
    run(lively(), one, treated(one.ids))
    run(lively(return_prob=0.0), other, treated(other.ids))
    own = {"spell", "spell_months", "cause", "decision_time", "departure_time", "return_factor", "state"}
    for name in set(SCHEMA) - own:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    never = one["spell"] == 0
    assert 0.5 < never.mean() < 0.95
    for name in own - {"return_factor"}:
        np.testing.assert_array_equal(one[name][never], other[name][never], err_msg=name)


def test_who_comes_back_depends_on_nobody_else():
    base, some = varied(np.arange(3000)), varied(np.arange(0, 3000, 7))
    run(lively(), base, block=500)
    run(lively(), some)
    for name in SCHEMA:
        np.testing.assert_array_equal(some[name], base[name][..., ::7], err_msg=name)


# Offers that bring back those who have left

PACK, RECOVERY = 6, 3


def recalling(settings, **offer):
    """Return the world of `settings` with one offer more, of code PACK, to those who have left."""
    usual = engine(settings)
    pack = Offer.model_validate({"brings_back": True, "direct_cost_amount": 18.0, "allowance_change_share": 0.5,
                                 "acceptance": {"base_prob": 0.5}, "eligibility": {"states": ["churned"]}, **offer})
    table = offer_table({**usual.offers.settings, "pack": pack}, causes=tuple(settings.causes))
    return Lifecycle(settings, usual.market, table, key=KEY)


def leavers(n, *, away=2.0, month=4, **columns):
    """Return `n` who left `away` months before `month`, for a cause of factor 1."""
    left = month - away
    return subscribers(n, decision_time=left - 1 / 3, departure_time=left, cause=2, return_factor=1.0, **columns)


def all_take(n, code, time=0.5):
    return contacts(np.full(n, time), np.full(n, code, np.int8))


def test_who_takes_the_pack_is_back_next_month_by_hand():
    """Left a month ago at return_prob .2, persistence .5: of the 0.8 still away .1/.8 come back in the month itself.

    All others are back in the next. At h = 1 and factor .5, exp(-.5) of the 1/8 are then still there.
    """
    world = recalling(lifecycle(**STILL, notice_days=0.0, causes={"price": {"intercept": 0.0}}, win_back={
        "return_prob": 0.2, "persistence": 0.5, "cause_factors": {}, "hazard_factor": 0.5}))
    base, seen = leavers(N, away=1.0), []
    world.run([(base, all_take(N, PACK))], start=4, months=3, block=N, observe=lambda block: seen.append(
        {name: block[name].mean() for name in ("active", "active_prob", "undecided", "undecided_prob", "accepted",
                                               "returned", "lost")}))
    there = [0.125, 0.875 + 0.125 * np.exp(-0.5), (0.875 + 0.125 * np.exp(-0.5)) * np.exp(-0.5)]
    assert [month["active_prob"] for month in seen] == approx(there)
    real = [month["active"] for month in seen]
    off = np.abs(np.array(real) - there) / np.sqrt(np.array(there) * (1.0 - np.array(there)) / N)
    assert off.max() < LIMIT
    # The acceptance counts for certain, in the month of the contact alone.
    assert seen[0]["undecided"] == seen[0]["undecided_prob"] == seen[0]["lost"] == 1.0
    assert [month["accepted"] for month in seen] == [PACK, 0, 0]
    assert (base["spell"] >= 1).all() and seen[1]["returned"] == approx(1.0 - seen[0]["returned"])


def recalled_lives(code=PACK, **how):
    """Return what becomes of a mixed base of which some left, half of them called: a third of these takes `code`."""
    world = recalling(lively().settings, discount_share=0.2, discount_months=4, monthly_cost_amount=1.0,
                      effect_months=3)
    base = varied(np.arange(N))
    world.run([(base, None)], start=0, months=4)
    away = base["departure_time"] <= 4
    assert 0.1 < away.mean() < 0.6
    time = np.where(base.ids % 2 == 0, base.ids % 29 / 29.0, np.inf)
    taken = np.where(away, np.where(base.ids % 3 == 0, code, 0), base.ids % 4).astype(np.int8)
    return base, run(world, base, contacts(time, taken), start=4, **how), away


def test_expected_is_what_happens_when_some_are_recalled():
    """Of being there, owing what is given and taking it: 24 sums of 200,000, 4 standard errors each, 1.5e-3."""
    base, seen, away = recalled_lives()
    assert seen.distance() < LIMIT
    took = away & (base.ids % 6 == 0)
    assert (base["spell"][took] > 0).all()


@pytest.mark.parametrize("wrong", [-1.0, 0.9])
def test_a_wrong_mass_of_those_recalled_is_found_out(monkeypatch, wrong):
    def recall(block):
        right(block)
        block["recalled_prob"] *= wrong

    right = win_back.WinBack.recall
    monkeypatch.setattr(win_back.WinBack, "recall", staticmethod(recall))
    assert recalled_lives(months=3)[1].distance("active") > LIMIT


def test_a_later_run_goes_on_with_those_recalled():
    """They owe the pack's discount in it too."""
    world = recalling(lively(return_prob=0.0).settings, discount_share=0.2, discount_months=4)
    whole, parts = leavers(2000), leavers(2000)
    owed = {"whole": [], "parts": []}

    def watch(name):
        return lambda block: owed[name].append(block["billed"].mean())

    world.run([(whole, all_take(2000, PACK))], start=4, months=4, observe=watch("whole"))
    world.run([(parts, all_take(2000, PACK))], start=4, months=2, observe=watch("parts"))
    world.run([(parts, None)], start=6, months=2, observe=watch("parts"))
    for name in SCHEMA:
        np.testing.assert_array_equal(parts[name], whole[name], err_msg=name)
    assert owed["parts"] == owed["whole"] and owed["whole"][1] == 1.0 and owed["whole"][3] > 0.4


def test_others_offers_do_nothing_to_those_who_left():
    """A discount to those away, and a pack to those there: the same as a contact without acceptance."""
    world, n = recalling(lively().settings), 300
    for base, code in ((leavers(n), RECOVERY), (leavers(n), DISCOUNT), (subscribers(n), PACK)):
        mere, taken = base.copy(), base.copy()
        for some, accepted in ((mere, 0), (taken, code)):
            world.run([(some, all_take(n, accepted))], start=4, months=4)
        for name in SCHEMA:
            np.testing.assert_array_equal(taken[name], mere[name], err_msg=name)


def test_without_returns_by_themselves_only_the_pack_brings_back():
    """Nobody comes back of its own accord: who does not take it stays away."""
    world = recalling(lifecycle(win_back={"return_prob": 0.0}))
    base = leavers(100)
    shares = []
    world.run([(base, contacts(np.full(100, 0.5), np.where(base.ids % 4 == 0, PACK, 0).astype(np.int8)))], start=4,
              months=2, observe=lambda block: shares.append((block["active"].mean(), block["active_prob"].mean())))
    assert shares == [(0.0, 0.0), (0.25, 0.25)]
    assert base["spell"].tolist() == [int(i % 4 == 0) for i in range(100)]


def test_what_was_given_before_leaving_is_not_owed_after_a_pack():
    """The discount ran when they left; a pack of its own running cost is owed instead, one without is not."""
    for offer, owed in (({}, 0.0), ({"monthly_cost_amount": 2.0, "effect_months": 3}, 1.0)):
        world = recalling(lifecycle(win_back={"return_prob": 0.0}, causes={"price": {"intercept": -30.0}}), **offer)
        base = leavers(50, discount_share=0.3, discount_left_months=10)
        seen = []
        world.run([(base, all_take(50, PACK))], start=4, months=3, observe=lambda block, seen=seen: seen.append(
            (block["billed"].mean(), block["billed_prob"].mean())))
        assert np.array(seen) == approx(np.array([[0.0, 0.0], [owed, owed], [owed, owed]]))

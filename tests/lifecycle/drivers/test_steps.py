"""Each driver by hand, with chosen uniforms, and by the shares it must produce."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.lifecycle.block import Month
from churnsim.lifecycle.drivers import arrears, billing, offers, tenure, usage
from churnsim.lifecycle.settings import CostToServe
from churnsim.lifecycle.treatment import Treatment, apply, contacts, everybody, fade
from churnsim.population.categories import STATES

from ..examples import block_of, draws_of, lifecycle, subscribers
from ..examples import offers as offer_table_of
from .by_hand import Chosen, N, Z, approx, assert_share, log_odds, logistic


def step_of(module, settings):
    settings = settings or lifecycle()
    return module.driver(settings.suspension if module is tenure else settings).step


def after(module, base, *lanes, settings=None, month=7, **surroundings):
    """Let a driver step with the uniforms given for its lanes; lanes not given are one half."""
    block = block_of(base, month=month, **surroundings)
    step_of(module, settings)(block, block.month, Chosen(base.ids, *lanes))
    return base


def drawn(module, settings=None, *, month=7, surroundings=None, **columns):
    base = subscribers(N, **columns)
    block = block_of(base, month=month, **(surroundings or {}))
    step_of(module, settings)(block, block.month, draws_of(base, getattr(module, "EVENTS", usage.NOISE), month=month))
    return base


def test_usage_and_bill_by_hand():
    """Deviation 0.7 x 0.2 + 0.3 x 0.5 sqrt(3); shopping takes 0.6 of usage; a GB over the allowance costs 4."""
    base = subscribers(4, usage_deviation=0.2, allowance_gb=[10, 5, 5, 5], shopping=[0, 0, 1, 0],
                       state=[3, 3, 3, STATES.index("suspended")])
    after(usage, base, 0.7, 0.8, 0.4, 0.6)
    deviation = 0.14 + 0.15 * np.sqrt(3.0)
    full = 5.0 * np.exp(deviation)
    assert base["usage_deviation"].tolist() == approx([deviation] * 4)
    assert base.lag("usage_gb", month=7, months_ago=0).tolist() == approx([full, full, 0.6 * full, 0.0])
    over = 30.0 + 4.0 * (full - 5.0)
    assert base.lag("bill_amount", month=7, months_ago=0).tolist() == approx([30.0, over, 30.0, 3.0])


def test_usage_noise_has_unit_variance():
    """Variance of a sum of four uniforms: its estimate's relative error is sqrt((kurtosis - 1) / n)."""
    noise = drawn(usage, lifecycle(usage={"noise_log_sd": 1.0}))["usage_deviation"].astype(np.float64)
    assert abs(noise.mean()) < Z / np.sqrt(N)
    assert abs(noise.var() - 1.0) < Z * np.sqrt(1.7 / N)


def test_usage_varies_around_the_usual_level():
    """Autoregressive of order one: variance 0.3^2 / (1 - 0.7^2) in the long run, here after 30 months."""
    base = subscribers(20_000)
    step = step_of(usage, lifecycle())
    for month in range(30):
        step(block_of(base, month=month), Month(month), draws_of(base, usage.NOISE, month=month))
    expected = 0.09 / (1.0 - 0.49)
    assert base["usage_deviation"].var() == pytest.approx(expected, rel=Z * np.sqrt(2.0 / 20_000))


def test_bill_shock_is_of_this_months_bill():
    """Bills of months 6, 5, 4 stand in rows 0, 5, 4; this month's becomes 30, or 3 of the suspended."""
    bills = np.full((6, 4), 30.0)
    bills[[0, 5, 4], 0] = [10, 15, 20]
    bills[[0, 5, 4], 1] = [0, 0, 0]
    block = block_of(subscribers(4, bill_amount=bills, state=[3, 3, 3, STATES.index("suspended")]), month=7)
    step_of(usage, None)(block, block.month, Chosen(block.ids))
    assert block.ago("bill_amount", 0).tolist() == approx([30.0, 30.0, 30.0, 3.0])
    assert block["bill_shock"].tolist() == approx([np.log(2.0), 2.0, 0.0, 0.0])


def test_arrears_by_hand():
    """Good standing is lost below 0.1, arrears are cleared below 0.6, else grow, at most to 12."""
    base = after(arrears, subscribers(6, arrears_months=[0, 0, 1, 1, 12, 0], join_month=[0, 0, 0, 0, 0, 8]),
                 [0.09, 0.11, 0.5, 0.5, 0.5, 0.01], [0.1, 0.1, 0.59, 0.61, 0.61, 0.1])
    assert base["arrears_months"].tolist() == [1, 0, 0, 2, 12, 0]


@pytest.mark.parametrize(("payment", "extra"), [(0, 0.0), (1, 0.6)])
def test_share_of_missed_bills(payment, extra):
    base = drawn(arrears, payment=payment)
    assert_share(base["arrears_months"] == 1, logistic(log_odds(0.1) + extra))


def states(base):
    return [STATES[code] for code in base["state"]]


def test_states_follow_tenure():
    base = after(tenure, subscribers(6, tenure_months=[0, 1, 2, 10, 11, 599], state=1, join_month=0), 0.9)
    assert base["tenure_months"].tolist() == [1, 2, 3, 11, 12, 600]
    assert states(base) == ["entry", "entry", "growth", "growth", "stable", "stable"]


def test_entrants_wait_join_and_age():
    base = subscribers(1, join_month=8, tenure_months=0, state=STATES.index("prospect"))
    seen = []
    for month in range(5, 12):
        after(tenure, base, 0.9, month=month)
        seen.append((states(base)[0], int(base["tenure_months"][0])))
    assert seen == [("prospect", 0), ("prospect", 0), ("entry", 0), ("entry", 1), ("entry", 2), ("growth", 3),
                    ("growth", 4)]


def test_decline_is_a_fifth_less_in_three_months():
    """Months 7, 6, 5 stand in rows 1, 0, 5. Entrants of two months have no history that counts."""
    def history(*recent):
        rows = np.full((6, 4), 10.0)
        rows[[5, 0, 1]] = recent
        return rows

    usage_gb = history([10, 7, 10, 7], [10, 8, 10, 7], [10, 9, 10, 7])
    bill = history([10, 10, 8, 10], [10, 10, 8, 10], [8, 10, 8.1, 10])
    base = subscribers(4, usage_gb=usage_gb, bill_amount=bill, tenure_months=[24, 24, 24, 1])
    assert tenure._declining(block_of(base, month=7)).tolist() == [False, True, False, True]
    assert states(after(tenure, base, 0.9)) == ["stable", "decline", "stable", "entry"]


def test_suspension_by_hand():
    """Entered below 0.05, or below 0.19 by migrants; kept at or above 0.4, whatever the first uniform."""
    paused = STATES.index("suspended")
    base = after(tenure, subscribers(6, state=[3, 3, 3, 3, paused, paused], locality=[0, 0, 1, 1, 0, 0]),
                 [0.04, 0.06, 0.18, 0.2, 0.01, 0.9], [0.5, 0.5, 0.5, 0.5, 0.39, 0.41])
    assert states(base) == ["suspended", "stable", "suspended", "stable", "stable", "suspended"]


def test_shares_of_suspension():
    assert_share(drawn(tenure)["state"] == STATES.index("suspended"), 0.05)
    assert_share(drawn(tenure, locality=1)["state"] == STATES.index("suspended"),
                 logistic(log_odds(0.05) + 1.5))


def test_who_left_is_churned_from_the_departure_on():
    base = subscribers(3, departure_time=[6.9, 7.0, 7.1])
    assert [STATES[code] for code in tenure.states_at(base, month=7)] == ["churned", "churned", "stable"]


def billed(base, *, month=7, cost=None, **columns):
    """Return the block after the bill of a month; `columns` are what the months before have left in it."""
    block = block_of(base, month=month)
    driver = billing.driver(cost or lifecycle().cost_to_serve)
    driver.start(block)
    block["active_next_prob"] = 1.0
    for name, values in columns.items():
        block[name] = values
    driver.step(block, block.month, draws_of(base))
    return block


def test_revenue_and_cost_to_serve_by_hand():
    """The bill of month 7 stands in row 1; a line costs 2, and a tenth of the bill."""
    bills = np.full((6, 2), 99.0)
    bills[1] = [40.0, 3.0]
    block = billed(subscribers(2, bill_amount=bills, lines=[1, 3]),
                   cost=CostToServe(fixed_amount=2.0, share_of_revenue=0.1))
    assert block["revenue"].tolist() == [40.0, 3.0]
    assert block["cost_to_serve"].tolist() == approx([6.0, 6.3])


def test_who_is_there_when_the_month_starts():
    """Not who joins later or has left, at the very start of the month included."""
    block = billed(subscribers(5, join_month=[7, 8, 0, 0, 0], departure_time=[np.inf, np.inf, 6.9, 7.0, 7.1]),
                   active_next_prob=[1.0, 1.0, 0.25, 0.5, 0.75])
    assert block["active"].tolist() == [True, False, False, False, True]
    assert block["active_prob"].tolist() == [1.0, 0.0, 0.25, 0.5, 0.75]


def test_a_discount_is_due_from_those_undecided_when_it_was_given():
    """Given at 6.5: decided before it, at it, after it; and gone, though undecided then."""
    block = billed(subscribers(4, decision_time=[6.4, 6.5, 6.6, 6.6], departure_time=[7.5, 7.5, 7.5, 6.9]),
                   given_time=6.5, given_prob=0.75, active_next_prob=[0.9, 0.75, 0.6, 0.2])
    assert block["billed"].tolist() == [False, False, True, False]
    assert block["billed_prob"].tolist() == [0.75, 0.75, 0.6, 0.2]


def test_a_discount_never_exceeds_its_share_of_fee_or_bill():
    """Overage is not discounted; a bill below the fee (service paused) is what the share is taken of."""
    base = subscribers(2, discount_share=0.5, discount_left_months=1, bill_amount=[45.0, 3.0])
    assert billed(base)["discount"].tolist() == [15.0, 1.5]
    assert base["discount_left_months"].tolist() == [0, 0]
    assert billed(base)["discount"].tolist() == [0.0, 0.0]


def test_the_next_three_bills_are_discounted_and_then_a_shock_fades():
    base, contact = subscribers(1), lifecycle().contact
    table = offer_table_of(causes=("price",))
    apply(base, np.arange(1), np.array([table.code("discount")]), offers=table, contact=contact)
    months = []
    for _ in range(7):
        fade(base, contact=contact)
        discount = billed(base)["discount"][0]
        months.append((discount, base["discount_share"][0], base["discount_shock"][0]))
    step = -np.log(0.7)
    expected = [(9.0, 0.3, 0.0)] * 3 + [(0.0, 0.0, step / 2**k) for k in range(4)]
    np.testing.assert_allclose(months, expected, rtol=1e-5)


TABLE = offer_table_of(causes=("price",))
CAMPAIGN = offers.Offers(TABLE, lifecycle().contact)


def test_contacts_are_of_the_first_month_alone():
    block = block_of(subscribers(3))
    block.treatment = contacts(np.array([0.5, np.inf, 0.25]), np.zeros(3, np.int8))
    for month, expected in ((Month(7, first=True), ([0, 2], [0.5, 0.25])), (Month(7), ([], []))):
        rows, times = CAMPAIGN.when(block, month, draws_of(block))
        assert (rows.tolist(), times.tolist()) == expected
    block.treatment = None
    assert len(CAMPAIGN.when(block, Month(7, first=True), draws_of(block))[0]) == 0


def test_the_offer_accepted_stays_on_record_through_a_later_contact():
    """The first contact accepts, the second only meets the subscriber again."""
    block = block_of(subscribers(2))
    code = TABLE.code("contract")
    block.treatment = Treatment(np.array([0, 0, 1]), np.array([0.1, 0.3, 0.2]), np.array([code, 0, 0], np.int8))
    for rows, hits in (([0, 1], [0, 2]), ([0], [1])):
        CAMPAIGN.act(block, np.array(rows), np.array(hits), block.month, draws_of(block))
    assert block["accepted"].tolist() == [code, 0]
    assert block["offer_code"].tolist() == [code, 0]
    assert block["contract_left_months"].tolist() == [13, 0]


def test_when_and_with_what_chance_a_discount_was_given():
    """A contract gives none, nor does a mere contact; after the first month nothing is given."""
    discount, bound = TABLE.code("discount"), TABLE.code("contract")
    block = block_of(subscribers(3), month=7)
    block["given_time"], block["given_prob"], block["undecided_prob"] = -np.inf, 1.0, [0.9, 0.8, 0.7]
    block.treatment = contacts(np.array([0.5, 0.25, 0.75]), np.array([discount, bound, 0], np.int8))
    CAMPAIGN.step(block, Month(7, first=True), draws_of(block))
    for _ in range(2):
        assert block["given_time"].tolist() == [7.5, -np.inf, -np.inf]
        assert block["given_prob"].tolist() == [0.9, 1.0, 1.0]
        block.treatment = everybody(3, contact_time=0.9, accepted=discount)
        CAMPAIGN.step(block, Month(8), draws_of(block))

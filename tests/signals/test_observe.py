"""What the operator sees: observed columns of the past, and features made of nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_world import base_at_campaign, small_world

from churnsim.campaign.wave import Assignment, run_wave
from churnsim.core.columns import HISTORY_MONTHS, Subscribers
from churnsim.core.draws import make_key
from churnsim.evaluation.ledger import EXPECTED, compare_worlds
from churnsim.experiment import stages
from churnsim.population.categories import STATES, USAGE_SCENARIOS
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import OBSERVED, Observed, active_rows, features, listed_rows, observe
from churnsim.signals.settings import SignalsSettings

LATENT = [name for name, column in SCHEMA.items() if column.visibility == "latent"]
KEY = make_key(seed=3, replicate=0)


CLEAN = {
    "missing_share": 0.0,
    "outlier_share": 0.0,
    "outlier_factor": 10.0,
    "late_share": 0.0,
    "duplicate_share": 0.0,
}


def settings(**changes: float) -> SignalsSettings:
    """Return settings; a key of data_quality may be named alone."""
    values: dict[str, Any] = {
        "churn_model": "logistic",
        "risk_horizon_months": 3,
        "list_delay_days": 2.0,
        "usage_noise_log_sd": 0.1,
        "silent_days": 90.0,
    }
    quality = {name: changes.pop(name, usual) for name, usual in CLEAN.items()}
    return SignalsSettings.model_validate(values | changes | {"data_quality": quality})


@pytest.fixture(scope="module")
def base() -> Subscribers:
    return base_at_campaign(small_world())


MONTH = 8


def test_no_latent_column_is_there() -> None:
    table = observe(Subscribers.empty(SCHEMA, np.arange(3)), month=MONTH, settings=settings(), key=KEY)
    assert len(LATENT) >= 10
    for name in LATENT:
        assert name not in table.schema and name not in table.columns
        with pytest.raises(KeyError):
            table[name]
    assert set(table.columns) == set(SCHEMA) - set(LATENT) == set(OBSERVED)


def test_latent_values_change_nothing(base: Subscribers) -> None:
    other = base.copy()
    rng = np.random.default_rng(1)
    for name in set(LATENT) - {"departure_time"}:
        other[name] = rng.permutation(other[name]) + 1
    # Who has left by now is silent, which the systems show; departures to come they cannot.
    later = base["departure_time"] > MONTH
    other["departure_time"][later] = rng.uniform(MONTH + 0.01, MONTH + 3.0, later.sum())
    assert not later.all()
    seen = [features(observe(b, month=MONTH, settings=settings(), key=KEY)) for b in (base, other)]
    pd.testing.assert_frame_equal(*seen, check_exact=True)


def test_later_months_change_nothing(base: Subscribers) -> None:
    later = base.copy()
    table = observe(later, month=MONTH, settings=settings(), key=KEY)
    before = features(table)
    small_world().engine.run([(later, None)], start=MONTH, months=HISTORY_MONTHS)
    assert not np.array_equal(later["usage_gb"], base["usage_gb"])
    pd.testing.assert_frame_equal(features(table), before, check_exact=True)


def test_features_by_hand() -> None:
    one = Subscribers.empty(SCHEMA, np.array([41]))
    values = {
        "customer_type": 1,
        "lines": 4,
        "locality": 0,
        "payment": 0,
        "plan_price_amount": 100.0,
        "tenure_months": 24,
        "contract_left_months": 2,
        "complaint_stock": 1.5,
        "fault_stock": 0.5,
        "ad_click_stock": 2.0,
        "arrears_months": 3,
        "discount_share": 0.25,
        "usage_scenario": USAGE_SCENARIOS.index("converged_family"),
        "building_access": 1,
        "acquisition_channel": 2,
        "brand_tier": 2,
        "broadband": 1,
        "smart_home": 1,
        "device_age_months": 9,
        "spell": 1,
        "termination_fee_amount": 150.0,
        "lock_in_amount": 60.0,
        "lock_in_left_months": 4,
        "balance_amount": 25.0,
        "recharge_days": 45.0,
        "plan_change_stock": 1.2,
        "app_logins": 3.0,
        "ticket_hours": 19.0,
        "ticket_open": 1,
        "hotline_stock": 1.4,
        "shop_stock": 0.7,
        "nps": 9,
        "porting_request": 1,
        "contact_stock": 2.5,
        "contract_ended_months": 3,
        "months_since_offer": 4,
        "state": STATES.index("suspended"),
    }
    for name, value in values.items():
        one[name] = value
    for ago, (usage, bill) in enumerate(
        ((2.0, 130.0), (4.0, 100.0), (6.0, 110.0), (8.0, 90.0), (1.0, 1.0), (3.0, 1.0)), start=1
    ):
        one.lag("usage_gb", month=MONTH, months_ago=ago)[:] = usage
        one.lag("bill_amount", month=MONTH, months_ago=ago)[:] = bill
        one.lag("voice_minutes", month=MONTH, months_ago=ago)[:] = 10.0 * usage
    found = features(Observed(one, MONTH))
    assert found.index.tolist() == [41] and found.index.name == "subscriber"
    expected = {
        "log_price": np.log(25.0),
        "log_lines": np.log(4.0),
        "family": 1.0,
        "enterprise": 0.0,
        **{f"is_{name}": float(name == "converged_family") for name in USAGE_SCENARIOS[1:]},
        "prepaid": 0.0,
        "migrant": 0.0,
        "shared_building": 1.0,
        "online": 0.0,
        "dealer": 1.0,
        "budget_brand": 0.0,
        "premium_brand": 1.0,
        "broadband": 1.0,
        "smart_home": 1.0,
        "device_age": np.log(10.0),
        "log_tenure": np.log(25.0),
        "newness": np.exp(-8.0),
        "came_back": 1.0,
        "out_of_contract": 0.0,
        "contract_ending": 1.0,
        "contract_just_ended": np.exp(-2.0),
        "contract_left": 2.0,
        "termination_fee": 1.5,
        "lock_in": 0.6,
        "balance": 0.25,
        "recharge_months": 1.5,
        "arrears": 3.0,
        "plan_changes": 1.2,
        "suspended": 1.0,
        "discount": 0.25,
        "log_usage": np.log(2.0),
        "usage_change": np.log(2.0 / 6.0),
        "usage_trend": np.log(4.0 / 4.0),
        "log_voice": np.log(20.0),
        "voice_change": np.log(2.0 / 6.0),
        "bill_change": np.log(1.3),
        "app_logins": np.log(4.0),
        "complaints": 1.5,
        "ticket_hours": np.log(20.0),
        "ticket_open": 1.0,
        "faults": 0.5,
        "hotline_calls": 1.4,
        "shop_visits": 0.7,
        "surveyed": 1.0,
        "nps": 9.0,
        "ad_clicks": 2.0,
        "porting_request": 1.0,
        "contacts": 2.5,
        "recent_offer": 0.2,
    }
    assert dict(found.dtypes) == dict.fromkeys(expected, np.dtype(np.float64))
    assert found.iloc[0].to_dict() == pytest.approx(expected, rel=1e-6)


def test_features_of_the_unused_line_are_finite() -> None:
    nothing = Subscribers.empty(SCHEMA, np.array([1]))
    nothing["lines"] = 1
    nothing["nps"] = -1
    found = features(Observed(nothing, MONTH))
    assert np.isfinite(found.to_numpy()).all()
    assert found[["surveyed", "nps", "lock_in"]].to_numpy().tolist() == [[0.0, 0.0, 0.0]]


def test_every_observed_column_but_these_is_in_the_features(base: Subscribers) -> None:
    """Each is changed alone; the rest stands in for others, or is not a researcher's feature [choice]."""
    unused = {
        "region", "cell", "contactable", "call_consent", "sms_consent", "app_consent", "answer_habit", "read_habit",
        "app_habit", "allowance_gb", "value_tier", "spell_months", "contract_length_months", "complaint_type",
        "discount_left_months", "newcomer_discount_share", "newcomer_discount_left_months", "offer_code",
        "offer_left_months",
    }  # fmt: skip
    few = base.take(np.arange(50))
    few["lock_in_left_months"], few["lock_in_amount"], few["state"] = 1, 1.0, STATES.index("suspended")
    usual = features(Observed(few, MONTH))
    idle = set()
    for name in OBSERVED:
        other = few.copy()
        other[name] = other[name] == 0 if other[name].dtype.kind == "i" and name != "lines" else other[name] + 1
        if features(Observed(other, MONTH)).equals(usual):
            idle.add(name)
    assert idle == unused


def left_before(month: float, *, payment: int) -> Subscribers:
    """One who left at `month`: six months of use, logins, a balance, an open ticket."""
    one = Subscribers.empty(SCHEMA, np.array([5]))
    for name, value in {"payment": payment, "lines": 1, "recharge_days": 10.0, "balance_amount": 7.0, "app_logins": 3.0,
                        "ticket_open": 1, "porting_request": 1, "departure_time": month, "usage_gb": 2.0,
                        "voice_minutes": 30.0, "bill_amount": 20.0}.items():  # fmt: skip
        one[name] = value
    return one


def test_who_pays_in_advance_and_left_is_silent() -> None:
    """Left at 6.5: month 6 shows its use, month 7 none, and 45 days have passed at 8."""
    table = observe(left_before(6.5, payment=1), month=8, settings=settings(usage_noise_log_sd=0.0), key=KEY)
    for name, usual in (("usage_gb", 2.0), ("voice_minutes", 30.0), ("bill_amount", 20.0)):
        months = [float(table.lag(name, month=8, months_ago=ago)[0]) for ago in range(1, 7)]
        assert months == [0.0, usual, usual, usual, usual, usual], name
    assert table["recharge_days"][0] == 45.0
    assert [table[name][0] for name in ("balance_amount", "app_logins", "ticket_open", "porting_request")] == [0] * 4
    lately = observe(left_before(7.5, payment=1), month=8, settings=settings(usage_noise_log_sd=0.0), key=KEY)
    assert (lately["usage_gb"] == 2.0).all() and lately["recharge_days"][0] == 15.0
    assert lately["app_logins"][0] == 3.0 and lately["balance_amount"][0] == 0.0
    kept = left_before(8.5, payment=1)
    table = observe(kept, month=8, settings=settings(usage_noise_log_sd=0.0), key=KEY)
    assert all(np.array_equal(table[name], kept[name]) for name in OBSERVED)


def test_who_left_and_is_missed_is_churned_and_silent() -> None:
    """Who pays after use at once, who pays in advance after 90 days: left at 6.5 and at 4.5."""
    for left, payment, churned in ((6.5, 0, True), (6.5, 1, False), (4.5, 1, True), (8.5, 0, False)):
        before = left_before(left, payment=payment)
        table = observe(before, month=8, settings=settings(usage_noise_log_sd=0.0), key=KEY)
        assert (table["state"][0] == STATES.index("churned")) == churned
        assert before["state"][0] != STATES.index("churned")
        assert (table.lag("bill_amount", month=8, months_ago=1)[0] == 0.0) == (left <= 7.0)
        # Stocks of the account are no recharges of it: only who pays in advance waits for one.
        assert table["recharge_days"][0] == max(before["recharge_days"][0], 30 * (8 - left) * payment)


def test_noise_is_on_usage_alone_and_the_delay_on_nothing(base: Subscribers) -> None:
    base = base.take(active_rows(base, month=MONTH))
    exact = observe(base, month=MONTH, settings=settings(usage_noise_log_sd=0.0), key=KEY)
    noisy = observe(base, month=MONTH, settings=settings(), key=KEY)
    delayed = observe(base, month=MONTH, settings=settings(list_delay_days=9.0), key=KEY)
    for name in OBSERVED:
        assert np.array_equal(exact[name], base[name]), name
        assert np.array_equal(noisy[name], base[name]) is (name != "usage_gb"), name
        assert np.array_equal(noisy[name], delayed[name]), name


def test_noise_has_its_size_and_a_key_for_each_subscriber_and_month(base: Subscribers) -> None:
    base = base.take(active_rows(base, month=MONTH))
    noisy = observe(base, month=MONTH, settings=settings(), key=KEY)
    for before, after in zip(base["usage_gb"], noisy["usage_gb"], strict=True):
        error = np.log(after[before > 0] / before[before > 0])
        # 4 standard errors of a standard deviation, six months: false alarm below 4e-4.
        assert error.std() == pytest.approx(0.1, abs=4 * 0.1 / np.sqrt(2 * error.size))
    rows = np.array([7, 3])
    some = observe(base.take(rows), month=MONTH, settings=settings(), key=KEY)
    assert np.array_equal(some["usage_gb"], noisy["usage_gb"][:, rows])
    assert not np.allclose(*(np.log(noisy["usage_gb"][k, rows] / base["usage_gb"][k, rows]) for k in (0, 1)))


def test_active_are_those_on_the_network_decided_or_not() -> None:
    base = Subscribers.empty(SCHEMA, np.arange(5))
    base["join_month"] = [-3, 8, 7, 0, 0]
    base["decision_time"] = [np.inf, np.inf, 7.9, 7.9, 7.0]
    base["departure_time"] = [np.inf, np.inf, 8.2, 8.0, 7.5]
    assert active_rows(base, month=8).tolist() == [0, 2]


def test_listed_are_the_active_and_who_pays_in_advance_and_is_not_missed_yet() -> None:
    base = Subscribers.empty(SCHEMA, np.arange(6))
    base["join_month"] = [-3, -3, -3, -3, 8, 0]
    base["payment"] = [1, 1, 0, 1, 1, 0]
    base["departure_time"] = [np.inf, 5.01, 7.9, 5.0, np.inf, 8.5]
    assert listed_rows(base, month=8, silent_days=90.0).tolist() == [0, 1, 5]
    assert listed_rows(base, month=8, silent_days=91.0).tolist() == [0, 1, 3, 5]
    assert listed_rows(base, month=8, silent_days=0.0).tolist() == active_rows(base, month=8).tolist() == [0, 5]
    # Those known to have left within a month stand there too, if they are asked for.
    assert listed_rows(base, month=8, silent_days=0.0, lost_months=1).tolist() == [0, 2, 5]
    assert listed_rows(base, month=8, silent_days=90.0, lost_months=1).tolist() == [0, 1, 2, 5]
    assert active_rows(base, month=8, lost_months=1).tolist() == [0, 2, 5]


def test_a_contact_to_one_who_has_left_costs_money_and_changes_nothing() -> None:
    """All who left unnoticed are called with an offer; both worlds of each are the same but for the calls.

    Nobody comes back here: who does goes on along a path that a contact may have changed.
    """
    world = small_world("population.size=3000", "lifecycle.win_back.return_prob=0.0")
    e = world.experiment
    history = stages.history(world)
    base = stages.decision_base(history, world.engine.schema)
    gone = np.flatnonzero(base["departure_time"] <= e.campaign_month)
    assert len(gone) > 10 and (base["payment"][gone] == 1).all()
    everyone = Assignment(gone, np.ones(len(gone), np.int64), np.full(len(gone), "call"), np.zeros(len(gone)),
                          np.zeros(len(gone)))
    wave = run_wave(everyone, base, engine=world.engine, channels=e.channels, capacity=e.capacity, offers=world.offers,
                    month=e.campaign_month, release_days=2.0, deadline_days=25.0, unlimited=True)  # fmt: skip
    assert wave.reached.any() and (wave.accepted > 0).any()
    books, in_time = stages.resolve(world, base.take(gone), wave)
    reference, treated = books.worlds
    money = compare_worlds(reference, treated, estimate=EXPECTED)
    assert (money.contact_cost == wave.contact_cents).all() and wave.contact_cents.sum() > 0
    assert not in_time.any() and not money.offer_cost.any() and not money.saved_margin.any()

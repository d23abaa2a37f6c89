from __future__ import annotations

import pytest

from churnsim.capacity.case import Case
from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.points import count_points
from churnsim.capacity.settings import Incentives

from .examples import KEY, centre, order_list, team, voice

SURE = voice(answer_prob_by_hour=(1.0,) * 24, handle_minutes_mean=3.0, handle_scv=0.0)


def log_of(accept_prob: object, n: int = 400) -> object:
    return Case(order_list(n, accept_prob=accept_prob), {"voice": SURE}, centre(team())).work(20)


def rules(**changes: float) -> Incentives:
    return Incentives(**{"false_save_prob": 0.0, "audit_share": 0.0, "point_value_amount": 0.1, **changes})


def test_by_hand():
    """Of 400 all but 100 decline; every false report is found: 30 points, less 60."""
    log = log_of([1.0] * 100 + [0.0] * 300)
    honest = count_points(log, rules(), key=KEY, month=0).sum(numeric_only=True)
    assert (honest["talked"], honest["reported_saves"], honest["true_saves"]) == (400, 100, 100)
    assert honest["partials"] == 300
    assert honest["points"] == 100 * 30 + 300 * 2
    assert honest["points_amount"] == pytest.approx(360.0)
    liars = count_points(log, rules(false_save_prob=1.0, audit_share=1.0), key=KEY, month=0).sum(numeric_only=True)
    assert (liars["reported_saves"], liars["true_saves"], liars["found_false"], liars["partials"]) == (400, 100, 300, 0)
    assert liars["points"] == 400 * 30 - 300 * 60


def test_false_reports_and_checks_come_at_their_rates():
    log = log_of(0.25, n=2000)
    found = count_points(log, rules(false_save_prob=0.2, audit_share=0.3), key=KEY, month=0)
    total = found.sum(numeric_only=True)
    assert total["reported_saves"] == total["true_saves"] + total["false_saves"]
    assert total["talked"] == total["reported_saves"] + total["partials"]
    # 4 standard errors of about 1500 and 800 draws: a false alarm 1 time in 16,000 each.
    assert total["false_saves"] / (total["talked"] - total["true_saves"]) == pytest.approx(0.2, abs=0.042)
    assert total["checked"] / total["reported_saves"] == pytest.approx(0.3, abs=0.065)
    assert (found["found_false"] <= found["false_saves"]).all()


def test_a_wider_check_changes_no_report():
    log = log_of(0.25)
    some, many = (count_points(log, rules(false_save_prob=0.2, audit_share=share), key=KEY, month=0)
                  for share in (0.1, 0.6))
    assert some["false_saves"].equals(many["false_saves"])
    assert (some["checked"] <= many["checked"]).all()


def test_the_metrics_have_them_only_with_incentives():
    for incentives in (None, rules(false_save_prob=0.5)):
        case = Case(order_list(50, accept_prob=0.5), {"voice": SURE}, centre(team(), incentives=incentives))
        found = centre_metrics(case.work(20), case.orders, channels=case.channels, capacity=case.capacity, key=KEY,
                               month=0)
        rows = found[(found["by"] == "points") & (found["group"] == "all")].set_index("metric")["value"]
        assert len(rows) == (0 if incentives is None else 9)
        assert incentives is None or rows["reported_saves"] > rows["true_saves"]


def test_a_log_that_tells_nothing_has_no_rows():
    log = Case(order_list(10), {"voice": SURE}, centre(team())).work(20)
    assert len(count_points(log, rules(), key=KEY, month=0)) == 0

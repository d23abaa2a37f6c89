from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from churnsim.capacity.case import Case
from churnsim.capacity.log import ContactLog
from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import BatchChannel, CapacitySettings, InboundStream, Law, LiveChannel, Shift, Team
from churnsim.capacity.shadow import shadow_prices
from churnsim.capacity.staffing import ServiceGoal, staff_for_service_level
from churnsim.capacity.theory.abandonment import erlang_a
from churnsim.report.centre import write_centre_report, write_staffing_report
from churnsim.report.centre_numbers import busiest_day, hours_of_day, reach_by_attempt, waits
from churnsim.report.centre_tables import metric_tables

SEED = 4
WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def a_case(orders: int = 300, calls: float = 20.0) -> Case:
    """Return agents at work from 8 to 20 on all days, orders for a day and a half, callers at one rate."""
    rng = np.random.default_rng(2)
    ids = np.arange(orders)
    team = Team(agents=4, cost_per_hour_amount=30.0, channels=("call",), inbound=("desk",), weekdays=WEEK,
                shifts=(Shift(start_hour=8.0, end_hour=20.0),))
    stream = InboundStream(calls_per_hour_by_hour=(0.0,) * 8 + (calls,) * 12 + (0.0,) * 4,
                           patience=Law(law="exponential", mean_minutes=2.0),
                           handle=Law(law="exponential", mean_minutes=6.0))
    channel = LiveChannel(kind="live", answer_prob_by_hour=(0.4,) * 24, handle_minutes_mean=6.0, retry_delay_hours=20.0)
    return Case(
        Orders(ids, ids, np.full(orders, "call"), np.full(orders, "x"), rng.gamma(2.0, 10.0, orders),
               np.ones(orders), rng.uniform(0.0, 200.0, orders), np.full(orders, 400.0)),
        {"call": channel, "sms": BatchChannel(kind="batch", read_prob=0.5, throttle_per_hour=100.0)},
        CapacitySettings(teams={"day": team}, inbound={"desk": stream}))


def metrics_of(case: Case, log: ContactLog) -> pd.DataFrame:
    return centre_metrics(log, case.orders, channels=case.channels, capacity=case.capacity, key=case.key(SEED),
                          month=case.month)


def test_hours_add_up_to_the_log():
    case = a_case()
    log = case.work(SEED)
    frame = hours_of_day(log, case, case.roster(SEED))
    queue = frame[frame["what"] == "callers waiting"]["value"].sum() * 30
    assert queue == pytest.approx((np.minimum(log.calls.start_hours, log.calls.end_hours)
                                   - log.calls.call_hours).sum())
    busy = frame[frame["what"] == "occupancy"]
    assert busy["hour"].tolist() == list(range(8, 20))
    handled = log.attempts.handled_hours.sum() + log.calls.handled_hours.sum()
    overtime = log.attempts.overtime_hours.sum() + log.calls.overtime_hours.sum()
    assert (busy["value"] * 4 * 30).sum() == pytest.approx(handled - overtime)


def test_attempts_by_hour_add_up():
    log = a_case().work(SEED)
    frame = reach_by_attempt(log)
    assert frame["attempts"].sum() == len(log.attempts)
    assert frame["reached"].sum() == log.attempts.is_reached.sum()


def test_no_agent_does_two_things_on_the_busiest_day():
    case = a_case()
    day, spans = busiest_day(case.work(SEED), case, case.roster(SEED))
    assert 0 <= day < 30
    for agent in {span.agent for span in spans}:
        done = sorted((span.start, span.end) for span in spans if span.agent == agent and span.what != "at work")
        assert all(end <= start + 1e-9 for (_, end), (start, _) in pairwise(done))


def test_waits_of_callers_alone_are_those_of_erlang_a():
    """All callers come while four agents are there: one queue, stationary but for the first minutes of a day."""
    frame = waits(a_case(orders=0).work(SEED), a_case(orders=0), "desk")
    truth = erlang_a(4, 20.0, handle_hours=0.1, patience_hours=1 / 30)
    assert frame["erlang_a"].iloc[4] == pytest.approx(1.0 - truth.within(20 / 3600))
    # 7,200 calls in batches of a day: a standard error of about 0.005; 5 of them.
    assert frame["simulated"].to_numpy() == pytest.approx(frame["erlang_a"].to_numpy(), abs=0.025)


def test_the_report_of_a_month(tmp_path):
    case = a_case()
    log = case.work(SEED)
    metrics = metrics_of(case, log)
    page = write_centre_report(tmp_path, case, log, metrics, name="try", currency="USD", seed=SEED,
                               shadow=shadow_prices(case, seeds=(1, 2)), shadow_seeds=2)
    text = page.read_text()
    figures = {path.stem: path.read_text() for path in (tmp_path / "figures").glob("*.svg")}
    assert set(figures) == {"waterfall", "gantt", "hours", "reach_by_attempt", "waits", "shadow_price"}
    for svg in figures.values():
        assert svg in text
        assert ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title") is not None
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "metrics.csv"), metrics)
    assert {path.stem for path in (tmp_path / "tables").iterdir()} == {
        "metrics", "hours", "reach_by_attempt", "waits", "shadow_prices"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_report_of_an_empty_month(tmp_path):
    case = a_case(orders=0, calls=0.0)
    log = case.work(SEED)
    page = write_centre_report(tmp_path, case, log, metrics_of(case, log), name="try", currency="USD", seed=SEED)
    assert "waterfall" not in page.read_text()


def test_the_report_of_a_search(tmp_path):
    case = a_case(orders=0)
    found = staff_for_service_level(case, "day", ServiceGoal("desk", 0.8, 20.0), seeds=(1, 2))
    page = write_staffing_report(tmp_path, found, pd.DataFrame(), name="try", currency="USD", seeds=(1, 2))
    assert found.answer in page.read_text()
    assert len(pd.read_csv(tmp_path / "tables" / "staffing.csv")) == len(found.curve)
    assert (tmp_path / "figures" / "service_level_by_agents.svg").exists()


def test_metrics_are_read_with_their_units():
    case = a_case(orders=50)
    tables = {table.caption: table for table in metric_tables(metrics_of(case, case.work(SEED)), currency="USD")}
    rows = {row[0]: row[1:] for row in tables["All orders"].rows}
    assert rows["targeted"] == ("50", "orders")
    assert rows["contact cost"][1] == "USD"
    assert rows["reach rate"][0].endswith(" %") and rows["reach rate"][1] == ""
    assert tables["By team"].heads == ("metric", "day", "unit")

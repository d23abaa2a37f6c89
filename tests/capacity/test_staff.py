"""Agents by hand, on both engines: shifts, holidays, absence, skills, speed, and contacts beyond a shift's end."""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.settings import Learning, Shift

from .examples import EVERY_DAY, centre, hour_calls, order_list, team, voice, work_by_both


def run(orders, *teams, month=0, channel=None, **changes):
    channels = {"voice": voice(**hour_calls(**(channel or {})))}
    return work_by_both(orders, channels, centre(*teams, dispatch="value", **changes), month=month)


def starts(orders, *teams, **changes):
    return run(orders, *teams, **changes).attempts.start_hours.tolist()


def test_no_shift_begins_on_a_holiday():
    assert starts(order_list(1), team(agents=1), holidays=(0, 1)) == [57.0]
    assert starts(order_list(1, release_hours=720.0), team(agents=1, weekdays=EVERY_DAY), holidays=(30,), month=1) == [
        753.0]


def test_breaks_are_kept_and_a_contact_runs_into_them():
    broken = Shift(start_hour=9.0, end_hour=13.0, breaks=((10.5, 11.25), (12.0, 12.5)))
    assert starts(order_list(4), team(agents=1, shifts=(broken,), weekdays=EVERY_DAY)) == [9.0, 10.0, 11.25, 12.5]


def test_a_night_shift_works_the_hours_of_the_next_day():
    """Monday's from 22 to 2, with a break at midnight; the window is open all day. Sunday's last meets the month."""
    night = (Shift(start_hour=22.0, end_hour=26.0, breaks=((24.0, 24.5),)),)
    crew = team(agents=1, shifts=night, weekdays=("monday",))
    always = {"calling_window_hours": (0.0, 24.0)}
    assert starts(order_list(5), crew, channel=always) == [22.0, 23.0, 24.5, 25.5, 190.0]
    # Day 29 is a Tuesday when day 0 is a Monday: its shift goes on in month 1.
    tuesday = team(agents=1, shifts=night, weekdays=("tuesday",))
    assert starts(order_list(1, release_hours=720.0), tuesday, channel=always, month=1) == [720.5]


def test_a_window_narrower_than_the_shift():
    assert starts(order_list(3), team(agents=1), channel={"calling_window_hours": (12.0, 15.0)}) == [12.0, 14.0, 36.0]


def test_the_share_of_agents_away():
    """1000 agents, 0.3 away: 4 standard errors, 6 in 100,000 keys would fail; the next day others are away."""
    crew = team(agents=1000, absence_prob=0.3, shifts=(Shift(start_hour=9.0, end_hour=10.0),))
    log = run(order_list(2000), crew)
    here = [set(log.attempts.agent[log.attempts.start_hours == hour].tolist()) for hour in (9.0, 33.0)]
    assert abs(len(here[0]) - 700) < 4 * np.sqrt(1000 * 0.3 * 0.7)
    assert abs(len(here[0] & here[1]) - 490) < 4 * np.sqrt(1000 * 0.49 * 0.51)


def test_who_is_away_comes_on_another_day_and_nobody_for_good():
    log = run(order_list(400), team(agents=3, absence_prob=0.5, weekdays=EVERY_DAY))
    assert set(log.attempts.agent.tolist()) == {0, 1, 2}
    by_day = [set(log.attempts.agent[log.attempts.start_hours // 24 == day].tolist()) for day in range(30)]
    assert len({frozenset(day) for day in by_day}) > 4


def test_skills_choose_the_agents():
    """The order in German waits for the second team; who speaks it also takes what asks for nothing."""
    orders = order_list(3, skill=["", "de", ""], value=[3, 2, 1])
    log = run(orders, team(agents=1), team(agents=1, skills=("de",)))
    assert log.attempts.order_id.tolist() == [0, 1, 2]
    assert log.attempts.team.tolist() == ["t0", "t1", "t0"]
    alone = run(order_list(2, skill=["", "de"]), team(agents=0), team(agents=1, skills=("de",)))
    assert alone.outcomes.outcome.tolist() == ["reached", "reached"]


def test_learning_by_hand():
    """Half as fast at first, three quarters after one contact, seven eighths after two; silence teaches nothing."""
    crew = team(agents=1, learning=Learning(start_factor=0.5, half_contacts=1.0), weekdays=EVERY_DAY,
                shifts=(Shift(start_hour=9.0, end_hour=20.0),))
    log = run(order_list(4, value=[9, 8, 7, 6], answer_habit=[1, 0, 1, 1]), crew, channel={"max_attempts": 1})
    assert log.attempts.handled_hours == pytest.approx([2.0, 1.0, 4 / 3, 8 / 7])


def test_productivity_spreads_about_its_mean():
    """2000 agents, mean 2, variation 0.25: hours of an answered hour are 1 / productivity.

    4 standard errors: 6 in 100,000 keys would fail each.
    """
    log = run(order_list(2000), team(agents=2000, productivity=2.0, productivity_cv=0.25))
    speed = 1.0 / log.attempts.handled_hours
    assert len(set(log.attempts.agent.tolist())) == 2000
    assert abs(speed.mean() - 2.0) < 4 * 0.5 / np.sqrt(2000)
    assert speed.std() / speed.mean() == pytest.approx(0.25, abs=4 * 0.25 * np.sqrt(0.75 / 2000))


@pytest.mark.parametrize(("shift_end", "ends", "overtime", "cents"), [
    ("finish", [11.5, 14.0], [0.0, 1.0], [7505, 9005]), ("hand_back", [11.5, 13.0], [0.0, 0.0], [7505, 4505])])
def test_a_contact_at_the_end_of_a_shift(shift_end, ends, overtime, cents):
    """150 minutes from 11:30, the shift ends at 13: an hour of overtime at 45, or broken off and begun again at 14."""
    crew = team(agents=1, shift_end=shift_end, overtime_factor=1.5 if shift_end == "finish" else 1.0)
    log = run(order_list(2), crew, channel={"handle_minutes_mean": 150.0})
    assert log.attempts.end_hours[:2].tolist() == ends
    assert log.attempts.overtime_hours[:2].tolist() == overtime
    assert log.attempts.cost_cents[:2].tolist() == cents
    assert log.outcomes.outcome.tolist() == ["reached", "reached"]
    if shift_end == "hand_back":
        assert log.attempts.disposition.tolist() == ["reached", "handed_back", "reached"]
        assert log.attempts.start_hours.tolist() == [9.0, 11.5, 14.0]
        assert log.attempts.due_hours.tolist() == [0.0, 0.0, 13.0]
        assert log.outcomes.contact_hours.tolist() == [9.0, 14.0]


def test_a_contact_handed_back_while_it_rings_was_not_answered():
    """The agent reads for an hour, half of it before the shift's end: no talk, no after-call work."""
    crew = team(agents=1, shift_end="hand_back", shifts=(Shift(start_hour=9.0, end_hour=9.5),))
    log = run(order_list(1), crew, channel={"dialling": "preview", "preview_minutes": 60.0, "wrap_share": 0.5,
                                            "max_attempts": 1})
    assert log.attempts.disposition.tolist() == ["handed_back"]
    assert (log.attempts.answer_hours.tolist(), log.attempts.end_hours.tolist()) == ([np.inf], [9.5])
    assert log.attempts.wrap_hours.tolist() == [0.0]
    assert log.outcomes.outcome.tolist() == ["exhausted"]


def test_after_call_work_is_a_share_of_the_talk():
    log = run(order_list(2, value=[2, 1], answer_habit=[1, 0], max_attempts=1), team(agents=1),
              channel={"wrap_share": 0.25, "ring_minutes": 30.0})
    assert log.attempts.handled_hours.tolist() == [1.5, 1.0]
    assert log.attempts.wrap_hours.tolist() == [0.25, 0.0]

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.capacity.calendar import (
    agent_hours_by_hour,
    batch_opening,
    day_hours,
    hired_staff,
    live_opening,
    staffed_hours,
    working_days,
)
from churnsim.capacity.settings import Shift
from churnsim.errors import CapacityError

from .examples import EVERY_DAY, ROUND_THE_CLOCK, centre, sms, team, voice


def test_a_day_is_the_shifts_without_their_breaks():
    split = team(shifts=(Shift(start_hour=14.0, end_hour=18.0), Shift(start_hour=9.0, end_hour=13.0,
                                                                      breaks=((11.0, 11.25), (10.0, 10.5)))))
    assert list(day_hours(split, 1, month=0)) == [(33.0, 34.0), (34.5, 35.0), (35.25, 37.0), (38.0, 42.0)]


def test_shifts_that_meet_are_one_stretch_and_the_month_cuts_them():
    """A shift over midnight began on the day before the month; what passes its end is worked in the next."""
    night = team(shifts=(Shift(start_hour=20.0, end_hour=24.0), Shift(start_hour=24.0, end_hour=30.0)))
    assert list(day_hours(night, 3, month=0)) == [(92.0, 102.0)]
    assert list(day_hours(night, 29, month=1)) == [(720.0, 726.0)]
    assert list(day_hours(night, 29, month=0)) == [(716.0, 720.0)]


def test_holidays_and_weekdays_choose_the_days():
    capacity = centre(team(weekdays=("monday", "wednesday")), holidays=(2, 7))
    assert list(working_days(capacity.teams["t0"], capacity, month=0)) == [0, 9, 14, 16, 21, 23, 28]
    # Day 29, a Tuesday, is asked about too: a shift of its may run into the month.
    assert list(working_days(team(weekdays=("tuesday",)), centre(), month=1))[:2] == [29, 36]


def test_weekdays_run_on_from_month_to_month():
    # Day 30 is a Wednesday when day 0 is a Monday, and a Thursday when it is a Tuesday.
    midweek = team(weekdays=("wednesday",))
    assert live_opening("voice", voice(), centre(midweek), month=1).starts[0] == 720 + 9
    later = centre(midweek, start_weekday="tuesday")
    assert live_opening("voice", voice(), later, month=1).starts[0] == 720 + 6 * 24 + 9
    assert staffed_hours(midweek, centre(midweek), month=0) == 2 * 4 * 8
    assert staffed_hours(midweek, centre(midweek), month=1) == 2 * 5 * 8


def test_an_opening_joins_what_touches():
    halves = team(weekdays=EVERY_DAY, shifts=(Shift(start_hour=0.0, end_hour=12.0),
                                              Shift(start_hour=12.0, end_hour=24.0)))
    opening = live_opening("voice", voice(calling_window_hours=(0.0, 24.0)), centre(halves), month=2)
    assert opening.starts.tolist() == [1440.0]
    assert opening.ends.tolist() == [2160.0]


def test_next_open_by_hand():
    opening = batch_opening(sms(), month=0)
    at = np.array([0.0, 8.0, 20.9, 21.0, 717.0, 900.0])
    assert opening.next_open(at).tolist() == [8.0, 8.0, 20.9, 32.0, np.inf, np.inf]


def test_open_hours_by_hand():
    opening = batch_opening(sms(), month=0)
    assert opening.elapsed(np.array([7.0, 9.0, 22.0, 33.0])).tolist() == [0.0, 1.0, 13.0, 14.0]
    assert opening.moment(np.array([0.0, 1.0, 13.0, 14.0, 390.0])).tolist() == [8.0, 9.0, 32.0, 33.0, np.inf]


@given(st.floats(0.0, 719.0), st.sampled_from([(0.0, 24.0), (8.0, 21.0), (9.5, 10.25)]))
def test_moment_undoes_elapsed_while_open(at, window):
    opening = batch_opening(sms(calling_window_hours=window), month=0)
    start = opening.next_open(np.array([at]))
    if np.isfinite(start[0]):
        assert opening.moment(opening.elapsed(start)) == pytest.approx(start, abs=1e-9)


def test_agent_hours_by_hand():
    early = team(agents=1, weekdays=("monday",), shifts=(Shift(start_hour=7.0, end_hour=9.5),))
    capacity = centre(team(), early, team(channels=()))
    hours = agent_hours_by_hour("voice", voice(), capacity)
    expected = np.zeros(24)
    expected[[9, 10, 11, 12, 14, 15, 16, 17]] = 10.0
    expected[8] = 1.0
    expected[9] += 0.5
    assert hours.tolist() == expected.tolist()


def test_hired_staff_weighs_teams_by_agents():
    capacity = centre(team(agents=3, cost_per_hour_amount=20.0),
                      team(agents=1, cost_per_hour_amount=40.0, productivity=2.0, shifts=ROUND_THE_CLOCK),
                      team(agents=0, cost_per_hour_amount=500.0))
    staff = hired_staff("voice", voice(), capacity)
    assert (staff.cost_per_hour_amount, staff.productivity) == (25.0, 1.25)
    with pytest.raises(CapacityError) as caught:
        hired_staff("desk", voice(), capacity)
    assert str(caught.value) == ("no agents serve the live channel 'desk'; "
                                 "add it to a team with agents under capacity.teams")

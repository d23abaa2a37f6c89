from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.capacity.roster import by_hour, make_roster, paid_hours
from churnsim.capacity.settings import AutomaticChannel, Shift

from .examples import KEY, centre, team, voice


def test_hours_by_hand():
    shifts = (Shift(start_hour=9.0, end_hour=13.0, breaks=((10.0, 10.5),)), Shift(start_hour=14.0, end_hour=18.0))
    each = team(shifts=shifts)
    assert paid_hours(each, centre(each), month=0) == 2 * 22 * 8.0
    roster = make_roster({"voice": voice()}, centre(each, team(agents=1)), key=KEY, month=0)
    assert roster.staffed_hours == {"t0": 2 * 22 * 7.5, "t1": 22 * 8.0}
    assert roster.at_work_hours("t0") == pytest.approx(2 * 22 * 7.5)
    assert set(roster.agent[roster.of("t1")].tolist()) == {2}


def test_lines_of_an_automatic_channel_are_a_team():
    channel = AutomaticChannel(**{**voice().model_dump(), "kind": "automatic", "lines": 3})
    roster = make_roster({"voice": channel}, centre(), key=KEY, month=0)
    assert roster.at_work_hours("voice lines") == pytest.approx(3 * 30 * 13.0)


@given(st.lists(st.tuples(st.floats(0.0, 719.0), st.floats(0.0, 50.0)), max_size=20))
def test_no_time_is_lost_between_hours(spans):
    start = np.array([a for a, _ in spans])
    end = np.minimum(start + np.array([length for _, length in spans]), 720.0)
    found = by_hour(start, end, month=0)
    assert found.sum() == pytest.approx((end - start).sum(), abs=1e-6)
    assert (found >= -1e-6).all() and (found <= len(spans) + 1e-6).all()

"""How much work teams and channels can do: by hand, and shared out by a flow."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from churnsim.capacity.settings import CapacitySettings, InboundStream, Law, Shift, Team
from churnsim.capacity.supply import Supply, supplies

from .examples import centre, sms, team, voice

# The first week of month 0 starts on a Monday; a list is worked from the start of its third day to that of its eighth.
WEEK = {"month": 0, "start_hours": 48.0, "end_hours": 168.0}
MORNING = (Shift(start_hour=9.0, end_hour=13.0, breaks=[(10.0, 10.5)]),)


def found(capacity: CapacitySettings, **channels: object) -> dict[str, Supply]:
    return {each.name: each for each in supplies(tuple(channels), channels=channels, capacity=capacity, **WEEK)}


def test_two_teams_with_a_shared_channel_by_hand() -> None:
    """Wednesday to Friday, 3.5 hours a morning: 10.5 hours of three agents, 12 hours of one on Saturday and before."""
    days = team(agents=3, channels=("voice", "desk"), shifts=MORNING)
    late = team(agents=1, channels=("voice",), shifts=(Shift(start_hour=17.0, end_hour=20.0),),
                weekdays=("wednesday", "thursday", "friday", "saturday"))
    supply = found(centre(days, late), voice=voice(), desk=voice(), sms=sms(calling_window_hours=(9.0, 20.0)))
    assert supply["t0"] == Supply("t0", ("desk",), pytest.approx(3 * 10.5 * 60), "minutes")
    assert supply["t0 and t1"] == Supply("t0 and t1", ("voice", "desk"), pytest.approx((31.5 + 12) * 60), "minutes")
    # Five days of eleven hours, 100 an hour.
    assert supply["sms"] == Supply("sms", ("sms",), pytest.approx(5 * 11 * 100), "messages")
    assert len(supply) == 3


@pytest.mark.parametrize(("changes", "minutes"), [
    ({}, 3 * 10.5 * 60),
    ({"absence_prob": 0.1}, 2.7 * 10.5 * 60),
    ({"reserve_agents": 1}, 2 * 10.5 * 60),
    ({"reserve_agents": 4}, 0.0),
    ({"weekdays": ("saturday", "sunday")}, 3 * 7 * 60),
    ({"weekdays": ("monday",)}, 0.0),
    ({"shifts": (Shift(start_hour=20.0, end_hour=26.0),)}, 3 * 3 * 60),  # calls end at 21
])
def test_agents_at_work_inside_the_window(changes: dict[str, object], minutes: float) -> None:
    crew = team(**{"agents": 3, "shifts": MORNING, **changes})
    assert found(centre(crew), voice=voice(calling_window_hours=(8.0, 21.0)))["t0"].amount == pytest.approx(minutes)


def test_holidays_are_off() -> None:
    assert found(centre(team(agents=1, shifts=MORNING), holidays=(2, 3)), voice=voice())["t0"].amount == 3.5 * 60


def test_a_shorter_window_is_a_limit_of_its_own() -> None:
    # One team on two channels: all its hours for both, but calls from ten to twelve only.
    both = team(agents=1, channels=("voice", "desk"), shifts=(Shift(start_hour=9.0, end_hour=17.0),))
    supply = supplies(("voice", "desk"), channels={"voice": voice(calling_window_hours=(10.0, 12.0)), "desk": voice()},
                      capacity=centre(both), **WEEK)
    assert [(each.name, each.channels, each.amount) for each in supply] == [
        ("t0 on voice", ("voice",), 3 * 2 * 60.0), ("t0 on voice and desk", ("voice", "desk"), 3 * 8 * 60.0)]
    windows = {"voice": voice(calling_window_hours=(10.0, 12.0)), "desk": voice(calling_window_hours=(12.0, 14.0))}
    apart = supplies(("voice", "desk"), channels=windows, capacity=centre(both), **WEEK)
    assert [(each.channels, each.amount) for each in apart] == [
        (("voice",), 360.0), (("desk",), 360.0), (("voice", "desk"), 720.0)]


def stream(per_hour: float) -> InboundStream:
    return InboundStream(calls_per_hour_by_hour=(per_hour,) * 24, patience=None,
                         handle=Law(law="exponential", mean_minutes=5.0))


def test_callers_take_the_time_of_those_whom_only_they_have() -> None:
    # Two calls an hour while somebody is at work, five minutes each by agents of productivity 1.25: 8 minutes an hour.
    desk = team(agents=2, shifts=MORNING, inbound=("hotline",), productivity=1.25)
    calls = {"hotline": stream(2.0)}
    alone = found(centre(desk, inbound=calls), voice=voice())
    assert alone["t0"].amount == pytest.approx(2 * 10.5 * 60 - 8 * 10.5)
    # One agent kept free has 60 minutes an hour for them.
    kept = desk.model_copy(update={"reserve_agents": 1})
    assert found(centre(kept, inbound=calls), voice=voice())["t0"].amount == pytest.approx(10.5 * 60)
    # A team that works no orders can serve them.
    helped = centre(desk, team(agents=1, channels=(), inbound=("hotline",)), inbound=calls)
    assert found(helped, voice=voice())["t0"].amount == pytest.approx(2 * 10.5 * 60)
    # Orders may be called from eleven on: callers of the two hours before take nothing from them.
    short = found(centre(desk, inbound=calls), voice=voice(calling_window_hours=(11.0, 13.0)))
    assert short["t0"].amount == pytest.approx(2 * 6 * 60 - 8 * 6)
    busy = centre(desk, inbound={"hotline": stream(100.0)})
    assert found(busy, voice=voice())["t0"].amount == 0.0


NAMES = ("a", "b", "c")
ROUND = (Shift(start_hour=9.0, end_hour=13.0),)


@st.composite
def centres(draw: st.DrawFn) -> CapacitySettings:
    """One to three teams of some agents that serve some of three channels, each channel served."""
    crews = draw(st.lists(st.tuples(st.integers(1, 4), st.sets(st.sampled_from(NAMES))), min_size=1, max_size=3))
    teams = [team(agents=agents, shifts=ROUND, channels=tuple(sorted(serves))) for agents, serves in crews]
    return centre(*teams, team(agents=1, shifts=ROUND, channels=NAMES))


def least_not_done(work: np.ndarray, teams: dict[str, Team], hours: float) -> float:
    """Return the work of channels that teams cannot do, shared out at best."""
    pairs = [(k, t) for k, name in enumerate(NAMES) for t, each in enumerate(teams.values()) if name in each.channels]
    per_channel = np.array([[float(k == channel) for k, _ in pairs] for channel in range(len(NAMES))])
    per_team = np.array([[float(t == crew) for _, t in pairs] for crew in range(len(teams))])
    solved = linprog(-np.ones(len(pairs)), A_ub=np.vstack([per_channel, per_team]),
                     b_ub=[*work, *(60 * hours * each.agents for each in teams.values())])
    return float(work.sum() + solved.fun)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(centres(), st.tuples(*(st.floats(0.0, 4000.0) for _ in NAMES)))
def test_work_within_all_supplies_can_be_shared_out_and_no_other(capacity: CapacitySettings,
                                                                 work: tuple[float, ...]) -> None:
    channels = {name: voice() for name in NAMES}
    fits = all(sum(minutes for name, minutes in zip(NAMES, work, strict=True) if name in each.channels) <= each.amount
               for each in found(capacity, **channels).values())
    left = least_not_done(np.array(work), capacity.teams, hours=12.0)
    assert left == pytest.approx(0.0, abs=1e-6) if fits else left > 0.0


@settings(max_examples=12, deadline=None, derandomize=True)
@given(centres())
def test_a_channel_more_takes_nothing_from_the_others(capacity: CapacitySettings) -> None:
    """What a set of channels may ask for does not depend on the channels beside it, and grows with the set."""
    channels = {name: voice() for name in NAMES}

    def most(names: tuple[str, ...], some: tuple[str, ...]) -> float:
        known = supplies(names, channels=channels, capacity=capacity, **WEEK)
        return min(each.amount for each in known if set(some) <= set(each.channels))

    for size in (1, 2):
        for some in combinations(NAMES, size):
            assert most(some, some) == pytest.approx(most(NAMES, some))
            assert all(most(NAMES, some) <= most(NAMES, tuple({*some, more})) + 1e-9 for more in NAMES)

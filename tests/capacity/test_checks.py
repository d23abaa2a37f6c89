from __future__ import annotations

import pytest

from churnsim.capacity.checks import check_capacity
from churnsim.capacity.settings import Shift

from .examples import centre, sms, team, voice


def found(channels, capacity, used=("voice",)):
    return list(check_capacity(channels, capacity, used))


def shifts(*hours):
    return tuple(Shift(start_hour=start, end_hour=end) for start, end in hours)


def test_a_sound_centre_has_no_findings():
    assert found({"voice": voice(), "sms": sms()}, centre(team()), used=("voice", "sms")) == []


def test_zero_agents_lists_the_channels_in_use():
    channels = {"voice": voice(), "save_desk": voice(), "idle": voice()}
    empty = team(agents=0, channels=("voice", "save_desk", "idle"))
    assert found(channels, centre(empty), used=("voice", "save_desk")) == [(
        ("capacity", "teams", "t0", "agents"),
        "there are 0 agents for channels in use: voice, save_desk; "
        "give the team agents or take the channels out of the offers",
    )]
    assert found(channels, centre(empty, team(channels=("voice", "save_desk")))) == []


@pytest.mark.parametrize(("hours", "position", "message"), [
    ([(9.0, 13.0), (18.0, 14.0)], 1, "the shift ends at 14, not after its start at 18; "
                                     "write a shift over midnight as one to 24 and one from 0"),
    ([(9.0, 9.0), (10.0, 12.0)], 0, "the shift ends at 9, not after its start at 9; "
                                    "write a shift over midnight as one to 24 and one from 0"),
    ([(9.0, 13.0), (12.5, 18.0)], 1, "the shift 12.5-18 overlaps shift 0 (9-13) of the same agents; "
                                     "move one of the two"),
])
def test_bad_shifts(hours, position, message):
    capacity = centre(team(shifts=shifts(*hours)))
    assert found({"voice": voice()}, capacity) == [(("capacity", "teams", "t0", "shifts", position), message)]


def test_shifts_may_touch():
    assert found({"voice": voice()}, centre(team(shifts=shifts((9.0, 13.0), (13.0, 18.0))))) == []


@pytest.mark.parametrize(("served", "message"), [
    ("voise", "unknown channel 'voise'; name one of the live channels (voice) or declare it under channels"),
    ("sms", "channel 'sms' is a batch channel and needs no agents; remove it from the team"),
    ("voice", "channel 'voice' is named twice; remove one of the two"),
])
def test_a_team_serves_live_channels_that_exist(served, message):
    capacity = centre(team(channels=("voice", served)))
    path = ("capacity", "teams", "t0", "channels", 1)
    assert found({"voice": voice(), "sms": sms()}, capacity) == [(path, message)]


def test_a_live_channel_in_use_needs_a_team():
    finding = (("channels", "voice"),
               "no team serves this live channel; add it to the channels of a team under capacity.teams")
    assert found({"voice": voice()}, centre(team(channels=()))) == [finding]
    assert found({"voice": voice()}, centre(team(channels=())), used=()) == []


@pytest.mark.parametrize("change", [{"shifts": shifts((6.0, 8.0))}, {"weekdays": ()}, {"shifts": ()}])
def test_the_window_must_meet_a_shift(change):
    assert found({"voice": voice()}, centre(team(**change))) == [(
        ("channels", "voice", "calling_window_hours"),
        "the window 8-21 meets no shift of the teams that serve the channel (t0); move the window or a shift",
    )]


@pytest.mark.parametrize(("channel", "key", "message"), [
    (voice(answer_prob_by_hour=(0.3,) * 23), "answer_prob_by_hour",
     "has 23 values; give 24, one for each hour of the day from midnight"),
    (voice(answer_prob_by_hour=(0.0,) * 24), "answer_prob_by_hour",
     "all 24 probabilities are 0, so that nobody can be reached; raise some or remove the channel"),
    (voice(retry_delay_hours=0.0), "retry_delay_hours",
     "is 0 with max_attempts 3, a loop of instant redials; give a delay above 0 or set max_attempts to 1"),
    (sms(read_prob=0.0), "read_prob", "is 0, so that nobody can be reached; raise it or remove the channel"),
    (sms(calling_window_hours=(20.0, 8.0)), "calling_window_hours",
     "the window ends at 8, not after its start at 20; give its start and end within one day"),
])
def test_bad_channels(channel, key, message):
    channels = {"voice": voice(), "odd": channel}
    assert found(channels, centre(team())) == [(("channels", "odd", key), message)]

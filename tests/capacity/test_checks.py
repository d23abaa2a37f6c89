"""What is refused between channels, teams, shifts and streams: every finding by place, value and remedy."""

from __future__ import annotations

from typing import Any

import pytest

from churnsim.capacity.checks import check_capacity
from churnsim.capacity.settings import AutomaticChannel, Burst, InboundStream, Law, Retry, Shift

from .examples import EVERY_DAY, centre, sms, team, voice

MINUTES_3 = Law(law="exponential", mean_minutes=3.0)


def found(channels, capacity, used=("voice",), months=()):
    return list(check_capacity(channels, capacity, used, months=months))


def shifts(*hours):
    return tuple(Shift(start_hour=start, end_hour=end) for start, end in hours)


def robot(**changes: Any) -> AutomaticChannel:
    return AutomaticChannel(**{**voice().model_dump(), "kind": "automatic", "lines": 2, **changes})


def hotline(**changes: Any) -> InboundStream:
    values: dict[str, Any] = {"calls_per_hour_by_hour": (1.0,) * 24, "patience": MINUTES_3, "handle": MINUTES_3}
    return InboundStream(**{**values, **changes})


def desk(*, answering: Any = None, **streams: InboundStream) -> Any:
    """Return a centre of one team on "voice" and all streams."""
    crew = answering or team(inbound=tuple(streams))
    return centre(crew, inbound=streams)


def test_a_sound_centre_has_no_findings():
    channels = {"voice": voice(), "sms": sms(), "robot": robot()}
    capacity = desk(hotline=hotline(), fault=hotline(bursts=(Burst(start_hours=3.0, length_hours=1.0,
                                                                   calls_per_hour=9.0),)))
    assert found(channels, capacity, used=("voice", "sms", "robot"), months=(0, 5)) == []


def test_an_automatic_channel_needs_no_team():
    assert found({"robot": robot()}, centre(), used=("robot",)) == []


def test_zero_agents_lists_the_channels_in_use():
    channels = {"voice": voice(), "save_desk": voice(), "idle": voice()}
    empty = team(agents=0, channels=("voice", "save_desk", "idle"))
    assert found(channels, centre(empty), used=("voice", "save_desk")) == [(
        ("capacity", "teams", "t0", "agents"),
        "there are 0 agents for channels in use: voice, save_desk; "
        "give the team agents or take the channels out of the offers",
    )]
    assert found(channels, centre(empty, team(channels=("voice", "save_desk")))) == []


OVER_MIDNIGHT = "a shift over midnight ends above 24, such as 30 for 6 in the morning"


@pytest.mark.parametrize(("hours", "position", "message"), [
    ([(9.0, 13.0), (18.0, 14.0)], 1, f"the shift ends at 14, not after its start at 18; {OVER_MIDNIGHT}"),
    ([(9.0, 9.0), (10.0, 12.0)], 0, f"the shift ends at 9, not after its start at 9; {OVER_MIDNIGHT}"),
    ([(9.0, 13.0), (12.5, 18.0)], 1, "the shift 12.5-18 overlaps shift 0 (9-13) of the same agents; "
                                     "move one of the two"),
    ([(5.0, 13.0), (22.0, 30.0)], 1, "the shift 22-30 reaches over midnight into shift 0 (5-13) of the same agents on "
                                     "the next day; move one of the two"),
    ([(20.0, 45.0)], 0, "the shift 20-45 reaches over midnight into shift 0 (20-45) of the same agents on the next "
                        "day; move one of the two"),
])
def test_bad_shifts(hours, position, message):
    capacity = centre(team(shifts=shifts(*hours)))
    assert found({"voice": voice()}, capacity) == [(("capacity", "teams", "t0", "shifts", position), message)]


@pytest.mark.parametrize(("hours", "weekdays"), [
    ([(9.0, 13.0), (13.0, 18.0)], EVERY_DAY),
    ([(8.0, 12.0), (22.0, 32.0)], EVERY_DAY),  # they touch at 8
    ([(8.0, 12.0), (22.0, 34.0)], ("monday", "wednesday")),  # the next day is off
    ([(12.0, 36.0)], EVERY_DAY),
])
def test_shifts_may_touch(hours, weekdays):
    assert found({"voice": voice()}, centre(team(shifts=shifts(*hours), weekdays=weekdays))) == []


def test_sunday_is_followed_by_monday():
    night = team(shifts=shifts((8.0, 12.0), (22.0, 33.0)), weekdays=("sunday", "monday"))
    assert [path for path, _ in found({"voice": voice()}, centre(night))] == [("capacity", "teams", "t0", "shifts", 1)]


@pytest.mark.parametrize(("breaks", "position", "message"), [
    ([(12.0, 11.0)], 0, "the break ends at 11, not after its start at 12; swap the two or remove it"),
    ([(8.5, 9.5)], 0, "the break 8.5-9.5 lies outside its shift (9-17); move it inside"),
    ([(10.0, 11.0), (16.5, 17.5)], 1, "the break 16.5-17.5 lies outside its shift (9-17); move it inside"),
    ([(10.0, 12.0), (11.0, 13.0)], 1, "the break 11-13 overlaps break 0 (10-12); join the two"),
])
def test_bad_breaks(breaks, position, message):
    shift = Shift(start_hour=9.0, end_hour=17.0, breaks=breaks)
    path = ("capacity", "teams", "t0", "shifts", 0, "breaks", position)
    assert found({"voice": voice()}, centre(team(shifts=(shift,)))) == [(path, message)]


def test_a_break_as_long_as_the_shift():
    off = Shift(start_hour=9.0, end_hour=17.0, breaks=((9.0, 17.0),))
    capacity = centre(team(shifts=(off, Shift(start_hour=18.0, end_hour=19.0))))
    assert found({"voice": voice()}, capacity) == [(
        ("capacity", "teams", "t0", "shifts", 0, "breaks"),
        "the break is as long as the shift (9-17); shorten it or remove the shift")]


@pytest.mark.parametrize(("served", "message"), [
    ("voise", "unknown channel 'voise'; name one of the live channels (voice) or declare it under channels"),
    ("sms", "channel 'sms' is a batch channel and needs no agents; remove it from the team"),
    ("robot", "channel 'robot' is an automatic channel and needs no agents; remove it from the team"),
    ("voice", "channel 'voice' is named twice; remove one of the two"),
])
def test_a_team_serves_live_channels_that_exist(served, message):
    capacity = centre(team(channels=("voice", served)))
    path = ("capacity", "teams", "t0", "channels", 1)
    assert found({"voice": voice(), "sms": sms(), "robot": robot()}, capacity) == [(path, message)]


@pytest.mark.parametrize(("changes", "key", "message"), [
    ({"inbound": ("hotline", "fault")}, ("inbound", 1),
     "unknown inbound stream 'fault'; name one of hotline or declare it under capacity.inbound"),
    ({"inbound": ("hotline", "hotline")}, ("inbound", 1),
     "inbound stream 'hotline' is named twice; remove one of the two"),
    ({"skills": ("en", "en")}, ("skills", 1),
     "skill 'en' is named twice; orders that ask for nothing go to anybody: remove it"),
    ({"skills": ("",)}, ("skills", 0), "an empty skill; orders that ask for nothing go to anybody: remove it"),
    ({"reserve_agents": 2}, ("reserve_agents",),
     "2 of 2 agents are kept for callers, so that no order is ever worked; keep fewer"),
    ({"absence_prob": 1.0}, ("absence_prob",),
     "is 1, so that nobody is ever at work; lower it, or set agents to 0"),
])
def test_bad_teams(changes, key, message):
    crew = team(**{"inbound": ("hotline",), **changes})
    capacity = centre(crew, inbound={"hotline": hotline()})
    assert found({"voice": voice()}, capacity) == [(("capacity", "teams", "t0", *key), message)]


def test_overtime_that_never_comes():
    """Callers are always finished, so that a team with streams has overtime all the same."""
    back = {"shift_end": "hand_back", "overtime_factor": 1.5}
    assert found({"voice": voice()}, centre(team(**back))) == [(
        ("capacity", "teams", "t0", "overtime_factor"),
        "does nothing where contacts are handed back (got 1.5); set shift_end to finish, or the factor to 1")]
    assert found({"voice": voice()}, desk(answering=team(inbound=("hotline",), **back), hotline=hotline())) == []
    callers_only = team(channels=(), inbound=("hotline",), shift_end="hand_back")
    assert found({}, desk(answering=callers_only, hotline=hotline()), used=()) == [(
        ("capacity", "teams", "t0", "shift_end"),
        "callers are never handed back, and the team serves nobody else; set it to finish")]


def test_a_team_that_serves_nothing():
    capacity = centre(team(), team(channels=()))
    assert found({"voice": voice()}, capacity) == [(
        ("capacity", "teams", "t1"),
        "the team serves nothing; name channels or inbound streams for it, or set it to null")]


def test_a_live_channel_in_use_needs_a_team():
    channels = {"voice": voice(), "visit": voice()}
    finding = (("channels", "visit"),
               "no team serves this live channel; add it to the channels of a team under capacity.teams")
    assert found(channels, centre(team()), used=("voice", "visit")) == [finding]
    assert found(channels, centre(team())) == []


@pytest.mark.parametrize("change", [
    {"shifts": shifts((6.0, 8.0))}, {"weekdays": ()}, {"shifts": ()}, {"shifts": shifts((22.0, 32.0))},
    {"shifts": (Shift(start_hour=7.0, end_hour=12.0, breaks=((8.0, 12.0),)),)},
])
def test_the_window_must_meet_a_shift(change):
    assert found({"voice": voice()}, centre(team(**change))) == [(
        ("channels", "voice", "calling_window_hours"),
        "the window 8-21 meets no shift of the teams that serve the channel (t0); move the window or a shift",
    )]


def test_a_shift_over_midnight_meets_the_window_of_the_next_morning():
    assert found({"voice": voice()}, centre(team(shifts=shifts((22.0, 32.5))))) == []


def test_holidays_may_not_empty_a_month_in_use():
    capacity = centre(team(inbound=("hotline",)), inbound={"hotline": hotline()}, holidays=tuple(range(30, 60)))
    assert found({"voice": voice()}, capacity, months=(0, 2)) == []
    remedy = "in month 1 (days 30 to 59); take days out of the holidays"
    assert found({"voice": voice()}, capacity, months=(0, 1)) == [
        (("capacity", "holidays"), f"nobody may work on voice {remedy}"),
        (("capacity", "holidays"), f"nobody answers the inbound stream 'hotline' {remedy}")]


@pytest.mark.parametrize(("channel", "key", "message"), [
    (voice(answer_prob_by_hour=(0.3,) * 23), ("answer_prob_by_hour",),
     "has 23 values; give 24, one for each hour of the day from midnight"),
    (voice(answer_prob_by_hour=(0.0,) * 24), ("answer_prob_by_hour",),
     "all 24 probabilities are 0, so that nobody can be reached; raise some or remove the channel"),
    (voice(answer_weekday_factors=(0.0,) * 7), ("answer_weekday_factors",),
     "all factors are 0, so that nobody can be reached; raise some or remove the channel"),
    (voice(answer_attempt_factors=(0.0,)), ("answer_attempt_factors",),
     "all factors are 0, so that nobody can be reached; raise some or remove the channel"),
    (voice(busy_prob=0.6, voicemail_prob=0.5), ("busy_prob",),
     "busy_prob and voicemail_prob add up to 1.1; they are shares of the attempts nobody answers, so lower them to 1 "
     "or less together"),
    (voice(refusal_prob=0.5, hang_up_prob=0.25, callback_prob=0.5), ("refusal_prob",),
     "refusal_prob, hang_up_prob and callback_prob add up to 1.25; they are shares of the answered attempts, so lower "
     "them to 1 or less together"),
    (voice(retry_delay_hours=0.0), ("retry_delay_hours",),
     "is 0 with max_attempts 3, a loop of instant redials; give a delay above 0 or set max_attempts to 1"),
    (voice(callback_delay_hours=(5.0, 2.0)), ("callback_delay_hours",),
     "the least delay, 5, is above the most, 2; swap the two"),
    (voice(callback_prob=0.1, callback_delay_hours=(0.0, 0.0)), ("callback_delay_hours",),
     "is 0 with call-backs, a loop of instant redials; give a delay above 0 or set callback_prob to 0"),
    (voice(retries={"dropped_by_dialer": Retry(delay_hours=80.0)}), ("retries", "dropped_by_dialer"),
     "nobody is dropped under progressive dialling; remove it, or set dialling to predictive"),
    (voice(preview_minutes=2.0), ("preview_minutes",),
     "does nothing under progressive dialling (got 2); set dialling to preview, or take the key out (0)"),
    (voice(lines_per_agent=1.5, dialling="preview"), ("lines_per_agent",),
     "does nothing under preview dialling (got 1.5); set dialling to predictive, or take the key out (1)"),
    (voice(dropped_limit=0.01), ("dropped_limit",),
     "does nothing under progressive dialling (got 0.01); set dialling to predictive, or take the key out (0.03)"),
    (robot(retry_delay_hours=0.0), ("retry_delay_hours",),
     "is 0 with max_attempts 3, a loop of instant redials; give a delay above 0 or set max_attempts to 1"),
    (sms(read_prob=0.0), ("read_prob",),
     "is 0, so that nobody can be reached; raise it or remove the channel"),
    (sms(calling_window_hours=(20.0, 8.0)), ("calling_window_hours",),
     "the window ends at 8, not after its start at 20; give its start and end within one day"),
])
def test_bad_channels(channel, key, message):
    channels = {"voice": voice(), "odd": channel}
    assert found(channels, centre(team())) == [(("channels", "odd", *key), message)]


def test_keys_of_a_dialling_mode_are_read_in_that_mode():
    for channel in (voice(dialling="preview", preview_minutes=2.0),
                    voice(dialling="predictive", lines_per_agent=2.0, dropped_limit=0.01,
                          retries={"dropped_by_dialer": Retry(delay_hours=80.0)}),
                    voice(busy_prob=0.5, voicemail_prob=0.5), voice(refusal_prob=0.1, hang_up_prob=0.2,
                                                                    callback_prob=0.7)):
        assert found({"voice": channel}, centre(team())) == []


def test_a_team_may_not_take_the_name_of_lines():
    capacity = centre(team()).model_copy(update={"teams": {"robot lines": team()}})
    assert found({"voice": voice(), "robot": robot()}, capacity) == [(
        ("capacity", "teams", "robot lines"),
        "the lines of the automatic channel 'robot' bear this name; give the team another")]


@pytest.mark.parametrize(("stream", "key", "message"), [
    (hotline(calls_per_hour_by_hour=(1.0,) * 25), ("calls_per_hour_by_hour",),
     "has 25 values; give 24, one for each hour of the day from midnight"),
    (hotline(handle=Law(law="exponential", mean_minutes=3.0, scv=0.5)), ("handle", "scv"),
     "does nothing under the law exponential (got 0.5); choose lognormal or weibull, or take it out"),
    (hotline(patience=None, retrial_prob=0.5), ("retrial_prob",),
     "nobody gives up who waits for ever (got 0.5); give patience a law, or set it to 0"),
])
def test_bad_streams(stream, key, message):
    assert found({"voice": voice()}, desk(hotline=stream)) == [(("capacity", "inbound", "hotline", *key), message)]


def test_a_stream_may_not_share_a_name_with_a_channel():
    assert found({"voice": voice()}, desk(voice=hotline())) == [(
        ("capacity", "inbound", "voice"), "a channel has the same name; give the stream another")]


@pytest.mark.parametrize("crew", [team(), team(agents=0, inbound=("hotline",))])
def test_somebody_must_answer_a_stream(crew):
    assert found({}, desk(answering=crew, hotline=hotline()), used=())[-1:] == [(
        ("capacity", "inbound", "hotline"),
        "nobody answers it: no team with agents names it under inbound; add it to one, or set it to null")]


def test_callers_who_wait_for_ever_need_enough_staff():
    """24 calls a day of 30 minutes are 84 hours a week; the team has 2 agents x 5 days x 8 hours."""
    endless = hotline(patience=None, handle=Law(law="fixed", mean_minutes=30.0))
    assert found({"voice": voice()}, desk(hotline=endless)) == [(
        ("capacity", "inbound", "hotline", "patience"),
        "callers of hotline wait for ever and bring 84 hours of work a week to 80 hours of staff (1.05 times): the "
        "queue grows without end; give patience a law, or the teams more agents")]
    faster = team(inbound=("hotline",), productivity=1.1)
    assert found({"voice": voice()}, desk(answering=faster, hotline=endless)) == []
    patient = hotline(patience=MINUTES_3, handle=Law(law="fixed", mean_minutes=30.0))
    assert found({"voice": voice()}, desk(hotline=patient)) == [], "who gives up keeps the queue short"


def test_streams_that_share_a_team_share_its_hours():
    endless = hotline(patience=None, handle=Law(law="fixed", mean_minutes=20.0))  # 56 hours a week
    alone = centre(team(inbound=("a",)), team(inbound=("b",)), inbound={"a": endless, "b": endless})
    assert found({"voice": voice()}, alone) == []
    together = centre(team(inbound=("a", "b")), inbound={"a": endless, "b": endless})
    ((path, message),) = found({"voice": voice()}, together)
    assert path == ("capacity", "inbound", "a", "patience") and message.startswith(
        "callers of a, b wait for ever and bring 112 hours of work a week to 80 hours of staff (1.40 times)")

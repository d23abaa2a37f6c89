"""Single values of `channels` and `capacity`: what is refused, in the words that a user reads."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from churnsim.capacity import settings
from churnsim.capacity.settings import BatchChannel, CapacitySettings, Channel, LiveChannel
from churnsim.config.base import Settings
from churnsim.config.paths import dotted
from churnsim.config.validate import examine

from .examples import centre, sms, team, voice

ADAPTER: TypeAdapter[LiveChannel | BatchChannel] = TypeAdapter(Channel)
LAW = {"law": "fixed", "mean_minutes": 3.0}


class Centre(Settings):
    """The two sections of an experiment."""

    channels: dict[str, Channel]
    """As there."""
    capacity: CapacitySettings
    """As there."""


def plain(**stream: Any) -> dict[str, Any]:
    """Return the plain data of a centre with one of everything."""
    robot = {**voice().model_dump(mode="json"), "kind": "automatic", "lines": 2}
    inbound = {"calls_per_hour_by_hour": [1.0] * 24, "patience": dict(LAW), "handle": dict(LAW), **stream}
    return {
        "channels": {"voice": voice().model_dump(mode="json"), "sms": sms().model_dump(mode="json"), "robot": robot},
        "capacity": {**centre(team()).model_dump(mode="json"), "inbound": {"hotline": inbound}},
    }


def refusal(path: tuple[str | int, ...], value: Any) -> str:
    """Return the one finding about a centre with one value changed, as its place and message."""
    data = plain()
    holder: Any = data
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    instance, findings = examine(Centre, data)
    assert instance is None
    ((at, message),) = findings
    assert dotted(at).startswith(dotted(path))
    return f"{dotted(at)}: {message}"


def test_the_kind_of_a_channel_decides_its_keys():
    assert ADAPTER.validate_python(voice().model_dump()) == voice()
    assert ADAPTER.validate_python(sms().model_dump()) == sms()
    assert examine(Centre, plain())[1] == []


@pytest.mark.parametrize(("channel", "key"), [(voice(), "read_prob"), (sms(), "max_attempts")])
def test_a_key_of_the_other_kind_is_refused(channel, key):
    with pytest.raises(ValidationError, match=rf"{key}\n  Extra inputs are not permitted"):
        ADAPTER.validate_python({**channel.model_dump(), key: 1})


VOICE, SMS, TEAM, HOTLINE = (("channels", "voice"), ("channels", "sms"), ("capacity", "teams", "t0"),
                             ("capacity", "inbound", "hotline"))
NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(("path", "value", "message"), [
    # durations
    ((*VOICE, "handle_minutes_mean"), 0.0, "must be more than 0 (got 0.0)"),
    ((*VOICE, "handle_minutes_mean"), -1.0, "must be more than 0 (got -1.0)"),
    ((*VOICE, "handle_minutes_mean"), INF, "must be a finite number (got inf)"),
    ((*VOICE, "no_answer_minutes"), 0.0, "must be more than 0 (got 0.0)"),
    ((*VOICE, "ring_minutes"), -0.5, "must be at least 0 (got -0.5)"),
    ((*VOICE, "retry_delay_hours"), NAN, "must be a finite number (got nan)"),
    ((*VOICE, "callback_window_hours"), 0.0, "must be more than 0 (got 0.0)"),
    ((*HOTLINE, "patience"), {"law": "fixed", "mean_minutes": 0.0}, "must be more than 0 (got 0.0)"),
    ((*HOTLINE, "handle"), {"law": "fixed", "mean_minutes": NAN}, "must be a finite number (got nan)"),
    ((*HOTLINE, "answer_within_seconds"), 0.0, "must be more than 0 (got 0.0)"),
    ((*TEAM, "productivity"), 0.0, "must be more than 0 (got 0.0)"),
    # rates and costs
    ((*VOICE, "cost_per_attempt_amount"), -1.0, "must be at least 0 (got -1.0)"),
    ((*VOICE, "cost_per_minute_amount"), INF, "must be a finite number (got inf)"),
    ((*SMS, "throttle_per_hour"), 0.0, "must be more than 0 (got 0.0)"),
    ((*SMS, "throttle_per_hour"), -5.0, "must be more than 0 (got -5.0)"),
    ((*TEAM, "cost_per_hour_amount"), NAN, "must be a finite number (got nan)"),
    ((*TEAM, "overtime_factor"), 0.5, "must be at least 1 (got 0.5)"),
    ((*HOTLINE, "calls_per_hour_by_hour"), [-1.0] + [0.0] * 23, "must be at least 0 (got -1.0)"),
    # probabilities
    ((*VOICE, "busy_prob"), 1.1, "must be at most 1 (got 1.1)"),
    ((*VOICE, "callback_prob"), -0.1, "must be at least 0 (got -0.1)"),
    ((*VOICE, "answer_prob_by_hour"), [0.3] * 23 + [1.5], "must be at most 1 (got 1.5)"),
    ((*SMS, "read_prob"), NAN, "must be at most 1 (got nan)"),
    ((*SMS, "opt_out_prob"), 2.0, "must be at most 1 (got 2.0)"),
    ((*TEAM, "absence_prob"), -0.1, "must be at least 0 (got -0.1)"),
    ((*HOTLINE, "retrial_prob"), 1.5, "must be at most 1 (got 1.5)"),
    # counts and the rest
    ((*VOICE, "max_attempts"), 0, "must be at least 1 (got 0)"),
    ((*VOICE, "lines_per_agent"), 3.5, "must be at most 3 (got 3.5)"),
    ((*VOICE, "calling_window_hours"), [8.0, 25.0], "must be at most 24 (got 25.0)"),
    ((*VOICE, "answer_weekday_factors"), [1.0] * 6, "must have at least 7 items (got 6)"),
    (("channels", "robot", "lines"), 0, "must be at least 1 (got 0)"),
    ((*TEAM, "agents"), -1, "must be at least 0 (got -1)"),
    ((*TEAM, "shifts"), [{"start_hour": 9.0, "end_hour": 49.0}], "must be at most 48 (got 49.0)"),
    ((*TEAM, "learning"), {"start_factor": 0.0, "half_contacts": 5.0}, "must be more than 0 (got 0.0)"),
    (("capacity", "holidays"), [-1], "must be at least 0 (got -1)"),
    (("capacity", "fatigue"), {"caps": [{"days": 0.0, "attempts": 2}]}, "must be more than 0 (got 0.0)"),
    (("capacity", "fatigue"), {"caps": [{"days": 7.0, "attempts": 0}]}, "must be at least 1 (got 0)"),
    (("capacity", "fatigue"), {"answer_factor": 0.0}, "must be more than 0 (got 0.0)"),
])
def test_values_out_of_range_are_refused(path, value, message):
    assert refusal(path, value).endswith(f": {message}")


@pytest.mark.parametrize(("path", "value", "message"), [
    (("capacity", "dispatch"), "value_anwser", "capacity.dispatch: must be one of 'fifo', 'lifo', 'priority', "
     "'deadline', 'value', 'value_answer', 'c_mu', 'c_mu_loss', 'postponement' or 'price' (got 'value_anwser'). Did "
     "you mean 'value_answer'?"),
    ((*VOICE, "retries"), {"no_anser": {"delay_hours": 2.0}}, "channels.voice.retries.no_anser: the key must be "
     "'busy', 'voicemail', 'refused', 'hung_up' or 'dropped_by_dialer' (got 'no_anser')"),
    ((*VOICE, "retries"), {"busy": {"delay_hours": 0.0}}, "channels.voice.retries.busy.delay_hours: must be more than "
     "0 (got 0.0)"),
    ((*VOICE, "dialling"), "power", "channels.voice.dialling: must be one of 'preview', 'progressive' or 'predictive' "
     "(got 'power')"),
    ((*TEAM, "weekdays"), ["funday"], "capacity.teams.t0.weekdays[0]: must be one of 'monday', 'tuesday', 'wednesday', "
     "'thursday', 'friday', 'saturday' or 'sunday' (got 'funday'). Did you mean 'sunday'?"),
    (("channels", "voice", "kind"), "ai", "channels.voice.kind: must be one of 'live', 'automatic' or 'batch' "
     "(got 'ai')"),
])
def test_unknown_names_are_refused(path, value, message):
    assert refusal(path, value) == message


def test_every_key_is_documented():
    models = [model for model in vars(settings).values() if isinstance(model, type) and issubclass(model, Settings)]
    assert len(models) > 12
    for model in models:
        assert all(field.description for field in model.model_fields.values()), model

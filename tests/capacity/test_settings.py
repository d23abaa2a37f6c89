from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from churnsim.capacity.settings import BatchChannel, CapacitySettings, Channel, LiveChannel

from .examples import sms, voice

ADAPTER: TypeAdapter[LiveChannel | BatchChannel] = TypeAdapter(Channel)


def test_the_kind_of_a_channel_decides_its_keys():
    assert ADAPTER.validate_python(voice().model_dump()) == voice()
    assert ADAPTER.validate_python(sms().model_dump()) == sms()


@pytest.mark.parametrize(("channel", "key"), [(voice(), "read_prob"), (sms(), "max_attempts")])
def test_a_key_of_the_other_kind_is_refused(channel, key):
    with pytest.raises(ValidationError, match=rf"{key}\n  Extra inputs are not permitted"):
        ADAPTER.validate_python({**channel.model_dump(), key: 1})


@pytest.mark.parametrize(("key", "value"), [("handle_minutes_mean", 0.0), ("cost_per_attempt_amount", -1.0),
                                            ("retry_delay_hours", float("nan")), ("max_attempts", 0),
                                            ("answer_prob_by_hour", (1.1,) * 24),
                                            ("calling_window_hours", (8.0, 25.0))])
def test_values_out_of_range_are_refused(key, value):
    with pytest.raises(ValidationError, match=key):
        voice(**{key: value})


def test_every_key_is_documented():
    for model in (LiveChannel, BatchChannel, CapacitySettings):
        assert all(field.description for field in model.model_fields.values())

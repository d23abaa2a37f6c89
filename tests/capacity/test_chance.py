from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.chance import answer_stream, handle_hours, unit_at
from churnsim.core.draws import uniform_at

from .examples import KEY, voice


def test_one_draw_equals_the_array_of_draws():
    source = answer_stream("voice")
    subscribers = np.array([0, 7, 2**40 + 3, 2**52])
    hours = np.array([0, 9, 719, 65535])
    expected = uniform_at(KEY, source, subscribers, hours, month=5)
    pairs = zip(subscribers.tolist(), hours.tolist(), strict=True)
    assert [unit_at(i, 5 << 16 | h, source.number, KEY.low, KEY.high) for i, h in pairs] == expected.tolist()


def test_handle_times_are_log_normal_with_the_stated_moments():
    """Interval of 4 standard errors, so 6 in 100,000 seeds would fail each."""
    n, scv = 200_000, 0.5
    channel = voice(handle_minutes_mean=6.0, handle_scv=scv)
    hours = handle_hours("voice", channel, np.arange(n), key=KEY, month=1, attempt=2)
    assert abs(hours.mean() - 0.1) < 4 * hours.std() / np.sqrt(n)
    logs = np.log(hours)
    assert abs(logs.var() - np.log1p(scv)) < 4 * logs.var() * np.sqrt(2 / n)


def test_handle_times_without_variation_are_the_mean():
    hours = handle_hours("voice", voice(handle_scv=0.0), np.arange(3), key=KEY, month=0, attempt=1)
    assert hours == pytest.approx([0.1] * 3)


def test_handle_times_differ_by_attempt():
    first, second = (handle_hours("voice", voice(), np.arange(5), key=KEY, month=0, attempt=attempt)
                     for attempt in (1, 2))
    assert not np.any(first == second)

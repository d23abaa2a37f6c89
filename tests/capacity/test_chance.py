from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.chance import answer_stream, draws_at, handle_hours, law_hours, law_numbers, practice
from churnsim.capacity.settings import Law
from churnsim.core.draws import uniform_at

from .examples import KEY, voice


def test_one_draw_equals_the_array_of_draws():
    source = answer_stream("voice")
    subscribers = np.array([0, 7, 2**40 + 3, 2**52])
    hours = np.array([0, 9, 719, 65535])
    expected = uniform_at(KEY, source, subscribers, hours, month=5)
    pairs = zip(subscribers.tolist(), hours.tolist(), strict=True)
    assert [draws_at(i, 5 << 16 | h, source.number, *KEY)[0] for i, h in pairs] == expected.tolist()


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


def test_the_three_uniforms_are_independent():
    """Correlations of 40,000 triples within 4 standard errors: 6 in 100,000 keys would fail each."""
    draws = np.array([draws_at(i, 0, 1, *KEY) for i in range(40_000)])
    assert draws.min() > 0.0 and draws.max() < 1.0
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 4 / 200
    assert np.abs(draws.mean(0) - 0.5).max() < 4 * np.sqrt(1 / 12) / 200


@pytest.mark.parametrize(("law", "scv"), [("fixed", 0.0), ("exponential", 1.0), ("uniform", 1 / 3),
                                          ("lognormal", 0.5), ("weibull", 0.5), ("weibull", 2.0)])
def test_laws_have_the_stated_mean_and_variation(law, scv):
    """90 minutes. 4 standard errors of 40,000 durations, so 6 in 100,000 seeds would fail each."""
    numbers = law_numbers(Law(law=law, mean_minutes=90.0, scv=scv or 1.0))
    uniforms = np.random.default_rng(9).random((40_000, 2))
    hours = np.array([law_hours(numbers, u, v) for u, v in uniforms])
    assert abs(hours.mean() - 1.5) <= 4 * hours.std() / 200
    squares = (hours / 1.5 - 1.0) ** 2
    assert abs(squares.mean() - scv) <= 4 * squares.std() / 200


def test_no_law_is_for_ever():
    assert law_hours(law_numbers(None), 0.5, 0.5) == np.inf


def test_practice_by_hand():
    """From 0.6 the gap of 0.4 is halved every 10 contacts."""
    assert [practice(0.6, 10.0, contacts) for contacts in (0, 10, 20)] == pytest.approx([0.6, 0.8, 0.9])

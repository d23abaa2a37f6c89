from __future__ import annotations

import pytest

from churnsim.core.clock import (
    WEEKDAYS,
    days_to_hours,
    days_to_months,
    discount_factor,
    hours_to_months,
    weekday,
)


def test_a_month_has_30_days_of_24_hours():
    assert days_to_months(45.0) == 1.5
    assert hours_to_months(720.0) == 1.0
    assert days_to_hours(1.5) == 36.0


def test_weekdays_count_from_the_start():
    assert [weekday(day) for day in (0, 6, 7)] == [0, 6, 0]
    assert weekday(3, start_weekday=WEEKDAYS.index("saturday")) == WEEKDAYS.index("tuesday")


def test_discounting_by_hand():
    assert discount_factor(0, rate_annual=0.1) == 1.0
    assert discount_factor(12, rate_annual=0.25) == pytest.approx(0.8)
    assert discount_factor(6, rate_annual=0.21) == pytest.approx(1 / 1.1)

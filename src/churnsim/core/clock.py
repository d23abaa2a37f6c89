"""One converter between the three clocks: months (accounting), days (lifecycle), hours (contact centre)."""

from __future__ import annotations

DAYS_PER_MONTH = 30
HOURS_PER_DAY = 24
HOURS_PER_MONTH = DAYS_PER_MONTH * HOURS_PER_DAY
MONTHS_PER_YEAR = 12
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def hours_to_months(hours: float) -> float:
    """Length of a span of hours in months of 30 days."""
    return hours / HOURS_PER_MONTH


def days_to_months(days: float) -> float:
    """Length of a span of days in months of 30 days."""
    return days / DAYS_PER_MONTH


def days_to_hours(days: float) -> float:
    """Length of a span of days in hours."""
    return days * HOURS_PER_DAY


def weekday(day: int, *, start_weekday: int = 0) -> int:
    """Weekday (0 = Monday) of a day counted from the start, which falls on `start_weekday`."""
    return (day + start_weekday) % 7


def discount_factor(month: int, *, rate_annual: float) -> float:
    """Present value at month 0 of one unit due at the start of `month`: ``(1 + r) ** (-month / 12)``."""
    return float((1.0 + rate_annual) ** (-month / MONTHS_PER_YEAR))

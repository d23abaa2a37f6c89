"""Numbers and findings as people read them."""

from __future__ import annotations

import math

ABSENT = "n/a"


def number(value: float | None, *, decimals: int = 0) -> str:
    """Return a number with thousands separators; "n/a" for None and NaN, never "-0".

    >>> number(-97646.39), number(-0.3), number(0.125, decimals=2), number(None)
    ('-97,646', '0', '0.12', 'n/a')
    """
    if value is None or math.isnan(value):
        return ABSENT
    text = f"{value:,.{decimals}f}"
    return text.removeprefix("-") if not text.strip("-0.,") else text


def percent(share: float | None, *, decimals: int = 1) -> str:
    """Return a share as a percentage.

    >>> percent(0.2142), percent(None)
    ('21.4 %', 'n/a')
    """
    return ABSENT if share is None or math.isnan(share) else f"{number(100.0 * share, decimals=decimals)} %"


def interval(low: float | None, high: float | None, *, decimals: int = 0) -> str:
    """Return the limits of an interval; "n/a" where one replicate gives none.

    >>> interval(-1610.2, 3729.3), interval(None, None)
    ('-1,610 to 3,729', 'n/a')
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ABSENT
    return f"{number(low, decimals=decimals)} to {number(high, decimals=decimals)}"


def verdict(low: float | None, high: float | None) -> str:
    """Return what the interval of a difference says about the first of two policies.

    >>> verdict(1.0, 2.0), verdict(-2.0, -1.0), verdict(-1.0, 2.0)
    ('better', 'worse', 'not distinguishable')
    """
    if low is not None and low > 0.0:
        return "better"
    if high is not None and high < 0.0:
        return "worse"
    return "not distinguishable"


def counted(count: int, noun: str) -> str:
    """Return a count and its noun in the right number.

    >>> counted(1, "replicate"), counted(12000, "subscriber")
    ('1 replicate', '12,000 subscribers')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"

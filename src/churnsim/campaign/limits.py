"""What every list keeps to beside money and staff: holdout, cool-off, segments."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from churnsim.campaign.settings import CampaignLimits
from churnsim.config.messages import did_you_mean
from churnsim.config.paths import KeyPath
from churnsim.core.draws import Key
from churnsim.lifecycle.record_settings import GROUPS
from churnsim.policy.choices import NO_SEGMENT, Segment, draw_holdout
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed

Flags = npt.NDArray[np.bool_]


def may_be_listed(table: Observed, limits: CampaignLimits, *, key: Key) -> Flags:
    """Return whom a list may hold: not held out, and no offer accepted lately, (n,) bool."""
    free = np.asarray(table["months_since_offer"] >= limits.cool_off_months)
    if limits.holdout_share:
        free &= ~draw_holdout(key, table.ids, share=limits.holdout_share)
    return free


def segment_of(table: Observed, limits: CampaignLimits) -> npt.NDArray[np.int32]:
    """Return the position of each subscriber's segment, the first that fits, -1 for none, (n,)."""
    found = np.full(len(table), NO_SEGMENT, np.int32)
    for position, segment in reversed(list(enumerate(limits.segments.values()))):
        inside = np.ones(len(table), bool)
        for column, value in segment.by.items():
            inside &= table[column] == group_code(column, value)
        found[inside] = position
    return found


def segment_limits(limits: CampaignLimits) -> tuple[Segment, ...]:
    """Return the segments with their least and most."""
    return tuple(Segment(name, each.least, np.inf if each.most is None else each.most)
                 for name, each in limits.segments.items())


def check_limits(limits: CampaignLimits) -> Iterator[tuple[KeyPath, str]]:
    """Yield findings about segments as (key path, message)."""
    for name, segment in limits.segments.items():
        at = ("campaign", "limits", "segments", name)
        if not segment.by:
            yield (*at, "by"), "name at least one column and its value"
        for column, value in segment.by.items():
            if column not in GROUPS:
                there = f"there are {', '.join(GROUPS)}{did_you_mean(column, GROUPS)}"
                yield (*at, "by", column), f"no such column; {there}"
            elif group_code(column, value) is None:
                known = _categories(column)
                there = f"there are {', '.join(known)}{did_you_mean(value, known)}" if known else "give its number"
                yield (*at, "by", column), f"no {column} {value!r}; {there}"
        if segment.most is not None and segment.most < segment.least:
            yield (*at, "most"), f"must be at least least ({segment.least}; got {segment.most})"


def group_code(column: str, value: str) -> int | None:
    """Return the code of a value of a group column, None for a value that it cannot have."""
    known = _categories(column)
    if known:
        return known.index(value) if value in known else None
    return int(value) if value.isdecimal() else None


def _categories(column: str) -> tuple[str, ...]:
    return SCHEMA[column].categories

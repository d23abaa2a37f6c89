"""What is wrong with one team: its shifts and breaks, what it serves, and how it keeps agents back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from churnsim.capacity.settings import AutomaticChannel, BatchChannel, CapacitySettings, LiveChannel, Shift, Team
from churnsim.core.clock import HOURS_PER_DAY, WEEKDAYS

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
Channels = Mapping[str, LiveChannel | BatchChannel]


def check_team(name: str, team: Team, channels: Channels, capacity: CapacitySettings) -> Iterator[Finding]:
    """Yield what is wrong with a team, as (key path, what was found and the remedy)."""
    at = ("capacity", "teams", name)
    yield from _check_shifts(at, team)
    for k, shift in enumerate(team.shifts):
        yield from _check_breaks((*at, "shifts", k, "breaks"), shift)
    yield from _check_channels(at, team, channels)
    yield from _check_streams(at, team, capacity)
    for k, skill in enumerate(team.skills):
        if not skill or skill in team.skills[:k]:
            found = "an empty skill" if not skill else f"skill {skill!r} is named twice"
            yield (*at, "skills", k), f"{found}; orders that ask for nothing go to anybody: remove it"
    if not team.channels and not team.inbound:
        yield at, "the team serves nothing; name channels or inbound streams for it, or set it to null"
    if team.reserve_agents and team.reserve_agents >= team.agents:
        yield ((*at, "reserve_agents"), f"{team.reserve_agents} of {team.agents} agents are kept for callers, so that "
               "no order is ever worked; keep fewer")
    if team.absence_prob == 1.0:
        yield (*at, "absence_prob"), "is 1, so that nobody is ever at work; lower it, or set agents to 0"
    if team.shift_end == "hand_back" and not team.channels:
        yield (*at, "shift_end"), "callers are never handed back, and the team serves nobody else; set it to finish"
    if team.shift_end == "hand_back" and team.overtime_factor != 1.0 and not team.inbound:
        yield ((*at, "overtime_factor"), f"does nothing where contacts are handed back (got {team.overtime_factor:g}); "
               "set shift_end to finish, or the factor to 1")


def _check_shifts(at: Path, team: Team) -> Iterator[Finding]:
    days = {WEEKDAYS.index(day) for day in team.weekdays}
    follows = any((day + 1) % len(WEEKDAYS) in days for day in days)
    for i, shift in enumerate(team.shifts):
        path = (*at, "shifts", i)
        if shift.end_hour <= shift.start_hour:
            yield path, (f"the shift ends at {shift.end_hour:g}, not after its start at {shift.start_hour:g}; a shift "
                         "over midnight ends above 24, such as 30 for 6 in the morning")
            continue
        for j, other in enumerate(team.shifts):
            if j < i and shift.start_hour < other.end_hour and other.start_hour < shift.end_hour:
                yield path, (f"the shift {_hours(shift)} overlaps shift {j} ({_hours(other)}) of the same agents; "
                             "move one of the two")
            elif follows and shift.end_hour - HOURS_PER_DAY > other.start_hour:
                yield path, (f"the shift {_hours(shift)} reaches over midnight into shift {j} ({_hours(other)}) of the "
                             "same agents on the next day; move one of the two")


def _hours(shift: Shift) -> str:
    return f"{shift.start_hour:g}-{shift.end_hour:g}"


def _check_breaks(at: Path, shift: Shift) -> Iterator[Finding]:
    if shift.end_hour <= shift.start_hour:
        return
    for i, (start, end) in enumerate(shift.breaks):
        if end <= start:
            yield (*at, i), f"the break ends at {end:g}, not after its start at {start:g}; swap the two or remove it"
        elif start < shift.start_hour or end > shift.end_hour:
            yield (*at, i), f"the break {start:g}-{end:g} lies outside its shift ({_hours(shift)}); move it inside"
        for j, (first, last) in enumerate(shift.breaks[:i]):
            if start < last and first < end:
                yield (*at, i), f"the break {start:g}-{end:g} overlaps break {j} ({first:g}-{last:g}); join the two"
    if (shift.start_hour, shift.end_hour) in shift.breaks:
        yield at, f"the break is as long as the shift ({_hours(shift)}); shorten it or remove the shift"


def _check_channels(at: Path, team: Team, channels: Channels) -> Iterator[Finding]:
    live = [name for name, channel in channels.items()
            if isinstance(channel, LiveChannel) and not isinstance(channel, AutomaticChannel)]
    for i, served in enumerate(team.channels):
        path = (*at, "channels", i)
        if served not in channels:
            yield path, (f"unknown channel {served!r}; name one of the live channels "
                         f"({', '.join(live) or 'there is none'}) or declare it under channels")
        elif served not in live:
            kind = "an automatic" if isinstance(channels[served], AutomaticChannel) else "a batch"
            yield path, f"channel {served!r} is {kind} channel and needs no agents; remove it from the team"
        elif served in team.channels[:i]:
            yield path, f"channel {served!r} is named twice; remove one of the two"


def _check_streams(at: Path, team: Team, capacity: CapacitySettings) -> Iterator[Finding]:
    for i, served in enumerate(team.inbound):
        path = (*at, "inbound", i)
        if served not in capacity.inbound:
            yield path, (f"unknown inbound stream {served!r}; name one of "
                         f"{', '.join(capacity.inbound) or 'none, since there is none'} or declare it under "
                         "capacity.inbound")
        elif served in team.inbound[:i]:
            yield path, f"inbound stream {served!r} is named twice; remove one of the two"

"""What a single value cannot show: channels, teams and shifts that do not fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel, Team

Path = tuple[str | int, ...]
Finding = tuple[Path, str]


def check_capacity(
    channels: Mapping[str, LiveChannel | BatchChannel], capacity: CapacitySettings, used: Iterable[str]
) -> Iterator[Finding]:
    """Yield what cannot be worked as described, as (key path, what was found and the remedy).

    Parameters
    ----------
    channels
        By name, as in the `channels` section.
    used
        Names of the channels that orders may come on; only these must be staffed.
    """
    used_live = {name: channel for name in dict.fromkeys(used)
                 if isinstance(channel := channels.get(name), LiveChannel)}
    for name, channel in channels.items():
        yield from _check_channel(name, channel)
    for name, team in capacity.teams.items():
        yield from _check_shifts(name, team)
        yield from _check_served(name, team, channels)
    yield from _check_staff(used_live, capacity)


def _check_channel(name: str, channel: LiveChannel | BatchChannel) -> Iterator[Finding]:
    start, end = channel.calling_window_hours
    if end <= start:
        yield (("channels", name, "calling_window_hours"),
               f"the window ends at {end:g}, not after its start at {start:g}; "
               "give its start and end within one day")
    if isinstance(channel, BatchChannel):
        if channel.read_prob == 0:
            yield (("channels", name, "read_prob"),
                   "is 0, so that nobody can be reached; raise it or remove the channel")
        return
    probs = channel.answer_prob_by_hour
    if len(probs) != 24:
        yield (("channels", name, "answer_prob_by_hour"),
               f"has {len(probs)} values; give 24, one for each hour of the day from midnight")
    elif not any(probs):
        yield (("channels", name, "answer_prob_by_hour"),
               "all 24 probabilities are 0, so that nobody can be reached; raise some or remove the channel")
    if channel.max_attempts > 1 and channel.retry_delay_hours == 0:
        yield (("channels", name, "retry_delay_hours"),
               f"is 0 with max_attempts {channel.max_attempts}, a loop of instant redials; "
               "give a delay above 0 or set max_attempts to 1")


def _check_shifts(name: str, team: Team) -> Iterator[Finding]:
    for i, shift in enumerate(team.shifts):
        path = ("capacity", "teams", name, "shifts", i)
        if shift.end_hour <= shift.start_hour:
            yield path, (f"the shift ends at {shift.end_hour:g}, not after its start at "
                         f"{shift.start_hour:g}; write a shift over midnight as one to 24 and one from 0")
            continue
        for j, other in enumerate(team.shifts[:i]):
            if shift.start_hour < other.end_hour and other.start_hour < shift.end_hour:
                yield path, (f"the shift {shift.start_hour:g}-{shift.end_hour:g} overlaps shift {j} "
                             f"({other.start_hour:g}-{other.end_hour:g}) of the same agents; "
                             "move one of the two")


def _check_served(
    name: str, team: Team, channels: Mapping[str, LiveChannel | BatchChannel]
) -> Iterator[Finding]:
    live = [c for c, channel in channels.items() if isinstance(channel, LiveChannel)]
    for i, served in enumerate(team.channels):
        path = ("capacity", "teams", name, "channels", i)
        if served not in channels:
            yield path, (f"unknown channel {served!r}; name one of the live channels "
                         f"({', '.join(live) or 'there is none'}) or declare it under channels")
        elif served not in live:
            yield path, f"channel {served!r} is a batch channel and needs no agents; remove it from the team"
        elif served in team.channels[:i]:
            yield path, f"channel {served!r} is named twice; remove one of the two"


def _check_staff(used: Mapping[str, LiveChannel], capacity: CapacitySettings) -> Iterator[Finding]:
    empty: dict[str, list[str]] = {}
    for name, channel in used.items():
        teams = {t: team for t, team in capacity.teams.items() if name in team.channels}
        if not teams:
            yield (("channels", name),
                   "no team serves this live channel; add it to the channels of a team under capacity.teams")
            continue
        if not any(team.agents for team in teams.values()):
            empty.setdefault(next(iter(teams)), []).append(name)
        if not any(_meets(channel, team) for team in teams.values()):
            start, end = channel.calling_window_hours
            yield (("channels", name, "calling_window_hours"),
                   f"the window {start:g}-{end:g} meets no shift of the teams that serve the channel "
                   f"({', '.join(teams)}); move the window or a shift")
    for team_name, names in empty.items():
        yield (("capacity", "teams", team_name, "agents"),
               f"there are 0 agents for channels in use: {', '.join(names)}; "
               "give the team agents or take the channels out of the offers")


def _meets(channel: LiveChannel, team: Team) -> bool:
    start, end = channel.calling_window_hours
    return bool(team.weekdays) and any(max(start, s.start_hour) < min(end, s.end_hour) for s in team.shifts)

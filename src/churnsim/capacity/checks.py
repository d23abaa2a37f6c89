"""What a single value cannot show: channels, teams, shifts and streams that do not fit each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from churnsim.capacity.inbound_checks import check_inbound
from churnsim.capacity.settings import AutomaticChannel, BatchChannel, CapacitySettings, LiveChannel
from churnsim.capacity.team_checks import check_team

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
Channels = Mapping[str, LiveChannel | BatchChannel]
# Keys of dialling that are read in one mode only: the mode, and the value that does nothing.
DIALLING_KEYS = {"preview_minutes": ("preview", LiveChannel.model_fields["preview_minutes"].default),
                 "lines_per_agent": ("predictive", LiveChannel.model_fields["lines_per_agent"].default),
                 "dropped_limit": ("predictive", LiveChannel.model_fields["dropped_limit"].default)}


def check_capacity(channels: Channels, capacity: CapacitySettings, used: Iterable[str], *,
                   months: Collection[int] = ()) -> Iterator[Finding]:
    """Yield what cannot be worked as described, as (key path, what was found and the remedy).

    Parameters
    ----------
    channels
        By name, as in the `channels` section.
    used
        Names of the channels that orders may come on; only these must be staffed.
    months
        Months in which somebody must be at work.
    """
    from churnsim.capacity.calendar import LINES

    for name, channel in channels.items():
        yield from _check_window(name, channel)
        if isinstance(channel, BatchChannel):
            if channel.read_prob == 0:
                yield (("channels", name, "read_prob"),
                       "is 0, so that nobody can be reached; raise it or remove the channel")
        else:
            yield from _check_answers(name, channel)
            yield from _check_retries(name, channel)
            yield from _check_dialling(name, channel)
        if isinstance(channel, AutomaticChannel) and f"{name}{LINES}" in capacity.teams:
            yield (("capacity", "teams", f"{name}{LINES}"),
                   f"the lines of the automatic channel {name!r} bear this name; give the team another")
    for name, team in capacity.teams.items():
        yield from check_team(name, team, channels, capacity)
    yield from check_inbound(channels, capacity)
    live = {name: channel for name in dict.fromkeys(used) if name in channels
            and isinstance(channel := channels[name], LiveChannel) and not isinstance(channel, AutomaticChannel)}
    yield from _check_staff(live, capacity)
    yield from _check_months(live, capacity, months)


def _check_window(name: str, channel: LiveChannel | BatchChannel) -> Iterator[Finding]:
    start, end = channel.calling_window_hours
    if end <= start:
        yield (("channels", name, "calling_window_hours"),
               f"the window ends at {end:g}, not after its start at {start:g}; "
               "give its start and end within one day")


def _check_answers(name: str, channel: LiveChannel) -> Iterator[Finding]:
    at, probs = ("channels", name), channel.answer_prob_by_hour
    if len(probs) != 24:
        yield ((*at, "answer_prob_by_hour"),
               f"has {len(probs)} values; give 24, one for each hour of the day from midnight")
    elif not any(probs):
        yield ((*at, "answer_prob_by_hour"),
               "all 24 probabilities are 0, so that nobody can be reached; raise some or remove the channel")
    for key in ("answer_weekday_factors", "answer_attempt_factors"):
        factors = getattr(channel, key)
        if factors and not any(factors):
            yield (*at, key), "all factors are 0, so that nobody can be reached; raise some or remove the channel"
    for keys, of in ((("busy_prob", "voicemail_prob"), "attempts nobody answers"),
                     (("refusal_prob", "hang_up_prob", "callback_prob"), "answered attempts")):
        total = sum(getattr(channel, key) for key in keys)
        if total > 1.0 + 1e-12:
            yield ((*at, keys[0]), f"{', '.join(keys[:-1])} and {keys[-1]} add up to {total:g}; they are shares of the "
                   f"{of}, so lower them to 1 or less together")


def _check_retries(name: str, channel: LiveChannel) -> Iterator[Finding]:
    at = ("channels", name)
    if channel.max_attempts > 1 and channel.retry_delay_hours == 0:
        yield ((*at, "retry_delay_hours"),
               f"is 0 with max_attempts {channel.max_attempts}, a loop of instant redials; "
               "give a delay above 0 or set max_attempts to 1")
    least, most = channel.callback_delay_hours
    if least > most:
        yield (*at, "callback_delay_hours"), f"the least delay, {least:g}, is above the most, {most:g}; swap the two"
    if channel.callback_prob and most == 0 and channel.max_attempts > 1:
        yield ((*at, "callback_delay_hours"), "is 0 with call-backs, a loop of instant redials; give a delay above 0 "
               "or set callback_prob to 0")
    if "dropped_by_dialer" in channel.retries and channel.dialling != "predictive":
        yield ((*at, "retries", "dropped_by_dialer"),
               f"nobody is dropped under {channel.dialling} dialling; remove it, or set dialling to predictive")


def _check_dialling(name: str, channel: LiveChannel) -> Iterator[Finding]:
    for key, (mode, idle) in DIALLING_KEYS.items():
        value = getattr(channel, key)
        if channel.dialling != mode and value != idle:
            yield (("channels", name, key),
                   f"does nothing under {channel.dialling} dialling (got {value:g}); set dialling to {mode}, or take "
                   f"the key out ({idle:g})")


def _check_staff(used: Mapping[str, LiveChannel], capacity: CapacitySettings) -> Iterator[Finding]:
    from churnsim.capacity.calendar import agent_hours_by_hour

    empty: dict[str, list[str]] = {}
    for name, channel in used.items():
        teams = {t: team for t, team in capacity.teams.items() if name in team.channels}
        if not teams:
            yield (("channels", name),
                   "no team serves this live channel; add it to the channels of a team under capacity.teams")
        elif not any(team.agents for team in teams.values()):
            empty.setdefault(next(iter(teams)), []).append(name)
        elif not agent_hours_by_hour(name, channel, capacity).any():
            start, end = channel.calling_window_hours
            yield (("channels", name, "calling_window_hours"),
                   f"the window {start:g}-{end:g} meets no shift of the teams that serve the channel "
                   f"({', '.join(teams)}); move the window or a shift")
    for team_name, names in empty.items():
        yield (("capacity", "teams", team_name, "agents"),
               f"there are 0 agents for channels in use: {', '.join(names)}; "
               "give the team agents or take the channels out of the offers")


def _check_months(used: Mapping[str, LiveChannel], capacity: CapacitySettings, months: Collection[int]
                  ) -> Iterator[Finding]:
    """Yield what has nobody at work in a month, though it has in an ordinary week: holidays."""
    from churnsim.capacity.calendar import agent_hours_by_hour, live_opening, team_hours

    for month in months:
        closed = [name for name, channel in used.items() if agent_hours_by_hour(name, channel, capacity).any()
                  and not len(live_opening(name, channel, capacity, month=month).starts)]
        if closed:
            yield (("capacity", "holidays"), f"nobody may work on {', '.join(closed)} in month {month} (days "
                   f"{30 * month} to {30 * month + 29}); take days out of the holidays")
        for stream in capacity.inbound:
            teams = [team for team in capacity.teams.values() if stream in team.inbound and team.agents]
            if any(team.weekdays and team.shifts for team in teams) and not any(
                    team_hours(team, capacity, month=month) for team in teams):
                yield (("capacity", "holidays"), f"nobody answers the inbound stream {stream!r} in month {month} (days "
                       f"{30 * month} to {30 * month + 29}); take days out of the holidays")

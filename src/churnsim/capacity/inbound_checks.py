"""What is wrong with inbound streams: their hours, laws, and who answers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from churnsim.capacity.settings import BatchChannel, CapacitySettings, InboundStream, Law, LiveChannel, Team

Path = tuple[str | int, ...]
Finding = tuple[Path, str]
MINUTES_PER_HOUR = 60.0
SHAPED = ("lognormal", "weibull")


def check_inbound(channels: Mapping[str, LiveChannel | BatchChannel], capacity: CapacitySettings) -> Iterator[Finding]:
    """Yield what is wrong with inbound streams, as (key path, what was found and the remedy)."""
    for name, stream in capacity.inbound.items():
        at = ("capacity", "inbound", name)
        if name in channels:
            yield at, "a channel has the same name; give the stream another"
        if len(stream.calls_per_hour_by_hour) != 24:
            yield ((*at, "calls_per_hour_by_hour"), f"has {len(stream.calls_per_hour_by_hour)} values; give 24, one "
                   "for each hour of the day from midnight")
        for key in ("patience", "handle", "retrial_delay"):
            yield from _check_law((*at, key), getattr(stream, key))
        if stream.patience is None and stream.retrial_prob:
            yield ((*at, "retrial_prob"), f"nobody gives up who waits for ever (got {stream.retrial_prob:g}); give "
                   "patience a law, or set it to 0")
        if not any(name in team.inbound and team.agents for team in capacity.teams.values()):
            yield at, "nobody answers it: no team with agents names it under inbound; add it to one, or set it to null"
    yield from _check_stable(capacity)


def _check_law(at: Path, law: Law | None) -> Iterator[Finding]:
    if law is not None and law.law not in SHAPED and law.scv != 1.0:
        yield ((*at, "scv"), f"does nothing under the law {law.law} (got {law.scv:g}); choose {' or '.join(SHAPED)}, "
               "or take it out")


def _check_stable(capacity: CapacitySettings) -> Iterator[Finding]:
    """Yield streams whose callers wait for ever and are more than their teams can serve in a week."""
    for names, teams in team_groups(capacity, lambda team: team.inbound):
        known = [name for name in names if name in capacity.inbound]
        endless = [name for name in known if capacity.inbound[name].patience is None]
        work = sum(_weekly_work(capacity.inbound[name]) for name in endless)
        staff = sum(_weekly_staff(team) for team in teams.values())
        if endless and staff > 0.0 and work >= staff:
            yield (("capacity", "inbound", endless[0], "patience"),
                   f"callers of {', '.join(endless)} wait for ever and bring {work:,.0f} hours of work a week to "
                   f"{staff:,.0f} hours of staff ({work / staff:.2f} times): the queue grows without end; give "
                   "patience a law, or the teams more agents")


def team_groups(capacity: CapacitySettings, serves: Callable[[Team], Sequence[str]]
                ) -> Iterator[tuple[list[str], dict[str, Team]]]:
    """Yield what teams serve, split where no team serves both sides, with these teams by name."""
    left = {name: team for name, team in capacity.teams.items() if serves(team)}
    while left:
        group, names = {}, list(serves(next(iter(left.values()))))
        for served in names:
            for name in [name for name, team in left.items() if served in serves(team)]:
                group[name] = left.pop(name)
                names += [each for each in serves(group[name]) if each not in names]
        yield names, group


def _weekly_work(stream: InboundStream) -> float:
    """Return the hours of an agent of productivity 1 that a stream takes in an ordinary week."""
    calls = sum(stream.calls_per_hour_by_hour) * sum(stream.weekday_factors)
    return calls * stream.handle.mean_minutes / MINUTES_PER_HOUR


def _weekly_staff(team: Team) -> float:
    """Return the hours of an agent of productivity 1 that a team has in an ordinary week."""
    from churnsim.capacity.calendar import spans

    hours = sum(end - start for shift in team.shifts for start, end in spans(shift))
    return team.agents * len(set(team.weekdays)) * hours * team.productivity * (1.0 - team.absence_prob)

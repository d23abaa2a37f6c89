"""Plan and contact centre in turn: each list is made with the reach in time that rehearsals of the last one found.

A plan expects of everybody the reach of a phone that is rung at once. With few agents the orders at the end of the
queue are called late or never, and how late depends on who else is listed. So a list is rehearsed, the part of the
planned reach that came in time is read off as a curve over the queue, and the next list is made with it: who would
be called too late is sent a message, or nothing, instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import isotonic_regression

from churnsim.errors import ConfigError
from churnsim.policy.choice import Choice, Rehearse, Rehearsed, Situation
from churnsim.policy.optimal import by_money, by_prices
from churnsim.policy.plan import Plan
from churnsim.policy.settings import CapacityAware

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

# A list has settled when a round changes no more of it, and of its value: rehearsals tell no more than that.
SETTLED_SHARE = 0.005
GROUP_ORDERS = 50
LEAST_REACH, LEAST_MINUTES, MOST_RISK = 0.01, 1e-9, 0.999
BLIND, CONVERGED, CYCLE, USED_UP = "capacity-blind", "converged", "cycle", "rounds used up"


@dataclass(frozen=True)
class Tried:
    """A list that was rehearsed.

    Attributes
    ----------
    listed_value
        What it was worth by the reach that it was made with.
    rehearsed_value
        What rehearsals that no list was made with found it worth, by the same effects and costs.
    changed
        Subscribers with another arm than in the round before.
    state
        Why it is the last one, or the one that knows no staff; else empty.
    """

    choice: Choice
    listed_value: float
    rehearsed_value: float
    changed: int = 0
    state: str = ""


def choose(settings: CapacityAware, given: Situation) -> Choice:
    """Return the best of the lists that plan and rehearsal in turn come to.

    The first list knows no staff (as ``uplift_value``), the second goes by planned reach and staff (as
    ``budget_staff``), each further one by the reach in time that rehearsals of all before it found, the newest weighing
    ``damping``. The best by rehearsals under draws of their own is taken, of equals the first. Who is listed has the
    priority of the plan: dispatch adds the urgency, and a priority lowered for late contacts would make them later
    still.

    Raises
    ------
    ConfigError
        There is no contact centre to rehearse in.
    """
    if given.rehearse is None:
        raise ConfigError("capacity_aware: no contact centre to rehearse lists in; a policy of a campaign has one, in "
                          "Python give Situation its rehearse")
    tries = list(_rounds(settings, given, given.rehearse))
    best = max(range(len(tries)), key=lambda number: (tries[number].rehearsed_value, -number))
    blind, last, taken = tries[0], tries[-1], tries[best]
    if all((each.choice.arm < 0).all() for each in tries):
        return blind.choice
    note = (f"list of round {best} of {len(tries) - 1} ({last.state}); in rehearsals worth "
            f"{taken.rehearsed_value:,.0f}{f' {given.currency}'.rstrip()}, the list without regard for staff "
            f"{blind.rehearsed_value:,.0f}")
    return replace(taken.choice, note=note, tables={**taken.choice.tables, "rounds": _table(tries, best)})


def _rounds(settings: CapacityAware, given: Situation, rehearse: Rehearse) -> Iterator[Tried]:
    """Yield the list that knows no staff, then one a round until nothing new comes."""
    plan, planned = given.plan, given.plan.planned_value(settings.learner)
    worth = plan.kept[settings.learner] - plan.accept * plan.offer_cost
    in_time = np.ones_like(planned)
    seen: list[Int64] = []

    def tried(choice: Choice, value: Float64) -> Tried:
        held_out = range(settings.rehearsals, 2 * settings.rehearsals)
        return Tried(choice, _sum(choice, value),
                     _rehearsed_value(choice, worth, [rehearse(choice, draw) for draw in held_out]))

    before = tried(_by_plan(by_money(given, planned), planned), planned)
    yield replace(before, state=BLIND)
    for number in range(1, settings.rounds + 1):
        value = in_time * planned
        choice = _list(given, value) if seen else by_prices(given, value, given.limits)
        last = tried(_by_plan(choice, planned), value)
        changed = int((last.choice.arm != before.choice.arm).sum())
        state = USED_UP if number == settings.rounds else ""
        if seen and _has_settled(last, before, changed):
            state = CONVERGED
        elif changed and any(np.array_equal(last.choice.arm, earlier) for earlier in seen):
            state = CYCLE
        yield replace(last, changed=changed, state=state)
        if state:
            return
        found = _mean([rehearse(last.choice, draw).reach for draw in range(settings.rehearsals)])
        newest = reach_in_time(plan, last.choice.arm, found, worth=worth, otherwise=in_time)
        in_time = (1.0 - settings.damping) * in_time + settings.damping * newest
        seen.append(last.choice.arm)
        before = last


def _has_settled(last: Tried, before: Tried, changed: int) -> bool:
    """Tell whether a round changed next to nothing: neither who is listed nor what that is worth by its reach."""
    return (changed <= SETTLED_SHARE * (last.choice.arm >= 0).sum()
            and abs(last.listed_value - before.listed_value) <= SETTLED_SHARE * abs(before.listed_value))


def _list(given: Situation, value: Float64) -> Choice:
    """Return the best list: where money is what runs out by the budget's path, else by prices of staff as well."""
    choice = by_money(given, value)
    rows = np.flatnonzero(choice.arm >= 0)
    minutes = np.bincount(choice.arm[rows], given.plan.minutes[rows, choice.arm[rows]], minlength=value.shape[1])
    if all(minutes @ resource.per_effort <= resource.capacity for resource in given.limits.resources):
        return choice
    return by_prices(given, value, given.limits)


def reach_in_time(plan: Plan, arm: Int64, reach: Float64, *, worth: Float64, otherwise: Float64) -> Float64:
    """Return the part of the planned reach that comes in time, for everybody and every arm, listed or not, (n, A).

    For each channel the rehearsed over the planned reach of those listed is regressed on their place in the queue,
    rising with it (isotonic regression, which pools neighbours until the curve rises). A subscriber who is not listed
    would come into the queue where the arm's worth puts it, and has the curve's value there. The queue is that of
    three orders, of worth, worth a minute, and worth a minute times the loss rate, which fits best: the centre's rule
    of dispatch shows in the rehearsals.

    Parameters
    ----------
    arm
        (n,) list that was rehearsed, -1 for nobody's.
    reach
        (n,) rehearsed reach in time of each.
    worth
        (n, A) what each arm is worth if the subscriber is reached.
    otherwise
        (n, A) for channels that the list does not use.
    """
    channel = np.array([each.channel for each in plan.arms])
    planned = np.where(arm >= 0, plan.reach[np.arange(len(arm)), np.maximum(arm, 0)], 0.0)
    places = _places(plan, worth)
    found = otherwise.copy()
    for name in np.unique(channel):
        rows = np.flatnonzero((planned >= LEAST_REACH) & (channel[arm] == name))
        if len(rows):
            part, weight = reach[rows] / planned[rows], planned[rows]
            curves = [_curve(place[rows, arm[rows]], part, weight) for place in places]
            best = int(np.argmin([curve.misfit for curve in curves]))
            found[:, channel == name] = np.interp(places[best][:, channel == name], curves[best].place,
                                                  curves[best].part)
    return found


def _places(plan: Plan, worth: Float64) -> tuple[Float64, ...]:
    """Return what the place in a queue may go by, (n, A) each, larger in front."""
    a_minute = worth * plan.reach / np.maximum(plan.minutes, LEAST_MINUTES)
    return worth, a_minute, a_minute * -np.log1p(-np.minimum(plan.risk, MOST_RISK))[:, None]


@dataclass(frozen=True)
class _Curve:
    place: Float64
    part: Float64
    misfit: float


def _curve(place: Float64, part: Float64, weight: Float64) -> _Curve:
    order = np.argsort(place, kind="stable")
    place, part, weight = place[order], part[order], weight[order]
    # Groups, so that who happens to be first or last in the queue does not make the curve's ends.
    group = np.arange(len(place)) // GROUP_ORDERS
    weights = np.bincount(group, weight)
    parts, places = np.bincount(group, weight * part) / weights, np.bincount(group, weight * place) / weights
    fitted = isotonic_regression(parts, weights=weights).x
    return _Curve(places, fitted, float(weight @ (part - fitted[group]) ** 2))


def _by_plan(choice: Choice, planned: Float64) -> Choice:
    """Return the list with the priorities of the plan."""
    rows = np.flatnonzero(choice.arm >= 0)
    priority = np.zeros(len(choice.arm))
    priority[rows] = planned[rows, choice.arm[rows]]
    return replace(choice, priority=priority)


def _sum(choice: Choice, value: Float64) -> float:
    rows = np.flatnonzero(choice.arm >= 0)
    return float(value[rows, choice.arm[rows]].sum())


def _rehearsed_value(choice: Choice, worth: Float64, found: list[Rehearsed]) -> float:
    return _sum(choice, _mean([each.reach for each in found])[:, None] * worth) - float(
        _mean([each.contact_cost for each in found]).sum())


def _mean(arrays: list[Float64]) -> Float64:
    return np.asarray(np.mean(arrays, axis=0), dtype=np.float64)


def _table(tries: list[Tried], best: int) -> pd.DataFrame:
    return pd.DataFrame([{
        "round": number, "listed": int((each.choice.arm >= 0).sum()), "spend_amount": each.choice.planned_spend,
        "listed_value_amount": each.listed_value, "rehearsed_value_amount": each.rehearsed_value,
        "changed": each.changed, "state": each.state, "taken": number == best} for number, each in enumerate(tries)])

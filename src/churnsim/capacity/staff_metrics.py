"""Callers and teams in numbers: service levels, waits, who was busy how long, and what agents achieved."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from churnsim.capacity.lines import Line, ratio
from churnsim.capacity.log import CallLog, ContactLog
from churnsim.capacity.order_metrics import ANSWERED_WITHIN_HOURS, RESOLVED_WITHIN_HOURS, OrderFacts
from churnsim.capacity.roster import Roster
from churnsim.capacity.settings import InboundStream
from churnsim.core.money import CENTS

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0


def wait_hours(calls: CallLog) -> Floats:
    """Return how long each caller waited: until the answer, or until giving up or the month's end, (j,)."""
    return np.minimum(calls.start_hours, calls.end_hours) - calls.call_hours


def service_level(calls: CallLog, stream: str, *, within_seconds: float) -> float:
    """Return the share of a stream's calls answered within a time; those given up are not. 0 without calls."""
    mine = calls.stream == stream
    served = mine & (calls.disposition == "served")
    return ratio(int((wait_hours(calls)[served] * SECONDS_PER_HOUR <= within_seconds).sum()), int(mine.sum()))


def stream_lines(calls: CallLog, streams: Mapping[str, InboundStream]) -> list[Line]:
    """Return the metrics of each inbound stream."""
    wait, lines = wait_hours(calls), []
    for name, settings in streams.items():
        mine = calls.stream == name
        served, gave_up = (mine & (calls.disposition == each) for each in ("served", "abandoned_in_queue"))
        count, level = int(mine.sum()), settings.answer_within_seconds
        callers, caller = np.unique(calls.call_id[mine], return_inverse=True)
        first = np.full(len(callers), np.inf)
        np.minimum.at(first, caller, calls.call_hours[mine])
        resolved = served[mine] & (calls.end_hours[mine] - first[caller] <= RESOLVED_WITHIN_HOURS)
        found = [("callers", len(callers), "callers"), ("calls", count, "calls"),
                 ("served", int(served.sum()), "calls"), ("abandoned", int(gave_up.sum()), "calls"),
                 ("waiting_at_the_end", count - int(served.sum()) - int(gave_up.sum()), "calls"),
                 ("abandonment_rate", ratio(int(gave_up.sum()), count), "share"),
                 ("callers_never_served_rate", ratio(len(callers) - int(served.sum()), len(callers)), "share"),
                 ("service_level", service_level(calls, name, within_seconds=level), "share"),
                 ("service_level_time", level, "seconds"),
                 ("speed_of_answer_of_those_answered",
                  ratio(float(wait[served].sum()), int(served.sum())) * SECONDS_PER_HOUR, "seconds"),
                 ("speed_of_answer_of_all_callers", ratio(float(wait[mine].sum()), count) * SECONDS_PER_HOUR,
                  "seconds"),
                 ("answered_within_15_minutes",
                  service_level(calls, name, within_seconds=ANSWERED_WITHIN_HOURS * SECONDS_PER_HOUR), "share"),
                 ("resolved_within_24_hours", ratio(int(resolved.sum()), len(callers)), "share"),
                 ("handled", float(calls.handled_hours[mine].sum()), "hours"),
                 ("calls_cost", int(calls.cost_cents[mine].sum()) / CENTS, "amount")]
        lines += [Line(metric, "stream", name, number, unit) for metric, number, unit in found]
    return lines


def team_lines(log: ContactLog, facts: OrderFacts, roster: Roster) -> list[Line]:
    """Return the hours and the results of each team.

    Occupancy is handled time within shifts over hours at work, utilisation handled time with overtime over hours paid,
    shrinkage the share of paid hours spent in breaks or absent.
    """
    attempts, calls, lines = log.attempts, log.calls, []
    answered = np.isfinite(attempts.answer_hours)
    talk = np.where(answered, attempts.end_hours - np.where(answered, attempts.answer_hours, 0.0)
                    - attempts.wrap_hours, 0.0)
    for name, team in roster.teams.items():
        mine, called = attempts.team == name, calls.team == name
        rows = facts.row_of_attempt[mine & attempts.is_reached]
        made, reached = int(mine.sum()), len(rows)
        handled = float(attempts.handled_hours[mine].sum()) + float(calls.handled_hours[called].sum())
        overtime = float(attempts.overtime_hours[mine].sum()) + float(calls.overtime_hours[called].sum())
        paid, there = roster.paid_hours[name], roster.at_work_hours(name)
        planned = roster.staffed_hours[name]
        found = [("agents", team.agents, "agents"), ("paid", paid, "hours"), ("breaks", paid - planned, "hours"),
                 ("absent", planned - there, "hours"), ("at_work", there, "hours"), ("handled", handled, "hours"),
                 ("overtime", overtime, "hours"), ("occupancy", ratio(handled - overtime, there), "share"),
                 ("utilisation_with_overtime", ratio(handled, paid), "share"),
                 ("shrinkage", ratio(paid - there, paid), "share"),
                 ("pay", team.cost_per_hour_amount * (paid + team.overtime_factor * overtime), "amount"),
                 ("calls_taken", int(called.sum()), "calls"), ("calls_made", made, "attempts"),
                 ("talk_at_orders", float(talk[mine].sum()), "hours"), ("reached", reached, "orders"),
                 ("reach_rate_of_attempts", ratio(reached, made), "share")]
        if facts.accepted is not None:
            won = int(facts.accepted[rows].sum())
            found += [("accepted", won, "orders"), ("success_rate_of_attempts", ratio(won, made), "share"),
                      ("success_rate_of_reached", ratio(won, reached), "share")]
        if facts.saved is not None:
            kept = int(facts.saved[rows].sum())
            found += [("saved", kept, "orders"), ("saved_rate_of_reached", ratio(kept, reached), "share")]
        lines += [Line(metric, "team", name, number, unit) for metric, number, unit in found]
    return lines

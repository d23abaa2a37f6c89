"""The same orders as if an agent were always free: staff hired for the work."""

from __future__ import annotations

import numpy as np

from churnsim.capacity.calendar import hired_staff, live_opening, month_start
from churnsim.capacity.chance import MINUTES_PER_HOUR, answer_stream, handle_hours
from churnsim.capacity.log import NO_AGENT, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings, LiveChannel
from churnsim.core.clock import HOURS_PER_DAY
from churnsim.core.draws import Key, uniform_at


def work_live_unlimited(
    orders: Orders, *, name: str, channel: LiveChannel, capacity: CapacitySettings, key: Key, month: int
) -> Tries:
    """Return the attempts on the orders of one live channel without queues.

    Each attempt begins at the first staffed moment from the release, or from the retry delay after the one
    before. Answers and handle times are the centre's draws, with the productivity of hired staff.
    """
    opening = live_opening(name, channel, capacity, month=month)
    staff = hired_staff(name, capacity)
    probs = np.array(channel.answer_prob_by_hour)
    rows = np.flatnonzero(orders.channel == name)
    due = orders.release_hours[rows]
    parts = []
    for attempt in range(1, channel.max_attempts + 1):
        start = opening.next_open(due)
        made = start <= np.minimum(orders.deadline_hours[rows], month_start(month + 1))
        rows, start = rows[made], start[made]
        subscribers = orders.subscriber[rows]
        hour = (start - month_start(month)).astype(np.int64)
        draw = uniform_at(key, answer_stream(name), subscribers, hour, month=month)
        answered = draw < probs[hour % HOURS_PER_DAY] * orders.answer_habit[rows]
        talk = handle_hours(name, channel, subscribers, key=key, month=month, attempt=attempt)
        hours = np.where(answered, talk / staff.productivity, channel.no_answer_minutes / MINUTES_PER_HOUR)
        nobody = np.full(len(rows), NO_AGENT, dtype=np.int64)
        parts.append(Tries(
            row=rows, attempt=np.full(len(rows), attempt), team=nobody, agent=nobody, start_hours=start,
            end_hours=start + hours, handled_hours=hours,
            hour_amount=np.full(len(rows), staff.cost_per_hour_amount), answered=answered,
        ))
        due = (start + hours + channel.retry_delay_hours)[~answered]
        rows = rows[~answered]
    return Tries.joined(parts)

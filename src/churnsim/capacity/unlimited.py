"""The same orders as if an agent were always free: staff hired for the work."""

from __future__ import annotations

import numpy as np

from churnsim.capacity.calendar import hired_staff, live_opening, month_start
from churnsim.capacity.chance import MINUTES_PER_HOUR, answer_stream, handle_hours
from churnsim.capacity.floor import NO_ANSWER, REACHED
from churnsim.capacity.log import LIVE, NO_AGENT, Floats, Ints, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import CapacitySettings, LiveChannel
from churnsim.core.clock import HOURS_PER_DAY
from churnsim.core.draws import Key, uniform_at


def work_live_unlimited(
    orders: Orders, rows: Ints, release: Floats, *, name: str, number: int, channel: LiveChannel,
    capacity: CapacitySettings, key: Key, month: int
) -> Tries:
    """Return the attempts on the orders of one live channel without queues.

    Each attempt begins at the first staffed moment from the release, or from the retry delay after the one
    before. Answers and handle times are the centre's draws, with the productivity of hired staff. Nobody refuses, asks
    for another time or has a wrong number: these belong to the centre [assumption].

    Parameters
    ----------
    rows, release
        (m,) places of the orders in their list, and when each is released.
    number
        Of the channel among all.
    """
    opening = live_opening(name, channel, capacity, month=month)
    staff = hired_staff(name, channel, capacity)
    probs = np.array(channel.answer_prob_by_hour)
    due, parts = release, []
    for attempt in range(1, channel.max_attempts + 1):
        start = opening.next_open(due)
        made = start <= np.minimum(orders.deadline_hours[rows], month_start(month + 1))
        rows, start, due = rows[made], start[made], due[made]
        subscribers = orders.subscriber[rows]
        hour = (start - month_start(month)).astype(np.int64)
        draw = uniform_at(key, answer_stream(name), subscribers, hour, month=month)
        answered = draw < probs[hour % HOURS_PER_DAY] * orders.answer_habit[rows]
        talk = handle_hours(name, channel, subscribers, key=key, month=month, attempt=attempt)
        hours = np.where(answered, channel.ring_minutes / MINUTES_PER_HOUR + talk / staff.productivity,
                         channel.no_answer_minutes / MINUTES_PER_HOUR)
        nobody, none = np.full(len(rows), NO_AGENT, dtype=np.int64), np.zeros(len(rows))
        parts.append(Tries(
            row=rows, channel=np.full(len(rows), number), attempt=np.full(len(rows), attempt), team=nobody,
            agent=nobody, due_hours=due, start_hours=start,
            answer_hours=np.where(answered, start + channel.ring_minutes / MINUTES_PER_HOUR, np.inf),
            end_hours=start + hours, handled_hours=hours, overtime_hours=none,
            hour_amount=np.full(len(rows), staff.cost_per_hour_amount),
            code=LIVE + np.where(answered, REACHED, NO_ANSWER)))
        due = (start + hours + channel.retry_delay_hours)[~answered]
        rows = rows[~answered]
    return Tries.joined(parts)

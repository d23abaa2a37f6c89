"""Messages without agents: a throttled list as array operations."""

from __future__ import annotations

import numpy as np

from churnsim.capacity.calendar import batch_opening, month_start
from churnsim.capacity.chance import answer_stream
from churnsim.capacity.log import NO_AGENT, READ, Floats, Ints, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import BatchChannel
from churnsim.core.draws import Key, uniform


def work_batch(
    orders: Orders, rows: Ints, release: Floats, rank: Floats, attempt: Ints, *, name: str, number: int,
    channel: BatchChannel, key: Key, month: int, throttled: bool
) -> Tries:
    """Return the messages of one batch channel in one month.

    Messages leave by release, those released together by `rank`, then by order id, one every
    ``1 / throttle_per_hour`` open hours. The list is loaded once: a message that would be read after its deadline is
    not sent, but keeps its slot.

    The k-th message (from 0) begins at ``max_j<=k (r_j + (k - j) / rate)`` on the clock of open hours, where
    `r` are the releases; unthrottled it begins at the first open moment from its release.

    Parameters
    ----------
    rows, release, rank, attempt
        (m,) places of the orders in their list, when each message is released, its rank (smallest first) and the number
        of the attempt on its order.
    number
        Of the channel among all.
    """
    order = np.lexsort((orders.order_id[rows], rank, release))
    rows, release, attempt = rows[order], release[order], attempt[order]
    opening = batch_opening(channel, month=month)
    slot = 1.0 / channel.throttle_per_hour if throttled else 0.0
    start = opening.next_open(release)
    if throttled and len(rows):
        behind = slot * np.arange(len(rows))
        turn = np.maximum.accumulate(opening.elapsed(start) - behind) + behind
        start = np.maximum(start, opening.moment(turn))
    end = start + slot + channel.send_delay_hours
    sent = end <= np.minimum(orders.deadline_hours[rows], month_start(month + 1))
    rows, attempt, release, start, end = rows[sent], attempt[sent], release[sent], start[sent], end[sent]
    draw = uniform(key, answer_stream(name), orders.subscriber[rows], month=month)
    read = draw < channel.read_prob * orders.answer_habit[rows]
    nobody, free = np.full(len(rows), NO_AGENT, dtype=np.int64), np.zeros(len(rows))
    return Tries(
        row=rows, channel=np.full(len(rows), number), attempt=attempt, team=nobody, agent=nobody, due_hours=release,
        start_hours=start, answer_hours=np.where(read, end, np.inf), end_hours=end, handled_hours=free,
        overtime_hours=free, hour_amount=free, code=np.where(read, READ, READ + 1))

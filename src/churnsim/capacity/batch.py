"""Messages without agents: a throttled list as array operations."""

from __future__ import annotations

import numpy as np

from churnsim.capacity.calendar import batch_opening, month_start
from churnsim.capacity.chance import answer_stream
from churnsim.capacity.log import NO_AGENT, Floats, Ints, Tries
from churnsim.capacity.orders import Orders
from churnsim.capacity.settings import BatchChannel
from churnsim.core.draws import Key, uniform


def work_batch(
    orders: Orders, rank: Floats, *, name: str, channel: BatchChannel, key: Key, month: int, throttled: bool
) -> Tries:
    """Return the messages of one batch channel in one month.

    Messages leave by release, those released together by `rank` ((n,), smallest first), then by order id,
    one every ``1 / throttle_per_hour`` open hours. The list is loaded once: a message that would be read
    after its deadline is not sent, but keeps its slot.

    The k-th message (from 0) begins at ``max_j<=k (r_j + (k - j) / rate)`` on the clock of open hours, where
    `r` are the releases; unthrottled it begins at the first open moment from its release.
    """
    rows = np.flatnonzero(orders.channel == name)
    rows = rows[np.lexsort((orders.order_id[rows], rank[rows], orders.release_hours[rows]))]
    opening = batch_opening(channel, month=month)
    release = orders.release_hours[rows]
    slot = 1.0 / channel.throttle_per_hour if throttled else 0.0
    start = opening.next_open(release)
    if throttled and len(rows):
        behind = slot * np.arange(len(rows))
        turn = np.maximum.accumulate(opening.elapsed(start) - behind) + behind
        start = np.maximum(start, opening.moment(turn))
    end = start + slot + channel.send_delay_hours
    sent = end <= np.minimum(orders.deadline_hours[rows], month_start(month + 1))
    return _sent(orders, rows[sent], start=start[sent], end=end[sent], name=name, channel=channel, key=key,
                 month=month)


def _sent(
    orders: Orders,
    rows: Ints,
    *,
    start: Floats,
    end: Floats,
    name: str,
    channel: BatchChannel,
    key: Key,
    month: int,
) -> Tries:
    draw = uniform(key, answer_stream(name), orders.subscriber[rows], month=month)
    nobody = np.full(len(rows), NO_AGENT, dtype=np.int64)
    free = np.zeros(len(rows))
    return Tries(
        row=rows, attempt=np.ones(len(rows), np.int64), team=nobody, agent=nobody,
        start_hours=start, end_hours=end, handled_hours=free, hour_amount=free,
        answered=draw < channel.read_prob * orders.answer_habit[rows],
    )

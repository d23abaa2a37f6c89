"""Orders in, contact log out: the centre as it is staffed, and as if it had no limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from churnsim.capacity.batch import work_batch
from churnsim.capacity.centre import dispatch_key, work_live
from churnsim.capacity.checks import check_capacity
from churnsim.capacity.log import ContactLog, Tries, build_log
from churnsim.capacity.orders import Orders, require_channels
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.capacity.unlimited import work_live_unlimited
from churnsim.core.draws import Key
from churnsim.errors import CapacityError

Channels = Mapping[str, LiveChannel | BatchChannel]


def work(
    orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key, month: int
) -> ContactLog:
    """Return what the teams and the message channels make of a list of orders in one month.

    Live orders are worked event by event (see :mod:`churnsim.capacity.centre`), messages by their throttle.
    Orders that are neither reached, exhausted nor expired at the month's end are left.

    Parameters
    ----------
    channels
        By name.
    key
        Of the world; the same key gives a subscriber the same answer at the same hour, whatever else is
        ordered.
    month
        Hours [720 month, 720 (month + 1)) are worked.

    Raises
    ------
    DataError
        An order is on an unknown channel.
    CapacityError
        :func:`churnsim.capacity.checks.check_capacity` found something.
    """
    _require_workable(orders, channels, capacity)
    rank = dispatch_key(orders, capacity)
    live = {name: channel for name, channel in channels.items() if isinstance(channel, LiveChannel)}
    parts = [work_live(orders, channels=live, capacity=capacity, key=key, month=month)]
    for name, channel in channels.items():
        if isinstance(channel, BatchChannel):
            parts.append(work_batch(
                orders, rank, name=name, channel=channel, key=key, month=month, throttled=True
            ))
    return build_log(orders, Tries.joined(parts), channels=channels, teams=list(capacity.teams), month=month)


def work_unlimited(
    orders: Orders, *, channels: Channels, capacity: CapacitySettings, key: Key, month: int
) -> ContactLog:
    """Return the log of the same list as if an agent were always free and messages had no throttle.

    Parameters and errors as for :func:`work`. Handled time costs the mean of the teams that serve the
    channel, each weighing as many as its agents.
    """
    _require_workable(orders, channels, capacity)
    rank = dispatch_key(orders, capacity)
    parts = []
    for name in np.unique(orders.channel).tolist():
        channel = channels[name]
        if isinstance(channel, BatchChannel):
            parts.append(work_batch(
                orders, rank, name=name, channel=channel, key=key, month=month, throttled=False
            ))
        else:
            parts.append(work_live_unlimited(
                orders, name=name, channel=channel, capacity=capacity, key=key, month=month
            ))
    return build_log(orders, Tries.joined(parts), channels=channels, teams=list(capacity.teams), month=month)


def _require_workable(orders: Orders, channels: Channels, capacity: CapacitySettings) -> None:
    require_channels(orders, channels)
    findings = list(check_capacity(channels, capacity, np.unique(orders.channel).tolist()))
    if findings:
        raise CapacityError("\n".join(f"{'.'.join(map(str, path))}: {message}" for path, message in findings))

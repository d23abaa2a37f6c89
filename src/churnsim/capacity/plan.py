"""What an operator expects of a channel before anybody is called, with no regard for queues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churnsim.capacity.calendar import agent_hours_by_hour, hired_staff
from churnsim.capacity.chance import MINUTES_PER_HOUR
from churnsim.capacity.settings import BatchChannel, CapacitySettings, LiveChannel
from churnsim.core.draws import Float64


@dataclass(frozen=True)
class PlannedReach:
    """Expectations for each subscriber; arrays (n,).

    Attributes
    ----------
    reach
        Probability to be reached.
    attempts
        Expected attempts.
    minutes
        Expected minutes of staff, or of lines; messages, of a channel that sends them.
    cost_amount
        Expected contact cost, in the currency, not rounded.
    """

    reach: Float64
    attempts: Float64
    minutes: Float64
    cost_amount: Float64


def planned_reach(
    channel: LiveChannel | BatchChannel, habit: Float64, *, capacity: CapacitySettings, name: str
) -> PlannedReach:
    """Return the reach, attempts and cost an operator plans with.

    With `p` the mean answer probability over the agent hours inside the calling window, times the habit and
    at most 1, and `m` attempts: reach ``1 - (1 - p)**m`` and attempts ``reach / p`` (`m` for p = 0), the
    truncated geometric distribution. A message has the reading probability and one attempt.

    Parameters
    ----------
    habit
        (n,) non-negative multipliers of the answer or reading probability.
    name
        Name of the channel, by which teams serve it.

    Raises
    ------
    CapacityError
        No agents serve the live channel inside its calling window.
    """
    if isinstance(channel, BatchChannel):
        attempts = np.ones(len(habit))
        return PlannedReach(np.minimum(channel.read_prob * habit, 1.0), attempts, attempts,
                            attempts * channel.cost_per_attempt_amount)
    staff = hired_staff(name, channel, capacity)
    mean_prob = np.average(channel.answer_prob_by_hour, weights=agent_hours_by_hour(name, channel, capacity))
    p = np.minimum(mean_prob * habit, 1.0)
    # reach / p written as a sum, which needs no special case at p = 0.
    attempts = sum(((1.0 - p) ** k for k in range(channel.max_attempts)), np.zeros(len(habit)))
    reach = p * attempts
    minutes = (reach * channel.handle_minutes_mean / staff.productivity
               + (attempts - reach) * channel.no_answer_minutes)
    time_amount = minutes / MINUTES_PER_HOUR * staff.cost_per_hour_amount + minutes * channel.cost_per_minute_amount
    preview = channel.preview_minutes if channel.dialling == "preview" else 0.0
    busy = minutes + reach * channel.ring_minutes + attempts * preview
    return PlannedReach(reach, attempts, busy, attempts * channel.cost_per_attempt_amount + time_amount)

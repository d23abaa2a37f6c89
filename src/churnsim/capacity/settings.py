"""Contact channels and the teams that work them: the `channels` and `capacity` sections of an experiment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, Count, NonNegative, Positive, PositiveCount, Prob, Settings

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DayHour = Annotated[float, Field(strict=True, ge=0.0, le=24.0)]


class LiveChannel(Settings):
    """A channel that needs an agent for every attempt, such as an outbound call."""

    kind: Literal["live"]
    """Marks a channel worked by agents."""
    cost_per_attempt_amount: Amount = 0.0
    """Currency, once for every attempt, answered or not (line, dialler); agents' time comes on top."""
    acceptance_factor: NonNegative = 1.0
    """Multiplies the odds that a reached subscriber accepts the offer; 1 leaves them as they are."""
    answer_prob_by_hour: tuple[Prob, ...]
    """24 probabilities that an average subscriber answers an attempt, by hour of the day from midnight."""
    handle_minutes_mean: Positive
    """Minutes an agent of productivity 1 is busy with an answered attempt, after-call work included."""
    handle_scv: NonNegative = 0.9
    """Squared coefficient of variation of the log-normal handle time; 0 makes all equal to the mean."""
    no_answer_minutes: Positive = 0.6
    """Minutes an agent is busy with an attempt that nobody answers, whatever the productivity."""
    calling_window_hours: tuple[DayHour, DayHour] = (8.0, 21.0)
    """Hours of the day between which an attempt may begin; the end itself is outside."""
    max_attempts: PositiveCount = 3
    """Attempts on one order before it counts as exhausted."""
    retry_delay_hours: NonNegative = 24.0
    """Hours from an unanswered attempt to the next; within a clock hour the answer stays the same."""


class BatchChannel(Settings):
    """A channel that sends messages without agents, one message an order, such as SMS."""

    kind: Literal["batch"]
    """Marks a channel without agents."""
    cost_per_attempt_amount: Amount = 0.0
    """Currency, once for every message sent, read or not."""
    acceptance_factor: NonNegative = 1.0
    """Multiplies the odds that a reached subscriber accepts the offer; 1 leaves them as they are."""
    read_prob: Prob
    """Probability that a message is delivered and read by an average subscriber."""
    throttle_per_hour: Positive
    """Messages an hour while the window is open; a longer list takes proportionally longer."""
    send_delay_hours: NonNegative = 0.0
    """Hours from sending until the message is read; one that would be read past its deadline is not sent."""
    calling_window_hours: tuple[DayHour, DayHour] = (8.0, 21.0)
    """Hours of the day between which a message may be sent, on every weekday; the end itself is outside."""


Channel = Annotated[LiveChannel | BatchChannel, Field(discriminator="kind")]


class Shift(Settings):
    """Hours within one day; work over midnight is two shifts, one to 24 and one from 0."""

    start_hour: DayHour
    """Hour of the day at which the agents begin."""
    end_hour: DayHour
    """Hour of the day after which no attempt begins; one in progress is finished."""


class Team(Settings):
    """Agents who share skills, hours and cost."""

    agents: Count
    """Agents on every shift of the team."""
    cost_per_hour_amount: Amount
    """Currency an agent hour; charged for handled time only."""
    channels: tuple[str, ...]
    """Live channels the team serves."""
    weekdays: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    """Days of the week the team works."""
    shifts: tuple[Shift, ...] = (Shift(start_hour=9.0, end_hour=13.0), Shift(start_hour=14.0, end_hour=18.0))
    """Shifts of a working day; the gap between two is the break."""
    productivity: Positive = 1.0
    """Divides the handle time of answered attempts."""


class CapacitySettings(Settings):
    """The contact centre: who works when, and in which order."""

    teams: dict[str, Team] = Field(default_factory=dict)
    """Teams by name; an idle agent of an earlier team is taken before one of a later team."""
    start_weekday: Weekday = "monday"
    """Weekday on which the simulation begins."""
    dispatch: Literal["value", "fifo", "deadline"] = "value"
    """Due order to work first: highest value, earliest release or earliest deadline; then lowest id."""

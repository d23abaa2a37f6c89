"""Contact channels, and the teams and inbound calls of the centre: sections `channels` and `capacity`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, Count, NonNegative, Positive, PositiveCount, Prob, Settings

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
DayHour = Annotated[float, Field(strict=True, ge=0.0, le=24.0)]
ShiftHour = Annotated[float, Field(strict=True, ge=0.0, le=48.0)]
Factors = Annotated[tuple[NonNegative, ...], Field(min_length=7, max_length=7)]
EVERY_DAY_ALIKE = (1.0,) * 7


class Law(Settings):
    """A law of durations."""

    law: Literal["fixed", "exponential", "lognormal", "weibull", "uniform"]
    """Family; uniform runs from 0 to twice the mean."""
    mean_minutes: Positive
    """Mean."""
    scv: Positive = 1.0
    """Squared coefficient of variation of lognormal and weibull; the other families have their own."""


class Retry(Settings):
    """When an order is tried again after one kind of attempt."""

    delay_hours: Positive
    """Hours from the end of the attempt to the next."""
    spread_hours: NonNegative = 0.0
    """Width of a uniform addition to the delay."""


Retried = Literal["busy", "voicemail", "refused", "hung_up", "dropped_by_dialer"]


class _Channel(Settings):
    cost_per_attempt_amount: Amount = 0.0
    """Currency, once for every attempt or message, answered or not; agents' time comes on top."""
    cost_per_conversion_amount: Amount = 0.0
    """Currency, once for every offer accepted on the channel."""
    acceptance_factor: NonNegative = 1.0
    """Multiplies the odds that a reached subscriber accepts the offer; 1 leaves them as they are."""
    opt_out_prob: Prob = 0.0
    """Probability that who is reached asks not to be contacted again; acts at once on the subscriber's other orders,
    but for messages sent already."""
    calling_window_hours: tuple[DayHour, DayHour] = (8.0, 21.0)
    """Hours of the day between which an attempt may begin, on every weekday; the end itself is outside."""


class LiveChannel(_Channel):
    """A channel that needs an agent for every attempt: outbound call, phone manager, visit, shop appointment."""

    kind: Literal["live"]
    """Marks a channel worked by agents."""
    cost_per_minute_amount: Amount = 0.0
    """Currency a minute of every attempt, such as a line's; agents' time comes on top."""
    answer_prob_by_hour: tuple[Prob, ...]
    """24 probabilities that an average subscriber answers an attempt, by hour of the day from midnight."""
    answer_weekday_factors: Factors = EVERY_DAY_ALIKE
    """Multiply the probability of an answer, Monday to Sunday."""
    answer_attempt_factors: tuple[NonNegative, ...] = ()
    """Multiply the probability of an answer at the first, second, ... attempt; the last stands for later ones."""
    same_slot_factor: NonNegative = 1.0
    """Multiplies the probability of an answer in the same three hours of the day as the attempt before."""
    handle_minutes_mean: Positive
    """Minutes an agent of productivity 1 is busy with an answered attempt, after-call work included."""
    handle_scv: NonNegative = 0.9
    """Squared coefficient of variation of the log-normal handle time; 0 makes all equal to the mean."""
    wrap_share: Prob = 0.0
    """Share of the handle time that is after-call work."""
    ring_minutes: NonNegative = 0.0
    """Minutes an answered attempt rings before the subscriber picks up."""
    no_answer_minutes: Positive = 0.6
    """Minutes an agent is busy with an attempt that nobody answers, whatever the productivity."""
    brief_minutes: Positive = 1.0
    """Minutes of an answered attempt that ends in a refusal, a hang-up, a wrong number or an appointment."""
    busy_prob: Prob = 0.0
    """Share of the attempts nobody answers that meet a busy line."""
    voicemail_prob: Prob = 0.0
    """Share of the attempts nobody answers that meet a mailbox."""
    wrong_number_prob: Prob = 0.0
    """Share of subscribers whose number is wrong: answered by somebody else, whenever it is dialled."""
    refusal_prob: Prob = 0.0
    """Share of answered attempts in which the subscriber will not talk."""
    hang_up_prob: Prob = 0.0
    """Share of answered attempts in which the subscriber hangs up before the offer is made."""
    callback_prob: Prob = 0.0
    """Share of answered attempts in which the subscriber asks to be called at another time."""
    callback_delay_hours: tuple[NonNegative, NonNegative] = (2.0, 26.0)
    """Least and most hours from the request to the promised time, uniform between."""
    callback_window_hours: Positive = 0.25
    """Hours from the promised time in which the call keeps the promise; meanwhile it goes before all other orders."""
    missed_callback_delay_hours: Positive = 24.0
    """Hours from a promise not kept until the order is due again, with its ordinary rank."""
    max_attempts: PositiveCount = 3
    """Attempts on one order before the channel counts as exhausted."""
    retry_delay_hours: NonNegative = 24.0
    """Hours from an unanswered attempt to the next; within a clock hour the answer stays the same."""
    retries: dict[Retried, Retry] = Field(default_factory=dict)
    """Other attempts that are followed by another. Not named: busy and voicemail are retried as if nobody answered,
    who was dropped by the dialler after 72 hours, who refused or hung up never."""
    dialling: Literal["preview", "progressive", "predictive"] = "progressive"
    """preview: the agent reads the case first; progressive: one line a free agent; predictive: several at once."""
    preview_minutes: NonNegative = 0.0
    """Minutes an agent reads before every attempt under preview dialling."""
    lines_per_agent: Annotated[float, Field(strict=True, ge=1.0, le=3.0)] = 1.0
    """Lines dialled for each free agent under predictive dialling."""
    dropped_limit: Prob = 0.03
    """Share of answered attempts that predictive dialling may drop; above it one line is dialled an agent."""


class AutomaticChannel(LiveChannel):
    """A channel worked like calls, by lines instead of agents: an AI voice, a voice menu with a dialogue."""

    kind: Literal["automatic"]  # type: ignore[assignment]
    """Marks a channel worked by machines that talk."""
    lines: PositiveCount
    """Calls at the same time, at every hour of the calling window."""


class BatchChannel(_Channel):
    """A channel that sends messages without agents: SMS, push, e-mail, messenger, recorded announcement."""

    kind: Literal["batch"]
    """Marks a channel without agents."""
    read_prob: Prob
    """Probability that a message is delivered and read by an average subscriber."""
    throttle_per_hour: Positive
    """Messages an hour while the window is open; a longer list takes proportionally longer."""
    send_delay_hours: NonNegative = 0.0
    """Hours from sending until the message is read; one that would be read past its deadline is not sent."""
    next_channel_delay_hours: NonNegative = 24.0
    """Hours from an unread message until the next channel of the order's plan takes over."""


Channel = Annotated[LiveChannel | AutomaticChannel | BatchChannel, Field(discriminator="kind")]


class Shift(Settings):
    """Hours at work on the days of a team."""

    start_hour: DayHour
    """Hour of the day at which the agents begin."""
    end_hour: ShiftHour
    """Hour after which no attempt begins; above 24 it is an hour of the next day (30: 6 in the morning)."""
    breaks: tuple[tuple[ShiftHour, ShiftHour], ...] = ()
    """Hours within the shift without work, as [start, end]."""


class Learning(Settings):
    """How agents become faster."""

    start_factor: Annotated[float, Field(strict=True, gt=0.0, le=1.0)]
    """Productivity of a new agent over that of an experienced one."""
    half_contacts: Positive
    """Answered contacts after which half of the gap is closed."""


class Team(Settings):
    """Agents who share skills, hours and cost."""

    agents: Count
    """Agents on every shift of the team."""
    cost_per_hour_amount: Amount
    """Currency an agent hour; charged for handled time only."""
    channels: tuple[str, ...] = ()
    """Live channels the team serves."""
    inbound: tuple[str, ...] = ()
    """Inbound streams the team serves; a waiting caller goes before any order."""
    skills: tuple[str, ...] = ()
    """What an order may ask for beside its channel, such as a language; orders that ask for nothing go to anybody."""
    weekdays: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    """Days of the week on which the team's shifts begin."""
    shifts: tuple[Shift, ...] = (Shift(start_hour=9.0, end_hour=13.0), Shift(start_hour=14.0, end_hour=18.0))
    """Shifts of a working day."""
    productivity: Positive = 1.0
    """Divides the handle time of answered attempts and of callers."""
    productivity_cv: NonNegative = 0.0
    """Coefficient of variation of the productivity between agents, log-normal with the mean above."""
    learning: Learning | None = None
    """How new agents become faster; null: all have experience."""
    absence_prob: Prob = 0.0
    """Probability that an agent is away for a whole day."""
    reserve_agents: Count = 0
    """Free agents kept for callers: an order is begun only while more than so many of the team are free."""
    shift_end: Literal["finish", "hand_back"] = "finish"
    """What becomes of an attempt in progress when the shift ends: finished in overtime, or broken off and due again;
    callers are always served to the end."""
    overtime_factor: Annotated[float, Field(strict=True, ge=1.0)] = 1.0
    """Cost of an hour of overtime over that of an hour."""


class Burst(Settings):
    """More calls than usual, such as after a network fault."""

    start_hours: NonNegative
    """Hours from the start of the simulation."""
    length_hours: Positive
    """How long it lasts."""
    calls_per_hour: Positive
    """Calls an hour on top of the usual ones."""


class InboundStream(Settings):
    """People who call: complaints, faults, those who want to leave."""

    calls_per_hour_by_hour: tuple[NonNegative, ...]
    """24 mean calls an hour, by hour of the day from midnight."""
    weekday_factors: Factors = EVERY_DAY_ALIKE
    """Multiply the calls, Monday to Sunday."""
    bursts: tuple[Burst, ...] = ()
    """More calls at certain times."""
    patience: Law | None
    """How long a caller waits before giving up; null: for ever."""
    handle: Law
    """How long an agent of productivity 1 is busy with a caller, after-call work included."""
    wrap_share: Prob = 0.0
    """Share of the handle time that is after-call work."""
    retrial_prob: Prob = 0.0
    """Probability that who gave up calls again."""
    retrial_delay: Law = Law(law="exponential", mean_minutes=30.0)
    """How long after giving up."""
    cost_per_minute_amount: Amount = 0.0
    """Currency a minute of a handled call, such as a toll-free line's; agents' time comes on top."""
    answer_within_seconds: Positive = 20.0
    """Wait that the service level counts as in time."""


class ContactCap(Settings):
    """A limit on attempts at one subscriber, over all live channels and orders."""

    days: Positive
    """Length of the rolling window."""
    attempts: PositiveCount
    """Attempts allowed in it; an order beyond them waits."""


class Fatigue(Settings):
    """Limits on and effects of attempts at the same subscriber."""

    caps: tuple[ContactCap, ...] = ()
    """Rolling limits."""
    answer_factor: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] = 1.0
    """Multiplies the probability of an answer once for every attempt at the subscriber in the last seven days."""


class Incentives(Settings):
    """What agents earn for saves they report, and what a false report costs them."""

    points_per_save: NonNegative = 30.0
    """Points for a save that is reported."""
    points_per_partial: NonNegative = 2.0
    """Points for a subscriber who declined and is reported as such."""
    false_save_prob: Prob
    """Probability that an agent reports a subscriber who declined as saved."""
    audit_share: Prob
    """Share of reported saves that a return visit checks."""
    penalty_factor: NonNegative = 2.0
    """Points taken off for a false save that is found, over the points of a save."""
    point_value_amount: Amount
    """Currency a point."""


DispatchRule = Literal["fifo", "lifo", "priority", "deadline", "value", "value_answer", "c_mu", "c_mu_loss",
                       "postponement", "price"]


class CapacitySettings(Settings):
    """The contact centre: who works when, and in which order."""

    teams: dict[str, Team] = Field(default_factory=dict)
    """Teams by name; an idle agent of an earlier team is taken before one of a later team."""
    inbound: dict[str, InboundStream] = Field(default_factory=dict)
    """Inbound streams by name; callers of an earlier stream go before those of a later one."""
    start_weekday: Weekday = "monday"
    """Weekday on which the simulation begins."""
    holidays: tuple[Count, ...] = ()
    """Days of the simulation, from 0, on which no shift begins."""
    dispatch: DispatchRule = "postponement"
    """Due order to work first; docs/centre.md has the formulas. Ties go to the lowest order id."""
    fatigue: Fatigue = Fatigue()
    """Limits on attempts at the same subscriber."""
    incentives: Incentives | None = None
    """Points for saves, and what false reports do; null: none."""
    engine: Literal["auto", "simpy", "compiled"] = "auto"
    """Both engines keep the same log, record for record. simpy, the reference, starts at once; compiled works twenty
    times faster once it is compiled, a matter of half a minute on a new machine. auto: compiled from 100,000 orders and
    calls on."""

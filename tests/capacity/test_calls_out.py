"""What comes of calls to subscribers, each feature by hand and on both engines.

Every attempt takes an hour unless a test says otherwise; an agent works 9-13 and 14-18.
"""

from __future__ import annotations

import numpy as np
import pytest

from churnsim.capacity.settings import AutomaticChannel, ContactCap, Fatigue, Retry, Shift

from .examples import (
    EVERY_DAY,
    centre,
    hour_calls,
    order_list,
    sms,
    subscriber_with,
    team,
    voice,
    work_by_both,
)

ONE = centre(team(agents=1, channels=("voice", "desk"), weekdays=EVERY_DAY), dispatch="value")
PHONE = centre(team(agents=1, weekdays=EVERY_DAY))
ASKS, TALKS = (0.0, 0.5), (0.5, 1.0)


def run(orders, capacity=ONE, *, desk=None, **channel):
    channels = {"voice": voice(**hour_calls(**channel)), "desk": voice(**hour_calls(**(desk or {}))),
                "sms": sms(read_prob=1.0)}
    return work_by_both(orders, channels, capacity)


def story(log, order=0):
    """Return the starts and the dispositions of an order's attempts."""
    mine = log.attempts.order_id == order
    return list(zip(log.attempts.start_hours[mine].tolist(), log.attempts.disposition[mine].tolist(), strict=True))


# Call-backs


def promised(minutes, *, again):
    """One asked at 9 to be called at 12:30, among eight orders of more value and so many minutes each."""
    person = subscriber_with("voice", (9, 1, *ASKS), (again, 1, *TALKS))
    orders = order_list(9, subscriber=[person, *range(200, 208)], channel=["voice"] + ["desk"] * 8,
                        value=[1] + [9] * 8, release_hours=[0] + [9.5] * 8)
    return run(orders, callback_prob=0.5, callback_delay_hours=(2.5, 2.5), callback_window_hours=0.25,
               missed_callback_delay_hours=24.0, desk={"handle_minutes_mean": minutes})


def test_a_call_back_goes_before_all_other_orders():
    log = promised(30.0, again=12)
    assert story(log) == [(9.0, "callback"), (12.5, "reached")]
    assert log.attempts.start_hours.tolist() == [9.0, 10.0, 10.5, 11.0, 11.5, 12.0, 12.5, 14.0, 14.5, 15.0]
    assert log.attempts.due_hours[log.attempts.order_id == 0].tolist() == [0.0, 12.5]


def test_a_call_back_nobody_is_free_for_is_missed_and_waits_a_day():
    """Busy from 12 to 13, break until 14: due again 24 hours after 12:45, with its ordinary rank."""
    log = promised(60.0, again=36)
    assert story(log) == [(9.0, "callback"), (36.75, "reached")]
    assert log.attempts.due_hours[log.attempts.order_id == 0].tolist() == [0.0, 36.75]


def test_a_call_back_counts_as_an_attempt():
    log = run(order_list(1, max_attempts=1), callback_prob=1.0, callback_delay_hours=(1.0, 1.0))
    assert story(log) == [(9.0, "callback")]
    assert log.outcomes.outcome.tolist() == ["exhausted"]


# Other dispositions


@pytest.mark.parametrize(("law", "said", "outcome"), [
    ({"refusal_prob": 1.0}, "refused", "refused"), ({"hang_up_prob": 1.0}, "hung_up", "hung_up"),
    ({"wrong_number_prob": 1.0}, "wrong_number", "wrong_number"),
])
def test_an_end_without_an_offer(law, said, outcome):
    log = run(order_list(1), brief_minutes=15.0, ring_minutes=3.0, **law)
    assert story(log) == [(9.0, said)]
    assert log.outcomes.outcome.tolist() == [outcome]
    assert log.outcomes.contact_hours.tolist() == [np.inf]
    assert log.attempts.answer_hours.tolist() == [9.05]
    assert log.attempts.end_hours.tolist() == [pytest.approx(9.3)]


@pytest.mark.parametrize(("said", "law"), [
    ("busy", {"busy_prob": 1.0}), ("voicemail", {"voicemail_prob": 1.0}), ("no_answer", {}),
])
def test_what_meets_an_unanswered_call_is_retried_like_it_unless_told(said, law):
    nobody = order_list(1, answer_habit=0.0)
    assert story(run(nobody, max_attempts=2, retry_delay_hours=3.5, **law)) == [(9.0, said), (14.0, said)]
    if law:
        sooner = run(nobody, max_attempts=2, retries={said: Retry(delay_hours=1.25)}, **law)
        assert story(sooner) == [(9.0, said), (11.25, said)]


def test_who_refused_is_tried_again_where_the_settings_say_so():
    person = subscriber_with("voice", (9, 1, *ASKS), (12, 1, *TALKS))
    log = run(order_list(1, subscriber=person), refusal_prob=0.5, retries={"refused": Retry(delay_hours=2.0)})
    assert story(log) == [(9.0, "refused"), (12.0, "reached")]


def test_a_spread_is_added_to_the_delay():
    """The third uniform of the attempt, times the spread of an hour."""
    person = subscriber_with("voice", (9, 2, 0.45, 0.55))
    log = run(order_list(1, subscriber=person, answer_habit=0.0), busy_prob=1.0,
              retries={"busy": Retry(delay_hours=0.5, spread_hours=1.0)}, max_attempts=2)
    assert 10.95 <= log.attempts.start_hours[1] <= 11.05


# Who answers


def test_factors_of_attempt_weekday_and_slot():
    assert story(run(order_list(1), answer_attempt_factors=(0.0, 1.0, 1.0), retry_delay_hours=1.0)) == [
        (9.0, "no_answer"), (11.0, "reached")]
    by_day = run(order_list(1), answer_weekday_factors=(0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), retry_delay_hours=23.5)
    assert story(by_day) == [(9.0, "no_answer"), (33.5, "reached")]
    # 11 lies in the three hours of 9, in which nobody answers again; 14 does not.
    slots = run(order_list(1), answer_attempt_factors=(0.0, 1.0, 1.0), same_slot_factor=0.0, retry_delay_hours=1.0)
    assert story(slots) == [(9.0, "no_answer"), (11.0, "no_answer"), (14.0, "reached")]


def test_attempts_of_the_last_week_tire():
    """Answers to the first call's hour; at 11 the uniform lies between 0.5 and 1, at 170 hours it is a new week."""
    person = subscriber_with("voice", (9, 0, 0.0, 1.0), (11, 0, 0.5, 1.0), (179, 0, 0.6, 1.0))
    settings = centre(team(agents=1, channels=("voice", "desk"), weekdays=EVERY_DAY),
                      fatigue=Fatigue(answer_factor=0.5))
    orders = order_list(2, subscriber=person, release_hours=[0, 11], max_attempts=1)
    log = run(orders, settings)
    assert (story(log), story(log, 1)) == ([(9.0, "reached")], [(11.0, "no_answer")])
    # 168 hours and more after both, nothing is left of it.
    later = order_list(3, subscriber=person, release_hours=[0, 11, 179.5], max_attempts=1)
    assert story(run(later, settings), 2) == [(179.5, "reached")]


def test_a_cap_puts_an_order_off_to_the_end_of_its_window():
    settings = centre(team(agents=2, channels=("voice",), weekdays=EVERY_DAY), dispatch="value",
                      fatigue=Fatigue(caps=(ContactCap(days=1.0, attempts=1), ContactCap(days=3.0, attempts=2))))
    log = run(order_list(3, subscriber=7, value=[1, 2, 3]), settings)
    assert log.attempts.order_id.tolist() == [2, 1, 0]
    assert log.attempts.start_hours.tolist() == [9.0, 33.0, 81.0]
    assert log.attempts.due_hours.tolist() == [0.0, 33.0, 81.0]


# The next channel of a plan


def test_a_wrong_number_moves_to_the_next_channel_of_the_plan():
    log = run(order_list(1, channel="voice>desk"), wrong_number_prob=1.0, retry_delay_hours=2.0)
    assert story(log) == [(9.0, "wrong_number"), (12.0, "reached")]
    assert log.attempts.channel.tolist() == ["voice", "desk"]
    assert log.outcomes.outcome.tolist() == ["reached"]


def test_an_exhausted_channel_moves_to_the_next_which_counts_its_own_attempts():
    log = run(order_list(1, channel="voice>desk", answer_habit=0.0), max_attempts=1, retry_delay_hours=1.0,
              desk={"max_attempts": 2, "retry_delay_hours": 2.0})
    assert story(log) == [(9.0, "no_answer"), (11.0, "no_answer"), (14.0, "no_answer")]
    assert log.attempts.channel.tolist() == ["voice", "desk", "desk"]
    assert log.outcomes.outcome.tolist() == ["exhausted"]


def message_first(read_prob, **columns):
    channels = {"voice": voice(**hour_calls()), "sms": sms(read_prob=read_prob, next_channel_delay_hours=2.0)}
    return work_by_both(order_list(1, channel="sms>voice", **columns), channels, PHONE)


def test_a_message_before_a_call():
    """Sent at 8, there at 8:00:36; unread, the call follows two hours later, numbered on; read, none does."""
    unread = message_first(1e-9)
    assert unread.attempts.disposition.tolist() == ["unread", "reached"]
    assert unread.attempts.start_hours.tolist() == [8.0, 10.01]
    assert unread.attempts.attempt.tolist() == [1, 2]
    assert message_first(1.0).attempts.disposition.tolist() == ["read"]


def test_a_call_that_would_come_after_the_deadline_makes_the_order_expire():
    late = message_first(1e-9, deadline_hours=9.5)
    assert late.attempts.disposition.tolist() == ["unread"]
    assert late.outcomes.outcome.tolist() == ["expired"]


@pytest.mark.parametrize("plan", ["voice>sms", "sms>voice>sms"])
def test_a_message_after_the_calls_goes_to_those_not_reached(plan):
    channels = {"voice": voice(**hour_calls(max_attempts=1)), "sms": sms(read_prob=1e-9, next_channel_delay_hours=1.0)}
    log = work_by_both(order_list(2, channel=plan, answer_habit=[0.0, 1.0]), channels, PHONE)
    steps = len(plan.split(">"))
    mine = log.attempts.order_id == 0
    assert log.attempts.channel[mine].tolist() == plan.split(">")
    assert log.attempts.attempt[mine].tolist() == list(range(1, steps + 1))
    assert log.outcomes.attempts.tolist() == [steps, steps - 1]
    assert log.outcomes.outcome.tolist() == ["exhausted", "reached"]


# One subscriber, several orders


def test_an_opt_out_closes_the_other_orders_at_once():
    capacity = centre(team(agents=2, channels=("voice",)))
    log = run(order_list(3, subscriber=[7, 7, 8], value=[3, 2, 1]), capacity, opt_out_prob=1.0)
    assert log.attempts.order_id.tolist() == [0, 2]
    assert log.attempts.start_hours.tolist() == [9.0, 9.0]
    assert log.outcomes.outcome.tolist() == ["reached", "opted_out", "reached"]


# Dialling


def test_preview_takes_its_time_before_every_attempt():
    orders = order_list(2, value=[2, 1], answer_habit=[1, 0], max_attempts=1)
    log = run(orders, dialling="preview", preview_minutes=15.0)
    assert log.attempts.start_hours.tolist() == [9.0, 10.25]
    assert log.attempts.answer_hours.tolist() == [9.25, np.inf]
    assert log.attempts.end_hours.tolist() == [10.25, 11.5]
    assert log.attempts.handled_hours.tolist() == [1.25, 1.25]


def test_predictive_dialling_connects_the_first_who_answers_and_drops_the_others():
    """Three lines: the best order does not answer, the second is connected, the third is dropped for 72 hours."""
    orders = order_list(4, value=[9, 8, 7, 6], answer_habit=[0, 1, 1, 1], max_attempts=1)
    log = run(orders, dialling="predictive", lines_per_agent=3.0, dropped_limit=1.0)
    assert [story(log, order) for order in range(4)] == [
        [(9.0, "no_answer")], [(9.0, "reached")], [(9.0, "dropped_by_dialer")], [(10.0, "reached")]]
    assert log.attempts.agent.tolist() == [-1, 0, -1, 0]
    assert log.attempts.handled_hours.tolist() == [0.0, 1.0, 0.0, 1.0]
    assert log.attempts.team.tolist() == ["", "t0", "", "t0"]
    again = run(order_list(3, value=[9, 8, 7], answer_habit=[0, 1, 1]), dialling="predictive", lines_per_agent=3.0,
                dropped_limit=1.0, retry_delay_hours=500.0)
    assert story(again, 2) == [(9.0, "dropped_by_dialer"), (81.0, "reached")]


def test_no_more_lines_than_agents_while_too_many_are_dropped():
    """Two lines. One of two dropped: a line an agent until the share is at most a quarter, then two again."""
    log = run(order_list(8, value=np.arange(8)[::-1], max_attempts=1), dialling="predictive", lines_per_agent=2.0,
              dropped_limit=0.25)
    starts, lines = np.unique(log.attempts.start_hours, return_counts=True)
    assert starts.tolist() == [9.0, 10.0, 11.0, 12.0, 14.0, 15.0]
    # Dropped: 1 of 2, 1 of 3, 1 of 4, which is a quarter; then two lines: 2 of 6, 2 of 7, 2 of 8.
    assert lines.tolist() == [2, 1, 1, 2, 1, 1]


def test_automatic_lines_work_their_window_every_day_at_no_cost_of_agents():
    robot = AutomaticChannel(**{**voice(**hour_calls()).model_dump(), "kind": "automatic", "lines": 2,
                                "cost_per_minute_amount": 0.1, "calling_window_hours": (20.0, 21.0)})
    capacity = centre(team(channels=("voice",)), start_weekday="saturday")
    log = work_by_both(order_list(5, channel="robot"), {"robot": robot, "voice": voice()}, capacity)
    assert log.attempts.start_hours.tolist() == [20.0, 20.0, 44.0, 44.0, 68.0]
    assert log.attempts.agent.tolist() == [2, 3, 2, 3, 2]
    assert set(log.attempts.team) == {"robot lines"}
    assert log.attempts.cost_cents.tolist() == [605] * 5


# Price


def test_the_price_rule_keeps_an_order_back_while_better_work_takes_all_hours():
    """An hour every Monday, five in the month, and six orders of an hour: the least waits, though nobody else is there.

    One of the five expires on Tuesday; from Monday on there is room for four and the least is the last of them.
    """
    monday = team(agents=1, weekdays=("monday",), shifts=(Shift(start_hour=9.0, end_hour=10.0),))
    orders = order_list(6, value=[9, 9, 9, 9, 9, 1], release_hours=[9.5] * 5 + [0.0], loss_rate_monthly=0.1,
                        deadline_hours=[np.inf] * 4 + [20.0, np.inf])
    log = run(orders, centre(monday, dispatch="price"))
    assert log.attempts.start_hours.tolist() == [9.5, 177.0, 345.0, 513.0, 681.0]
    assert log.attempts.order_id.tolist() == [0, 1, 2, 3, 5]
    assert log.outcomes.outcome.tolist() == ["reached"] * 4 + ["expired", "reached"]
    eager = run(orders, centre(monday, dispatch="postponement"))
    assert eager.attempts.order_id[0] == 5 and eager.attempts.start_hours[0] == 9.0



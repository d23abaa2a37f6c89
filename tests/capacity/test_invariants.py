"""Rules that hold on every log, checked by a replay that shares no code with the engines."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from itertools import pairwise
from math import inf

import numpy as np
import pytest

from churnsim.capacity.chance import handle_hours, practice
from churnsim.capacity.orders import plan_steps
from churnsim.capacity.settings import BatchChannel, LiveChannel
from churnsim.core.draws import normal, stream, uniform

from .examples import EVERY_DAY
from .replay import UNANSWERED

ROUNDING = 1e-9


def test_nobody_is_in_two_contacts_and_all_begin_inside_shift_and_window(replays):
    for replay in replays:
        contacts = defaultdict(list)
        for t in replay.all_tries:
            assert replay.is_open(t.channel, t.start)
            if t.agent >= 0:
                contacts[t.agent].append((t.start, t.end))
                assert t.team == replay.agents[t.agent][0] and replay.serves(t.team, t.row, t.step)
        for stream_name, _, _, team, agent, _, start, end, said, _ in replay.calls:
            if said == "served":
                contacts[agent].append((start, end))
                assert team == replay.agents[agent][0] and stream_name in replay.teams[team].inbound
        for agent, spans in contacts.items():
            spans.sort()
            assert all(one[1] <= other[0] for one, other in pairwise(spans))
            for start, _ in spans:
                replay.stretch(agent, start)


def test_overtime_is_what_lies_past_the_stretch_and_is_never_handed_back(replays):
    for replay in replays:
        for table in (replay.log.attempts, replay.log.calls):
            for k in np.flatnonzero(table.agent >= 0):
                over = max(table.end_hours[k] - replay.stretch(int(table.agent[k]), table.start_hours[k])[1], 0.0)
                assert table.overtime_hours[k] == pytest.approx(min(over, table.handled_hours[k]), abs=ROUNDING)
                if replay.teams[table.team[k]].shift_end == "hand_back" and table is replay.log.attempts:
                    assert over == 0.0


def test_attempts_keep_release_deadline_limits_delays_and_promises(replays):
    """Each attempt ends a span in which it was due; the last state follows from the last attempt."""
    for replay in replays:
        orders, log = replay.case.orders, replay.log
        for row, tries in enumerate(replay.tries):
            assert all(orders.release_hours[row] <= t.due <= t.start <= orders.deadline_hours[row] for t in tries)
            ended = {wait.by.at: wait for wait in replay.waits[row] if wait.by}
            assert all(t.at in ended and ended[t.at].since <= t.due for t in tries)
            counts = Counter(t.step for t in tries)
            assert all(number <= replay.cap(row, step) for step, number in counts.items())
            mine = np.flatnonzero(log.attempts.order_id == orders.order_id[row])
            assert log.attempts.attempt[mine].tolist() == list(range(1, len(mine) + 1))
            assert log.outcomes.attempts[row] == len(mine)


def test_outcomes_part_the_list_and_follow_from_the_log(replays):
    for replay in replays:
        orders, outcomes = replay.case.orders, replay.log.outcomes
        assert outcomes.order_id.tolist() == orders.order_id.tolist()
        for row in range(len(orders)):
            assert outcomes.outcome[row] in possible_outcomes(replay, row)
            assert outcomes.reached[row] == (outcomes.outcome[row] == "reached")
            hit = [t.answer for t in replay.tries[row] if t.said == "reached"]
            hit += [replay.log.attempts.end_hours[at] for at in replay.messages[row] if is_read(replay, at)]
            assert outcomes.contact_hours[row] == (hit[0] if hit else inf) and len(hit) <= 1


def is_read(replay, at):
    return replay.log.attempts.disposition[at] != "unread"


def possible_outcomes(replay, row):
    """Return what may be said of an order; one that ended in two ways may have been seen in either."""
    orders, final = replay.case.orders, replay.final[row]
    if not orders.consent[row]:
        return {"suppressed"}
    if any(is_read(replay, at) for at in replay.messages[row]) or final == "reached":
        return {"reached"}
    steps = plan_steps(str(orders.channel[row]))
    is_message = isinstance(replay.case.channels[steps[0]], BatchChannel)
    if final or (is_message and len(steps) == 1 and replay.messages[row]):
        return {final or "exhausted"}
    open_still = set()
    if orders.deadline_hours[row] < replay.end:
        open_still.add("expired")
    if orders.subscriber[row] in replay.closed and replay.live_steps[row]:
        open_still.add(replay.closed[int(orders.subscriber[row])][1])
    return open_still or {"left"}


def test_no_cap_is_exceeded_in_any_window(replays):
    seen = 0
    for replay in replays:
        for cap in replay.case.capacity.fatigue.caps:
            for tries in replay.by_person.values():
                starts = [t.start for t in tries]
                for k in range(cap.attempts, len(starts)):
                    # In the sums the engines make, at most so many attempts in [t, t + days).
                    assert starts[k - cap.attempts] + 24.0 * cap.days <= starts[k]
                    seen += 1
    assert seen > 100


def test_nobody_is_tried_once_closed(replays):
    seen = Counter()
    for replay in replays:
        for person, (time, why) in replay.closed.items():
            seen[why] += 1
            assert all(t.start <= time for t in replay.by_person.get(person, []))
    assert min(seen["opted_out"], seen["called_in"]) > 50


def test_answers_and_times_are_the_settings_laws(replays):
    """What is said, and how long it takes, follow from settings, habits and the draws of subscriber and hour."""
    said = Counter()
    for replay in replays:
        contacts = defaultdict(list)
        for name, _, _, _, agent, _, start, _, what, _ in replay.calls:
            if what == "served":
                contacts[agent].append((start, name))
        for t in replay.all_tries:
            if t.said == "reached":
                contacts[t.agent].append((t.start, t.channel))
        for several in replay.by_person.values():
            for t in several:
                expected = expected_answer(replay, several, t)
                if expected:
                    said[t.said] += 1
                    check_answer(replay, t, expected, sum(start < t.start for start, _ in contacts[t.agent]))
    assert min(said.values()) > 5 and len(said) == 10


def expected_answer(replay, several, t):
    """Return what the subscriber does, "" where attempts of one moment tire each other in an unknown order."""
    case, channel = replay.case, replay.case.channels[t.channel]
    own = [each for each in replay.tries[t.row] if each.step == t.step and each.at < t.at]
    hour = int(t.start - replay.start)
    factors = channel.answer_attempt_factors or (1.0,)
    weekday = (30 * case.month + hour // 24 + EVERY_DAY.index(case.capacity.start_weekday)) % 7
    prob = channel.answer_prob_by_hour[hour % 24] * channel.answer_weekday_factors[weekday]
    prob *= case.orders.answer_habit[t.row] * factors[min(len(own), len(factors) - 1)]
    if own and int(own[-1].start - replay.start) % 24 // 3 == hour % 24 // 3:
        prob *= channel.same_slot_factor
    if case.capacity.fatigue.answer_factor < 1.0:
        if sum(each.start == t.start for each in several) > 1:
            return ""
        recent = [each for each in several if each.start < t.start][-16:]
        prob *= case.capacity.fatigue.answer_factor ** sum(each.start + 168.0 > t.start for each in recent)
    u, v, _ = t.draw
    if not u < prob:
        bounds, names = (channel.busy_prob, channel.voicemail_prob), ("busy", "voicemail", "no_answer")
        return names[int(np.searchsorted(np.cumsum(bounds), v, side="right"))]
    person = np.array([replay.subscriber[t.row]])
    if uniform(case.key, stream(f"capacity.wrong_number.{t.channel}"), person)[0] < channel.wrong_number_prob:
        return "wrong_number"
    bounds = (channel.refusal_prob, channel.hang_up_prob, channel.callback_prob)
    return ("refused", "hung_up", "callback", "reached")[int(np.searchsorted(np.cumsum(bounds), v, side="right"))]


def check_answer(replay, t, expected, contacts):
    channel, case = replay.case.channels[t.channel], replay.case
    preview = channel.preview_minutes / 60.0 if channel.dialling == "preview" else 0.0
    ring, brief = channel.ring_minutes / 60.0, channel.brief_minutes / 60.0
    if t.agent < 0:
        assert replay.is_predictive(t.channel)
        assert t.said == (expected if expected in UNANSWERED else "dropped_by_dialer")
        lasts = channel.no_answer_minutes / 60.0 if t.said in UNANSWERED else ring
    elif expected == "reached":
        step_try = [each.at for each in replay.tries[t.row] if each.step == t.step].index(t.at) + 1
        person = np.array([replay.subscriber[t.row]])
        talk = handle_hours(t.channel, channel, person, key=case.key, month=case.month, attempt=step_try)[0]
        lasts = preview + ring + talk / speed(replay, t, contacts)
    else:
        lasts = preview + (channel.no_answer_minutes / 60.0 if expected in UNANSWERED else ring + brief)
    if t.said == "handed_back":
        shift_end = replay.stretch(t.agent, t.start)[1]
        assert replay.teams[t.team].shift_end == "hand_back" and t.end == shift_end < t.start + lasts + ROUNDING
        return
    assert t.agent < 0 or t.said == expected
    assert t.end == pytest.approx(t.start + lasts, abs=ROUNDING)
    assert t.answer == (inf if expected in UNANSWERED else pytest.approx(t.start + preview + ring, abs=ROUNDING))


def speed(replay, t, contacts):
    team = replay.teams[t.team]
    number = t.agent - [name for name, _ in replay.agents].index(t.team)
    spread = np.sqrt(np.log1p(team.productivity_cv**2))
    z = normal(replay.case.key, stream(f"capacity.productivity.{t.team}"), np.array([number]))[0]
    learned = practice(team.learning.start_factor, team.learning.half_contacts, contacts) if team.learning else 1.0
    return team.productivity * np.exp(spread * z - spread**2 / 2) * learned


# Callers


def test_callers_are_served_gave_up_or_wait(replays):
    seen = Counter()
    for replay in replays:
        all_calls = replay.case.all_calls()
        inside = all_calls.time_hours <= replay.end
        first = [call for call in replay.calls if call[2] == 1]
        assert len(first) == inside.sum()
        by_caller = defaultdict(list)
        for call in replay.calls:
            by_caller[call[0], call[1], call[9]].append(call)
            seen[call[8]] += 1
        for (name, _, _), visits in by_caller.items():
            assert [visit[8] for visit in visits[:-1]] == ["abandoned_in_queue"] * (len(visits) - 1)
            assert [visit[2] for visit in visits] == list(range(1, len(visits) + 1))
            assert len(visits) == 1 or replay.case.capacity.inbound[name].retrial_prob > 0
            assert all(one[7] <= other[5] for one, other in pairwise(visits))
    assert min(seen.values()) > 100 and len(seen) == 3


def test_no_caller_waits_longer_than_patience(replays):
    for replay in replays:
        calls = replay.case.all_calls()
        patience = {(str(calls.stream[i]), int(calls.call_id[i]), float(calls.time_hours[i])): calls.patience_hours[i]
                    for i in range(len(calls))}
        for name, caller, number, _, _, came, start, end, said, _ in replay.calls:
            if number == 1:
                leaves = came + patience[str(name), int(caller), float(came)]
                assert end == leaves if said == "abandoned_in_queue" else (start if said == "served" else end) <= leaves


def test_littles_law_is_an_identity_of_areas(replays):
    """From empty to empty, the area under the number in the centre is the sum of the times spent there, exactly.

    The number comes from the list of calls in and the log's ends out; what waits at the month's end leaves then.
    """
    for replay in replays:
        calls = replay.case.all_calls()
        came = [float(t) for t in calls.time_hours if t <= replay.end]
        came += [call[5] for call in replay.calls if call[2] > 1]
        went = [call[7] for call in replay.calls]
        moves = sorted([(Fraction(t), 0, 1) for t in came] + [(Fraction(t), 1, -1) for t in went])
        area, number, last = Fraction(0), 0, Fraction(0)
        for time, _, step in moves:
            area, number, last = area + number * (time - last), number + step, time
            assert number >= 0
        assert number == 0
        assert area == sum((Fraction(call[7]) - Fraction(call[5]) for call in replay.calls), Fraction(0))


# Money and messages


def test_costs_add_up_row_by_row(replays):
    for replay in replays:
        a, calls, capacity = replay.log.attempts, replay.log.calls, replay.case.capacity
        for k in range(len(a)):
            channel = replay.case.channels[str(a.channel[k])]
            minutes = 60.0 * (a.end_hours[k] - a.start_hours[k]) if isinstance(channel, LiveChannel) else 0.0
            row = replay.row_of[int(a.order_id[k])]
            said = a.disposition[k]
            accepted = said == "reached_accepted" or (said == "read" and is_accepted(replay, row))
            expected = (channel.cost_per_attempt_amount + minutes * getattr(channel, "cost_per_minute_amount", 0.0)
                        + accepted * channel.cost_per_conversion_amount + staff_cost(replay, a, k))
            assert abs(a.cost_cents[k] - 100 * expected) <= 0.5 + 1e-6
        for k in range(len(calls)):
            minute = capacity.inbound[str(calls.stream[k])].cost_per_minute_amount
            expected = 60.0 * calls.handled_hours[k] * minute + staff_cost(replay, calls, k)
            assert abs(calls.cost_cents[k] - 100 * expected) <= 0.5 + 1e-6


def is_accepted(replay, row):
    person = np.array([replay.subscriber[row]])
    draw = uniform(replay.case.key, stream("capacity.accept"), person, month=replay.case.month)[0]
    return draw < replay.case.orders.accept_prob[row]


def staff_cost(replay, table, k):
    if table.agent[k] < 0:
        assert table.handled_hours[k] == table.overtime_hours[k] == table.wrap_hours[k] == 0.0
        return 0.0
    team = replay.teams[str(table.team[k])]
    assert 0.0 <= table.wrap_hours[k] <= table.handled_hours[k]
    hours = table.handled_hours[k] + (team.overtime_factor - 1.0) * table.overtime_hours[k]
    return hours * team.cost_per_hour_amount


def test_messages_keep_window_and_throttle_and_come_once_a_step(replays):
    for replay in replays:
        a = replay.log.attempts
        for name, channel in replay.case.channels.items():
            if not isinstance(channel, BatchChannel):
                continue
            mine = np.flatnonzero(a.channel == name)
            assert len(set(a.order_id[mine].tolist())) == len(mine)
            assert all(replay.is_open(name, hour) for hour in a.start_hours[mine])
            low, high = channel.calling_window_hours
            day, hour = np.divmod(a.start_hours[mine], 24.0)
            elapsed = day * (high - low) + hour - low
            assert np.all(np.diff(np.sort(elapsed)) >= 1.0 / channel.throttle_per_hour - 1e-6)

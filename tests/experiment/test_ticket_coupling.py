"""Tickets and a campaign before the same agents: the money of those contacted and of those who waited adds up."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from small_world import load_small

from churnsim.campaign.tickets import Tickets
from churnsim.errors import ConfigError
from churnsim.evaluation.ledger import Bookkeeper, ledger_frame
from churnsim.experiment import stages
from churnsim.experiment.load import Loaded
from churnsim.experiment.store import Cell
from churnsim.experiment.summary import METRICS, TICKET_METRICS, metrics_of
from churnsim.experiment.tasks import make_tasks
from churnsim.experiment.world import make_world

POLICIES = ("none", "everyone", "everyone_capacity", "uplift_value")
TICKET = {
    "kind": "live", "answer_prob_by_hour": [1.0] * 24, "handle_minutes_mean": 12.0, "calling_window_hours": [0.0, 24.0]
}
SCARCE: dict[str, Any] = {
    "population.size": 800,
    "channels": {"ticket": TICKET, "call": {"handle_minutes_mean": 25.0}},
    "capacity.teams.day.channels": ["call", "ticket"],
    "capacity.teams.evening.channels": ["call", "ticket"],
    "capacity.teams.day.agents": 1,
    "capacity.teams.evening.agents": 0,
    "campaign.budget_amount": 20000.0,
    "campaign.tickets.value_amount": 0.001,
    "lifecycle.service.complaint_prob": 0.2,
    "policies": dict.fromkeys(("random", "churn_risk", "risk_value", "oracle")),
}


def loaded(**changes: Any) -> Loaded:
    wanted = {**SCARCE, "campaign.tickets.channel": "ticket", **changes}
    return load_small(*(f"{key}={json.dumps(value)}" for key, value in wanted.items()))


@cache
def first(complaint_prob: float) -> tuple[Cell, Cell]:
    """Return history and plan, which read nothing of tickets."""
    e = loaded(**{"lifecycle.service.complaint_prob": complaint_prob})
    world = make_world(e.experiment, replicate=0, folder=e.folder)
    history = stages.history(world)
    return history, stages.plan(world, history)


def cells_of(**changes: Any) -> dict[str, Cell]:
    e = loaded(**changes)
    world = make_world(e.experiment, replicate=0, folder=e.folder)
    history, plan = first(e.experiment.lifecycle.service.complaint_prob)
    truth = stages.truth(world, history)
    found = {name: stages.policy(world, name, history, plan, truth) for name in POLICIES}
    return {"history": history, "truth": truth, **found}


@pytest.fixture(scope="module")
def scarce() -> dict[str, Cell]:
    return cells_of()


@pytest.fixture(scope="module")
def off() -> dict[str, Cell]:
    return cells_of(**{"campaign.tickets.channel": None})


def cents(cell: Cell, metric: str) -> int:
    return round(100 * cell.facts["metrics"][metric])


@pytest.mark.parametrize("name", POLICIES)
def test_direct_effect_and_spillover_add_up_to_the_total(scarce: dict[str, Cell], name: str) -> None:
    """To the cent; and each is the sum of the ledger's rows of its subscribers."""
    cell = scarce[name]
    assert cents(cell, "direct_effect") + cents(cell, "spillover") == cents(cell, "net_value")
    ledger = cell.frames["ledger"]
    ledger = ledger[(ledger["estimate"] == "expected") & ~ledger["kind"].isin(["terminal_margin", "replacement_cost"])]
    sign = np.where(ledger["world"] == "policy", 1, -1) * np.where(ledger["kind"] == "revenue", 1, -1)
    attempted = ledger["subscriber"].isin(set(cell.frames["contacts"]["subscriber"]))
    value = sign * ledger["discounted_cents"]
    assert value[attempted].sum() == cents(cell, "direct_effect")
    assert value[~attempted].sum() == cents(cell, "spillover")


def test_a_campaign_that_keeps_agents_busy_costs_those_who_wait(scarce: dict[str, Cell]) -> None:
    cell = scarce["everyone_capacity"]
    metrics = cell.facts["metrics"]
    assert metrics["spillover"] != 0.0 and metrics["tickets_changed"] > 20
    assert metrics["tickets_late"] > metrics["tickets_late_in_reference"] + 5
    tickets = cell.frames["tickets"]
    waited = tickets.loc[tickets["policy_hours"] != tickets["reference_hours"], "subscriber"]
    listed, touched = set(cell.frames["lists"]["subscriber"]), set(cell.frames["ledger"]["subscriber"])
    assert set(waited) - listed and touched <= set(waited) | listed
    assert len(tickets) == metrics["tickets"] == len(scarce["truth"].arrays["ticket.row"])


def test_the_policy_none_differs_by_exactly_nothing(scarce: dict[str, Cell]) -> None:
    metrics = scarce["none"].facts["metrics"]
    money = ("net_value", "net_value_realised", "saved_revenue", "direct_effect", "spillover")
    assert [metrics[name] for name in money] == [0.0] * 5
    assert metrics["tickets"] > 50 and metrics["tickets_changed"] == 0 and not len(scarce["none"].frames["ledger"])
    tickets = scarce["none"].frames["tickets"]
    assert tickets["policy_hours"].tolist() == tickets["reference_hours"].tolist()
    assert metrics["churn_rate"] == pytest.approx(1.0 - scarce["truth"].arrays["still_active"][1]
                                                  / scarce["truth"].facts["on_network"])


@pytest.mark.parametrize("name", ["everyone", "everyone_capacity"])
def test_the_touched_are_compared_with_the_reference_of_everybody(scarce: dict[str, Cell], name: str) -> None:
    """The tickets of those with an order too are resolved in the reference as the centre does without a campaign."""
    e = loaded()
    world = make_world(e.experiment, replicate=0, folder=e.folder)
    base = stages.decision_base(scarce["history"], world.engine.schema)
    tickets = Tickets.of(e.experiment.campaign.tickets, scarce["truth"].arrays)
    assert tickets is not None
    month, evaluation = e.experiment.campaign_month, e.experiment.evaluation
    books = Bookkeeper(evaluation, world.offers, start=month, n=len(base), arms=1)
    world.engine.run([(base, tickets.treatment())], start=month, months=evaluation.horizon_months,
                     observe=books.observe)
    everybody = ledger_frame(base.ids, books.worlds[0], books.worlds[0])
    found = scarce[name].frames["ledger"]
    touched = set(found["subscriber"])
    usual, seen = (frame[(frame["world"] == "reference") & frame["subscriber"].isin(touched)]
                   for frame in (everybody, found))
    keys = ["subscriber", "kind", "estimate"]
    assert len(touched & set(tickets.subscriber)) > 50
    assert usual.sort_values(keys).reset_index(drop=True).equals(seen.sort_values(keys).reset_index(drop=True))


def test_unlimited_staff_delays_nobody(scarce: dict[str, Cell]) -> None:
    metrics = scarce["everyone"].facts["metrics"]
    assert metrics["spillover"] == 0.0 and metrics["tickets_changed"] == 0 and metrics["reached"] > 100


def test_enough_agents_delay_nobody() -> None:
    """One for everybody: all calls of the list at once leave some free."""
    metrics = cells_of(**{"capacity.teams.day.agents": 600})["everyone_capacity"].facts["metrics"]
    assert metrics["spillover"] == 0.0 and metrics["direct_effect"] == metrics["net_value"] != 0.0
    assert metrics["tickets_changed"] == 0 and metrics["tickets_late"] == metrics["tickets_late_in_reference"]


def test_without_the_coupling_nothing_spills_over_and_nothing_is_told_of_tickets(
    off: dict[str, Cell], scarce: dict[str, Cell]
) -> None:
    for name in POLICIES:
        metrics = off[name].facts["metrics"]
        assert metrics["spillover"] == 0.0 and metrics["direct_effect"] == metrics["net_value"]
        assert set(metrics) & set(TICKET_METRICS) == set() and "tickets" not in off[name].frames
        assert list(metrics_of([off[name].facts])) == [*METRICS]
        assert list(metrics_of([scarce[name].facts])) == [*METRICS, *TICKET_METRICS]
    assert not [name for name in off["truth"].arrays if name.startswith("ticket")]
    # The other keys of the section are not read then, and the world without a campaign has other tickets.
    again = cells_of(**{"campaign.tickets": {"channel": None, "value_amount": 7.0, "deadline_hours": 1.0}})
    assert [again[name].facts for name in again] == [off[name].facts for name in again]
    assert not np.array_equal(off["truth"].arrays["monthly"], scarce["truth"].arrays["monthly"])


@pytest.mark.parametrize("change", [{"campaign.tickets.value_amount": 2.0}, {"campaign.tickets.deadline_hours": 8.0}])
def test_every_key_of_the_section_changes_something(scarce: dict[str, Cell], change: dict[str, Any]) -> None:
    found = cells_of(**change)
    assert [found[name].facts for name in POLICIES] != [scarce[name].facts for name in POLICIES]


def test_cells_are_known_by_the_tickets_they_read() -> None:
    """History and plan are not computed again for them; truth and policies are."""
    def keys(**changes: Any) -> dict[str, str]:
        (tasks,) = make_tasks(loaded(**changes))
        return {task.label: task.key for task in tasks}

    usual = keys()
    for change in ({"campaign.tickets.value_amount": 2.0}, {"campaign.tickets.channel": None}):
        other = keys(**change)
        same = {label.split(",")[0] for label in usual if usual[label] == other[label]}
        assert same == {"history", "plan"}


CHECKS = {
    "campaign.tickets.channel=fax": "campaign.tickets.channel: no channel 'fax'; live ones are call, ticket",
    "campaign.tickets.channel=sms": "campaign.tickets.channel: 'sms' is a channel of kind batch, and tickets are "
    "worked by agents; name a live one (call, ticket)",
    "campaign.tickets.channel=ticket": "channels.ticket: no team serves this live channel; add it to the channels of a "
    "team under capacity.teams",
    "campaign.tickets={channel: call, deadline_hours: 0.0}": "campaign.tickets.deadline_hours: must be more than 0 "
    "(got 0.0)",
    "campaign.tickets={channel: call, value_amount: -1.0}": "campaign.tickets.value_amount: must be at least 0 "
    "(got -1.0)",
}


@pytest.mark.parametrize("override", CHECKS)
def test_what_cannot_be_worked_is_refused(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(f"channels.ticket={json.dumps(TICKET)}", override)
    assert [line.split(": ", 1)[1] for line in str(caught.value).splitlines()] == [CHECKS[override]]


def test_a_simulation_with_a_campaign_has_no_tickets_before_agents() -> None:
    with pytest.raises(ConfigError) as caught:
        load_small("campaign.tickets.channel=call", "simulation.policy=random")
    assert "simulation.policy: a campaign that delays tickets is judged by `churnsim run` only: partitions of a " \
        "simulation do not know each other's tickets; set simulation.policy or campaign.tickets.channel to null" in str(
            caught.value)
    load_small("campaign.tickets.channel=call")

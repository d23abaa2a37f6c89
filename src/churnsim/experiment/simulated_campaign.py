"""The campaign in the middle of a long simulation: shortlists of partitions, one list, and what it changed.

A campaign couples subscribers by budget and staff alone: each partition sends the shortlist that could be on the
campaign's list, the list is made and worked in one place, and those with an order are stepped again from the campaign
month, with and without it.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from churnsim.core.columns import Subscribers
from churnsim.core.executor import processors
from churnsim.evaluation.ledger import Bookkeeper, ledger_frame
from churnsim.experiment.judge import campaign_metrics, resolve
from churnsim.experiment.stages import below, fit_models, make_plan, situation, work_list
from churnsim.experiment.store import Cell, Store
from churnsim.experiment.world import World
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.events import Events
from churnsim.lifecycle.reasons import add_reasons
from churnsim.policy.plan import NAMED, ROWS, Plan
from churnsim.policy.policies import choose, shortlist
from churnsim.policy.settings import PolicySettings, rules_read
from churnsim.uplift.models import Models

if TYPE_CHECKING:
    from churnsim.experiment.simulation import Simulation

Arrays = dict[str, npt.NDArray[Any]]
PACKED = "models"
# Some 270 bytes a row with six arms, three times as many while shortlists are merged.
MERGED_ROWS = 1_000_000


@dataclass(frozen=True)
class Worked:
    """What a campaign came to.

    Attributes
    ----------
    change
        (months from the campaign on, groups, counts): what it changed in the totals of the summary.
    tables
        By the name of the file each is written to.
    metrics
        As in a run's summary.
    note
        What a reader should know about the list.
    """

    change: npt.NDArray[np.int64]
    tables: dict[str, pa.Table]
    metrics: dict[str, float]
    note: str


def models_cell(world: World) -> Cell:
    """Run the pilot, learn from it, and return the models as a cell."""
    with threadpool_limits(1):
        fitted = fit_models(world)
    packed = np.frombuffer(pickle.dumps(fitted), np.uint8)
    return Cell(arrays={PACKED: packed}, frames={"pilot": fitted.report})


def fitted_models(store: Store, key: str) -> Models:
    """Return the models of a finished cell."""
    fitted: Models = pickle.loads(store.arrays(key)[PACKED].tobytes())
    return fitted


def shortlisted(world: World, base: Subscribers, fitted: Models) -> Arrays:
    """Return a partition's shortlist: its part of the plan, and the subscribers as the campaign month starts."""
    settings = _policy(world)
    learner = getattr(settings, "learner", None)
    plan = make_plan(world, fitted, base, learners=() if learner is None else (learner,), rules=rules_read(settings))
    rows = shortlist(settings, situation(world, plan))
    short, some = plan.take(rows), base.take(rows)
    assert short.listable is not None
    arrays: Arrays = {"listable": np.array(short.listable)}
    arrays |= {f"plan.{name}": getattr(short, name) for name in ROWS}
    arrays |= {f"{group}.{name}": values for group in NAMED for name, values in getattr(short, group).items()}
    arrays |= {f"base.{name}": values for name, values in some.columns.items()}
    return arrays


def work_campaign(simulation: Simulation, parts: Sequence[str], models: str) -> Worked:
    """Make and work the list, step those with an order again, and add up what that changed.

    Parameters
    ----------
    parts
        Keys of the partitions' cells.
    models
        Key of the models' cell.
    """
    e, world = simulation.experiment, simulation.world()
    settings = _policy(world)
    plan, base = _whole_shortlist(world, simulation.store, parts, fitted_models(simulation.store, models))
    choice = choose(settings, situation(world, plan))
    wave = work_list(world, settings, plan, choice, base)
    touched = base.take(wave.touched)
    books, in_time = resolve(world, touched, wave, threads=processors())
    metrics, _ = campaign_metrics(choice, books, wave, in_time)
    start = e.campaign_month
    without, treated = touched.copy(), touched.copy()
    seen = [simulation.summary(start=start) for _ in books.worlds]
    events = Events()

    def watch(block: Block) -> None:
        seen[block.arm].observe(block)
        if e.record.events and block.arm == 1:
            events.observe(block)

    world.engine.run([(without, None), (treated, wave.treatment)], start=start, months=simulation.months - start,
                     observe=watch, threads=processors())
    tables = {"ledger": _ledger(touched, books), "contacts": pa.Table.from_pandas(wave.log.attempts.to_pandas()),
              "lists": _lists(plan, choice.arm, choice.priority), **simulation.states("treated", treated)}
    if e.capacity.inbound:
        tables["calls"] = pa.Table.from_pandas(wave.log.calls.to_pandas())
    if e.record.events:
        tables["treated_events"] = add_reasons(events.table(simulation.labels), settings=e.lifecycle, key=world.key)
    return Worked(seen[1].totals - seen[0].totals, tables, metrics, choice.note)


def _policy(world: World) -> PolicySettings:
    name = world.experiment.simulation.policy
    assert name is not None
    return world.experiment.policies[name]


def _whole_shortlist(world: World, store: Store, parts: Sequence[str], fitted: Models) -> tuple[Plan, Subscribers]:
    """Return the shortlist of all partitions, by id as in one partition: ties are broken by place."""
    plan = _whole_plan(world, store, parts, fitted)
    bases = []
    for part in parts:
        arrays = store.arrays(part, starting=("plan.ids", "base."))
        base = Subscribers(world.engine.schema, arrays["plan.ids"], below("base.", arrays))
        bases.append(base.take(np.flatnonzero(np.isin(base.ids, plan.ids, assume_unique=True))))
    whole = Subscribers.concat(bases)
    return plan, whole.take(np.argsort(whole.ids, kind="stable"))


def _whole_plan(world: World, store: Store, parts: Sequence[str], fitted: Models) -> Plan:
    """Return the plan of the whole shortlist.

    Shortlists are merged whenever there are so many rows that more would take much memory: no more is kept than the
    budget buys, a group of partitions, and one.
    """
    known: list[Plan] = []
    for number, part in enumerate(parts, start=1):
        arrays = store.arrays(part, starting=("listable", "plan.", *(f"{name}." for name in NAMED)))
        columns: dict[str, Any] = {name: arrays[f"plan.{name}"] for name in ROWS}
        columns |= {name: below(f"{name}.", arrays) for name in NAMED}
        known.append(Plan(arms=world.arms(), **columns, best=fitted.best,
                          pilot_channel=world.experiment.pilot.channel, listable=tuple(arrays["listable"].tolist())))
        if number == len(parts) or sum(len(plan.ids) for plan in known) > MERGED_ROWS:
            known = [_merged(world, known)]
    return known[0]


def _merged(world: World, plans: Sequence[Plan]) -> Plan:
    """Return the shortlist of several shortlists, by id."""
    plan = Plan.concat(plans)
    plan = plan.take(np.argsort(plan.ids, kind="stable"))
    return plan.take(shortlist(_policy(world), situation(world, plan)))


def _ledger(touched: Subscribers, books: Bookkeeper) -> pa.Table:
    return pa.Table.from_pandas(ledger_frame(touched.ids, *books.worlds), preserve_index=False)


def _lists(plan: Plan, arm: npt.NDArray[np.int64], priority: npt.NDArray[np.float64]) -> pa.Table:
    """Return the list: who was to be given what."""
    rows = np.flatnonzero(arm >= 0)
    names = [known.name for known in plan.arms]
    chosen = pa.DictionaryArray.from_arrays(pa.array(arm[rows].astype(np.int16)), pa.array(names))
    return pa.table({"subscriber": plan.ids[rows], "arm": chosen, "risk": plan.risk[rows],
                     "priority": priority[rows], "planned_cost_amount": plan.planned_cost[rows, arm[rows]]})

"""Campaigns over months: a list every month, worked, answered and learned from, and all judged as one policy.

The policy's world is stepped month by month, so that each list meets the subscribers as the lists before left them. A
wave is worth the difference between the futures with it and without it, from its month to the end of the horizon; the
sum over waves is the difference to the world without any campaign. Orders that are open at a month's end are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.contact_history import ContactHistory
from churnsim.campaign.outcomes_so_far import Draw, read_draw
from churnsim.campaign.wave import Wave, run_wave
from churnsim.core.clock import DAYS_PER_MONTH, discount_factor
from churnsim.core.columns import Subscribers
from churnsim.core.money import CENTS
from churnsim.evaluation.ledger import EXPECTED, Bookkeeper, WorldLedger, compare_worlds, ledger_frame
from churnsim.experiment.allocation import allocation
from churnsim.experiment.judge import lists_frame, money_metrics, monthly_frame, resolve
from churnsim.experiment.planners import AdaptivePlanner, BanditPlanner, Draft, Planner, pilot_columns
from churnsim.experiment.stages import assigned, decision_base, futures, true_effects
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.settings import Adaptive, Bandit
from churnsim.signals.observe import listed_rows, observe
from churnsim.uplift.trial import Trial

Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def policy(world: World, settings: Adaptive | Bandit, history_cell: Cell, truth_cell: Cell) -> Cell:
    """Make, work, resolve and judge the lists of a policy over months."""
    base = decision_base(history_cell, world.engine.schema)
    planner: Planner = (AdaptivePlanner(world, settings) if isinstance(settings, Adaptive)
                        else BanditPlanner(world, settings))
    campaign = Campaign(world, base.copy(), settings.outcome_months)
    for month in range(world.experiment.campaign_month, world.experiment.campaign_month + settings.months):
        campaign.pass_month(planner, month, budget=world.experiment.campaign.budget_amount / settings.months)
    return judged(world, base, campaign.waves, truth_cell)


@dataclass(frozen=True)
class Judged:
    """A month's wave and what it changed.

    Attributes
    ----------
    rows
        (k,) positions in the base of those whom the wave touched.
    books
        Their money from this month on without the wave and with it.
    effects
        True effects of the list's subscribers, in the order of the list.
    allocation
        Whom the list holds, by segments.
    facts
        A row of the table of waves.
    """

    month: int
    draft: Draft
    wave: Wave
    rows: Int64
    books: Bookkeeper
    in_time: Flags
    effects: TrueEffects
    allocation: pd.DataFrame
    facts: dict[str, Any]


@dataclass
class Campaign:
    """What runs on from month to month.

    Attributes
    ----------
    base
        The policy's world at the start of the next month.
    outcome_months
        Months after which an outcome is read.
    waves
        Those so far.
    """

    world: World
    base: Subscribers
    outcome_months: int
    waves: list[Judged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._history = ContactHistory()
        self._open: list[Draw] = []

    def pass_month(self, planner: Planner, month: int, *, budget: float) -> None:
        """Learn from what is known by now, make the month's list, work it, judge it, and let the month pass."""
        world, e = self.world, self.world.experiment
        learned = self._learn(planner, month)
        rows = listed_rows(self.base, month=month, silent_days=e.signals.silent_days,
                           lost_months=e.campaign.lost_months)
        now = self.base.take(rows)
        draft = planner.draft(now, self._free(now.ids, month), month=month)
        assignment = assigned(draft.plan, draft.choice, horizon_months=e.signals.risk_horizon_months)
        wave = run_wave(assignment, now, engine=world.engine, channels=e.channels, capacity=e.capacity,
                        offers=world.offers, month=month, release_days=e.signals.list_delay_days,
                        deadline_days=e.campaign.deadline_days, unlimited=False)
        touched = now.take(wave.touched)
        books, in_time = resolve(world, touched, wave, month=month)
        effects = _effects(world, touched, month)
        self.waves.append(Judged(month, draft, wave, rows[wave.touched], books, in_time, effects,
                                 allocation(now, draft.choice.arm, draft.plan.arms),
                                 _facts(draft, wave, books, in_time, month=month, budget=budget, learned=learned)))
        self._history.add(wave, now, month=month)
        self._open.append(_draw(draft, wave, now, month))
        met = wave.treatment
        world.engine.run([(self.base, replace(met, row=rows[wave.touched[met.row]]))], start=month, months=1)

    def _learn(self, planner: Planner, month: int) -> bool:
        """Give a planner the draws whose outcome is known by the start of a month; True: it learned anew."""
        e = self.world.experiment
        over = [draw for draw in self._open if draw.month + self.outcome_months <= month]
        self._open = [draw for draw in self._open if draw.month + self.outcome_months > month]
        finished: list[Trial] = [
            read_draw(draw, e.pilot, planner.models, months=self.outcome_months, tries=e.campaign.offers,
                      engine=self.world.engine, signals=e.signals, channels=e.channels, capacity=e.capacity,
                      rate_annual=e.evaluation.discount_rate_annual) for draw in over if len(draw.option)]
        return planner.learn(finished, later=month - e.campaign_month)

    def _free(self, ids: Int64, month: int) -> Flags:
        """Return who may be listed: nobody whose outcome is open, or who was contacted too often lately."""
        e = self.world.experiment
        resting = np.isin(ids, np.concatenate([np.zeros(0, np.int64), *(draw.base.ids for draw in self._open)]))
        first_day = month * DAYS_PER_MONTH + e.signals.list_delay_days
        return ~resting & self._history.may_be_contacted(ids, e.campaign.limits.contacts, first_day=first_day)


def _draw(draft: Draft, wave: Wave, base: Subscribers, month: int) -> Draw:
    """Return those whose outcome will be read, with what came of the month."""
    n = len(base)
    contact_time, accepted = np.full(n, np.inf), np.zeros(n, np.int8)
    contact_time[wave.touched], accepted[wave.touched] = wave.contact_time, wave.accepted
    columns, read = pilot_columns(draft.plan), draft.read
    eligible = draft.plan.allowed[read][:, columns] if draft.prob is None else draft.prob[:, 1:] > 0.0
    return Draw(month, base.take(read), draft.option, draft.prob, eligible, contact_time[read], accepted[read])


def _effects(world: World, listed: Subscribers, month: int) -> TrueEffects:
    """Return the true effects of listing each of the listed, as known at the month's start."""
    if not len(listed):
        none = np.zeros((0, len(world.arms())))
        return TrueEffects(none, none, none)
    table = observe(listed, month=month, settings=world.experiment.signals, key=world.key)
    return true_effects(world, listed, world.reach(table), futures(world, listed, month=month), month=month)


def _facts(draft: Draft, wave: Wave, books: Bookkeeper, in_time: Flags, *, month: int, budget: float, learned: bool
           ) -> dict[str, Any]:
    changed = compare_worlds(*books.worlds, estimate=EXPECTED)
    return {"month": month, "budget_amount": budget, "planned_spend_amount": draft.choice.planned_spend,
            "contact_cost_amount": int(wave.contact_cents.sum()) / CENTS, "listed": int((draft.choice.arm >= 0).sum()),
            "explored": draft.explored, "reached": int(wave.reached.sum()), "reached_in_time": int(in_time.sum()),
            "accepted": int((in_time & (wave.accepted > 0)).sum()), "learned": learned,
            "planned_value_amount": draft.value, "net_value_amount": int(changed.net_value.sum()) / CENTS}


def judged(world: World, base: Subscribers, waves: list[Judged], truth_cell: Cell) -> Cell:
    """Return the cell of a policy: the sum of its waves.

    Parameters
    ----------
    base
        Everybody at the start of the campaign month.
    """
    e = world.experiment
    rows = np.unique(np.concatenate([wave.rows for wave in waves]))
    touched = base.take(rows)
    alone = Bookkeeper(e.evaluation, world.offers, start=e.campaign_month, n=len(rows), arms=1)
    world.engine.run([(touched.copy(), None)], start=e.campaign_month, months=e.evaluation.horizon_months,
                     observe=alone.observe)
    reference = alone.worlds[0]
    total = WorldLedger(reference.cents.copy(), reference.monthly.copy(), reference.still_active.copy())
    to_stayers, attempted = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    for wave in waves:
        at = np.searchsorted(rows, wave.rows)
        without, treated = wave.books.worlds
        total.cents[..., at] += treated.cents - without.cents
        total.monthly += treated.monthly - without.monthly
        total.still_active[:, at] += treated.still_active - without.still_active
        to_stayers[at] += wave.books.offer_cost_to_stayers[1] - wave.books.offer_cost_to_stayers[0]
        attempted[at] |= wave.wave.attempted
    money, squares = money_metrics(reference, total, to_stayers=to_stayers, attempted=attempted)
    present = touched["departure_time"] > e.campaign_month
    active = truth_cell.arrays["still_active"][EXPECTED] + (
        total.still_active[EXPECTED] - reference.still_active[EXPECTED])[present].sum()
    facts = pd.DataFrame([wave.facts for wave in waves])
    metrics = {"targeted": int(facts["listed"].sum()), **{name: int(facts[name].sum()) for name in
                                                          ("reached", "reached_in_time", "accepted")}, **money,
               "planned_spend": float(facts["planned_spend_amount"].sum()),
               "plan_gap": sum(wave.draft.choice.gap for wave in waves),
               "churn_rate": 1.0 - float(active) / max(truth_cell.facts["on_network"], 1),
               "plan_value": sum(_plan_value(world, wave) for wave in waves)}
    notes = dict.fromkeys(wave.draft.choice.note for wave in waves if wave.draft.choice.note)
    frames = {"ledger": ledger_frame(touched.ids, reference, total),
              "monthly": monthly_frame(total.monthly - reference.monthly, truth_cell), "waves": facts,
              "allocation": _allocated(waves), **_logs(world, waves)}
    return Cell({"metrics": metrics, "note": "; ".join(notes), **squares}, {}, frames)


def _allocated(waves: list[Judged]) -> pd.DataFrame:
    """Return the orders of all months by segments; subscribers are those of the first."""
    listed = np.sum([wave.allocation["listed"] for wave in waves], axis=0)
    return waves[0].allocation.assign(listed=listed)


def _plan_value(world: World, wave: Judged) -> float:
    """Return the true net value of a list under planned reach, discounted to the campaign month."""
    e = world.experiment
    arm = wave.draft.choice.arm
    later = discount_factor(wave.month - e.campaign_month, rate_annual=e.evaluation.discount_rate_annual)
    return wave.effects.of_list(arm[arm >= 0]) * later


def _logs(world: World, waves: list[Judged]) -> dict[str, pd.DataFrame]:
    """Return what was listed and done in all months, orders numbered through, and the draws with their chances."""
    contacts, lists, calls, draws = [], [], [], []
    tables: dict[str, list[pd.DataFrame]] = {}
    first = 0
    for each in waves:
        log, choice = each.wave.log, each.draft.choice
        frame = log.attempts.to_pandas()
        contacts.append(frame.assign(order_id=frame["order_id"] + first))
        first += len(each.wave.assignment)
        calls.append(log.calls.to_pandas())
        listed = np.flatnonzero(choice.arm >= 0)
        short = replace(choice, arm=choice.arm[listed], priority=choice.priority[listed])
        lists.append(lists_frame(each.draft.plan.take(listed), short, each.effects, month=each.month))
        draws.append(_drawn(world, each))
        for name, table in choice.tables.items():
            tables.setdefault(f"{name}_by_month", []).append(table.assign(month=each.month))
    frames = {"contacts": contacts, "lists": lists, "draws": draws, **tables}
    if world.experiment.capacity.inbound:
        frames["calls"] = calls
    return {name: _stacked(parts) for name, parts in frames.items()}


def _drawn(world: World, each: Judged) -> pd.DataFrame:
    """Return a row for each whose outcome is learned from: what it was to get, and with which chance, if known."""
    draft = each.draft
    names = ("control", *world.experiment.campaign.offers)
    prob = (np.full(len(draft.read), np.nan) if draft.prob is None
            else np.take_along_axis(draft.prob, draft.option[:, None], axis=1)[:, 0])
    return pd.DataFrame({"month": each.month, "subscriber": draft.plan.ids[draft.read],
                         "drawn": pd.Categorical.from_codes(draft.option, pd.Index(names)), "prob": prob})


def _stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of tables one below the other; categories stay categories."""
    out = pd.concat([part.astype({name: object for name, kind in part.dtypes.items()
                                  if isinstance(kind, pd.CategoricalDtype)}) for part in parts], ignore_index=True)
    named = [name for name, kind in parts[0].dtypes.items() if isinstance(kind, pd.CategoricalDtype)]
    return out.astype({name: "category" for name in named})

"""How a campaign is judged: those it touched stepped with it and without it, and what the cell of a policy says."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.wave import Wave
from churnsim.core.columns import Subscribers
from churnsim.core.money import CENTS
from churnsim.evaluation.ledger import (
    BASES,
    ESTIMATES,
    EXPECTED,
    KINDS,
    REALISED,
    WORLDS,
    Bookkeeper,
    WorldLedger,
    compare_worlds,
)
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.lifecycle.block import Block
from churnsim.policy.choice import Choice
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import Plan


def resolve(world: World, touched: Subscribers, wave: Wave, *, month: int | None = None, threads: int = 1
            ) -> tuple[Bookkeeper, npt.NDArray[np.bool_]]:
    """Step the touched to the end of the horizon with and without the wave of a month (the campaign's).

    Returns the money of both worlds, and who was reached before deciding to leave, or accepted an offer that brings
    back.
    """
    e = world.experiment
    month = e.campaign_month if month is None else month
    later = month - e.campaign_month
    books = Bookkeeper(e.evaluation, world.offers, start=e.campaign_month, n=len(touched), arms=2,
                       contact_cents=wave.contact_cents, first=later)
    contact = month + np.minimum(wave.contact_time, 1.0)
    in_time = np.zeros(len(touched), bool)

    def watch(block: Block) -> None:
        books.observe(block)
        if block.arm == 1 and block.month.first:
            at = slice(block.low, block.high)
            takes = block["undecided"] & (block["accepted"] > 0)
            in_time[at] = wave.reached[at] & (takes | (block["decision_time"] > contact[at]))

    world.engine.run([(touched.copy(), wave.reference), (touched.copy(), wave.treatment)], start=month,
                     months=e.evaluation.horizon_months - later, observe=watch, threads=threads)
    return books, in_time


def campaign_metrics(choice: Choice, books: Bookkeeper, wave: Wave, in_time: npt.NDArray[np.bool_]
                     ) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the metrics of a campaign, amounts in the currency and exact to the cent, and squared net values."""
    money, squares = money_metrics(*books.worlds, to_stayers=books.offer_cost_to_stayers[1], attempted=wave.attempted)
    metrics = {
        "targeted": int((choice.arm >= 0).sum()), "reached": int(wave.reached.sum()),
        "reached_in_time": int(in_time.sum()),
        "accepted": int((in_time & (wave.accepted > 0)).sum()),
        **money, "planned_spend": choice.planned_spend, "plan_gap": choice.gap,
        **({} if wave.tickets is None else wave.tickets.metrics()),
    }
    return metrics, squares


def money_metrics(reference: WorldLedger, policy_world: WorldLedger, *, to_stayers: npt.NDArray[np.int64],
                  attempted: npt.NDArray[np.bool_]) -> tuple[dict[str, float], dict[str, float]]:
    """Return what a campaign changed, amounts in the currency and exact to the cent, and squared net values.

    Parameters
    ----------
    to_stayers
        (n,) cents of offer cost to those who stay anyway.
    attempted
        (n,) whom the campaign tried to contact.
    """
    expected = compare_worlds(reference, policy_world, estimate=EXPECTED)
    realised = compare_worlds(reference, policy_world, estimate=REALISED)

    def amount(cents: npt.NDArray[np.int64]) -> float:
        return int(cents.sum()) / CENTS

    metrics = {
        "saved_revenue": amount(expected.saved_revenue), "saved_margin": amount(expected.saved_margin),
        "offer_cost": amount(expected.offer_cost), "offer_cost_to_stayers": amount(to_stayers),
        "contact_cost": amount(expected.contact_cost), "net_value": amount(expected.net_value),
        "net_value_realised": amount(realised.net_value),
        "direct_effect": amount(expected.net_value[attempted]),
        "spillover": amount(expected.net_value[~attempted]),
        "terminal_value": amount(expected.terminal_value),
        "acquisition_cost_avoided": amount(expected.acquisition_cost_avoided),
    }
    squares = {f"squared_{name}": float((money.net_value.astype(np.float64) ** 2).sum() / CENTS**2)
               for name, money in zip(ESTIMATES, (realised, expected), strict=True)}
    return metrics, squares


def monthly_frame(changed: npt.NDArray[np.int64], truth_cell: Cell) -> pd.DataFrame:
    """Return month x kind totals over all subscribers in both worlds, in cents, zero rows left out.

    Parameters
    ----------
    changed
        What the policy changed in them, as in :attr:`WorldLedger.monthly`.
    """
    all_reference = truth_cell.arrays["monthly"]
    parts = []
    for world, totals in zip(WORLDS, (all_reference, all_reference + changed), strict=True):
        month, kind, estimate = np.nonzero(totals.any(axis=3))
        parts.append(pd.DataFrame({"world": world, "month": month, "kind": np.array(KINDS)[kind],
                                   "estimate": np.array(ESTIMATES)[estimate],
                                   **{f"{name}_cents": totals[month, kind, estimate, k]
                                      for k, name in enumerate(BASES)}}))
    return pd.concat(parts, ignore_index=True)


def lists_frame(knows: Plan, choice: Choice, effects: TrueEffects, *, month: int) -> pd.DataFrame:
    """Return the list of a month: who was to be given what, with the truth beside it."""
    rows = np.flatnonzero(choice.arm >= 0)
    arm = choice.arm[rows]
    names = [a.name for a in knows.arms]
    return pd.DataFrame({"month": month, "subscriber": knows.ids[rows],
                         "arm": pd.Categorical.from_codes(arm, pd.Index(names)),
                         "risk": knows.risk[rows], "priority": choice.priority[rows],
                         "planned_cost_amount": knows.planned_cost[rows, arm],
                         "true_effect_amount": effects.net_value[rows, arm],
                         "true_effect_on_staying": effects.staying[rows, arm]})

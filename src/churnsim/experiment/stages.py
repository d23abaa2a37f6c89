"""The stages of an experiment: history, plan, truth, one cell a policy; each reads cells and returns one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from churnsim.campaign.limits import segment_of
from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.campaign.pilot import run_pilot
from churnsim.campaign.response import acceptance_prob, accepts, odds_factor
from churnsim.campaign.tickets import Tickets, propose_tickets
from churnsim.campaign.wave import Assignment, Wave, nobody_assigned, planned_contact_time, run_wave
from churnsim.core.columns import Schema, Subscribers
from churnsim.core.draws import make_key
from churnsim.core.money import CENTS
from churnsim.errors import ConfigError
from churnsim.evaluation.ledger import (
    BASES,
    ESTIMATES,
    EXPECTED,
    KINDS,
    REALISED,
    WORLDS,
    Bookkeeper,
    compare_worlds,
    ledger_frame,
)
from churnsim.evaluation.tenure_churn import tenure_churn
from churnsim.evaluation.truth import expected_effects, realised_responses, responses
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.drivers.tenure import states_at
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import NAMED, ROWS, Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import PolicySettings
from churnsim.population.categories import STATES
from churnsim.signals.observe import features, listed_rows, observe
from churnsim.signals.readable import READABLE
from churnsim.signals.rules import RULES
from churnsim.uplift.best import BestCampaign
from churnsim.uplift.models import Models

Ids = npt.NDArray[np.int64]
# Planned reach below this, and predicted risk above this, would give orders a value and a rate without bounds.
LEAST_REACH, MOST_RISK = 0.01, 0.999


def history(world: World) -> Cell:
    """Let the months before the campaign pass; keep those who may be listed when it starts.

    These are whom the operator counts as active, and who left within ``campaign.lost_months``.
    """
    e = world.experiment
    base = world.population()
    names = ("none", *world.engine.causes)
    served = np.zeros(e.campaign_month, np.int64)
    leavers = np.zeros((e.campaign_month, len(names)), np.int64)
    first_decision = base["decision_time"].copy()

    def count(block: Block) -> None:
        """Count month by month: who comes back has left all the same."""
        m, decision = block.month.number, block["decision_time"]
        served[m] += ((block["join_month"] <= m) & (decision >= m)).sum()
        leavers[m] += np.bincount(block["cause"][(decision >= m) & (decision < m + 1)], minlength=len(names))
        first = first_decision[block.low:block.high]
        np.minimum(first, decision, out=first)

    world.engine.run([(base, None)], start=0, months=e.campaign_month, observe=count)
    rows = listed_rows(base, month=e.campaign_month, silent_days=e.signals.silent_days,
                       lost_months=e.campaign.lost_months)
    months = pd.DataFrame({"month": range(e.campaign_month), "subscribers": served,
                           "decided_to_leave": leavers.sum(axis=1)})
    causes = pd.DataFrame({"cause": names, "leavers": leavers.sum(axis=0)})
    states = pd.DataFrame({"state": STATES, "subscribers": np.bincount(
        states_at(base, month=e.campaign_month), minlength=len(STATES))})
    frames = {"months": months, "causes": causes.iloc[1:], "states": states}
    table = world.table()
    if table is not None:
        frames["imported"] = table.report
        tenure = table.known.get("tenure_months")
        if table.churn is not None and table.monthly_rate is not None and tenure is not None:
            start = base.take(np.flatnonzero(base["join_month"] <= 0))
            start["decision_time"] = first_decision[base["join_month"] <= 0]
            frames["tenure_churn"] = tenure_churn(start, months=e.campaign_month, tenure_months=tenure,
                                                  churn=table.churn, monthly_rate=table.monthly_rate)
    kept = base.take(rows)
    return Cell({"subscribers": len(rows)}, {"ids": kept.ids, **kept.columns}, frames)


def decision_base(cell: Cell, schema: Schema) -> Subscribers:
    """Return the subscribers of a history cell, as they were when the campaign month started."""
    return Subscribers(schema, cell.arrays["ids"], {c.name: cell.arrays[c.name] for c in schema.stored}).copy()


def plan(world: World, history_cell: Cell) -> Cell:
    """Run the pilot, learn from it, and predict for the subscribers of the campaign."""
    models = fit_models(world)
    base = decision_base(history_cell, world.engine.schema)
    arrays = _predictions(world, models, base, rules=tuple(RULES), columns=tuple(READABLE))
    best = {name: [b.offer, b.depth_share, b.value_amount] for name, b in models.best.items()}
    return Cell({"best": best, "monthly_rate": models.base_rate}, arrays, {"pilot": models.report})


def fit_models(world: World) -> Models:
    """Run the pilot and learn from it."""
    if world.engine.coupled:
        raise ConfigError(f"driver {world.engine.coupled[0]!r} couples subscribers, and a campaign is judged by "
                          "stepping those it contacts again, alone; take the driver out, or simulate without "
                          "simulation.policy")
    e = world.experiment
    rate = e.evaluation.discount_rate_annual
    trial = run_pilot(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine,
                      signals=e.signals, channels=e.channels, capacity=e.capacity, rate_annual=rate,
                      lost_months=e.campaign.lost_months)
    return Models(trial, e.uplift, churn_model=e.signals.churn_model,
                  risk_horizon_months=e.signals.risk_horizon_months, outcome_months=e.pilot.outcome_months,
                  horizon_months=e.evaluation.horizon_months, rate_annual=rate,
                  key=make_key(seed=e.seed, replicate=world.replicate, purpose="learner"), folder=world.folder)


def _predictions(world: World, models: Models, base: Subscribers, learners: Collection[str] | None = None,
                 rules: Collection[str] = (), columns: Collection[str] = ()) -> dict[str, npt.NDArray[Any]]:
    """Return what the operator knows of `base` at the start of the campaign month: the arrays of a plan."""
    e = world.experiment
    table = observe(base, month=e.campaign_month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    arms = world.arms()
    pilot_arm = [k for k, arm in enumerate(arms) if arm.channel == e.pilot.channel]
    lost = table["state"] == STATES.index("churned")
    cost = offer_cost(table, world.offers, e.campaign.offers, rate_annual=e.evaluation.discount_rate_annual)
    margin = monthly_margin(table, e.lifecycle.cost_to_serve)
    predicted = models.predict(features(table), planned_reach=plans.reach[:, pilot_arm[0]], margin=margin,
                               offer_cost=cost, learners=learners, lost=lost)
    reach = plans.reach.copy()
    reach[:, pilot_arm] = predicted.reach[:, None]
    column = [e.campaign.offers.index(arm.offer) for arm in arms]
    factor = np.array([odds_factor(e.offers[arm.offer], arm.channel, e.channels)
                       / odds_factor(e.offers[arm.offer], e.pilot.channel, e.channels) for arm in arms])
    accept = _scale_odds(predicted.accept[:, column], factor)
    arrays = {"reach": reach, "contact_cost": plans.contact_cost, "minutes": plans.minutes,
              "allowed": plans.allowed, "accept": accept, "offer_cost": cost[:, column], "risk": predicted.risk,
              "lost": lost, "margin": margin, "segment": segment_of(table, e.campaign.limits)}
    for name, effects in predicted.effects.items():
        arrays[f"effects.{name}"], arrays[f"kept.{name}"] = effects.through(column, reach=reach, accept=accept)
    arrays |= {f"table.{name}": READABLE[name](table) for name in columns}
    return arrays | {f"flags.{name}": RULES[name](table) for name in rules}


def make_plan(world: World, models: Models, base: Subscribers, *, learners: Collection[str],
              rules: Collection[str]) -> Plan:
    """Return what the operator knows of `base` at the start of the campaign month, by the named learners and rules."""
    return _plan(world, _predictions(world, models, base, learners, rules), models.best, base.ids)


def _scale_odds(prob: npt.NDArray[np.float64], factor: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    scaled = factor * prob
    # Certain acceptance through a channel that nobody accepts by has no odds; it counts as none.
    return np.divide(scaled, 1.0 - prob + scaled, out=np.zeros_like(scaled), where=scaled > 0.0)


def load_plan(world: World, cell: Cell, ids: Ids) -> Plan:
    """Return the plan of a plan cell."""
    best = {name: BestCampaign(*values) for name, values in cell.facts["best"].items()}
    return _plan(world, cell.arrays, best, ids)


def _plan(world: World, arrays: Mapping[str, npt.NDArray[Any]], best: Mapping[str, BestCampaign], ids: Ids) -> Plan:
    columns: dict[str, Any] = {name: arrays[name] for name in ROWS if name != "ids"}
    named: dict[str, Any] = {name: below(f"{name}.", arrays) for name in NAMED}
    return Plan(ids=ids, arms=world.arms(), **columns, **named, best=best,
                pilot_channel=world.experiment.pilot.channel)


def below(prefix: str, arrays: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}


def truth(world: World, history_cell: Cell) -> Cell:
    """Compute the true expected effect of every arm on everybody, and the money of the reference world.

    Tickets that a centre works are kept for the policies; in the futures of true effects, hours are drawn.
    """
    e = world.experiment
    base = decision_base(history_cell, world.engine.schema)
    month = e.campaign_month
    table = observe(base, month=month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    found = responses(base, world.inner_engines(), e.evaluation, offers=e.campaign.offers, month=month,
                      contact_time=planned_contact_time(e.signals.list_delay_days))
    effects = expected_effects(found, offer_code=[arm.offer_code for arm in world.arms()],
                               accept=_true_acceptance(world, base), reach=plans.reach,
                               contact_cost=plans.contact_cost)
    present = base["departure_time"] > month
    books = Bookkeeper(e.evaluation, world.offers, start=month, n=len(base), arms=1)
    tickets = propose_tickets(base, e.campaign.tickets, engine=world.engine, channels=e.channels, capacity=e.capacity,
                              month=month)
    world.engine.run([(base, None if tickets is None else tickets.treatment())], start=month,
                     months=e.evaluation.horizon_months, observe=books.observe)
    reference = books.worlds[0]
    arrays = {"net_value": effects.net_value, "net_value_se": effects.net_value_se,
              "staying": effects.staying, "allowed": plans.allowed, "monthly": reference.monthly,
              "still_active": reference.still_active[:, present].sum(axis=1),
              **({} if tickets is None else tickets.arrays())}
    rows = [_arm_truth(arm.name, effects, plans.allowed, k) for k, arm in enumerate(world.arms())]
    return Cell({"subscribers": len(base), "on_network": int(present.sum())}, arrays, {"arms": pd.DataFrame(rows)})


def realised_effects(world: World, base: Subscribers) -> TrueEffects:
    """Return what listing each subscriber for each arm does in the world's own future, under planned reach."""
    e, month = world.experiment, world.experiment.campaign_month
    table = observe(base, month=month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    found = realised_responses(base, world.engine, e.evaluation, offers=e.campaign.offers, month=month,
                               contact_time=planned_contact_time(e.signals.list_delay_days))
    takes = np.column_stack([accepts(arm.offer, prob, base.ids, key=world.key, month=month)
                             for arm, prob in zip(world.arms(), _true_acceptance(world, base).T, strict=True)])
    return expected_effects(found, offer_code=[arm.offer_code for arm in world.arms()],
                            accept=takes.astype(np.float64), reach=plans.reach, contact_cost=plans.contact_cost)


def _true_acceptance(world: World, base: Subscribers) -> npt.NDArray[np.float64]:
    """Return the probability that each subscriber accepts each arm once contacted, (n, arms)."""
    e = world.experiment
    return np.column_stack([
        acceptance_prob(e.offers[arm.offer], base, engine=world.engine, month=e.campaign_month,
                        channel_factor=odds_factor(e.offers[arm.offer], arm.channel, e.channels))
        for arm in world.arms()])


def _arm_truth(name: str, effects: TrueEffects, allowed: npt.NDArray[np.bool_], k: int) -> dict[str, Any]:
    rows = allowed[:, k]
    value, staying = effects.net_value[rows, k], effects.staying[rows, k]
    empty = not rows.any()
    return {"arm": name, "subscribers": int(rows.sum()),
            "mean_net_value": 0.0 if empty else float(value.mean()),
            "share_worth_it": 0.0 if empty else float((value > 0).mean()),
            "mean_effect_on_staying": 0.0 if empty else float(staying.mean()),
            "share_harmed": 0.0 if empty else float((staying < 0).mean()),
            "mean_standard_error": 0.0 if empty else float(effects.net_value_se[rows, k].mean())}


def policy(world: World, name: str, history_cell: Cell, plan_cell: Cell, truth_cell: Cell) -> Cell:
    """Choose, work, resolve and judge one policy."""
    e = world.experiment
    settings = e.policies[name]
    base = decision_base(history_cell, world.engine.schema)
    knows = load_plan(world, plan_cell, base.ids)
    effects = TrueEffects(*(truth_cell.arrays[key] for key in ("net_value", "net_value_se", "staying")))
    known = realised_effects(world, base) if settings.kind == "clairvoyant" else effects
    choice = choose(settings, situation(world, knows), truth=known)
    wave = work_list(world, settings, knows, choice, base, Tickets.of(e.campaign.tickets, truth_cell.arrays))
    touched = base.take(wave.touched)
    books, in_time = resolve(world, touched, wave)
    metrics, squares = campaign_metrics(choice, books, wave, in_time)
    reference, policy_world = books.worlds
    present = touched["departure_time"] > e.campaign_month
    active = truth_cell.arrays["still_active"][EXPECTED] + (
        policy_world.still_active[EXPECTED] - reference.still_active[EXPECTED])[present].sum()
    metrics |= {"churn_rate": 1.0 - float(active) / max(truth_cell.facts["on_network"], 1),
                "plan_value": effects.of_list(choice.arm)}
    frames = {"ledger": ledger_frame(touched.ids, *books.worlds), "contacts": wave.log.attempts.to_pandas(),
              "monthly": _monthly(books, truth_cell), "lists": _lists(knows, choice, effects),
              **({"calls": wave.log.calls.to_pandas()} if e.capacity.inbound else {}),
              **({} if wave.tickets is None else {"tickets": wave.tickets.frame()}), **choice.tables}
    return Cell({"metrics": metrics, "note": choice.note, **squares}, {}, frames)


def situation(world: World, plan: Plan) -> Situation:
    """Return what a policy is given: the plan, the limits of the campaign month, the centre to try lists in."""
    e = world.experiment
    return Situation(plan, world.limits(month=e.campaign_month), world.key, policies=e.policies, folder=world.folder,
                     currency=e.currency)


def work_list(world: World, settings: PolicySettings, plan: Plan, choice: Choice, base: Subscribers,
              tickets: Tickets | None = None) -> Wave:
    """Let the contact centre work a policy's list, and tickets beside it; `base` holds the plan's subscribers."""
    e = world.experiment
    assignment = assigned(plan, choice, horizon_months=e.signals.risk_horizon_months)
    return run_wave(assignment, base, engine=world.engine, channels=e.channels, capacity=e.capacity,
                    offers=world.offers, month=e.campaign_month, release_days=e.signals.list_delay_days,
                    deadline_days=e.campaign.deadline_days, unlimited=settings.kind == "everyone", tickets=tickets)


def assigned(plan: Plan, choice: Choice, *, horizon_months: int) -> Assignment:
    """Return a policy's list as the centre is given it.

    An order is worth its priority over the planned reach, what it is worth if the subscriber is reached; its loss rate
    is the constant hazard under which the predicted share leaves within the horizon, ``-log(1 - risk) / months``.
    """
    listed = np.flatnonzero(choice.arm >= 0)
    if not len(listed):
        return nobody_assigned()
    arm = choice.arm[listed]
    return Assignment(
        listed, np.array([plan.arms[k].offer_code for k in arm], np.int64),
        np.array([plan.arms[k].channel for k in arm]),
        choice.priority[listed] / np.maximum(plan.reach[listed, arm], LEAST_REACH),
        -np.log1p(-np.minimum(plan.risk[listed], MOST_RISK)) / horizon_months)


def resolve(world: World, touched: Subscribers, wave: Wave, *, threads: int = 1
            ) -> tuple[Bookkeeper, npt.NDArray[np.bool_]]:
    """Step the touched through the horizon with and without the campaign.

    Returns the money of both worlds, and who was reached before deciding to leave, or accepted an offer that brings
    back.
    """
    e = world.experiment
    books = Bookkeeper(e.evaluation, world.offers, start=e.campaign_month, n=len(touched), arms=2,
                       contact_cents=wave.contact_cents)
    contact = e.campaign_month + np.minimum(wave.contact_time, 1.0)
    in_time = np.zeros(len(touched), bool)

    def watch(block: Block) -> None:
        books.observe(block)
        if block.arm == 1 and block.month.first:
            at = slice(block.low, block.high)
            takes = block["undecided"] & (block["accepted"] > 0)
            in_time[at] = wave.reached[at] & (takes | (block["decision_time"] > contact[at]))

    world.engine.run([(touched.copy(), wave.reference), (touched.copy(), wave.treatment)], start=e.campaign_month,
                     months=e.evaluation.horizon_months, observe=watch, threads=threads)
    return books, in_time


def campaign_metrics(choice: Choice, books: Bookkeeper, wave: Wave, in_time: npt.NDArray[np.bool_]
                     ) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the metrics of a campaign, amounts in the currency and exact to the cent, and squared net values."""
    reference, policy_world = books.worlds
    expected = compare_worlds(reference, policy_world, estimate=EXPECTED)
    realised = compare_worlds(reference, policy_world, estimate=REALISED)

    def amount(cents: npt.NDArray[np.int64]) -> float:
        return int(cents.sum()) / CENTS

    metrics = {
        "targeted": int((choice.arm >= 0).sum()), "reached": int(wave.reached.sum()),
        "reached_in_time": int(in_time.sum()),
        "accepted": int((in_time & (wave.accepted > 0)).sum()),
        "saved_revenue": amount(expected.saved_revenue), "saved_margin": amount(expected.saved_margin),
        "offer_cost": amount(expected.offer_cost),
        "offer_cost_to_stayers": amount(books.offer_cost_to_stayers[1]),
        "contact_cost": amount(expected.contact_cost), "net_value": amount(expected.net_value),
        "net_value_realised": amount(realised.net_value),
        "direct_effect": amount(expected.net_value[wave.attempted]),
        "spillover": amount(expected.net_value[~wave.attempted]),
        "terminal_value": amount(expected.terminal_value),
        "acquisition_cost_avoided": amount(expected.acquisition_cost_avoided),
        "planned_spend": choice.planned_spend, "plan_gap": choice.gap,
        **({} if wave.tickets is None else wave.tickets.metrics()),
    }
    squares = {f"squared_{name}": float((money.net_value.astype(np.float64) ** 2).sum() / CENTS**2)
               for name, money in zip(ESTIMATES, (realised, expected), strict=True)}
    return metrics, squares


def _monthly(books: Bookkeeper, truth_cell: Cell) -> pd.DataFrame:
    """Return month x kind totals over all subscribers in both worlds, in cents, zero rows left out."""
    all_reference = truth_cell.arrays["monthly"]
    changed = books.worlds[1].monthly - books.worlds[0].monthly
    parts = []
    for world, totals in zip(WORLDS, (all_reference, all_reference + changed), strict=True):
        month, kind, estimate = np.nonzero(totals.any(axis=3))
        parts.append(pd.DataFrame({"world": world, "month": month, "kind": np.array(KINDS)[kind],
                                   "estimate": np.array(ESTIMATES)[estimate],
                                   **{f"{name}_cents": totals[month, kind, estimate, k]
                                      for k, name in enumerate(BASES)}}))
    return pd.concat(parts, ignore_index=True)


def _lists(knows: Plan, choice: Choice, effects: TrueEffects) -> pd.DataFrame:
    """Return the list: who was to be given what, with the truth beside it."""
    rows = np.flatnonzero(choice.arm >= 0)
    arm = choice.arm[rows]
    names = [a.name for a in knows.arms]
    return pd.DataFrame({"subscriber": knows.ids[rows],
                         "arm": pd.Categorical.from_codes(arm, pd.Index(names)),
                         "risk": knows.risk[rows], "priority": choice.priority[rows],
                         "planned_cost_amount": knows.planned_cost[rows, arm],
                         "true_effect_amount": effects.net_value[rows, arm],
                         "true_effect_on_staying": effects.staying[rows, arm]})


def risk_and_effect(plan_cell: Cell, truth_cell: Cell) -> float:
    """Return Spearman's correlation of predicted risk and the best true effect on staying of allowed arms.

    Of those on the network, as far as the operator knows.
    """
    best = np.where(truth_cell.arrays["allowed"], truth_cell.arrays["staying"], -np.inf).max(axis=1)
    rows = np.isfinite(best) & ~plan_cell.arrays["lost"]
    if rows.sum() < 3:
        return 0.0
    return float(spearmanr(plan_cell.arrays["risk"][rows], best[rows]).statistic)

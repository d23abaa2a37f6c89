"""The stages of an experiment: history, plan, truth, one cell a policy; each reads cells and returns one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import spearmanr

from churnsim.campaign.limits import segment_of
from churnsim.campaign.money import monthly_margin, offer_cost
from churnsim.campaign.pilot import run_pilot
from churnsim.campaign.rehearsal import Rehearsal
from churnsim.campaign.response import acceptance_prob, accepts, odds_factor
from churnsim.campaign.tickets import Tickets, propose_tickets
from churnsim.campaign.wave import Assignment, Wave, nobody_assigned, planned_contact_time, run_wave
from churnsim.core.columns import Schema, Subscribers
from churnsim.core.draws import make_key
from churnsim.errors import ConfigError
from churnsim.evaluation.ledger import EXPECTED, Bookkeeper, ledger_frame
from churnsim.evaluation.tenure_churn import tenure_churn
from churnsim.evaluation.truth import Responses, expected_effects, realised_responses, responses
from churnsim.experiment.allocation import allocation
from churnsim.experiment.curves import curve_frames
from churnsim.experiment.judge import campaign_metrics, lists_frame, monthly_frame, resolve
from churnsim.experiment.store import Cell
from churnsim.experiment.world import Reach, World
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.drivers.tenure import states_at
from churnsim.policy.choice import Choice, Situation
from churnsim.policy.oracle import TrueEffects
from churnsim.policy.plan import NAMED, ROWS, Plan
from churnsim.policy.policies import choose
from churnsim.policy.settings import Adaptive, Bandit, PolicySettings
from churnsim.population.categories import STATES
from churnsim.signals.observe import features, listed_rows, observe
from churnsim.signals.readable import READABLE
from churnsim.signals.rules import RULES
from churnsim.uplift.best import BestCampaign
from churnsim.uplift.models import Models
from churnsim.uplift.settings import UpliftSettings
from churnsim.uplift.trial import Trial

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
    from churnsim.experiment.estimates import holdout_arrays

    trial = pilot_trial(world)
    models = learn_from(world, trial)
    base = decision_base(history_cell, world.engine.schema)
    arrays = (predictions(world, models, base, rules=tuple(RULES), columns=tuple(READABLE))
              | holdout_arrays(world, models, trial))
    best = {name: [b.offer, b.depth_share, b.value_amount] for name, b in models.best.items()}
    return Cell({"best": best, "monthly_rate": models.base_rate}, arrays,
                {"pilot": models.report, "responses": models.responses})


def fit_models(world: World) -> Models:
    """Run the pilot and learn from it."""
    return learn_from(world, pilot_trial(world))


def pilot_trial(world: World) -> Trial:
    """Run the pilot."""
    if world.engine.coupled:
        raise ConfigError(f"driver {world.engine.coupled[0]!r} couples subscribers, and a campaign is judged by "
                          "stepping those it contacts again, alone; take the driver out, or simulate without "
                          "simulation.policy")
    e = world.experiment
    return run_pilot(world.pilot_population(), e.pilot, tries=e.campaign.offers, engine=world.engine,
                     signals=e.signals, channels=e.channels, capacity=e.capacity,
                     rate_annual=e.evaluation.discount_rate_annual, lost_months=e.campaign.lost_months)


def learn_from(world: World, trial: Trial, uplift: UpliftSettings | None = None) -> Models:
    """Learn from a trial, by the experiment's learners or by those of other settings."""
    e = world.experiment
    return Models(trial, uplift or e.uplift, churn_model=e.signals.churn_model,
                  risk_horizon_months=e.signals.risk_horizon_months, outcome_months=e.pilot.outcome_months,
                  horizon_months=e.evaluation.horizon_months, rate_annual=e.evaluation.discount_rate_annual,
                  key=make_key(seed=e.seed, replicate=world.replicate, purpose="learner"), folder=world.folder)


def predictions(world: World, models: Models, base: Subscribers, learners: Collection[str] | None = None,
                rules: Collection[str] = (), columns: Collection[str] = (), *, month: int | None = None
                ) -> dict[str, npt.NDArray[Any]]:
    """Return what the operator knows of `base` at the start of a month: the arrays of a plan."""
    e = world.experiment
    table = observe(base, month=e.campaign_month if month is None else month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    arms = world.arms()
    pilot_arm = [k for k, arm in enumerate(arms) if arm.channel == e.pilot.channel]
    lost = table["state"] == STATES.index("churned")
    cost = offer_cost(table, world.offers, e.campaign.offers, rate_annual=e.evaluation.discount_rate_annual)
    margin = monthly_margin(table, e.lifecycle.cost_to_serve)
    predicted = models.predict(features(table), planned_reach=plans.reach[:, pilot_arm[0]], margin=margin,
                               learners=learners, lost=lost)
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
              rules: Collection[str], month: int | None = None) -> Plan:
    """Return what the operator knows of `base` at the start of a month, by the named learners and rules.

    Of the campaign month, if none is named.
    """
    return _plan(world, predictions(world, models, base, learners, rules, month=month), models.best, base.ids)


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
    from churnsim.experiment.estimates import holdout_truth

    e = world.experiment
    base = decision_base(history_cell, world.engine.schema)
    month = e.campaign_month
    table = observe(base, month=month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    found = futures(world, base, month=month)
    effects = true_effects(world, base, plans, found, month=month)
    present = base["departure_time"] > month
    books = Bookkeeper(e.evaluation, world.offers, start=month, n=len(base), arms=1)
    tickets = propose_tickets(base, e.campaign.tickets, engine=world.engine, channels=e.channels, capacity=e.capacity,
                              month=month)
    world.engine.run([(base, None if tickets is None else tickets.treatment())], start=month,
                     months=e.evaluation.horizon_months, observe=books.observe)
    reference = books.worlds[0]
    arrays = {"net_value": effects.net_value, "net_value_se": effects.net_value_se,
              "staying": effects.staying, "stays_alone": found.alone.mean(axis=0), "allowed": plans.allowed,
              "monthly": reference.monthly,
              "still_active": reference.still_active[:, present].sum(axis=1),
              **({} if tickets is None else tickets.arrays()), **holdout_truth(world)}
    rows = [_arm_truth(arm.name, effects, plans.allowed, k) for k, arm in enumerate(world.arms())]
    return Cell({"subscribers": len(base), "on_network": int(present.sum())}, arrays, {"arms": pd.DataFrame(rows)})


def futures(world: World, base: Subscribers, *, month: int) -> Responses:
    """Simulate what contacts and acceptances in a month do to each of `base`, to the end of the horizon."""
    e = world.experiment
    left = e.evaluation.horizon_months - (month - e.campaign_month)
    return responses(base, world.inner_engines(), e.evaluation.model_copy(update={"horizon_months": left}),
                     offers=e.campaign.offers, month=month,
                     contact_time=planned_contact_time(e.signals.list_delay_days))


def true_effects(world: World, base: Subscribers, plans: Reach, found: Responses, *, month: int) -> TrueEffects:
    """Return what listing each of `base` for each arm in a month does on average over futures, under planned reach."""
    return expected_effects(found, offer_code=[arm.offer_code for arm in world.arms()],
                            accept=_true_acceptance(world, base, month=month), reach=plans.reach,
                            contact_cost=plans.contact_cost)


def realised_effects(world: World, base: Subscribers) -> TrueEffects:
    """Return what listing each subscriber for each arm does in the world's own future, under planned reach."""
    e, month = world.experiment, world.experiment.campaign_month
    table = observe(base, month=month, settings=e.signals, key=world.key)
    plans = world.reach(table)
    found = realised_responses(base, world.engine, e.evaluation, offers=e.campaign.offers, month=month,
                               contact_time=planned_contact_time(e.signals.list_delay_days))
    taken = _true_acceptance(world, base, month=month)
    takes = np.column_stack([accepts(arm.offer, prob, base.ids, key=world.key, month=month)
                             for arm, prob in zip(world.arms(), taken.T, strict=True)])
    return expected_effects(found, offer_code=[arm.offer_code for arm in world.arms()],
                            accept=takes.astype(np.float64), reach=plans.reach, contact_cost=plans.contact_cost)


def _true_acceptance(world: World, base: Subscribers, *, month: int) -> npt.NDArray[np.float64]:
    """Return the probability that each subscriber, contacted in a month, accepts each arm, (n, arms)."""
    e = world.experiment
    return np.column_stack([
        acceptance_prob(e.offers[arm.offer], base, engine=world.engine, month=month,
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
    from churnsim.experiment import waves
    from churnsim.experiment.estimates import estimate_frames

    e = world.experiment
    settings = e.policies[name]
    if isinstance(settings, Adaptive | Bandit):
        cell = waves.policy(world, settings, history_cell, truth_cell)
        estimates = estimate_frames(world, settings, plan_cell, truth_cell, cell.facts["metrics"])
        return replace(cell, frames={**cell.frames, **estimates})
    base = decision_base(history_cell, world.engine.schema)
    knows = load_plan(world, plan_cell, base.ids)
    effects = TrueEffects(*(truth_cell.arrays[key] for key in ("net_value", "net_value_se", "staying")))
    known = realised_effects(world, base) if settings.kind == "clairvoyant" else effects
    given = situation(world, knows, base)
    choice = choose(settings, given, truth=known)
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
    changed = policy_world.monthly - reference.monthly
    frames = {"ledger": ledger_frame(touched.ids, *books.worlds), "contacts": wave.log.attempts.to_pandas(),
              "monthly": monthly_frame(changed, truth_cell),
              "lists": lists_frame(knows, choice, effects, month=e.campaign_month),
              **({"calls": wave.log.calls.to_pandas()} if e.capacity.inbound else {}),
              **({} if wave.tickets is None else {"tickets": wave.tickets.frame()}), **choice.tables,
              "allocation": allocation(base, choice.arm, knows.arms),
              **curve_frames(settings, given, choice, known=known, truth=effects),
              **estimate_frames(world, settings, plan_cell, truth_cell, metrics)}
    return Cell({"metrics": metrics, "note": choice.note, **squares}, {}, frames)


def situation(world: World, plan: Plan, base: Subscribers | None = None, *, month: int | None = None) -> Situation:
    """Return what a policy is given: the plan, the limits of a month (the campaign's), the centre to try lists in.

    Without the plan's subscribers there is no centre.
    """
    e = world.experiment
    month = e.campaign_month if month is None else month
    rehearse = None if base is None else rehearsal(world, plan, base, month=month)
    return Situation(plan, world.limits(month=month), world.key, rehearse=rehearse, policies=e.policies,
                     folder=world.folder, currency=e.currency)


def rehearsal(world: World, plan: Plan, base: Subscribers, *, month: int) -> Rehearsal:
    """Return the centre to try a month's lists in; of `base` it sees the operator's table."""
    e = world.experiment
    return Rehearsal(plan, observe=partial(observe, base, month=month, settings=e.signals, key=world.key),
                     assign=partial(assigned, plan, horizon_months=e.signals.risk_horizon_months), seed=e.seed,
                     replicate=world.replicate, month=month, release_days=e.signals.list_delay_days,
                     campaign=e.campaign, channels=e.channels, capacity=e.capacity, offers=world.offers)


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


def risk_and_effect(plan_cell: Cell, truth_cell: Cell) -> float:
    """Return Spearman's correlation of predicted risk and the best true effect on staying of allowed arms.

    Of those on the network, as far as the operator knows.
    """
    best = np.where(truth_cell.arrays["allowed"], truth_cell.arrays["staying"], -np.inf).max(axis=1)
    rows = np.isfinite(best) & ~plan_cell.arrays["lost"]
    if rows.sum() < 3:
        return 0.0
    return float(spearmanr(plan_cell.arrays["risk"][rows], best[rows]).statistic)

"""Every key of an experiment changes something: each leaf of the resolved settings is changed alone in a small world.

A leaf is alive if the experiment with it changed gives another cell in one of the stages that may read it. The world
has 500 subscribers, so what is rare in the preset is made common here.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_world import load_small

from churnsim.config.paths import dotted, lookup
from churnsim.config.source import parse_yaml
from churnsim.experiment import stages
from churnsim.experiment.accuracy import accuracy
from churnsim.experiment.load import Loaded
from churnsim.experiment.settings import Experiment, check_experiment
from churnsim.experiment.simulation import open_simulation, simulate
from churnsim.experiment.store import Cell
from churnsim.experiment.summary import summarise
from churnsim.experiment.tasks import Task, make_tasks
from churnsim.experiment.world import make_world

KeyPath = tuple[str | int, ...]

WORLD = """
replicates: 1
population:
  traits:
    customer_types:
      individual: {share: 0.5}
      family: {share: 0.25}
      enterprise_small: {share: 0.15, prepaid_share: 0.1}
      enterprise_large: {share: 0.1, prepaid_share: 0.1}
pilot: {size: 2600, strata: [payment]}
signals: {data_quality: {outlier_share: 0.05}}
market:
  network: {predictive_share: 0.5}
  price_moves: [{month: 3, change_share: 0.1, brand_tiers: [standard, premium]}]
  arrivals_share_monthly: 0.05
lifecycle:
  service: {complaint_prob: 0.1}
  arrears: {miss_prob: 0.1}
  suspension: {enter_prob: 0.05}
  stated_reasons: {silent_share: 0.0}
offers:
  contract_device:
    discount_share: 0.1
    discount_months: 2
    eligibility: {max_contract_left_months: 14, min_tenure_months: 2}
    lock_in_amount: 60.0
    lock_in_months: 6
  discount_30: {lock_in_amount: 60.0, lock_in_months: 6}
  service_recovery: {discount_share: 0.05, discount_months: 1, lock_in_amount: 60.0, lock_in_months: 6}
  ladder_5: null
  data_gift: null
  data_bank: null
  dedicated_manager: null
  growth_plan: null
  minimal_plan: null
  smart_home_bundle: null
  enterprise_cloud: null
  deposit_spread: null
  deposit_lump: null
  points_gift: null
  off_peak_minutes: null
  lottery: null
  small_services_year: null
  recontract: null
  suspend_keep_number: null
  move_help: null
  free_trial: null
  loyalty_level: null
  win_back_pack: null
  reinstall_card: null
  care_call: null
  night_pack: null
  roaming_pack: null
  senior_plan: null
  onboarding_call: null
  wake_silent: null
channels:
  call: {dialling: predictive, lines_per_agent: 2.0, dropped_limit: 0.1, answer_attempt_factors: [1.0, 0.8],
         retry_delay_hours: 23.0, handle_minutes_mean: 10.0, no_answer_minutes: 2.0,
         busy_prob: 0.2, voicemail_prob: 0.3, wrong_number_prob: 0.1, refusal_prob: 0.1,
         hang_up_prob: 0.1, callback_prob: 0.3, callback_delay_hours: [1.0, 6.0], missed_callback_delay_hours: 3.0,
         wrap_share: 0.2, retries: {busy: {delay_hours: 3.0, spread_hours: 1.0}}}
  desk:
    kind: live
    answer_prob_by_hour: [0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3,
                          0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4, 0.4]
    handle_minutes_mean: 2.0
    retry_delay_hours: 2.5
    dialling: preview
    preview_minutes: 0.5
    answer_attempt_factors: [1.0, 0.8]
    busy_prob: 0.2
    voicemail_prob: 0.3
    refusal_prob: 0.1
    hang_up_prob: 0.1
    callback_prob: 0.3
    callback_delay_hours: [1.0, 6.0]
    missed_callback_delay_hours: 3.0
  sms: {throttle_per_hour: 50.0}
capacity:
  fatigue: {caps: [{days: 0.1, attempts: 1}], answer_factor: 0.7}
  inbound:
    hotline:
      calls_per_hour_by_hour: [0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 9, 9, 9, 0, 0]
      bursts: [{start_hours: 5818.0, length_hours: 2.0, calls_per_hour: 30.0}]
      patience: {law: lognormal, mean_minutes: 3.0}
      handle: {law: lognormal, mean_minutes: 6.0}
      retrial_prob: 0.5
      retrial_delay: {law: lognormal, mean_minutes: 30.0}
  teams:
    day: {agents: 2, channels: [call, desk], inbound: [hotline], learning: {start_factor: 0.5, half_contacts: 20.0}}
    evening: {agents: 2, inbound: [hotline]}
uplift:
  learners: {stay: {kind: t_ridge, outcome: stayed}}
  shrink: false
campaign: {budget_amount: 400.0, channels: [call, sms, desk], deadline_days: 4.0}
policies:
  everyone_sms: {kind: everyone_capacity, offer: service_recovery, channel: sms}
  everyone_desk: {kind: everyone_capacity, offer: discount_30, channel: desk}
  rules:
    kind: rules
    match:
      - {rule: usage_fell_20, offer: discount_30, channel: call}
      - {rule: complaints_rising, offer: service_recovery, channel: sms}
  tiers: {kind: value_tier, tiers: [{least_margin_amount: 20.0, offer: service_recovery, channel: sms}]}
  uplift: {kind: uplift, learner: value}
  profit_lift: {kind: profit_lift, learner: value}
  budget_staff: {kind: budget_staff, learner: value}
  readable: {kind: readable, imitates: churn_risk, max_leaves: 3}
evaluation: {horizon_months: 20, inner_draws: 1}
simulation: {months: 10}
record: {panel_share: 0.5, snapshot: {month: 3, outcome_months: 2}}
"""

ALLOWED = {
    "offers.*.strategy": "a label; test_offer_effects tests that it stands in the table",
    "offers.*.ladder": "none here; test_settings and test_treatment test it",
    "offers.*.brings_back": "goes with eligibility.states, as test_checks tests; test_win_back_campaign tests it",
    "campaign.tickets.*_*": "not read without a channel; test_ticket_coupling tests them",
    "pilot.targeting.kind": "a past campaign has keys of its own; test_pilot_history tests them",
    "campaign.lost_months": "0 without an offer that brings back; test_win_back_campaign tests it",
    "offers.*.eligibility.cool_off_months": "nobody had an offer before; test_table tests it",
    "campaign.limits.cool_off_months": "the same; test_limits tests it",
    "campaign.limits.contacts": "of policies that make a list every month; test_waves tests it",
    "lifecycle.contact.fatigue_points": "nobody was contacted before; test_treatment tests it",
    "lifecycle.contact.stock_persistence": "the same",
    "lifecycle.contact.habituation": "nobody accepted an offer before; tests of the driver offers test it",
    "lifecycle.contact.habituation_persistence": "the same",
    "schema": "the only version there is",
    "preset": "the only one there is; test_load tests that it is read",
    "name": "names the results folder",
    "currency": "a label; test_table tests that imported amounts are converted to it",
    "replicates": "how many cells there are; test_tasks counts them",
    "gate.*": "read when results are compared; test_gate tests it",
    "scenarios": "empty here; test_load tests them",
    "sweep": "empty here; test_load tests it",
    "market.word_of_mouth": "refused where policies are judged; test_word_of_mouth tests it",
    "population.traits.usage_scenarios.*.needs": "none here",
    **{
        f"population.traits.usage_scenarios.{name}.migrant_log_odds": "only individuals are migrants"
        for name in ("converged_family", "finance", "health", "manufacturing", "other_industry")
    },
    "capacity.incentives": "of the command capacity; test_points tests them",
    "signals.data_quality.duplicate_share": "of the snapshot of a simulation; test_simulation tests it",
    "population.table": "none here; test_table and the operator's example test it",
    "channels.*.kind": "says which other keys a channel has",
    "channels.call.opt_out_prob": "a subscriber has one order here; test_calls_out tests it",
    "channels.desk.opt_out_prob": "the same",
    "channels.*.next_channel_delay_hours": "orders of a campaign have one channel each; test_calls_out tests it",
    "channels.call.preview_minutes": "refused under predictive dialling, as test_checks tests",
    "channels.desk.lines_per_agent": "refused under preview dialling, as test_checks tests",
    "channels.desk.dropped_limit": "the same",
    "channels.sms.opt_out_prob": "acts on the subscriber's other orders, a campaign gives one; test_batch tests it",
    "capacity.engine": "changes no number; the tests of the centre hold both engines together",
    "capacity.teams.*.skills": "orders of a campaign ask for none; test_staff tests it",
    "capacity.inbound.*.answer_within_seconds": "of the metrics of a centre; test_metrics tests it",
    **{
        f"lifecycle.causes.{name}.{key}": "refused unless apparent, as test_settings tests; test_substitution tests it"
        for name in (
            "service", "price", "need_mismatch", "competitor", "contract_end", "relocation", "need_gone",
            "handset_lost", "arrears",
        )
        for key in ("subsidy_amount", "newcomer_terms")
    },
    "lifecycle.drivers": "none here; test_plugin and test_further_drivers test them",
    "simulation.partition_size": "cuts files, changes no number; test_simulation tests both",
    "uplift.learners.*.estimator": "of kinds that end in own; test_estimators tests it",
    "uplift.learners.*.options": "the same",
    "uplift.learners.*.most_seconds": "changes no number; test_learners_budget tests it",
    "policies.*.offer": "none where the kind of policy does not use it; test_settings tests that it is refused",
    "policies.*.channel": "the same",
    "policies.*.learner": "the same",
}

CHANGES: dict[str, Any] = {
    "market.price_moves*.brand_tiers": ["budget"],
    "population.traits.customer_types.*.share": "shift",
    "population.traits.*_shares.*": "shift",
    "population.traits.usage_scenarios.*.shares.*": "shift",
    "population.traits.customer_types.*.lines_mean": 1.5,
    # Few leave for one and the same cause: what they say has to change much.
    "lifecycle.stated_reasons.given_cause.*": "take",
    # Few plans change: the chance of a cheaper one has to move across somebody's draw.
    "lifecycle.plan.down_log_odds.usage_drop": 1.6,
    "offers.*.eligibility.customer_types": ["family"],
    "offers.contract_device.eligibility.payments": ["postpaid", "prepaid"],
    "offers.*.eligibility.payments": ["prepaid"],
    "offers.*.eligibility.max_contract_left_months": 4,
    "offers.*.eligibility.min_tenure_months": 20,
    "offers.*.eligibility.usage_scenarios": ["general"],
    "offers.*.eligibility.states": ["stable"],
    "offers.*.eligibility.brand_tiers": ["standard"],
    "offers.*.eligibility.localities": ["local"],
    "offers.*.eligibility.max_tenure_months": 30,
    "offers.*.eligibility.min_bill_amount": 40.0,
    "offers.*.eligibility.max_bill_amount": 60.0,
    "offers.*.acceptance.channel_factors": {"sms": 0.5},
    "offers.*.adds": ["broadband"],
    "offers.*.meets_needs": ["roaming", "night_data"],
    "offers.*.lock_in_months": 14,
    "campaign.offers": ["discount_30", "service_recovery"],
    "campaign.tickets.channel": "desk",
    "campaign.limits.segments": {"families": {"by": {"customer_type": "family"}, "least": 1, "most": 2}},
    "channels.*.calling_window_hours": [10.0, 18.5],
    "channels.*.retry_delay_hours": 1.0,
    "channels.*.same_slot_factor": 0.0,
    "channels.*.dialling": "progressive",
    "channels.*.dropped_limit": 0.0,
    "channels.*.callback_window_hours": 3.0,
    "channels.desk.retries": {"voicemail": {"delay_hours": 2.0}},
    "capacity.holidays": [242],
    "capacity.inbound.*.law": "weibull",
    "capacity.teams.day.inbound": [],
    "capacity.teams.evening.inbound": [],
    "capacity.teams.evening.learning": {"start_factor": 0.3, "half_contacts": 20.0},
    "capacity.teams.*.overtime_factor": 1.5,
    "capacity.teams.*.shift_end": "hand_back",
    "capacity.teams.day.shifts[0].breaks": [[10.0, 11.0]],
    "capacity.teams.day.shifts[1].breaks": [[14.0, 15.0]],
    "capacity.teams.evening.shifts[0].breaks": [[18.0, 19.0]],
    "capacity.dispatch": "deadline",
    "capacity.start_weekday": "wednesday",
    "capacity.teams.day.channels": ["desk"],
    "capacity.teams.evening.channels": ["call", "desk"],
    "capacity.teams.*.weekdays": ["monday", "tuesday", "saturday"],
    "capacity.teams.*.shifts[*].start_hour": 0.5,
    "capacity.teams.*.shifts[*].end_hour": -0.5,
    "signals.churn_model": "lightgbm",
    "signals.silent_days": 0.0,
    "pilot.channel": "sms",
    "pilot.start_month": 1,
    "pilot.outcome_months": 5,
    "pilot.shares": {"control": 0.4, "discount_30": 0.2, "contract_device": 0.2, "service_recovery": 0.2},
    "pilot.strata": ["payment", "region"],
    "pilot.stratum_shares": [{
        "where": {"payment": "prepaid"},
        "shares": {"control": 0.4, "discount_30": 0.2, "contract_device": 0.2, "service_recovery": 0.2},
    }],
    "pilot.holdout_share": 0.1,
    "campaign.channels": ["desk", "sms", "call"],
    "uplift.learners.value.kind": "t_ridge",
    "uplift.learners.value.outcome": "stayed",
    "uplift.learners.stay.kind": "t_logistic",
    "uplift.learners.stay.outcome": "margin_months",
    # A floor between the reach of one and another.
    "uplift.min_reach_prob": 0.7,
    "uplift.reach": "learned",
    "uplift.unanswered": "possible",
    "uplift.propensity": "ignored",
    "policies.*.offer": "contract_device",
    "policies.everyone_desk.channel": "call",
    "policies.*.channel": "desk",
    "policies.*.learner": "stay",
    "policies.everyone.kind": "everyone_capacity",
    "policies.everyone_capacity.kind": "everyone",
    "policies.everyone_*.kind": "everyone",
    "policies.none.kind": "random",
    "policies.*.kind": "none",
    "policies.rules.match*.rule": "usage_fell_50",
    "policies.readable.imitates": "risk_value",
    "policies.readable.max_leaves": 2,
    "evaluation.terminal_value": "residual",
    "simulation.policy": "churn_risk",
    "record.by": ["payment"],
    "record.columns": ["payment"],
}


LOADED = load_small(*(f"{section}={json.dumps(value)}" for section, value in parse_yaml(WORLD, "world").data.items()))
PLAIN: dict[str, Any] = json.loads(json.dumps(LOADED.experiment.plain()))


def leaves(data: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Yield the path of every scalar, empty container and list of scalars."""
    if isinstance(data, dict) and data:
        items: Any = data.items()
    elif isinstance(data, list) and data and isinstance(data[0], dict):
        items = enumerate(data)
    else:
        yield path
        return
    for key, value in items:
        yield from leaves(value, (*path, key))


def allowed(path: KeyPath) -> bool:
    """Say whether a leaf is on the list of exceptions; policies' keys only where they are empty."""
    name = dotted(path)
    if name.startswith("policies.") and lookup(PLAIN, path) is not None:
        return False
    return any(fnmatchcase(name, pattern) for pattern in ALLOWED)


# What `simulate` alone reads: sections of its own, and what leavers say.
SIMULATED_SECTIONS = ("simulation", "record")
SIMULATED = [
    path
    for path in leaves(PLAIN)
    if (path[0] in SIMULATED_SECTIONS or path[:2] == ("lifecycle", "stated_reasons")) and not allowed(path)
]
ALIVE = [path for path in leaves(PLAIN) if not allowed(path) and path not in SIMULATED]


def changed(path: KeyPath) -> Experiment:
    """Return the experiment with one leaf changed; it passes every check."""
    plain = copy.deepcopy(PLAIN)
    holder, last = lookup(plain, path[:-1]), path[-1]
    if _rule(path) == "take":
        _take(holder, last)
    else:
        holder[last] = _other(path, holder[last])
    if _rule(path) == "shift":
        _rebalance(plain, path)
    if path[-1] == "apparent":
        _fit_cause(plain, path)
    if path[-1] == "dialling":
        holder.update(lines_per_agent=1.0, dropped_limit=0.03, preview_minutes=0.0)
    if path[0] == "policies" and holder.get("kind") == "none":
        plain["policies"][path[1]] = {"kind": "none"}
    experiment = Experiment.model_validate_json(json.dumps(plain))
    findings = list(check_experiment(experiment))
    assert not findings, findings
    return experiment


def _rule(path: KeyPath) -> Any:
    """Return the change that `CHANGES` names for a leaf, or None."""
    name = dotted(path).replace("[", "#").replace("]", "")
    return next(
        (
            change
            for pattern, change in CHANGES.items()
            if fnmatchcase(name, pattern.replace("[", "#").replace("]", ""))
        ),
        None,
    )


def _other(path: KeyPath, value: Any) -> Any:
    rule = _rule(path)
    if rule == "shift":
        return round(value + 0.05, 10)
    if isinstance(rule, float) and path[-1] in ("start_hour", "end_hour"):
        return value + rule
    if rule is not None:
        return rule
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return 0.8 * value if value else 0.5
    if isinstance(value, list):
        return [0.8 * each for each in value]
    return value


def _take(shares: dict[str | int, float], name: str | int) -> None:
    """Give one entry all that the largest other one has."""
    other = max((each for each in shares if each != name), key=lambda each: shares[each])
    shares[name], shares[other] = round(shares[name] + shares[other], 10), 0.0


def _fit_cause(plain: dict[str, Any], path: KeyPath) -> None:
    """Drop what belongs to the other sort of cause: terms of a new line, or a factor on coming back."""
    cause = lookup(plain, path[:-1])
    if cause["apparent"]:
        plain["lifecycle"]["win_back"]["cause_factors"].pop(path[-2], None)
    else:
        cause.update(subsidy_amount=0.0, newcomer_terms=False)


def _rebalance(plain: dict[str, Any], path: KeyPath) -> None:
    """Take the share that one entry gained from the largest other one."""
    if "usage_scenarios" in path:
        scenarios = [entry["shares"] for name, entry in lookup(plain, path[:3]).items() if name != path[3]]
        most = max(scenarios, key=lambda shares: shares.get(path[-1], 0.0))
        most[path[-1]] = round(most[path[-1]] - 0.05, 10)
        return
    of_types = path[-1] == "share"
    entries = lookup(plain, path[: path.index("customer_types") + 1] if of_types else path[:-1])
    if of_types:
        other = max((name for name in entries if name != path[-2]), key=lambda name: entries[name]["share"])
        entries[other]["share"] = round(entries[other]["share"] - 0.05, 10)
    else:
        other = max((name for name in entries if name != path[-1]), key=lambda name: entries[name])
        entries[other] = round(entries[other] - 0.05, 10)


def fingerprint(cell: Cell) -> str:
    """Return a hash of everything in a cell."""
    found = hashlib.sha256(json.dumps(cell.facts, sort_keys=True).encode())
    for name, values in sorted(cell.arrays.items()):
        found.update(name.encode() + str(values.dtype).encode() + values.tobytes())
    for name, frame in sorted(cell.frames.items()):
        found.update(f"{name}{list(frame.columns)}{list(frame.dtypes)}".encode())
        found.update(pd.util.hash_pandas_object(frame).to_numpy().tobytes())
    return found.hexdigest()


@cache
def base_fingerprint(key: str) -> str:
    """Return the hash of a cell of the unchanged world."""
    return fingerprint(base_cell(key))


def tasks_of(experiment: Experiment) -> list[Task]:
    (tasks,) = make_tasks(Loaded(experiment, {"base": experiment}, Path()))
    return tasks


@cache
def base_cell(key: str) -> Cell:
    """Return a cell of the unchanged world by its key."""
    task = next(task for task in BASE_TASKS if task.key == key)
    return compute(task, [base_cell(need) for need in task.needs])


def compute(task: Task, needs: list[Cell]) -> Cell:
    world = make_world(task.experiment, replicate=task.replicate, folder=task.folder)
    if task.policy is not None:
        return stages.policy(world, task.policy, *needs)
    known = {"history": stages.history, "plan": stages.plan, "truth": stages.truth, "accuracy": accuracy}
    return known[task.stage](world, *needs)


BASE_TASKS = tasks_of(LOADED.experiment)
# The plan takes longest to compute: it comes last among those that need nothing but the history. Of the policies, those
# whose lists are long come first: they notice most keys of the centre.
ORDER = {"history": 0, "truth": 1, "plan": 2, "policy": 3, "accuracy": 4}
LONG = ("everyone_desk", "everyone_sms", "everyone_capacity")


def first_change(experiment: Experiment) -> str | None:
    """Return the first task whose cell differs from that of the unchanged world, None if none does."""
    before = {(task.stage, task.policy): task for task in BASE_TASKS}
    cells: dict[str, Cell] = {}
    for task in sorted(tasks_of(experiment), key=lambda task: (ORDER[task.stage], task.policy not in LONG)):
        old = before[task.stage, task.policy]
        if task.key == old.key:
            cells[task.key] = base_cell(task.key)
            continue
        needs = [cells[need] for need in task.needs]
        cells[task.key] = compute(task, needs)
        if fingerprint(cells[task.key]) != base_fingerprint(old.key):
            return task.label
    return "summary" if summary(experiment) != summary(LOADED.experiment) else None


def summary(experiment: Experiment) -> dict[str, Any]:
    """Return the summary of the unchanged cells, each counted twice with a little added, but for the config's hash."""
    cells = {task.policy: base_cell(task.key).facts["metrics"] for task in BASE_TASKS if task.policy is not None}
    facts = {
        name: [{"metrics": found}, {"metrics": {metric: value + 1.0 for metric, value in found.items()}}]
        for name, found in cells.items()
    }
    return {
        key: value for key, value in summarise({"base": experiment}, {"base": facts}).items() if key != "config_hash"
    }


@pytest.mark.parametrize("path", ALIVE, ids=dotted)
def test_every_key_changes_something(path: KeyPath) -> None:
    assert first_change(changed(path)) is not None, f"{dotted(path)} changes nothing"


@pytest.mark.parametrize(
    "name",
    [
        "channels.sms.read_prob",
        "pilot.size",
        "uplift.folds",
        "campaign.deadline_days",
        "campaign.budget_amount",
        "policies.random.kind",
        "evaluation.confidence",
    ],
)
def test_a_cell_whose_key_did_not_change_is_the_same(name: str) -> None:
    """The other way round: what a key leaves out, the stage does not read."""
    experiment = changed(tuple(name.split(".")))
    before = {(task.stage, task.policy): task for task in BASE_TASKS}
    same = 0
    for task in tasks_of(experiment):
        old = before[task.stage, task.policy]
        if task.key == old.key:
            found = compute(task, [base_cell(need) for need in old.needs])
            assert fingerprint(found) == fingerprint(base_cell(old.key)), task.label
            same += 1
    assert same >= 1


def left_behind(experiment: Experiment, folder: Path) -> dict[str, str]:
    """Return a hash of every table that a simulation writes, by its name."""
    found = simulate(open_simulation(Loaded(experiment, {"base": experiment}, Path()), folder), engine="serial")
    tables = {path.stem: path.read_bytes() for path in found.parts[0].glob("*.parquet")}
    tables |= {name: table.to_pandas().to_csv().encode() for name, table in found.tables.items()}
    tables["summaries"] = found.summaries.to_pandas().to_csv().encode()
    return {name: hashlib.sha256(content).hexdigest() for name, content in tables.items()}


@cache
def unchanged(folder: Path) -> dict[str, str]:
    return left_behind(LOADED.experiment, folder)


@pytest.mark.parametrize("path", SIMULATED, ids=dotted)
def test_every_key_of_a_simulation_changes_what_it_leaves_behind(
    path: KeyPath, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = unchanged(tmp_path_factory.getbasetemp() / "unchanged")
    assert left_behind(changed(path), tmp_path_factory.mktemp("changed")) != before


def test_a_run_reads_nothing_that_only_a_simulation_reads() -> None:
    keys = [task.key for task in BASE_TASKS]
    assert {dotted(path) for path in SIMULATED} >= {"simulation.months", "record.by", "record.snapshot.outcome_months"}
    for path in SIMULATED:
        if path[0] in SIMULATED_SECTIONS:
            assert [task.key for task in tasks_of(changed(path))] == keys, dotted(path)


def test_what_leavers_say_changes_no_cell_of_a_run() -> None:
    """Keys of cells hold the whole section lifecycle: the cells are computed anew, and alike."""
    assert first_change(changed(("lifecycle", "stated_reasons", "silent_share"))) is None


def test_stages_leave_the_cells_they_read_alone() -> None:
    for task in BASE_TASKS:
        needs = [base_cell(need) for need in task.needs]
        before = [fingerprint(cell) for cell in needs]
        again = compute(task, needs)
        assert [fingerprint(cell) for cell in needs] == before, task.label
        assert fingerprint(again) == fingerprint(base_cell(task.key)), task.label


def test_the_list_of_exceptions_names_keys_that_are_there() -> None:
    names = [dotted(path) for path in leaves(PLAIN)]
    for pattern, reason in ALLOWED.items():
        assert reason and any(fnmatchcase(name, pattern) for name in names), pattern
    known = [name.replace("[", "#").replace("]", "") for name in names]
    for pattern in CHANGES:
        assert any(fnmatchcase(name, pattern.replace("[", "#").replace("]", "")) for name in known), pattern

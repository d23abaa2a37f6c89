"""Every check between sections, with its message; what a policy's result depends on."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_world import load_small

from churnsim.errors import ConfigError
from churnsim.experiment.policy_cells import policy_sections

CHECKS = {
    # experiment
    "sweep={seed: []}": "sweep.seed: give at least one value",
    "campaign.channels=[]": "campaign.channels: name at least one of call, sms",
    "campaign.channels=[call, fax, sms]": "campaign.channels[1]: no channel 'fax'; there are call, sms",
    "campaign.channels=[sms]": "pilot.channel: 'call' is not among campaign.channels (sms); rankings use the pilot's "
    "channel",
    "channels.call.acceptance_factor=0.0": "pilot.channel: nobody accepts through this channel (acceptance_factor 0); "
    "use another",
    "pilot.start_month=0": "pilot.start_month: must be at least 1: features look at the month before",
    "pilot.start_month=4": "pilot.outcome_months: the pilot's outcomes end with month 10, after the campaign month 8 "
    "(lifecycle.history_months) starts; start earlier or lengthen the history",
    "signals.risk_horizon_months=7": "signals.risk_horizon_months: must be at most pilot.outcome_months (6)",
    "evaluation.horizon_months=6": "evaluation.horizon_months: must be above pilot.outcome_months (6)",
    "evaluation.horizon_months=17": "evaluation.horizon_months: must be at least 18: the longest effect or added "
    "contract lasts 12 months, and its benefit needs 6 more to show",
    "campaign.deadline_days=2.0": "campaign.deadline_days: must be later than signals.list_delay_days (2.0): no order "
    "could be worked",
    "pilot.control_share=1.0": "pilot.control_share: must lie strictly between 0 and 1",
    "uplift.learners.stay.outcome=margin_months": "uplift.learners.stay.outcome: t_logistic learns 0/1 outcomes only; "
    "use stayed (got margin_months)",
    "uplift.min_reach_prob=0.0": "uplift.min_reach_prob: must be more than 0 (got 0.0)",
    "policies.everyone.offer=null": "policies.everyone.offer: expected text (got null)",
    "policies.x={kind: uplift_value}": "policies.x.learner: missing; add it",
    "policies.random.offer=discount_30": "policies.random.offer: unknown key (got 'discount_30'). Allowed keys: kind",
    "policies.x={kind: rules, match: []}": "policies.x.match: must have at least 1 item (got 0)",
    "policies.x={kind: rules, match: [{rule: w3, offer: discount_30, channel: call}]}": "policies.x.match[0].rule: no "
    "rule 'w3'; there are usage_fell_20, usage_fell_50, usage_fell_80, usage_fell_each_month, usage_stays_low, "
    "bill_fell_20, bill_rose_20, contract_ending, complaints_rising, rival_ads, w1, w1_or, w2",
    "policies.x={kind: value_tier, tiers: [{least_margin_amount: 1.0, offer: discount_30, channel: fax}]}":
    "policies.x.tiers[0].channel: no channel 'fax'; there are call, sms",
    "policies.x={kind: readable, imitates: oracle}": "policies.x.imitates: 'oracle' is of kind oracle, which cannot be "
    "imitated; name one of none, everyone, everyone_capacity, random, churn_risk, risk_value, uplift_value",
    "policies.x={kind: readable, imitates: uplift}": "policies.x.imitates: no policy 'uplift'; there are none, "
    "everyone, everyone_capacity, random, churn_risk, risk_value, uplift_value. Did you mean 'uplift_value'?",
    "campaign.limits.segments={young: {by: {}}}": "campaign.limits.segments.young.by: name at least one column and its "
    "value",
    "campaign.limits.segments={young: {by: {age: old}}}": "campaign.limits.segments.young.by.age: no such column; "
    "there are customer_type, region, locality, payment, usage_scenario, acquisition_channel, building_access",
    "campaign.limits.segments={young: {by: {payment: prepay}}}": "campaign.limits.segments.young.by.payment: no "
    "payment 'prepay'; there are postpaid, prepaid. Did you mean 'prepaid'?",
    "campaign.limits.segments={young: {by: {region: north}}}": "campaign.limits.segments.young.by.region: no region "
    "'north'; give its number",
    "campaign.limits.segments={young: {by: {payment: prepaid}, least: 2, most: 1}}":
    "campaign.limits.segments.young.most: must be at least least (2; got 1)",
    "policies.everyone.offer=gift": "policies.everyone.offer: no offer 'gift'; there are discount_30, contract_device, "
    "service_recovery",
    "policies.everyone.channel=fax": "policies.everyone.channel: no channel 'fax'; there are call, sms",
    "policies.uplift_value.learner=best": "policies.uplift_value.learner: no learner 'best'; there are value, stay",
    "record.by=[payment, plan]": "record.by[1]: no such group 'plan'; there are customer_type, region, locality, "
    "payment, usage_scenario, acquisition_channel, building_access",
    "record.by=[payment, region, payment]": "record.by[2]: 'payment' stands there twice; name it once",
    "record.snapshot={month: 20, outcome_months: 5}": "record.snapshot: the outcome months end after simulation.months "
    "(24); start earlier, look less far or simulate longer",
    "record.panel_share=1.5": "record.panel_share: must be at most 1 (got 1.5)",
    "simulation.policy=best": "simulation.policy: no policy 'best'; there are none, everyone, everyone_capacity, "
    "random, churn_risk, risk_value, uplift_value, oracle",
    "simulation.policy=oracle": "simulation.policy: a list of kind oracle cannot be made in partitions, `churnsim run` "
    "makes it; name a policy of kind none, everyone, everyone_capacity, random, churn_risk, risk_value, uplift, "
    "profit_lift, rules, value_tier, uplift_value, budget_staff",
    "simulation={policy: random, months: 8}": "simulation.months: must be above the campaign month "
    "(lifecycle.history_months, 8) when there is a campaign (got 8)",
    "simulation.months=-1": "simulation.months: must be at least 0 (got -1)",
    "simulation.months=601": "simulation.months: must be at most 600 (got 601)",
    "simulation.partition_size=0": "simulation.partition_size: must be at least 1 (got 0)",
    # One of each package's own checks, which its tests know in full.
    "population.size=null": "population.size: needed when there is no population.table; give the number of subscribers",
    "lifecycle.shopping.log_odds={weather: 1.0}": "lifecycle.shopping.log_odds.weather: no such covariate; there are ",
    "offers.discount_30.hazard_multipliers.weather=0.5": "offers.discount_30.hazard_multipliers.weather: no such "
    "cause; lifecycle.causes has service, price, need_mismatch, competitor, ",
    "capacity.teams.day.channels=[sms]": "capacity.teams.day.channels",
}


@pytest.mark.parametrize("override", CHECKS)
def test_each_check_says_what_where_and_what_to_do(override: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_small(override)
    lines = str(caught.value).splitlines()
    found = [line.split(": ", 1)[1] for line in lines]
    assert any(line.startswith(CHECKS[override]) for line in found), "\n".join(found)
    if not CHECKS[override].endswith((" ", "channels")):
        assert CHECKS[override] in found


def test_a_list_by_reach_in_time_needs_effects_that_go_by_reach() -> None:
    aware = "policies.x={kind: capacity_aware, learner: value}"
    load_small(aware)
    with pytest.raises(ConfigError, match=r"policies\.x\.kind: capacity_aware goes by who is reached in time, and "
                                          r"with uplift\.unanswered possible effects do not; set that to no_effect"):
        load_small(aware, "uplift.unanswered=possible")


def test_offers_and_policies_cannot_all_be_taken_out() -> None:
    e = load_small().experiment
    for section, message in (
        ("offers", "between 1 and 100 offers are needed (got 0)"),
        ("policies", "at least one policy is needed"),
    ):
        with pytest.raises(ConfigError) as caught:
            load_small(*(f"{section}.{name}=null" for name in getattr(e, section)))
        assert f": {section}: {message}" in str(caught.value)


def test_a_simulation_may_end_where_its_snapshot_does_and_one_month_after_its_campaign_starts() -> None:
    e = load_small("record.snapshot={month: 20, outcome_months: 4}", "record.by=[]").experiment
    assert e.record.snapshot is not None and e.record.by == ()
    e = load_small("simulation={policy: random, months: 9}").experiment
    assert e.simulation.months == e.campaign_month + 1
    assert load_small("simulation={months: 8}").experiment.simulation.policy is None
    assert load_small("simulation={months: 0}").experiment.simulation.months == 0


def test_partitions_keep_no_segments() -> None:
    segment = "campaign.limits.segments={cash: {by: {payment: prepaid}, most: 9}}"
    load_small(segment)
    with pytest.raises(ConfigError, match=r"limits\.segments: a partition does not know how many of a segment "
                       "are listed in others; set simulation.policy to null, or take the segments out"):
        load_small(segment, "simulation.policy=churn_risk")


def test_a_readable_policy_needs_a_learner_to_value_lists_by() -> None:
    with pytest.raises(ConfigError, match=r"policies\.read: what rules give up is told by a learner; name one in "
                       r"uplift\.learners"):
        load_small("policies.read={kind: readable, imitates: churn_risk}", "uplift.learners={value: null, stay: null}",
                   "policies.uplift_value=null")


def test_only_budgeted_policies_depend_on_the_budget() -> None:
    rich, poor = (load_small(f"campaign.budget_amount={amount}").experiment for amount in (9.0, 1.0))
    depends = {name: policy_sections(rich, name, Path()) != policy_sections(poor, name, Path())
               for name in rich.policies}
    assert depends == {
        "none": False,
        "everyone": False,
        "everyone_capacity": False,
        "random": True,
        "churn_risk": True,
        "risk_value": True,
        "uplift_value": True,
        "oracle": True,
    }
    late = load_small("campaign.deadline_days=20.0").experiment
    assert policy_sections(late, "everyone", Path()) != policy_sections(
        load_small().experiment, "everyone", Path())


def test_plain_data_has_the_keys_of_the_file() -> None:
    plain = load_small().experiment.plain()
    assert plain["schema"] == 1 and "schema_version" not in plain
    for kind in plain["population"]["traits"]["customer_types"].values():
        assert kind["contract_length_months_shares"].keys() <= {0, 12, 24, 36, "0", "12", "24", "36"}

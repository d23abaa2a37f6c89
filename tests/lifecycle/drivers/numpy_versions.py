"""Drivers of the default lifecycle in plain numpy, as a user would write them: the oracles of the compiled ones."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from scipy.stats import norm

from churnsim.core.smooth import exp32, logistic32, logit
from churnsim.lifecycle.block import Array, Block, Draws, Month
from churnsim.lifecycle.covariates import COVARIATES, weighted_sum
from churnsim.lifecycle.driver import Driver, Step
from churnsim.lifecycle.drivers import arrears, contacts, plan, recharge, service, shopping, tenure, usage
from churnsim.lifecycle.settings import CostToServe, LifecycleSettings, Suspension
from churnsim.population.categories import STATES

PROSPECT, ENTRY, GROWTH, STABLE, DECLINE, SUSPENDED, _ = range(len(STATES))


def use(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.usage
    noise = (draws.lanes(usage.NOISE).sum(axis=0) - np.float32(2.0)) * np.float32(np.sqrt(3.0))
    deviation = np.float32(s.persistence) * block["usage_deviation"] + np.float32(s.noise_log_sd) * noise
    block["usage_deviation"] = deviation
    u_idle, u_leak = draws.lanes(usage.IDLE, 2)
    fall = np.where(u_idle < s.idle_prob, -np.log(u_idle / np.float32(s.idle_prob)), 0.0) * s.idle_log_depth
    ungrown = s.growth_log * np.exp(-block["tenure_months"] / s.growth_months)
    swing = (deviation - ungrown - fall).astype(np.float32)
    ahead = np.clip(block["shopping_until"] - np.float32(month.number), 0.0, 1.0) * block["shopping"]
    looked = np.minimum(np.maximum(block["shopping_days"] / np.float32(30.0), ahead), 1.0)
    left = exp32(np.float32((1.0 - s.shopping_factor) / s.shopping_factor) * np.log(u_leak))
    stays = (1.0 - (1.0 - left) * looked).astype(np.float32)
    paused = block["state"] == SUSPENDED
    stays[paused] = 0.0
    used = stays * exp32(block["usage_level"] + swing)
    over = np.float32(s.overage_price_per_gb) * np.maximum(used - block["allowance_gb"], np.float32(0.0))
    bill = block["plan_price_amount"] + over
    bill[paused] *= np.float32(settings.suspension.fee_share)
    before = sum(block.ago("bill_amount", months) for months in (1, 2, 3)) / np.float32(3.0)
    block["bill_shock"] = np.clip(np.log(np.maximum(bill, 0.01) / np.maximum(before, 0.01)), 0.0, 2.0)
    block["overage_amount"] = over
    block.ago("usage_gb", 0)[...] = used
    block.ago("voice_minutes", 0)[...] = stays * exp32(
        block["voice_level"] + np.float32(s.voice_share_of_deviation) * swing)
    block.ago("bill_amount", 0)[...] = bill


def top_up(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.recharge
    u_skip, u_day, _, _ = draws.lanes(recharge.EVENTS)
    pays_before = (block["payment"] == 1) & (block["join_month"] <= month.number)
    due = pays_before & (block["balance_amount"] < block["plan_price_amount"]) & (block["state"] != SUSPENDED)
    made = due & ~(u_skip < logistic32(weighted_sum(s.skip_log_odds, block, intercept=logit(s.skip_prob))))
    amount = np.float32(s.fee_months) * block["plan_price_amount"] * made
    rest = np.maximum(block["balance_amount"] + amount - block.ago("bill_amount", 0), 0.0)
    days = np.where(made, 30.0 * (1.0 - u_day), block["recharge_days"] + 30.0)
    block["recharged"] = made
    block["balance_amount"] = np.where(pays_before, rest, block["balance_amount"])
    block["recharge_days"] = np.where(pays_before, days, block["recharge_days"])


def change_plans(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.plan
    u_change, u_down, u_tier, u_line = draws.lanes(plan.EVENTS)

    def happens(u: Array, prob: float, log_odds: dict[str, float]) -> Array:
        return u < logistic32(weighted_sum(log_odds, block, intercept=logit(prob)))

    joined, lines = block["join_month"] <= month.number, block["lines"].copy()
    changes = joined & happens(u_change, s.change_prob, s.change_log_odds)
    direction = changes * np.where(happens(u_down, s.down_prob, s.down_log_odds), -1, 1)
    lost = joined & (lines > 1) & happens(u_line, s.line_loss_prob, s.line_loss_log_odds)
    gained = joined & (lines > 1) & ~lost & (u_line > 1.0 - s.line_gain_prob)
    ratio = (lines - lost + gained) / lines
    tier = np.clip(block["brand_tier"] + direction * (u_tier < np.float32(s.tier_move_prob)), 0, 2)
    block["plan_change"], block["lines_lost"] = direction, lost
    block["downgraded"] = tier < block["brand_tier"]
    block["brand_tier"], block["lines"] = tier, lines - lost + gained
    block["plan_change_stock"] = np.float32(settings.service.stock_persistence) * block["plan_change_stock"] + changes
    for name in ("plan_price_amount", "allowance_gb"):
        block[name] *= ((1.0 + s.step_share * direction) * ratio).astype(np.float32)
    for name in ("usage_level", "voice_level"):
        block[name] += np.log(ratio).astype(np.float32)
    block["residual_need"] *= np.where(joined, np.exp(-1.0 / s.need_decay_months), 1.0).astype(np.float32)
    mean = sum(block.ago("bill_amount", months) for months in (0, 1, 2)) / np.float32(3)
    value = 1 + (mean >= np.float32(s.high_value_amount)) - (mean < np.float32(s.low_value_amount)).astype(np.int8)
    left = block["high_value_left_months"]
    fell = (value == 0) & (block["value_tier"] != 0) & (left > 0)
    block["value_fell"], block["value_tier"] = fell, value
    block["high_value_left_months"] = np.where(value == 2, 12, np.where(fell, 0, np.maximum(left - 1, 0)))


def serve(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s, ticket = settings.service, settings.service.ticket
    u_fault, u_complaint, u_type, u_hours = draws.lanes(service.EVENTS)
    joined = block["join_month"] <= month.number
    done, left = block["ticket_left_hours"] < 0, np.maximum(block["ticket_left_hours"], 0)
    fast = done & (block["ticket_hours"] <= np.float32(ticket.fast_hours))
    slow = done & (block["ticket_hours"] > np.float32(ticket.slow_hours))
    points = np.float32(ticket.fast_points) * fast + np.float32(ticket.slow_points) * slow
    block["satisfaction"] = np.clip(block["satisfaction"] + points, 0.0, 100.0)
    prob = logistic32(np.float32(logit(s.fault_prob)) + np.float32(s.fault_log_odds_per_quality) * block["network"])
    fault = joined & (u_fault < prob * (np.float32(1) - block["mended_share"]))
    odds = np.full(len(block), logit(s.complaint_prob), np.float32)
    felt = {"fault": fault, **{name: COVARIATES[name].compute(block) for name in (
        "bill_shock", "dissatisfaction", "service_sensitivity")}}
    for name, coefficient in s.complaint_log_odds.items():
        odds += np.float32(coefficient) * felt[name]
    complaint = joined & (u_complaint < logistic32(odds))
    keep = np.float32(s.stock_persistence)
    block["fault"], block["complaint"] = fault, complaint
    block["fault_mended"] = joined & ~fault & (u_fault < prob)
    block["fault_stock"] = keep * block["fault_stock"] + fault
    cleared = np.where(fast, np.float32(1.0 - ticket.fast_relief), np.float32(1.0))
    block["complaint_stock"] = keep * cleared * block["complaint_stock"] + complaint
    block["experience_fatigue"] = np.float32(s.fatigue_persistence) * block["experience_fatigue"] + (
        fault.astype(np.float32) + complaint + slow)
    pull = np.float32(1.0 - s.satisfaction_persistence) * (block["usual_satisfaction"] - block["satisfaction"])
    change = np.float32(s.fault_points) * fault + np.float32(s.complaint_points) * complaint
    block["satisfaction"] = np.clip(block["satisfaction"] + pull + change, 0.0, 100.0)
    about = service.complaint_types(s, fault, block["bill_shock"], u_type)
    block["complaint_type"] = np.where(complaint, about, block["complaint_type"])
    # Months of tickets: those that go on, those opened now.
    opens = complaint & (left == 0)
    drawn = service.resolution_hours(ticket, about, block["broadband"], u_hours)
    before_end = np.where(opens, 720.0 * (1.0 - draws.uniform(service.OPENING)), 720.0)
    whole = np.where(opens, drawn, left)
    worked = opens | (left > 0)
    block["ticket_hours"] = np.where(opens, 0.0, block["ticket_hours"]) + np.minimum(whole, before_end) * worked
    block["ticket_left_hours"] = np.where(worked, whole - before_end, 0.0)
    block["ticket_open"] = block["ticket_left_hours"] > 0


def contact(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.contacts
    u_hotline, u_shop, u_survey, u_logins = draws.lanes(contacts.EVENTS)
    joined = block["join_month"] <= month.number
    odds = np.full(len(block), logit(s.hotline_prob), np.float32)
    for name, coefficient in s.hotline_log_odds.items():
        odds += np.float32(coefficient) * block[name]
    calls, visits = joined & (u_hotline < logistic32(odds)), joined & (u_shop < np.float32(s.shop_prob))
    asked = joined & (u_survey < np.float32(s.survey_share))
    keep = np.float32(settings.service.stock_persistence)
    block["hotline"], block["shop_visit"], block["surveyed"] = calls, visits, asked
    block["hotline_stock"] = keep * block["hotline_stock"] + calls
    block["shop_stock"] = keep * block["shop_stock"] + visits
    block["satisfaction"] = np.clip(block["satisfaction"] + np.float32(s.shop_points) * visits, 0.0, 100.0)
    per_day = np.float32((s.app_shopping_factor - 1.0) / 30.0)
    mean = s.app_logins_mean * block["app_habit"] * np.maximum(1.0 + per_day * block["shopping_days"], 0.0) * joined
    again = np.maximum((mean / (1.0 + mean)).astype(np.float64), 1e-30)
    block["app_logins"] = np.floor(np.log(u_logins.astype(np.float64)) / np.log(again))
    answer = block["satisfaction"] / 10.0 + s.survey_noise_points * norm.ppf(draws.uniform(contacts.ANSWERS))
    block["nps"] = np.where(asked, np.clip(np.rint(answer), 0, 10), block["nps"])


def miss(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.arrears
    u_miss, u_cure, _, _ = draws.lanes(arrears.EVENTS)
    behind = block["arrears_months"]
    odds = np.float32(logit(s.miss_prob)) + np.float32(s.miss_log_odds_prepaid) * block["payment"]
    missed = (block["join_month"] <= month.number) & (u_miss < logistic32(odds))
    cured = u_cure < np.float32(s.cure_prob)
    block["arrears_months"] = np.where(behind > 0, np.where(cured, 0, np.minimum(behind + 1, 12)), missed)


def shop(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    s = settings.shopping
    u_shop, u_click, u_port, _ = draws.lanes(shopping.EVENTS)
    begins = u_shop < logistic32(weighted_sum(s.log_odds, block, intercept=logit(s.base_prob)))
    goes_on = block["shopping_until"] > month.number
    starts = begins & ~goes_on & (block["join_month"] <= month.number)
    looks = goes_on | starts
    since = np.where(starts, draws.uniform(shopping.DAY), 0.0)
    lasts = -np.log(draws.uniform(shopping.LENGTH)) * s.days_mean / 30
    block["shopping_until"] = np.where(starts, month.number + since + lasts, block["shopping_until"])
    usual = np.where(looks, logit(s.ad_click_prob), logit(s.ad_click_prob_otherwise))
    attentive = np.float32(s.ad_click_log_odds_attention) * (block["attention"] - np.float32(0.5))
    keep = np.float32(settings.service.stock_persistence)
    block["shopping"] = goes_on
    part = np.minimum(block["shopping_until"] - np.float32(month.number), np.float32(1)) - since.astype(np.float32)
    block["shopping_days"] = np.where(looks, np.float32(30) * np.maximum(part, 0), 0)
    block["porting_request"] = looks & (u_port < np.float32(s.porting_request_prob))
    block["ad_click_stock"] = keep * block["ad_click_stock"] + (u_click < logistic32(usual + attentive))


def charge(cost: CostToServe, block: Block, month: Month, draws: Draws) -> None:
    joined = block["join_month"] <= month.number
    active = joined & (block["departure_time"] > month.number)
    bill = block.ago("bill_amount", 0)
    base = np.minimum(block["plan_price_amount"], bill)
    block["active"] = active
    block["active_prob"] = block["active_next_prob"] * joined
    block["billed"] = active & (block["decision_time"] > block["given_time"])
    block["billed_prob"] = np.minimum(block["active_prob"], block["given_prob"])
    new = block["newcomer_discount_left_months"] > 0
    block["revenue"] = bill - np.where(new, block["newcomer_discount_share"] * base, 0.0)
    block["cost_to_serve"] = (
        cost.fixed_amount * block["lines"] + cost.share_of_revenue * bill + block["substitution_cost_amount"]
        + cost.hotline_call_amount * block["hotline"] + cost.shop_visit_amount * block["shop_visit"]
        + cost.ticket_amount * block["complaint"])
    runs = block["discount_left_months"] > 0
    block["discount"] = np.where(runs, block["discount_share"] * base, 0.0)
    block["discount_left_months"] -= runs
    block["accepted"] = 0


def age(settings: Suspension, block: Block, month: Month, draws: Draws) -> None:
    u_enter, u_resume, _, _ = draws.lanes(tenure.EVENTS)
    joined, returned, was = block["join_month"] <= month.number, block["returned"], block["state"].copy()
    months = np.where(returned, 1, block["spell_months"] + 1)
    young = returned | np.isin(was, (PROSPECT, ENTRY, GROWTH))
    state = np.where((months >= 12) | ~young, STABLE, GROWTH)
    state[_declining(block) & (was != SUSPENDED)] = DECLINE
    state[young & (months < 3)] = ENTRY
    enters = u_enter < logistic32(weighted_sum(settings.enter_log_odds, block, intercept=logit(settings.enter_prob)))
    state[np.where(was == SUSPENDED, u_resume >= np.float32(settings.resume_prob), enters)] = SUSPENDED
    joins_next = block["join_month"] == month.number + 1
    block["tenure_months"] = np.where(joined, block["tenure_months"] + 1, 0)
    block["spell_months"] = np.where(joined, months, 0)
    block["device_age_months"] += joined
    block["state"] = np.where(joined, state, np.where(joins_next, ENTRY, PROSPECT))


def _declining(block: Block) -> Array:
    falls = np.zeros(len(block), bool)
    for name in ("usage_gb", "bill_amount"):
        recent = sum(block.ago(name, months) for months in (0, 1, 2))
        before = sum(block.ago(name, months) for months in (3, 4, 5))
        falls |= recent <= np.float32(0.8) * before
    return falls


def steps(settings: LifecycleSettings) -> dict[str, Step]:
    """Return the steps by the name of the driver whose compiled step they can stand in for."""
    return {"usage": partial(use, settings), "service": partial(serve, settings),
            "contacts": partial(contact, settings), "arrears": partial(miss, settings),
            "shopping": partial(shop, settings), "billing": partial(charge, settings.cost_to_serve),
            "tenure": partial(age, settings.suspension), "plan": partial(change_plans, settings),
            "recharge": partial(top_up, settings)}


def in_numpy(driver: Driver, settings: LifecycleSettings) -> Driver:
    """Return a driver with its step in numpy; one that has no such version stays as it is."""
    return replace(driver, step=steps(settings).get(driver.name, driver.step))

"""Contacts that subscribers make by themselves: hotline, shop, app; and the satisfaction survey."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtri

from churnsim.core.clock import DAYS_PER_MONTH
from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, log_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import HOTLINE_TERMS, LifecycleSettings

EVENTS = stream("lifecycle.contacts")
ANSWERS = stream("lifecycle.survey")
LEAST = np.float32(1e-30)


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """Faults, complaints and bill shocks bring calls; queueing in a shop annoys; who looks elsewhere logs in less."""
    s = settings.contacts
    u_hotline, u_shop, u_survey, u_logins = draws.lanes(EVENTS)
    odds = np.array([logit(s.hotline_prob), *(s.hotline_log_odds.get(name, 0.0) for name in HOTLINE_TERMS)], np.float32)
    _contact(u_hotline, u_shop, u_survey, u_logins, block["join_month"] <= month.number, block["fault"],
             block["complaint"], block["bill_shock"], block["app_habit"], block["shopping_days"], odds,
             np.float32(s.shop_prob), np.float32(s.shop_points), np.float32(s.survey_share),
             np.float32(s.app_logins_mean), np.float32((s.app_shopping_factor - 1.0) / DAYS_PER_MONTH),
             np.float32(settings.service.stock_persistence), block["hotline"], block["shop_visit"], block["surveyed"],
             block["hotline_stock"], block["shop_stock"], block["app_logins"], block["satisfaction"])
    rows = np.flatnonzero(block["surveyed"])
    noise = s.survey_noise_points * ndtri(draws.uniform(ANSWERS, rows))
    block["nps"][rows] = np.clip(np.rint(block["satisfaction"][rows] / 10.0 + noise), 0, 10)


@njit
def _contact(u_hotline: Float32, u_shop: Float32, u_survey: Float32, u_logins: Float32, joined: Array, fault: Array,
             complaint: Array, bill_shock: Float32, app_habit: Float32, shopping_days: Float32, odds: Float32,
             shop_prob: np.float32, shop_points: np.float32, survey_share: np.float32, logins_mean: np.float32,
             per_shopping_day: np.float32, keep: np.float32, hotline: Array, shop_visit: Array, surveyed: Array,
             hotline_stock: Float32, shop_stock: Float32, app_logins: Float32, satisfaction: Float32) -> None:
    usual, per_fault, per_complaint, per_shock = odds[0], odds[1], odds[2], odds[3]
    zero, one, full = np.float32(0.0), np.float32(1.0), np.float32(100.0)
    for j in range(satisfaction.shape[0]):
        there = one if joined[j] else zero
        log_odds = usual + (per_fault if fault[j] else zero) + (per_complaint if complaint[j] else zero)
        log_odds = log_odds + per_shock * bill_shock[j]
        calls = there if u_hotline[j] * (one + exp_scalar(-log_odds)) < one else zero
        visits = there if u_shop[j] < shop_prob else zero
        hotline[j] = calls > zero
        shop_visit[j] = visits > zero
        surveyed[j] = joined[j] & (u_survey[j] < survey_share)
        hotline_stock[j] = keep * hotline_stock[j] + calls
        shop_stock[j] = keep * shop_stock[j] + visits
        satisfaction[j] = min(max(satisfaction[j] + shop_points * visits, zero), full)
        # Geometric from 0 on: P(k or more) = (mean / (1 + mean)) ** k.
        mean = there * app_habit[j] * logins_mean * max(one + per_shopping_day * shopping_days[j], zero)
        again = max(mean / (one + mean), LEAST)
        app_logins[j] = np.floor(log_scalar(u_logins[j]) / log_scalar(again))


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    kept = ("hotline_stock", "shop_stock", "satisfaction")
    return Driver("contacts", partial(step, settings),
                  reads=("join_month", "fault", "complaint", "bill_shock", "app_habit", "shopping_days", *kept),
                  writes=("hotline", "shop_visit", "surveyed", "app_logins", "nps", *kept), streams=(EVENTS, ANSWERS),
                  owns="service")

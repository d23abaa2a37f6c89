"""Faults and complaints come, complaints are worked as tickets, all of it weighs on satisfaction and fades.

A ticket resolved in one month reaches the subscriber's mood at the start of the next. Hours to its resolution are
drawn, unless the treatment of the month tells how a contact centre resolved it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy.special import ndtri

from churnsim.core.clock import HOURS_PER_MONTH
from churnsim.core.compiled import njit
from churnsim.core.draws import Key, stream, uniform
from churnsim.core.smooth import exp_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Float64, Ids, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import COMPLAINT_TERMS, LifecycleSettings, Service, Ticket
from churnsim.offers.table import OfferTable
from churnsim.population.categories import COMPLAINT_TYPES

EVENTS = stream("lifecycle.service")
OPENING = stream("lifecycle.ticket_opening")
NETWORK, BILLING, CARE = (COMPLAINT_TYPES.index(name) for name in ("network", "billing", "care"))
MONTH_HOURS = np.float32(HOURS_PER_MONTH)
# A ticket resolved at the very end of a month was resolved before it.
MOMENT = np.float32(1e-3)


def step(settings: LifecycleSettings, table: OfferTable, block: Block, month: Month, draws: Draws) -> None:
    """A fault depends on the cell's quality; a complaint on the fault, bill shock and dissatisfaction."""
    s, ticket = settings.service, settings.service.ticket
    u_fault, u_complaint, u_type, u_hours = draws.lanes(EVENTS)
    odds = np.array([logit(s.fault_prob), s.fault_log_odds_per_quality, logit(s.complaint_prob),
                     *(s.complaint_log_odds.get(name, 0.0) for name in COMPLAINT_TERMS)], np.float32)
    points = np.array([s.fault_points, s.complaint_points, ticket.fast_points, ticket.slow_points], np.float32)
    keep = np.array([s.stock_persistence, s.satisfaction_persistence, s.fatigue_persistence, 1.0 - ticket.fast_relief],
                    np.float32)
    _serve(u_fault, u_complaint, block["network"], block["mended_share"], block["bill_shock"],
           block["service_sensitivity"], block["usual_satisfaction"], block["join_month"] <= month.number, odds, points,
           keep, np.float32(ticket.fast_hours), np.float32(ticket.slow_hours), block["fault"], block["fault_mended"],
           block["complaint"], block["fault_stock"], block["complaint_stock"], block["satisfaction"],
           block["experience_fatigue"], block["ticket_hours"], block["ticket_left_hours"], block["ticket_open"])
    rows = np.flatnonzero(block["complaint"])
    about = complaint_types(s, block["fault"][rows], block["bill_shock"][rows], u_type[rows])
    block["complaint_type"][rows] = about
    # A complaint whose last one was still worked this month joins that ticket.
    new = block["ticket_left_hours"][rows] == 0.0
    rows, about = rows[new], about[new]
    in_effect = np.where(block["offer_left_months"][rows] > 0, block["offer_code"][rows], 0)
    hours = table.ticket_hours_factor[in_effect] * resolution_hours(
        ticket, about, block["broadband"][rows], u_hours[rows])
    month_left_hours = HOURS_PER_MONTH * (1.0 - draws.uniform(OPENING, rows))
    _open(block, rows, _worked(block, month, rows, hours, month_left_hours), month_left_hours)


@njit
def _serve(u_fault: Float32, u_complaint: Float32, network: Float32, mended_share: Float32, bill_shock: Float32,
           sensitivity: Float32, usual: Float32, joined: Array, odds: Float32, points: Float32, keep: Float32,
           fast_hours: np.float32, slow_hours: np.float32, faults: Array, mended: Array, complaints: Array,
           fault_stock: Float32, complaint_stock: Float32, satisfaction: Float32, fatigue: Float32, hours: Float32,
           left_hours: Float32, ticket_open: Array) -> None:
    fault_odds, per_quality, complaint_odds = odds[0], odds[1], odds[2]
    per_fault, per_shock, per_dissatisfaction, per_sensitivity = odds[3], odds[4], odds[5], odds[6]
    fault_points, complaint_points, fast_points, slow_points = points[0], points[1], points[2], points[3]
    keep_stock, keep_mood, keep_fatigue, keep_relieved = keep[0], keep[1], keep[2], keep[3]
    zero, one, full = np.float32(0.0), np.float32(1.0), np.float32(100.0)
    for j in range(satisfaction.shape[0]):
        there = one if joined[j] else zero
        left = left_hours[j]
        fast = one if (left < zero) & (hours[j] <= fast_hours) else zero
        slow = one if (left < zero) & (hours[j] > slow_hours) else zero
        mood = min(max(satisfaction[j] + fast_points * fast + slow_points * slow, zero), full)
        # u < p of a fault, and u < p (1 - mended share) of one that is felt.
        chance = u_fault[j] * (one + exp_scalar(-(fault_odds + per_quality * network[j])))
        fault = there if chance < one - mended_share[j] else zero
        mended[j] = joined[j] & (chance < one) & (chance >= one - mended_share[j])
        dissatisfaction = (np.float32(70) - mood) / np.float32(20)
        log_odds = complaint_odds + per_fault * fault + per_shock * bill_shock[j]
        log_odds = log_odds + per_dissatisfaction * dissatisfaction + per_sensitivity * sensitivity[j]
        complaint = there if u_complaint[j] * (one + exp_scalar(-log_odds)) < one else zero
        faults[j] = fault > zero
        complaints[j] = complaint > zero
        fault_stock[j] = keep_stock * fault_stock[j] + fault
        stock = complaint_stock[j] * (keep_relieved if fast > zero else one)
        complaint_stock[j] = keep_stock * stock + complaint
        fatigue[j] = keep_fatigue * fatigue[j] + (fault + complaint + slow)
        pull = (one - keep_mood) * (usual[j] - mood)
        level = mood + pull + (fault_points * fault + complaint_points * complaint)
        satisfaction[j] = min(max(level, zero), full)
        # The ticket that was open when the month started goes on.
        rest = left - MONTH_HOURS
        rest = rest if rest > zero else min(rest, -MOMENT)
        hours[j] += min(max(left, zero), MONTH_HOURS)
        left_hours[j] = rest if left > zero else zero
        ticket_open[j] = left > MONTH_HOURS


def complaint_types(service: Service, fault: Array, bill_shock: Float32, u: Float32) -> Array:
    """Return what complaints are about, (m,) int8 codes, from uniforms `u` (m,).

    Who felt a fault complains about the network. A bill shock s is to blame for the share 1 - exp(-w s) of the
    others, which is what it adds to the odds; the rest are split by `network_share` and `billing_share`.
    """
    weight = max(service.complaint_log_odds.get("bill_shock", 0.0), 0.0)
    blamed = -np.expm1(-weight * bill_shock.astype(np.float64))
    rest = (u - blamed) / (1.0 - blamed)
    of_rest = np.where(rest < service.ticket.network_share, NETWORK,
                       np.where(rest < service.ticket.network_share + service.ticket.billing_share, BILLING, CARE))
    return np.where(fault, NETWORK, np.where(u < blamed, BILLING, of_rest)).astype(np.int8)


def resolution_hours(ticket: Ticket, about: Array, broadband: Array, u: Float32) -> Float64:
    """Return hours from complaint to resolution, (m,), from uniforms `u` (m,).

    Log-normal; exponential for network complaints of accounts with broadband, which need a repair.

    Parameters
    ----------
    about
        (m,) code of the complaint's type.
    broadband
        (m,) 1 for accounts with broadband.
    """
    quantile = u.astype(np.float64)
    desk = ticket.hours_median * np.exp(ticket.hours_log_sd * ndtri(quantile))
    repair = -ticket.network_repair_hours_mean * np.log1p(-quantile)
    return np.where((about == NETWORK) & (broadband == 1), repair, desk)


def opening_time(ids: Ids, *, key: Key, month: int) -> Float64:
    """Return the part of the month gone when each subscriber's ticket opens, should one, (n,) in (0, 1)."""
    return uniform(key, OPENING, ids, month=month)


def _worked(block: Block, month: Month, rows: Ids, drawn: Float64, month_left_hours: Float64) -> Float64:
    """Return hours to resolution: the centre's where the treatment has them, else those drawn.

    Whoever takes over a ticket that the centre left open needs the drawn hours, from the month's end on.
    """
    tickets = block.treatment.tickets if month.first and block.treatment is not None else None
    if tickets is None:
        return drawn
    _, here, there = np.intersect1d(rows, tickets.row, assume_unique=True, return_indices=True)
    centres, hours = tickets.hours[there], drawn.copy()
    hours[here] = np.where(np.isfinite(centres), centres, month_left_hours[here] + drawn[here])
    return hours


def _open(block: Block, rows: Ids, hours: Float64, month_left_hours: Float64) -> None:
    """Open tickets that take `hours`, so many hours before the month ends."""
    left = hours - month_left_hours
    block["ticket_left_hours"][rows] = np.where(left > 0.0, left, np.minimum(left, -MOMENT))
    block["ticket_hours"][rows] = np.minimum(hours, month_left_hours)
    block["ticket_open"][rows] = left > 0.0


def driver(settings: LifecycleSettings, table: OfferTable) -> Driver:
    """Return the driver."""
    kept = ("fault_stock", "complaint_stock", "satisfaction", "experience_fatigue", "ticket_hours",
            "ticket_left_hours")
    return Driver("service", partial(step, settings, table),
                  reads=("network", "mended_share", "bill_shock", "usual_satisfaction", "service_sensitivity",
                         "join_month", "broadband", "offer_code", "offer_left_months", *kept),
                  writes=("fault", "fault_mended", "complaint", "complaint_type", "ticket_open", *kept),
                  streams=(EVENTS, OPENING))

"""Faults and complaints come, weigh on satisfaction, and fade."""

from __future__ import annotations

from functools import partial

import numpy as np

from churnsim.core.compiled import njit
from churnsim.core.draws import stream
from churnsim.core.smooth import exp_scalar, logit
from churnsim.lifecycle.block import Array, Block, Draws, Float32, Month
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.settings import COMPLAINT_TERMS, LifecycleSettings

EVENTS = stream("lifecycle.service")


def step(settings: LifecycleSettings, block: Block, month: Month, draws: Draws) -> None:
    """A fault depends on regional quality; a complaint on the fault, bill shock and dissatisfaction."""
    s = settings.service
    u_fault, u_complaint = draws.lanes(EVENTS, 2)
    weights = np.array([s.complaint_log_odds.get(name, 0.0) for name in COMPLAINT_TERMS], np.float32)
    points = np.array([s.fault_points, s.complaint_points], np.float32)
    _serve(u_fault, u_complaint, block["network"], block["bill_shock"], block["service_sensitivity"],
           block["usual_satisfaction"], block["join_month"] <= month.number, np.float32(logit(s.fault_prob)),
           np.float32(s.fault_log_odds_per_quality), np.float32(logit(s.complaint_prob)), weights, points,
           np.float32(s.stock_persistence), np.float32(1.0 - s.satisfaction_persistence), block["fault"],
           block["complaint"], block["fault_stock"], block["complaint_stock"], block["satisfaction"])


@njit
def _serve(u_fault: Float32, u_complaint: Float32, network: Float32, bill_shock: Float32, sensitivity: Float32,
           usual: Float32, joined: Array, fault_log_odds: np.float32, per_quality: np.float32,
           complaint_log_odds: np.float32, weights: Float32, points: Float32, keep: np.float32,
           recover: np.float32, faults: Array, complaints: Array, fault_stock: Float32, complaint_stock: Float32,
           satisfaction: Float32) -> None:
    w_fault, w_shock, w_dissatisfaction, w_sensitivity = weights[0], weights[1], weights[2], weights[3]
    per_fault, per_complaint = points[0], points[1]
    zero, one = np.float32(0.0), np.float32(1.0)
    for j in range(satisfaction.shape[0]):
        there = one if joined[j] else zero
        fault = there if u_fault[j] * (one + exp_scalar(-(fault_log_odds + per_quality * network[j]))) < one else zero
        dissatisfaction = (np.float32(70) - satisfaction[j]) / np.float32(20)
        odds = complaint_log_odds + w_fault * fault + w_shock * bill_shock[j]
        odds = odds + w_dissatisfaction * dissatisfaction + w_sensitivity * sensitivity[j]
        complaint = there if u_complaint[j] * (one + exp_scalar(-odds)) < one else zero
        faults[j] = fault > zero
        complaints[j] = complaint > zero
        fault_stock[j] = keep * fault_stock[j] + fault
        complaint_stock[j] = keep * complaint_stock[j] + complaint
        pull = recover * (usual[j] - satisfaction[j])
        level = satisfaction[j] + pull + (per_fault * fault + per_complaint * complaint)
        satisfaction[j] = min(max(level, zero), np.float32(100.0))


def driver(settings: LifecycleSettings) -> Driver:
    """Return the driver."""
    return Driver("service", partial(step, settings),
                  reads=("network", "bill_shock", "satisfaction", "usual_satisfaction", "service_sensitivity",
                         "fault_stock", "complaint_stock", "join_month"),
                  writes=("fault", "complaint", "fault_stock", "complaint_stock", "satisfaction"), streams=(EVENTS,))

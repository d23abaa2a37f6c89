"""Faults and complaints come, weigh on satisfaction, and fade."""

from __future__ import annotations

import numpy as np

from churnsim.core.columns import Subscribers
from churnsim.core.draws import stream
from churnsim.core.smooth import logistic32, logit
from churnsim.lifecycle.covariates import COVARIATES
from churnsim.lifecycle.drivers.base import Driver, Month

EVENTS = stream("lifecycle.service")


def step(base: Subscribers, month: Month) -> None:
    """A fault depends on regional quality; a complaint on the fault, bill shock and dissatisfaction."""
    s = month.settings.service
    u_fault, u_complaint, _, _ = month.lanes(EVENTS)
    quality = month.around.network * np.float32(s.fault_log_odds_per_quality)
    joined = base["join_month"] <= month.number
    fault = joined & (u_fault < logistic32(np.float32(logit(s.fault_prob)) + quality))
    odds = np.full(len(base), logit(s.complaint_prob), np.float32)
    felt = {"fault": fault, "bill_shock": COVARIATES["bill_shock"].compute(base, month.around),
            "dissatisfaction": COVARIATES["dissatisfaction"].compute(base, month.around),
            "service_sensitivity": base["service_sensitivity"]}
    for name, coefficient in s.complaint_log_odds.items():
        odds += np.float32(coefficient) * felt[name]
    complaint = joined & (u_complaint < logistic32(odds))
    keep = np.float32(s.stock_persistence)
    base["fault_stock"] = keep * base["fault_stock"] + fault
    base["complaint_stock"] = keep * base["complaint_stock"] + complaint
    pull = np.float32(1.0 - s.satisfaction_persistence) * (base["usual_satisfaction"] - base["satisfaction"])
    change = np.float32(s.fault_points) * fault + np.float32(s.complaint_points) * complaint
    base["satisfaction"] = np.clip(base["satisfaction"] + pull + change, 0.0, 100.0)


DRIVER = Driver("service", ("bill_amount", "satisfaction", "usual_satisfaction", "service_sensitivity",
                            "fault_stock", "complaint_stock", "join_month"),
                ("fault_stock", "complaint_stock", "satisfaction"), step)

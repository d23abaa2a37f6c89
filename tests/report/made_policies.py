"""Tables of policies and learners made by hand: two replicates, two offers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from churnsim.report.run_folder import Run
from report.conftest import CONFIG, make_summary

BUDGET = float(CONFIG["campaign"]["budget_amount"])
KINDS = ("persuadable", "sure_thing", "lost_cause", "do_not_disturb")


def _curve(policy: str, replicate: int, points: list[tuple[float, float, int, float]]) -> list[dict[str, Any]]:
    return [{"policy": policy, "replicate": replicate, "budget_amount": budget, "planned_spend_amount": spend,
             "targeted": targeted, "planned_value_amount": np.nan, "true_value_amount": value}
            for budget, spend, targeted, value in points]


def make_curve() -> pd.DataFrame:
    """Two policies with curves, of which churn_risk has bought everything at 12,000, and one with one point."""
    rows = []
    for replicate in (0, 1):
        more = 100.0 * replicate
        rows += _curve("churn_risk", replicate, [
            (0.0, 0.0, 0, 0.0), (0.5 * BUDGET, 7000.0, 800, -700.0 + more), (9000.0, 9000.0, 1000, -900.0 + more),
            (BUDGET, 12000.0, 1200, -1200.0 + more)])
        rows += _curve("oracle", replicate, [
            (0.0, 0.0, 0, 0.0), (0.5 * BUDGET, 7500.0, 900, 5000.0 + more), (8000.0, 8000.0, 1000, 5200.0 + more),
            (BUDGET, 14000.0, 2000, 8000.0 + more), (2.0 * BUDGET, 20000.0, 3000, 9000.0 + more)])
        rows += _curve("uplift_value", replicate, [(BUDGET, 14500.0, 1500, 4000.0)])
    return pd.DataFrame(rows)


def make_policy_tables() -> dict[str, pd.DataFrame]:
    """Return the tables of learners and policies, of scenario base."""
    both = [(replicate, offer) for replicate in (0, 1) for offer in ("discount", "service")]
    frames = {
        "curve": make_curve(),
        "price_curve": pd.DataFrame([
            {"policy": policy, "replicate": r, "budget_amount": share * BUDGET, "limit": limit, "unit": unit,
             "shadow_price_amount": price / (1.0 + share)}
            for r in (0, 1) for policy, limit, unit, price in (
                ("oracle", "budget", "money", 2.0), ("oracle", "day team", "minutes", 0.5))
            for share in (0.0, 0.5, 1.0)]),
        "allocation": pd.DataFrame([
            {"policy": policy, "replicate": r, "by": by, "segment": segment, "subscribers": 1000, "arm": arm,
             "listed": listed}
            for r in (0, 1) for policy, listed in (("none", 0), ("churn_risk", 20), ("oracle", 100))
            for by, segment in (("value tier", "low"), ("value tier", "high"), ("tenure", "under 6 months"))
            for arm in ("discount by call", "service by sms")]),
        "learner_value": pd.DataFrame([
            {"replicate": r, "learner": learner, "targeted": 100, "true_value_amount": value + 10.0 * r,
             "oracle_value_amount": 1000.0, "regret_amount": 1000.0 - value - 10.0 * r, "share_kept": np.nan}
            for r in (0, 1) for learner, value in (("plain", 600.0), ("wild", -50.0))]),
        "accuracy": pd.DataFrame([
            {"replicate": r, "offer": offer, "learner": learner, "subscribers": 400, "mean_predicted_amount": 1.0,
             "mean_true_amount": 2.0, "pehe_amount": pehe + r, "constant_pehe_amount": 4.0, "rank_correlation": 0.5,
             "calibration_slope": 0.75, "qini_amount": 0.25}
            for r, offer in both for learner, pehe in (("plain", 3.0), ("wild", 8.0))]),
        "effect_deciles": pd.DataFrame([
            {"replicate": r, "offer": offer, "learner": "plain", "decile": k, "subscribers": 40,
             "predicted_amount": float(k), "true_amount": k / 2} for r, offer in both for k in range(1, 11)]),
        "gain_curves": pd.DataFrame([
            {"replicate": r, "offer": offer, "ranking": ranking, "depth_share": share,
             "gain_amount": height * share * (2.0 - share), "random_gain_amount": share}
            for r, offer in both for ranking, height in (("plain", 1.0), ("by predicted risk", 0.5),
                                                         ("by true effect", 1.2))
            for share in (0.0, 0.5, 1.0)]),
        "subscriber_kinds": pd.DataFrame([
            {"replicate": r, "offer": offer, "kind": kind, "subscribers": 100 * (k + 1), "share": (k + 1) / 10,
             "mean_risk": 0.2, "mean_effect": 0.01} for r, offer in both for k, kind in enumerate(KINDS)]),
        "risk_effect_grid": pd.DataFrame([
            {"replicate": r, "offer": offer, "risk_from": risk, "risk_to": risk + 0.05, "effect_from": effect,
             "effect_to": effect + 0.01, "subscribers": 10}
            for r, offer in both for risk, effect in ((0.1, -0.005), (0.5, 0.015), (0.55, -0.105))]),
        "rounds": pd.DataFrame([
            {"policy": "uplift_value", "replicate": r, "round": k, "listed": 100, "spend_amount": 500.0,
             "listed_value_amount": 900.0 - 100 * k, "rehearsed_value_amount": 500.0 + 50 * k, "changed": 5 - k,
             "state": "", "taken": k == 2} for r in (0, 1) for k in (0, 1, 2)]),
        "waves": pd.DataFrame([
            {"policy": "uplift_value", "replicate": r, "month": 8 + k, "listed": 100, "explored": 10,
             "net_value_amount": 50.0 * k} for r in (0, 1) for k in (0, 1)]),
        "prices": pd.DataFrame([
            {"policy": "uplift_value", "replicate": r, "limit": "day team", "unit": "minutes", "least": 0.0,
             "most": 6000.0, "used": 5999.0, "shadow_price_amount": 0.5 + r} for r in (0, 1)]),
        "rules": pd.DataFrame([
            {"policy": "uplift_value", "replicate": r, "rule": "tenure below 6 months", "arm": "discount by call",
             "subscribers": 500, "listed": 250, "planned_spend_amount": 700.0, "planned_value_amount": 900.0,
             "imitated_value_amount": 950.0, "given_up_amount": 50.0 + r, "alike_share": 0.9} for r in (0, 1)]),
    }
    return {name: frame.assign(scenario="base") for name, frame in frames.items()}


def make_run(*without: str) -> Run:
    """Return a run with these tables, some left out."""
    tables = {name: frame for name, frame in make_policy_tables().items() if name not in without}
    return Run(make_summary(), CONFIG, tables)

"""The stage that judges learners by the truth: errors, calibration, rankings, money; and the kinds of subscribers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.evaluation.effect_accuracy import effect_accuracy, effect_calibration, regret, subscriber_kinds
from churnsim.evaluation.ranking import rank_by
from churnsim.evaluation.uplift_curves import gain_curve, qini_by_arm
from churnsim.experiment.curve_grid import BY_RISK, BY_TRUTH, EFFECT_THRESHOLD, RISK_THRESHOLD
from churnsim.experiment.stages import load_plan
from churnsim.experiment.store import Cell
from churnsim.experiment.world import World
from churnsim.policy.allocate import budget_path
from churnsim.policy.plan import Plan

Float64 = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

DEPTH_SHARES = tuple(step / 20 for step in range(21))
RISK_EDGES = np.linspace(0.0, 1.0, 21)
EFFECT_EDGES = np.linspace(-0.105, 0.205, 32)
# Fewer who may have an offer tell nothing of a ranking.
LEAST_ROWS = 10


def accuracy(world: World, history: Cell, plan: Cell, truth: Cell) -> Cell:
    """Return how well each learner knows what listing a subscriber is worth, by the truth.

    Values are those of listing somebody under the planned reach, all costs taken off: what the learner expects, and
    what the truth does. Each offer is taken through the pilot's channel, through which it was learned.
    """
    knows = load_plan(world, plan, history.arrays["ids"])
    worth, staying, alone = (truth.arrays[name] for name in ("net_value", "staying", "stays_alone"))
    frames: dict[str, list[pd.DataFrame]] = {}
    for offer in world.experiment.campaign.offers:
        k = knows.arm(offer, knows.pilot_channel)
        may = knows.allowed[:, k]
        if may.sum() < LEAST_ROWS:
            continue
        predicted = pd.DataFrame({name: knows.planned_value(name)[may, k] for name in knows.kept})
        found = {"accuracy": _errors(predicted, worth[may, k]), "effect_deciles": _deciles(predicted, worth[may, k]),
                 "gain_curves": _gains(predicted, knows.risk[may], worth[may, k]),
                 **_kinds(1.0 - alone[may], staying[may, k])}
        for name, frame in found.items():
            frame.insert(0, "offer", offer)
            frames.setdefault(name, []).append(frame)
    tables = {name: pd.concat(parts, ignore_index=True) for name, parts in frames.items()}
    return Cell({}, {}, {**tables, "learner_value": _money(knows, worth, world.experiment.campaign.budget_amount)})


def _errors(predicted: pd.DataFrame, true: Float64) -> pd.DataFrame:
    """Return a row a learner: means, error, correlation of ranks, slope of the truth on the prediction, Qini."""
    both = np.repeat(true[:, None], predicted.shape[1], axis=1)
    found = effect_accuracy(predicted, both)
    qini = qini_by_arm(both, predicted, draws=0)["qini"]
    return pd.DataFrame({
        "learner": list(predicted.columns), "subscribers": len(true),
        "mean_predicted_amount": found["mean_predicted"].to_numpy(), "mean_true_amount": found["mean_true"].to_numpy(),
        "pehe_amount": found["pehe"].to_numpy(), "constant_pehe_amount": found["constant_pehe"].to_numpy(),
        "rank_correlation": found["spearman"].to_numpy(),
        "calibration_slope": [_slope(predicted[name].to_numpy(), true) for name in predicted],
        "qini_amount": qini.to_numpy()})


def _slope(predicted: Float64, true: Float64) -> float:
    """Return the least-squares slope of the truth on the prediction; NaN where the prediction does not vary."""
    away = predicted - predicted.mean()
    spread = float(away @ away)
    return float(away @ true) / spread if spread > 0.0 else np.nan


def _deciles(predicted: pd.DataFrame, true: Float64) -> pd.DataFrame:
    both = np.repeat(true[:, None], predicted.shape[1], axis=1)
    found = effect_calibration(predicted, true=both)
    return found.rename(columns={"arm": "learner", "group": "decile", "rows": "subscribers",
                                 "predicted": "predicted_amount", "true": "true_amount"})


def _gains(predicted: pd.DataFrame, risk: Float64, true: Float64) -> pd.DataFrame:
    """Return the true gain per subscriber at shares treated in the order of each ranking, and in random order."""
    scores = {**{str(name): predicted[name].to_numpy() for name in predicted}, BY_RISK: risk, BY_TRUTH: true}
    parts = []
    for name, score in scores.items():
        found = gain_curve(true, rank_by(score), by="targeted", at=DEPTH_SHARES, draws=0)
        parts.append(pd.DataFrame({"ranking": name, "depth_share": DEPTH_SHARES, "gain_amount": found["gain"],
                                   "random_gain_amount": np.array(DEPTH_SHARES) * true.mean()}))
    return pd.concat(parts, ignore_index=True)


def _kinds(risk: Float64, effect: Float64) -> dict[str, pd.DataFrame]:
    """Return how many of each kind there are, and a grid of risk and effect with how many are in each cell of it."""
    sorted_out = subscriber_kinds(np.clip(risk, 0.0, 1.0), effect, risk_threshold=RISK_THRESHOLD,
                                  effect_threshold=EFFECT_THRESHOLD)
    # Who is beyond the grid counts in its outermost cells.
    inside = np.clip(effect, EFFECT_EDGES[0], EFFECT_EDGES[-1])
    counts, _, _ = np.histogram2d(np.clip(risk, 0.0, 1.0), inside, bins=(RISK_EDGES, EFFECT_EDGES))
    i, j = np.nonzero(counts)
    grid = pd.DataFrame({"risk_from": RISK_EDGES[i], "risk_to": RISK_EDGES[i + 1], "effect_from": EFFECT_EDGES[j],
                         "effect_to": EFFECT_EDGES[j + 1], "subscribers": counts[i, j].astype(np.int64)})
    return {"subscriber_kinds": sorted_out.counts.reset_index().astype({"kind": str}), "risk_effect_grid": grid}


def _money(knows: Plan, worth: Float64, budget: float) -> pd.DataFrame:
    """Return what the list that each learner leads to is worth, and what it loses against the oracle's."""
    # Arms that may not be given are worth nothing to anybody.
    value = np.where(knows.allowed, worth, -1.0)
    rows = []
    for name in knows.kept:
        arm = budget_path(knows.planned_value(name), knows.planned_cost, allowed=knows.allowed).at(budget).arm
        found = regret(arm, value, cost=knows.planned_cost, budget=budget)
        rows.append({"learner": name, "targeted": int((arm >= 0).sum()), "true_value_amount": found.value,
                     "oracle_value_amount": found.oracle_value, "regret_amount": found.regret,
                     "share_kept": found.share_kept})
    return pd.DataFrame(rows)

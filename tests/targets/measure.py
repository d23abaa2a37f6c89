"""How far a world is from what is known of real ones: every figure of the targets, measured from a simulation."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.config.source import parse_yaml, read_yaml
from churnsim.core.columns import Subscribers
from churnsim.experiment.load import load_tree
from churnsim.experiment.settings import Experiment
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS
from churnsim.signals.observe import active_rows, features, observe

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

ROOT = Path(__file__).parents[2]
SEED = 20


def experiment(*overrides: str, preset: str = "data_grounded", size: int = 100_000, scenario: str | None = None,
               seed: int = SEED) -> Experiment:
    """Return an experiment of a preset, or of a scenario of experiments/scenarios.yaml."""
    if scenario is not None:
        tree = read_yaml(ROOT / "experiments" / "scenarios.yaml")
        loaded = load_tree(tree, folder=ROOT, overrides=(f"population.size={size}", f"seed={seed}", *overrides))
        return loaded.scenarios[scenario]
    text = f"schema: 1\npreset: {preset}\nname: target\nseed: {seed}\npopulation: {{size: {size}}}\n"
    return load_tree(parse_yaml(text, "target.yaml"), folder=ROOT, overrides=overrides).experiment


def world(made: Experiment, *, months: int = 0) -> World:
    """Return the first replicate of an experiment."""
    return make_world(made, replicate=0, folder=ROOT, months=months)


@dataclass
class Log:
    """Months at risk and decisions to leave, by what was so when the month started; an observer of the engine.

    A month at risk is one that starts undecided and on the network.
    """

    at_risk: list[dict[str, Array]] = field(default_factory=list)

    def observe(self, block: Block) -> None:
        """Keep one month of one block."""
        month = block.month.number
        decision = block["decision_time"]
        rows = np.flatnonzero((block["join_month"] <= month) & (decision >= month))
        tenure = month - block["join_month"][rows]
        self.at_risk.append({
            "month": np.full(len(rows), month), "tenure": tenure, "left": decision[rows] < month + 1,
            "cause": np.where(decision[rows] < month + 1, block["cause"][rows], 0),
            "payment": block["payment"][rows], "length": block["contract_length_months"][rows],
            "kind": block["customer_type"][rows], "revenue": block["revenue"][rows],
            "spell": block["spell"][rows]})

    def columns(self) -> dict[str, Array]:
        """Return all months at risk, one array a column."""
        return {name: np.concatenate([part[name] for part in self.at_risk]) for name in self.at_risk[0]}


def months_at_risk(made: Experiment, *, months: int = 24) -> dict[str, Array]:
    """Let months pass without a campaign and return the months at risk."""
    place = world(made, months=months)
    base = place.population(until=months)
    log = Log()
    place.engine.run([(base, None)], start=0, months=months, observe=log.observe)
    return log.columns()


def hazard(log: dict[str, Array], rows: Array) -> float:
    """Return decisions to leave a month at risk among `rows`."""
    return float(log["left"][rows].mean())


def contract_end(log: dict[str, Array]) -> tuple[float, float]:
    """Return the hazard of months 11-12, and of months 13-24, over that of months 6-9: 12-month contracts."""
    twelve = (log["payment"] == PAYMENTS.index("postpaid")) & (log["length"] == 12) & (log["spell"] == 0)

    def between(first: int, last: int) -> float:
        month = log["tenure"] + 1
        return hazard(log, twelve & (month >= first) & (month <= last))

    usual = between(6, 9)
    return between(11, 12) / usual, between(13, 24) / usual


def first_months(log: dict[str, Array]) -> list[float]:
    """Return the hazards of months 1, 2, 3, 6 and 12 of those without a contract."""
    free = (log["length"] == 0) & (log["spell"] == 0)
    return [hazard(log, free & (log["tenure"] + 1 == month)) for month in (1, 2, 3, 6, 12)]


def retention_by_year(made: Experiment, *, years: int) -> Float64:
    """Return yearly survival of a closed cohort of newcomers: 1, S(1), S(2), ..."""
    place = world(made, months=12 * years)
    base = place.population(until=1)
    base["join_month"] = 0
    base["tenure_months"] = 0
    place.engine.run([(base, None)], start=0, months=12 * years)
    return np.array([1.0, *(float((base["decision_time"] >= 12 * year).mean()) for year in range(1, years + 1))])


@dataclass(frozen=True)
class Snapshot:
    """Features when a month starts and who left in it."""

    X: Any
    left: npt.NDArray[np.bool_]
    usage: Array
    bill: Array
    price: Array
    kind: Array


def snapshot(made: Experiment, *, month: int = 8) -> Snapshot:
    """Return what the operator knows at the start of `month` of those on the network, and who leaves in it."""
    place = world(made, months=month + 1)
    base = place.population(until=month)
    place.engine.run([(base, None)], start=0, months=month)
    there = base.take(active_rows(base, month=month))
    there = there.take(np.flatnonzero(there["departure_time"] > month))
    table = observe(there, month=month, settings=made.signals, key=place.key)
    after = there.copy()
    place.engine.run([(after, None)], start=month, months=1)
    usage, bill = (np.stack([table.lag(name, month=month, months_ago=ago) for ago in range(1, 7)])
                   for name in ("usage_gb", "bill_amount"))
    return Snapshot(features(table), after["departure_time"] <= month + 1, usage, bill, there["plan_price_amount"],
                    there["customer_type"])


def auc(score: Array, left: Array) -> float:
    """Return the area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(left, score))


def top_decile_lift(score: Array, left: Array) -> float:
    """Return churn among the tenth with the highest scores over churn of all."""
    cut = np.argsort(-score, kind="stable")[:len(score) // 10]
    return float(left[cut].mean() / left.mean())


def fitted_scores(seen: Snapshot, kind: str) -> tuple[Array, Array]:
    """Return scores and outcomes of every second subscriber, of a model fitted on the others."""
    half = np.arange(len(seen.left)) % 2 == 0
    X = seen.X.to_numpy()
    model: Any
    if kind == "lightgbm":
        from lightgbm import LGBMClassifier

        model = LGBMClassifier(n_estimators=120, learning_rate=0.05, num_leaves=8, min_child_samples=200, n_jobs=1,
                               random_state=0, deterministic=True, verbose=-1)
    else:
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        model.fit(X[half], seen.left[half])
        return model.predict_proba(X[~half])[:, 1], seen.left[~half]


def usage_rule_lift(seen: Snapshot, fall: float) -> float:
    """Return the lift of "last month's usage is `fall` or more below the mean of the three before"."""
    before = seen.usage[1:4].mean(axis=0)
    flagged = seen.usage[0] <= (1.0 - fall) * before
    return float(seen.left[flagged].mean() / seen.left.mean())


def bill_rule_lift(seen: Snapshot, fall: float) -> float:
    """Return the lift of "last month's bill is `fall` or more below the mean of the three before"."""
    before = seen.bill[1:4].mean(axis=0)
    flagged = seen.bill[0] <= (1.0 - fall) * before
    return float(seen.left[flagged].mean() / seen.left.mean())


def revenue_share(log: dict[str, Array]) -> float:
    """Return the share of families and enterprises in revenue."""
    individual = log["kind"] == CUSTOMER_TYPES.index("individual")
    return 1.0 - float(log["revenue"][individual].sum() / log["revenue"].sum())


def everything(**made: Any) -> dict[str, Callable[[], Any]]:
    """Return the figures of one world by name, each to be asked for."""
    exp = experiment(**made)
    log = months_at_risk(exp)
    seen = snapshot(exp)
    causes = (None, *exp.lifecycle.causes)
    return {
        "monthly churn": lambda: float(log["left"].mean()),
        "by month": lambda: [round(float(log["left"][log["month"] == m].mean()), 4) for m in range(0, 24, 3)],
        "by cause": lambda: {causes[k]: round(float((log["cause"][log["left"]] == k).mean()), 3)
                             for k in range(1, len(causes))},
        "contract end": lambda: contract_end(log),
        "first months": lambda: first_months(log),
        "revenue share": lambda: revenue_share(log),
        "AUC logistic": lambda: auc(*fitted_scores(seen, "logistic")),
        "AUC lightgbm": lambda: auc(*fitted_scores(seen, "lightgbm")),
        "top decile": lambda: top_decile_lift(*fitted_scores(seen, "lightgbm")),
        "usage rules": lambda: [usage_rule_lift(seen, fall) for fall in (0.2, 0.5, 0.8)],
        "usage flagged": lambda: [float((seen.usage[0] <= (1 - f) * seen.usage[1:4].mean(axis=0)).mean())
                                  for f in (0.2, 0.5, 0.8)],
        "bill rule": lambda: bill_rule_lift(seen, 0.2),
    }


if __name__ == "__main__":
    import sys

    for name, figure in everything(size=int(sys.argv[1]) if len(sys.argv) > 1 else 100_000).items():
        print(f"{name}: {figure()}")

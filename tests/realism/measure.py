"""How far a world is from what is known of real ones: every figure of the targets, measured from a simulation."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.campaign.response import acceptance_prob, odds_factor
from churnsim.campaign.wave import planned_contact_time
from churnsim.config.source import parse_yaml, read_yaml
from churnsim.experiment import stages
from churnsim.experiment.load import load_tree
from churnsim.experiment.settings import Experiment
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.lifecycle.treatment import everybody
from churnsim.population.categories import CUSTOMER_TYPES, PAYMENTS, STATES
from churnsim.population.generate import ENTRY_MONTHS
from churnsim.signals.observe import active_rows, features, observe

Array = npt.NDArray[Any]
Float64 = npt.NDArray[np.float64]

ROOT = Path(__file__).parents[2]
SEED = 20
# Months within which a subscriber at risk leaves.
SOON = 3


def experiment(*overrides: str, preset: str = "data_grounded", size: int = 100_000, scenario: str | None = None,
               seed: int = SEED) -> Experiment:
    """Return an experiment of a preset, or of a scenario of experiments/scenarios.yaml; overrides come last."""
    if scenario is not None:
        tree = read_yaml(ROOT / "experiments" / "scenarios.yaml")
        last = (f"scenarios.{scenario}.{override}" for override in overrides)
        loaded = load_tree(tree, folder=ROOT, overrides=(f"population.size={size}", f"seed={seed}", *last))
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


def monthly(made: Experiment, *, months: int = 24) -> dict[str, Float64]:
    """Return sums over the base of each month without a campaign, (months,) each.

    Subscribers there, leavers, leavers because of the service, newcomers, revenue, faults felt, tickets closed and
    the hours they took.
    """
    place = world(made, months=months)
    base = place.population(until=months)
    service = place.engine.causes.index("service") + 1
    sums: dict[str, Float64] = {name: np.zeros(months) for name in (
        "there", "left", "left_for_service", "joined", "revenue", "faults", "closed", "hours")}

    def add(block: Block) -> None:
        month, there = block.month.number, block["active"]
        left = (block["decision_time"] >= month) & (block["decision_time"] < month + 1)
        closed = there & (block["ticket_left_hours"] < 0.0)
        for name, of_month in (("there", there), ("left", left),
                               ("left_for_service", left & (block["cause"] == service)),
                               ("joined", block["join_month"] == month), ("revenue", block["revenue"][there]),
                               ("faults", there & block["fault"]), ("closed", closed),
                               ("hours", block["ticket_hours"][closed])):
            sums[name][month] += of_month.sum(dtype=np.float64)

    place.engine.run([(base, None)], start=0, months=months, observe=add)
    return sums


def monthly_churn(log: dict[str, Array]) -> float:
    """Return decisions to leave a month at risk."""
    return float(log["left"].mean())


def into_decline(made: Experiment, *, month: int = 8) -> dict[str, float]:
    """Return the share in decline a month later, by stage at the start of `month`; entry: those who leave it."""
    place = world(made, months=month + 1)
    base = place.population(until=month)
    place.engine.run([(base, None)], start=0, months=month)
    there = base.take(active_rows(base, month=month))
    was, spell = there["state"].copy(), there["spell_months"].copy()
    place.engine.run([(there, None)], start=month, months=1)
    of = {"entry": (was == STATES.index("entry")) & (spell == ENTRY_MONTHS - 1),
          "growth": was == STATES.index("growth"), "stable": was == STATES.index("stable")}
    return {name: float((there["state"][rows] == STATES.index("decline")).mean()) for name, rows in of.items()}


@dataclass(frozen=True)
class Decline:
    """Those in decline: usage and bills of three months over the three before, satisfaction less that of others.

    `usual` is the difference in the satisfaction to which each returns.
    """

    usage: float
    bill: float
    satisfaction: float
    usual: float


def decline(made: Experiment, *, month: int = 8) -> Decline:
    """Return what sets those apart who are in decline at the start of `month`, against growth and stable."""
    place = world(made, months=month)
    base = place.population(until=month)
    place.engine.run([(base, None)], start=0, months=month)
    base = base.take(active_rows(base, month=month))
    falls = base["state"] == STATES.index("decline")
    others = np.isin(base["state"], [STATES.index("growth"), STATES.index("stable")])

    def ratio(name: str) -> float:
        lags = [base.lag(name, month=month, months_ago=ago)[falls].sum(dtype=np.float64) for ago in range(1, 7)]
        return float(sum(lags[:3]) / sum(lags[3:]))

    def apart(name: str) -> float:
        points = base[name].astype(np.float64)
        return float(points[falls].mean() - points[others].mean())

    return Decline(ratio("usage_gb"), ratio("bill_amount"), apart("satisfaction"), apart("usual_satisfaction"))


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
class Fates:
    """Chances to have left some months after a campaign month starts, clocks of leaving integrated out.

    Attributes
    ----------
    soon, alone
        (n,) who is not contacted: within three months, and within all.
    contacted
        (n,) who is contacted when a campaign would, but accepts nothing.
    accepted
        (n, offers) who accepts an offer of the campaign.
    accept, reach
        (n, arms) chance that who is reached accepts, and that who is listed is reached.
    allowed
        (n, arms) who may be listed for an arm.
    offer
        (arms,) column of `accepted`.
    served
        (n,) who has not left yet; the operator still counts some who have.
    """

    soon: Float64
    alone: Float64
    contacted: Float64
    accepted: Float64
    accept: Float64
    reach: Float64
    allowed: npt.NDArray[np.bool_]
    offer: tuple[int, ...]
    served: npt.NDArray[np.bool_]

    def called(self, arm: int) -> Float64:
        """Return chances to have left of those reached, (n,)."""
        chance = self.accept[:, arm]
        return chance * self.accepted[:, self.offer[arm]] + (1.0 - chance) * self.contacted

    def listed(self, arm: int) -> Float64:
        """Return chances to have left of those listed, (n,)."""
        reach = self.reach[:, arm]
        return reach * self.called(arm) + (1.0 - reach) * self.alone

    def staying(self) -> Float64:
        """Return what being listed for an arm adds to the chance to stay, (n, arms); nan where not allowed."""
        effects = np.column_stack([self.alone - self.listed(arm) for arm in range(len(self.offer))])
        return np.where(self.allowed, effects, np.nan)

    def harmed(self) -> float:
        """Return the share of allowed pairs of subscriber and arm with an effect on staying below 0."""
        effects = self.staying()
        return float((effects[self.allowed] < 0.0).mean())

    def risk_and_effect(self) -> float:
        """Return Spearman's correlation of the chance to leave within three months and the best effect on staying."""
        from scipy.stats import spearmanr

        rows = self.allowed.any(axis=1)
        return float(spearmanr(self.soon[rows], np.nanmax(self.staying()[rows], axis=1)).statistic)


def fates(made: Experiment, *, months: int = 12) -> Fates:
    """Contact everybody in the campaign month, once with acceptance of each offer, under the inner draws' futures."""
    place = world(made, months=made.campaign_month + months)
    month, settings = made.campaign_month, made.signals
    base = stages.decision_base(stages.history(place), place.engine.schema)
    offers = made.campaign.offers
    time = planned_contact_time(settings.list_delay_days)
    arms = [None, *(everybody(len(base), contact_time=time, accepted=code)
                    for code in (0, *(place.offers.code(name) for name in offers)))]
    soon, stays = np.zeros(len(base)), np.zeros((len(arms), len(base)))

    def last(block: Block) -> None:
        rows = slice(block.low, block.high)
        if block.month.number == month + SOON - 1 and block.arm == 0:
            soon[rows] += block["active_next_prob"]
        if block.month.number == month + months - 1:
            stays[block.arm, rows] += block["active_next_prob"]

    engines = place.inner_engines()
    for engine in engines:
        engine.run([(base.copy(), arm) for arm in arms], start=month, months=months, observe=last, realise=False)
    left = 1.0 - stays / len(engines)
    soon = 1.0 - soon / len(engines)
    plans = place.reach(observe(base, month=month, settings=settings, key=place.key))
    accept = np.column_stack([
        acceptance_prob(made.offers[arm.offer], base, engine=place.engine, month=month,
                        channel_factor=odds_factor(made.offers[arm.offer], arm.channel, made.channels))
        for arm in place.arms()])
    return Fates(soon, left[0], left[1], left[2:].T, accept, plans.reach, plans.allowed,
                 tuple(offers.index(arm.offer) for arm in place.arms()), base["departure_time"] > month)


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

"""Hillstrom's e-mail test, real and randomised: does uplift beat risk? With -rP it prints the tables of the document.

Learned on one half (default_rng(42).random(n) < .5), valued on the other by doubly robust scores. The data are fixed,
and so are the seeds: nothing here is a matter of chance from run to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from churnsim.evaluation.effect_accuracy import effect_calibration
from churnsim.evaluation.logged_trial import LoggedTrial, logged_trial
from churnsim.evaluation.off_policy import policy_value, policy_values, value_difference
from churnsim.evaluation.ranking import Ranking, rank_by, rank_path
from churnsim.evaluation.uplift_curves import compare_rankings, comparison_text, gain_curve, qini_by_arm
from churnsim.policy.allocate import LEFT_ALONE, budget_path
from churnsim.uplift.learners import fit
from churnsim.uplift.scores import cross_fit_outcomes

NAMES = {"No E-Mail": "none", "Mens E-Mail": "mens", "Womens E-Mail": "womens"}
ARMS = tuple(NAMES.values())
THIRDS = dict.fromkeys(ARMS, 1 / 3)
# Made up, so that money is short: the mails themselves cost next to nothing.
COSTS = {"mens": 0.03, "womens": 0.02}
LEARNERS = ("t_logistic", "t_lightgbm", "x_lightgbm")


@dataclass(frozen=True)
class Half:
    X: pd.DataFrame
    rows: pd.DataFrame

    def log(self, outcome: str) -> LoggedTrial:
        return logged_trial(self.rows[outcome], treatment=self.rows["arm"], arms=ARMS, propensity=THIRDS, costs=COSTS)


@cache
def customers(folder: Path) -> pd.DataFrame:
    found = pd.read_csv(folder / "hillstrom" / "hillstrom.csv.gz")
    return found.assign(arm=found["segment"].map(NAMES))


@cache
def halves(folder: Path) -> tuple[Half, Half]:
    """Return the half to learn on, and the half to value on."""
    rows = customers(folder)
    words = pd.get_dummies(rows[["zip_code", "channel", "history_segment"]], dtype=float)
    X = pd.concat([rows[["recency", "history", "mens", "womens", "newbie"]].astype(float), words], axis=1)
    X.columns = X.columns.str.replace(" ", "_")
    first = np.random.default_rng(42).random(len(rows)) < 0.5
    return Half(X[first], rows[first]), Half(X[~first], rows[~first])


@cache
def effects(folder: Path, kind: str, outcome: str) -> pd.DataFrame:
    """Return the effects that a learner predicts for the other half, (n, 2)."""
    learn, value = halves(folder)
    fitted = fit(kind, learn.X, learn.rows[outcome], treatment=learn.rows["arm"], arms=ARMS, propensity=THIRDS, seed=42)
    return fitted.predict(value.X)


@cache
def risk(folder: Path, outcome: str) -> np.ndarray:
    """Return P(outcome above 0 | no mail) of the other half: what a churn model is in this trade."""
    learn, value = halves(folder)
    control = (learn.rows["arm"] == "none").to_numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(learn.X[control], learn.rows.loc[control, outcome] > 0)
    return np.asarray(model.predict_proba(value.X)[:, 1])


@cache
def outcomes(folder: Path, outcome: str) -> np.ndarray:
    """Return each row's expected outcome by arm, learned on the other folds of its half."""
    value = halves(folder)[1]
    return cross_fit_outcomes(value.X, value.rows[outcome], treatment=value.rows["arm"], arms=ARMS, folds=3, seed=1)


@cache
def scores(folder: Path, outcome: str) -> np.ndarray:
    return halves(folder)[1].log(outcome).effect_scores(outcomes(folder, outcome))


def shown(title: str, table: pd.DataFrame, digits: int = 4) -> None:
    print(f"\n{title}\n{table.round(digits).to_string()}")


@pytest.mark.parametrize(("outcome", "expected"), [
    ("visit", [[0.1062], [0.0766, 0.0034], [0.0452, 0.0032]]),
    ("conversion", [[0.0057], [0.0068, 0.0009], [0.0031, 0.0008]]),
    ("spend", [[0.6528], [0.7698, 0.1452], [0.4244, 0.1303]]),
])
def test_average_effects_of_both_mails(outcome, expected, data_dir) -> None:
    """All 64,000, to the four decimals known; by weighting with the shares that were really sent."""
    rows = customers(data_dir)
    sent = rows["arm"].value_counts(normalize=True).to_dict()
    log = logged_trial(rows[outcome], treatment=rows["arm"], arms=ARMS, propensity=sent)
    found = {arm: policy_value(log, np.full(len(rows), arm), method="snipw") for arm in ARMS}
    assert round(found["none"].value, 4) == expected[0][0]
    for arm, (effect, error) in zip(("mens", "womens"), expected[1:], strict=True):
        gap = value_difference(found[arm], found["none"])
        assert gap.low is not None and gap.high is not None
        assert round(gap.mean, 4) == pytest.approx(effect, abs=1e-9)
        assert round((gap.high - gap.low) / 2 / 1.96, 4) == pytest.approx(error, abs=1e-4)


def test_uplift_finds_those_whom_the_womens_mail_moves(data_dir) -> None:
    """T-learner with boosted trees, top 30 % of women's mail and control: near .074 (error .0086), not .047."""
    rows = halves(data_dir)[1].rows.assign(score=effects(data_dir, "t_lightgbm", "visit")["womens"].to_numpy())
    rows = rows[rows["arm"] != "mens"].sort_values("score", ascending=False, kind="stable")

    def effect(part: pd.DataFrame) -> float:
        visits = part.groupby("arm")["visit"].mean()
        return float(visits["womens"] - visits["none"])

    top, average = effect(rows[:int(0.3 * len(rows))]), effect(rows)
    print(f"women's mail, visit: top 30 % {top:.4f}, all {average:.4f}")
    assert abs(top - 0.074) < 2 * 0.0086
    assert round(average, 4) == 0.0465
    ranking = rank_by(effects(data_dir, "t_lightgbm", "visit")["womens"], arm=ARMS.index("womens") - 1)
    curve = gain_curve(scores(data_dir, "visit"), ranking, by="targeted", at=[0.3])
    assert abs(curve.loc[0, "gain"] / 0.3 - 0.074) < 2 * 0.0086


def rankings(folder: Path, arm: str, outcome: str) -> dict[str, Ranking]:
    k, at_risk = ARMS.index(arm) - 1, risk(folder, outcome)
    found = {"risk": rank_by(at_risk, arm=k), "random": rank_by(np.zeros(len(at_risk)), arm=k)}
    return found | {kind: rank_by(effects(folder, kind, outcome)[arm], arm=k) for kind in LEARNERS}


def test_uplift_against_risk(data_dir) -> None:
    """Uplift beats the risk ranking for the women's mail; for the men's it does not, and the text says so."""
    texts = {}
    for arm in ("mens", "womens"):
        table = compare_rankings(scores(data_dir, "visit"), rankings(data_dir, arm, "visit"), against="risk",
                                 by="targeted")
        texts[arm] = comparison_text(table)
        shown(f"{arm} mail, visits gained per head, mean over depths", table)
        print(texts[arm])
        learned = table.loc[list(LEARNERS)]
        if arm == "mens":
            assert (learned["difference"] < 0).all()
            assert table.loc["random", "verdict"] == "worse"
        else:
            assert (learned["verdict"] == "better").all()
    assert texts["mens"].startswith("No ranking is seen to beat risk.")
    assert texts["womens"].startswith("Better than risk: t_logistic, t_lightgbm, x_lightgbm.")


def test_qini_and_calibration_of_the_learner(data_dir) -> None:
    predicted = effects(data_dir, "t_logistic", "visit")
    qini = qini_by_arm(scores(data_dir, "visit"), predicted)
    fifths = effect_calibration(predicted, scores=scores(data_dir, "visit"), groups=5).set_index(["arm", "group"])
    shown("Qini of t_logistic", qini)
    shown("effects of t_logistic by fifth", fifths)
    assert qini.loc["womens", "low"] > 0
    womens = fifths.loc["womens"]
    assert womens.loc[5, "low"] > womens.loc[1, "high"]
    assert (fifths["low"] < fifths["predicted"]).mean() > 0.7 and (fifths["predicted"] < fifths["high"]).mean() > 0.7


def test_revenue_uplift_by_response_transformation(data_dir) -> None:
    """A regression of Gubela et al.'s Z on features, against uplift of conversion: more spend, within the noise."""
    learn, value = halves(data_dir)
    z = learn.log("spend").effect_scores()
    model = make_pipeline(StandardScaler(), LinearRegression())
    revenue = model.fit(learn.X.to_numpy(), z).predict(value.X.to_numpy())
    for k, arm in enumerate(ARMS[1:]):
        found = {"conversion_uplift": rank_by(effects(data_dir, "t_logistic", "conversion")[arm], arm=k),
                 "risk": rank_by(risk(data_dir, "spend"), arm=k), "transformed_spend": rank_by(revenue[:, k], arm=k)}
        table = compare_rankings(scores(data_dir, "spend"), found, against="conversion_uplift", by="targeted")
        shown(f"{arm} mail, USD gained per head, mean over depths", table)
        assert table.loc["transformed_spend", "verdict"] == "not told apart"
        assert table.loc["transformed_spend", "difference"] > 0


def test_the_frontier_of_both_mails_under_a_budget(data_dir) -> None:
    """Who gets which mail as money grows: valued on the other half, both mails beside either alone."""
    predicted = effects(data_dir, "t_logistic", "visit").to_numpy()
    costs = np.tile(list(COSTS.values()), (len(predicted), 1))
    path = budget_path(predicted, costs)
    visits = scores(data_dir, "visit")
    curve = gain_curve(visits, rank_path(path), by="spend", at=np.linspace(0, 0.025, 6))
    shown("both mails, visits gained per head against USD spent per head", curve)
    found = {name: rank_path(budget_path(predicted, costs, allowed=np.tile(allowed, (len(predicted), 1))))
             for name, allowed in {"both": [True, True], "mens": [True, False], "womens": [False, True]}.items()}
    alone = compare_rankings(visits, found, against="both", by="spend", upto=0.02)
    shown("visits gained per head, mean over budgets to 0.02 USD per head", alone)
    assert (curve["gain"].diff().dropna() > 0).all() and (curve.loc[1:, "low"] > 0).all()
    assert (alone.loc[["mens", "womens"], "difference"] < 0).all()
    budget = 0.015 * len(predicted)
    arm = path.at(budget).arm
    log = halves(data_dir)[1].log("visit")
    table = policy_values(log, np.array(ARMS)[arm + 1], outcome_by_arm=outcomes(data_dir, "visit"), budget=budget)
    shown("the plan of 0.015 USD per head: visits less USD, per head", table)
    given = {name: int((arm == k).sum()) for k, name in enumerate(ARMS[1:])} | {"none": int((arm == LEFT_ALONE).sum())}
    print(given)
    dr, ipw = table.loc["dr"], table.loc["ipw"]
    assert dr["low"] < ipw["value"] < dr["high"] and dr["standard_error"] <= ipw["standard_error"]
    nobody = policy_values(log, np.full(len(arm), "none"), outcome_by_arm=outcomes(data_dir, "visit")).loc["dr"]
    assert dr["value"] - nobody["value"] == pytest.approx(curve.loc[3, "gain"] - 0.015, abs=2e-5)

"""Learners judged by the truth: one that knows it, one that knows nothing, one that is the wrong way round."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_world import small_world

from churnsim.experiment.accuracy import DEPTH_SHARES, EFFECT_EDGES, accuracy
from churnsim.experiment.store import Cell

N, BUDGET = 400, 150.0
OFFERS = ("discount_30", "contract_device", "service_recovery")


@pytest.fixture(scope="module")
def found() -> dict[str, pd.DataFrame]:
    """Return the tables of a made plan and truth, arms in the order of the small world; six for each offer first."""
    world = small_world(f"campaign.budget_amount={BUDGET}")
    rng = np.random.default_rng(2)
    shape = (N, len(world.arms()))
    worth = rng.normal(0.0, 4.0, shape)
    allowed = np.ones(shape, bool)
    # Nine who may have the last offer tell nothing.
    allowed[9:, -2:] = False
    cost = rng.uniform(0.5, 1.5, shape)
    plan = {"reach": np.ones(shape), "contact_cost": cost, "minutes": cost, "allowed": allowed,
            "accept": np.zeros(shape), "offer_cost": np.zeros(shape), "risk": rng.uniform(0.0, 1.0, N),
            "margin": np.ones(N), "segment": np.full(N, -1, np.int32)}
    # A learner's value is what is kept less the contact.
    for name, value in (("knows", worth), ("knows_nothing", np.zeros(shape)), ("turned", -2.0 * worth)):
        plan |= {f"kept.{name}": value + cost, f"effects.{name}": value}
    truth = {"net_value": worth, "staying": rng.normal(0.0, 0.08, shape), "stays_alone": rng.uniform(0.0, 1.0, N)}
    cell = accuracy(world, Cell(arrays={"ids": np.arange(N)}), Cell({"best": {}}, plan), Cell(arrays=truth))
    assert cell.facts == {} and not cell.arrays
    return {name: pd.DataFrame(frame) for name, frame in cell.frames.items()} | {"worth": pd.DataFrame(worth)}


def test_errors_of_values(found: dict[str, pd.DataFrame]) -> None:
    errors = found["accuracy"].set_index(["offer", "learner"])
    assert set(found["accuracy"]["offer"]) == set(OFFERS[:2])
    true = found["worth"][0]
    knows, turned, nothing = (errors.loc[("discount_30", name)] for name in ("knows", "turned", "knows_nothing"))
    assert knows["pehe_amount"] == pytest.approx(0.0, abs=1e-12) and knows["calibration_slope"] == pytest.approx(1.0)
    assert (knows["rank_correlation"], turned["rank_correlation"]) == pytest.approx((1.0, -1.0))
    assert turned["pehe_amount"] == pytest.approx(3.0 * np.sqrt((true**2).mean()))
    assert turned["calibration_slope"] == pytest.approx(-0.5) and turned["qini_amount"] < 0.0 < knows["qini_amount"]
    # One value for all has no ranks and no slope.
    assert np.isnan(nothing["rank_correlation"]) and nothing["pehe_amount"] == pytest.approx(np.sqrt((true**2).mean()))
    assert (knows["subscribers"], knows["mean_true_amount"]) == pytest.approx((N, true.mean()))


def test_money_lost_by_each_learner(found: dict[str, pd.DataFrame]) -> None:
    money = found["learner_value"].set_index("learner")
    assert money.loc["knows", "regret_amount"] == pytest.approx(0.0, abs=1e-9)
    assert money.loc["knows", "share_kept"] == pytest.approx(1.0)
    assert (money.loc["knows_nothing", ["targeted", "true_value_amount"]] == 0.0).all()
    assert money.loc["turned", "regret_amount"] > money.loc["knows_nothing", "regret_amount"] > 0.0


def test_gain_starts_at_nothing_and_ends_with_everybody(found: dict[str, pd.DataFrame]) -> None:
    gains = found["gain_curves"]
    for _, rows in gains.groupby(["offer", "ranking"]):
        assert rows["depth_share"].tolist() == pytest.approx(list(DEPTH_SHARES))
        assert rows["gain_amount"].iloc[0] == 0.0
        assert rows["gain_amount"].iloc[-1] == pytest.approx(rows["random_gain_amount"].iloc[-1])
    wide = gains[gains["offer"] == "discount_30"].pivot(index="depth_share", columns="ranking", values="gain_amount")
    assert wide["knows"].tolist() == pytest.approx(wide["by true effect"].tolist())
    assert (wide["by true effect"].to_numpy()[:, None] >= wide.to_numpy() - 1e-9).all()


def test_deciles_go_up_for_who_knows_and_down_for_who_is_wrong(found: dict[str, pd.DataFrame]) -> None:
    deciles = found["effect_deciles"]
    for learner, slope in (("knows", 1.0), ("turned", -0.5)):
        rows = deciles[(deciles["learner"] == learner) & (deciles["offer"] == "discount_30")]
        assert rows["subscribers"].tolist() == [N // 10] * 10
        assert rows["true_amount"].tolist() == pytest.approx((slope * rows["predicted_amount"]).tolist())
        assert rows["predicted_amount"].is_monotonic_increasing


def test_everybody_is_of_one_kind_and_in_one_cell_of_the_grid(found: dict[str, pd.DataFrame]) -> None:
    assert (found["subscriber_kinds"].groupby("offer")["subscribers"].sum() == N).all()
    grid = found["risk_effect_grid"]
    assert (grid.groupby("offer")["subscribers"].sum() == N).all()
    # Effects of 8 points spread go beyond both edges, and count there.
    assert grid["effect_from"].min() == EFFECT_EDGES[0] and grid["effect_to"].max() == EFFECT_EDGES[-1]
    kinds = found["subscriber_kinds"].set_index(["offer", "kind"])["subscribers"]
    band = grid[(grid["offer"] == "discount_30") & (grid["effect_from"].round(3) == -0.005)]
    assert band["subscribers"].sum() == kinds["discount_30", "sure_thing"] + kinds["discount_30", "lost_cause"]

"""The table of offers: small cases by hand, and what every offer must obey."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from small_world import base_at_campaign, small_world

from churnsim.core.columns import Subscribers
from churnsim.evaluation.catalogue import CAUSE, CONTACT, Candidates, offer_effects
from churnsim.evaluation.truth import responses
from churnsim.experiment.world import World

MONTH = 8
# A contact does nothing by itself.
SILENT = ("lifecycle.contact.wake=0.0", "lifecycle.contact.goodwill_points=0.0",
          "lifecycle.contact.goodwill_points_by_attitude=0.0", "lifecycle.contact.fatigue_points=0.0")
# The end of a discount is no shock, so that it only ever helps.
PURE = (*SILENT, "lifecycle.contact.discount_shock_persistence=0.0",
        "lifecycle.causes.price.coefficients.discount_shock=0.0", "lifecycle.win_back.return_prob=0.0")


def people(world: World) -> Subscribers:
    base = base_at_campaign(world)
    return base.take(np.flatnonzero((base["departure_time"] > MONTH) & (base["join_month"] < MONTH)))


def effects(world: World, base: Subscribers, *offers: str, accept: float = 1.0, contact_time: float = 0.1,
            years: int = 1, rate_annual: float = 0.1) -> pd.DataFrame:
    everybody = Candidates(np.arange(len(base)), np.full(len(base), accept))
    return offer_effects(base, lambda watch: world.inner_engines(watch=watch),
                         candidates=dict.fromkeys(offers, everybody), years=years, month=MONTH,
                         contact_time=contact_time, rate_annual=rate_annual)


def of(table: pd.DataFrame, offer: str, year: int = 1) -> pd.Series:
    return table[(table["offer"] == offer) & (table["year"] == year)].iloc[0]


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("population.size=900", "evaluation.inner_draws=2", "evaluation.horizon_months=25", *PURE)


@pytest.fixture(scope="module")
def base(world: World) -> Subscribers:
    return people(world)


@pytest.fixture(scope="module")
def table(world: World, base: Subscribers) -> pd.DataFrame:
    return effects(world, base, CONTACT, "discount_30", "service_recovery", years=2)


def test_rows_are_offers_by_year(table: pd.DataFrame, base: Subscribers) -> None:
    assert table["offer"].tolist() == [CONTACT] * 2 + ["discount_30"] * 2 + ["service_recovery"] * 2
    assert table["year"].tolist() == [1, 2] * 3
    assert (table["eligible"] == len(base)).all()


def test_a_contact_that_does_nothing_changes_nothing(table: pd.DataFrame) -> None:
    row = of(table, CONTACT, 2)
    assert row[["effect_on_staying", "net_value_per_acceptor"]].tolist() == pytest.approx([0.0, 0.0], abs=1e-7)
    assert row["cost_per_acceptor"] == 0.0
    assert row["negative_share"] == 0.0 and np.isnan(row["cost_to_stayers_share"])


def test_a_discount_does_not_save_who_moves_away(table: pd.DataFrame) -> None:
    """Leaving for price, competitor and contract end falls; causes that it leaves alone gain from the saved."""
    row = of(table, "discount_30")
    for cause in ("price", "competitor", "contract_end"):
        assert row[f"{CAUSE}{cause}"] < 0.0, cause
    for cause in ("relocation", "need_gone", "handset_lost", "arrears"):
        assert row[f"{CAUSE}{cause}"] >= 0.0, cause
    assert row[f"{CAUSE}relocation"] > 0.0


def test_a_mended_complaint_saves_from_leaving_for_service(table: pd.DataFrame) -> None:
    row = of(table, "service_recovery")
    falls = {name: row[name] for name in table.columns if name.startswith(CAUSE)}
    assert min(falls, key=falls.__getitem__) == f"{CAUSE}service" and row["effect_on_staying"] > 0.0


def test_an_offer_after_the_decision_saves_nobody(world: World, base: Subscribers) -> None:
    """All have decided and are served for another third of a month: nothing is saved, nothing is owed."""
    gone = base.copy()
    gone["decision_time"], gone["departure_time"] = MONTH - 0.1, MONTH + 0.2
    row = of(effects(world, gone, "contract_device"), "contract_device")
    assert row["effect_on_staying"] == row["cost_per_acceptor"] == row["net_value_per_acceptor"] == 0.0
    assert not row[[name for name in row.index if name.startswith(CAUSE)]].any()


def test_the_later_the_contact_the_fewer_are_saved(world: World, base: Subscribers) -> None:
    early, late = (of(effects(world, base, "discount_30", contact_time=time), "discount_30") for time in (0.05, 0.95))
    assert 0.0 < late["effect_on_staying"] < early["effect_on_staying"]


def test_effect_and_value_are_those_of_truth(world: World, base: Subscribers) -> None:
    """One year here is a horizon of 12 months there; being active is read a month later there."""
    settings = world.experiment.evaluation.model_copy(update={"horizon_months": 13})
    found = responses(base, world.inner_engines(), settings, offers=("contract_device",), month=MONTH,
                      contact_time=0.1)
    row = of(effects(world, base, "contract_device"), "contract_device")
    assert row["effect_on_staying"] == pytest.approx(found.staying[:, 1].mean(), rel=1e-9)
    year = settings.model_copy(update={"horizon_months": 12})
    value = responses(base, world.inner_engines(), year, offers=("contract_device",), month=MONTH, contact_time=0.1)
    assert row["net_value_per_acceptor"] == pytest.approx(value.value[:, 1].mean(), rel=1e-6)


def test_those_who_accept_are_weighted(world: World, base: Subscribers) -> None:
    """Half of the base accepts for sure, the others never: the money is that of the half alone."""
    half = np.arange(len(base)) % 2 == 0
    made = {"service_recovery": Candidates(np.arange(len(base)), half.astype(float))}
    weighted = offer_effects(base, lambda watch: world.inner_engines(watch=watch), candidates=made, years=1,
                             month=MONTH, contact_time=0.1, rate_annual=0.1).iloc[0]
    alone = of(effects(world, base.take(np.flatnonzero(half)), "service_recovery"), "service_recovery")
    assert weighted["accept_prob"] == pytest.approx(half.mean())
    for name in ("cost_per_acceptor", "net_value_per_acceptor", "cost_to_stayers_share"):
        assert weighted[name] == pytest.approx(alone[name], rel=1e-9), name


def test_nobody_eligible_is_no_error(world: World, base: Subscribers) -> None:
    nobody = {"discount_30": Candidates(np.zeros(0, np.int64), np.zeros(0))}
    row = offer_effects(base, lambda watch: world.inner_engines(watch=watch), candidates=nobody, years=1, month=MONTH,
                        contact_time=0.1, rate_annual=0.1).iloc[0]
    assert row["eligible"] == 0 and np.isnan(row["effect_on_staying"]) and np.isnan(row["cost_per_acceptor"])


def test_the_cost_of_a_gift_by_hand() -> None:
    """Nobody leaves: 4 a line and 1 a month for two months, all of it to those who stay; it earns nothing."""
    causes = small_world().experiment.lifecycle.causes
    sure = small_world(
        "population.size=60", "evaluation.inner_draws=1", *PURE,
        "offers.service_recovery={hazard_multipliers: {}, monthly_cost_amount: 1.0, effect_months: 2}",
        "lifecycle.plan.line_loss_prob=1.0e-9", "lifecycle.plan.line_gain_prob=1.0e-9",
        *(f"lifecycle.causes.{name}.intercept=-40.0" for name in causes))
    kept = people(sure)
    kept = kept.take(np.flatnonzero(kept["decision_time"] == np.inf))
    row = of(effects(sure, kept, "service_recovery", rate_annual=0.0), "service_recovery")
    assert row["cost_per_acceptor"] == pytest.approx(4.0 * kept["lines"].mean() + 2.0, rel=1e-6)
    assert row["cost_to_stayers_share"] == pytest.approx(1.0)
    assert row["effect_on_staying"] == pytest.approx(0.0, abs=1e-9)

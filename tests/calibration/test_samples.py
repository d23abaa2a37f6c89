"""Simulated samples: whose chance in which month, drawn outcomes, and which features a mapping gives."""

from __future__ import annotations

import numpy as np
import pytest
from small_world import load_small

from churnsim.calibration import simulated
from churnsim.calibration.moments import MOMENTS, churn_where, lift_of, share_flagged
from churnsim.calibration.sample import Sample, known_features
from churnsim.calibration.simulated import (
    Rows,
    drawn_sample,
    experiment_with,
    first_table,
    simulated_samples,
    staying_probs,
)
from churnsim.experiment.world import make_world
from churnsim.population.generate import generate

N = 1500


def rows(delay=0, **known):
    churn = (np.arange(N) % 4 == 0).astype(float)
    return Rows(np.arange(N), {name: np.asarray(v, float) for name, v in known.items()}, churn, 0.02, delay)


@pytest.fixture(scope="module")
def loaded():
    return load_small()


@pytest.fixture
def one_world(monkeypatch):
    monkeypatch.setattr(simulated, "WORLDS", 1)


def test_the_chance_is_that_of_the_outcomes_month(loaded, one_world):
    world = make_world(loaded.experiment, replicate=0, folder=loaded.folder, months=12)
    base = generate(np.arange(N), loaded.experiment.population.traits, key=world.key)
    staying = staying_probs(world, base, start=0, months=3)
    # Right after the table who decides, later who goes, ten days after the decision.
    for delay, wanted in ((0, 1 - staying.undecided[1]), (2, 1 - staying.active[3] / staying.active[2])):
        sample = simulated_samples(rows(delay), loaded.experiment, loaded.folder, wanted={"rows"})["rows"]
        np.testing.assert_allclose(sample.left, wanted, rtol=1e-12)
    decides = 1 - staying.undecided[3] / staying.undecided[2]
    assert 0.9 < wanted.mean() / decides.mean() < 1.1 and not np.allclose(wanted, decides, rtol=1e-3)


def test_the_table_stands_at_the_start_and_lived_rows_have_aged(loaded, one_world):
    tenure = np.arange(N) % 50
    found = simulated_samples(rows(tenure_months=tenure), loaded.experiment, loaded.folder, wanted={"rows", "lived"})
    np.testing.assert_array_equal(found["rows"].columns["tenure_months"], tenure)
    np.testing.assert_array_equal(found["lived"].columns["tenure_months"], tenure + simulated.LIVED_MONTHS)
    assert (found["rows"].weight == 1.0).all() and (found["lived"].weight < 1.0).all()


def test_a_higher_level_moves_every_chance_and_no_draw(loaded, one_world):
    data = loaded.experiment.plain()
    intercepts = {f"lifecycle.causes.{name}.intercept": cause.intercept + 0.1
                  for name, cause in loaded.experiment.lifecycle.causes.items()}
    samples = [simulated_samples(rows(), experiment_with(data, values), loaded.folder, wanted={"rows"})["rows"]
               for values in ({}, intercepts)]
    # Nobody's hazard but by the factor exp(.1): traits and months are the same.
    before, after = (-np.log(1.0 - sample.left) for sample in samples)
    # A handful get a new line in that month, and its terms, the more easily the higher the level.
    assert np.isclose(after / before, np.exp(0.1), rtol=1e-3).mean() > 0.99


def test_drawn_outcomes_are_as_frequent_as_the_tables(loaded, one_world):
    table = rows()
    sample = Sample({}, np.full(N, 0.02), np.ones(N), 0.02)
    drawn = drawn_sample(table, sample, columns={}, seed=1)
    # 1,500 draws at 25 %: standard deviation 1.1 points.
    assert drawn.left.mean() == pytest.approx(0.25, abs=0.045)
    assert set(np.unique(drawn.left)) == {0.0, 1.0}
    assert drawn.rate(float(drawn.left.mean())) == pytest.approx(0.02)


def test_features_of_mapped_columns_alone(loaded):
    tenure = np.arange(N) % 50
    table = first_table(rows(tenure_months=tenure), loaded.experiment, loaded.folder)
    found = known_features(table, ("tenure_months",))
    assert {"log_tenure", "newness"} <= set(found)
    assert not {"log_price", "out_of_contract", "contract_left", "prepaid", "log_usage", "complaints"} & set(found)


def test_moments_by_hand():
    columns = {"tenure_months": np.array([1.0, 1, 9, 9]), "rule.r": np.array([1.0, 0, 1, 0])}
    simulated_rows = Sample(columns, np.array([0.1, 0.3, 0.0, 0.2]), np.array([1.0, 1, 2, 2]), 0.02)
    assert churn_where("tenure_months", 0, 6)(simulated_rows).value == pytest.approx(20.0)
    assert churn_where()(simulated_rows).value == pytest.approx(100 * 0.8 / 6)
    recall, false = 0.1 / 0.8, (0.9 + 2.0) / (0.9 + 0.7 + 2.0 + 1.6)
    share = 0.02 * recall + 0.98 * false
    assert share_flagged("r")(simulated_rows).value == pytest.approx(100 * share)
    assert lift_of("r")(simulated_rows).value == pytest.approx(recall / share)


def test_an_oversampled_rate_and_its_error():
    # 400 rows of a table in which half left, a quarter of these: the spread of 20,000 simulated shares.
    rng = np.random.default_rng(1)
    sample = Sample({}, np.r_[np.ones(100), np.zeros(300)], np.ones(400), 0.02, 0.5)
    estimate = churn_where()(sample)
    spread = np.std([100 * sample.rate(share) for share in rng.binomial(400, 0.25, 20_000) / 400])
    assert estimate.value == pytest.approx(100 * sample.rate(0.25))
    assert estimate.se == pytest.approx(spread, rel=0.05)


def test_names_of_moments_are_unique_and_groups_used():
    from churnsim.calibration.tunables import TUNABLES

    assert len({m.name for m in MOMENTS}) == len(MOMENTS)
    groups = {m.group for m in MOMENTS}
    assert all(set(t.groups) <= groups for t in TUNABLES)
    assert groups - {g for t in TUNABLES for g in t.groups} == {"model"}

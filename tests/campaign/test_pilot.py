"""The pilot: who takes part, outcomes by hand, and its effects against those of exact twins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_world import small_world

from churnsim.campaign.pilot import may_contact, run_pilot
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.experiment.world import World
from churnsim.lifecycle.block import Block, Month
from churnsim.lifecycle.default import Lifecycle
from churnsim.population.columns import SCHEMA
from churnsim.population.generate import PILOT_FIRST_ID, entrant_ids, evaluation_ids, pilot_ids
from churnsim.signals.observe import Observed, features, observe
from churnsim.uplift.trial import CONTROL, Trial

START = 2


def run(world: World, *, engine: Lifecycle | None = None, base: Subscribers | None = None) -> Trial:
    e = world.experiment
    return run_pilot(
        world.pilot_population() if base is None else base,
        e.pilot,
        tries=e.campaign.offers,
        engine=engine or world.engine,
        signals=e.signals,
        channels=e.channels,
        capacity=e.capacity,
        rate_annual=0.1,
    )


@pytest.fixture(scope="module")
def world() -> World:
    return small_world("pilot.size=8000")


@pytest.fixture(scope="module")
def trial(world: World) -> Trial:
    return run(world)


def ids_of(trial: Trial) -> np.ndarray:
    return trial.X.index.to_numpy()


def test_ids_are_the_pilots_own(world: World, trial: Trial) -> None:
    most = 2**39
    assert pilot_ids(1)[0] == PILOT_FIRST_ID > evaluation_ids(5)[-1] and most == PILOT_FIRST_ID
    assert pilot_ids(3)[-1] < entrant_ids(1, cohort_month=0)[0]
    assert (ids_of(trial) >= PILOT_FIRST_ID).all() and (np.diff(ids_of(trial)) > 0).all()
    assert not np.isin(ids_of(trial), world.population().ids).any()


@pytest.mark.parametrize(("channel", "consent"), [("call", "call_consent"), ("sms", "sms_consent")])
def test_only_those_with_consent_and_details_take_part(channel: str, consent: str) -> None:
    world = small_world(
        f"pilot.channel={channel}",
        "population.traits.contactable_share=0.6",
        "population.traits.call_consent_share=0.5",
        "population.traits.sms_consent_share=0.7",
    )
    start = world.pilot_population()
    may = start.ids[(start["contactable"] == 1) & (start[consent] == 1)]
    found = ids_of(run(world))
    assert np.isin(found, may).all()
    # Nobody else is missing but those who left in the two months before.
    assert 0.9 * len(may) < len(found) < len(may)


def test_may_contact_by_hand() -> None:
    table = Subscribers.empty(SCHEMA, np.arange(4))
    table["contactable"], table["call_consent"], table["sms_consent"] = [1, 1, 0, 1], [1, 0, 1, 0], [0, 1, 1, 1]
    seen = Observed(table, 0)
    assert may_contact(seen, "live").tolist() == [True, False, False, False]
    assert may_contact(seen, "automatic").tolist() == [True, False, False, False], "a machine that talks calls"
    assert may_contact(seen, "batch").tolist() == [False, True, False, True]


def test_arms_have_their_shares(world: World, trial: Trial) -> None:
    n, control = len(trial.X), world.experiment.pilot.control_share
    shares = {CONTROL: control} | dict.fromkeys(trial.offers, (1.0 - control) / 3)
    for arm, share in shares.items():
        # 4 standard errors, four arms: false alarm 3e-4.
        assert (trial.assigned == arm).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / n)), arm
    assert set(trial.assigned) == set(shares) and trial.offers == world.experiment.campaign.offers


def test_the_ineligible_are_assigned_but_not_contacted(trial: Trial) -> None:
    k = trial.offers.index("contract_device")
    ineligible = (trial.assigned == "contract_device") & ~trial.eligible[:, k]
    assert ineligible.sum() > 100
    assert not trial.reached[ineligible].any() and not trial.accepted[ineligible].any()
    assert not trial.reached[trial.assigned == CONTROL].any()
    assert trial.reached[(trial.assigned == "contract_device") & trial.eligible[:, k]].mean() > 0.3
    rows = trial.rows_for("contract_device")
    assert trial.eligible[rows, k].all()
    assert set(trial.assigned[rows]) == {CONTROL, "contract_device"}
    assert len(rows) == (trial.eligible[:, k] & np.isin(trial.assigned, [CONTROL, "contract_device"])).sum()
    # A quarter for control and for each of three offers.
    assert trial.propensity_by_arm == pytest.approx(np.full((len(trial.X), 4), 0.25))
    assert trial.propensity("contract_device") == pytest.approx({CONTROL: 0.5, "contract_device": 0.5})


def test_features_are_those_at_assignment(world: World, trial: Trial) -> None:
    quiet = small_world("pilot.size=8000", "signals.usage_noise_log_sd=0.0")
    base = quiet.pilot_population()
    quiet.engine.run([(base, None)], start=0, months=START)
    rows = np.flatnonzero(np.isin(base.ids, ids_of(trial)))
    table = observe(base.take(rows), month=START, settings=quiet.experiment.signals, key=quiet.key)
    assert features(table).equals(run(quiet).X)


class Scripted(Lifecycle):
    """An engine in which everybody leaves, and comes back, when a script says so; nobody before the pilot starts."""

    def __init__(self, engine: Lifecycle, decision: np.ndarray, back: np.ndarray) -> None:
        self.__dict__.update(engine.__dict__)
        self.decision = decision
        self.back = back

    def run(self, arms: Any, *, start: int, months: int, observe: Any = None, **_: Any) -> None:
        base, treatment = arms[0]
        if observe is None:
            return
        self.contact = np.full(len(base), np.inf)
        self.contact[treatment.row] = treatment.time
        decision = self.decision[base.ids - PILOT_FIRST_ID]
        base["decision_time"], base["departure_time"] = decision, decision + 0.5
        for month in range(start, start + months):
            returns = self.back[base.ids - PILOT_FIRST_ID] == month
            base["decision_time"][returns] = base["departure_time"][returns] = np.inf
            contact = np.where(np.isfinite(self.contact) & (month == start), self.contact, 0.0)
            block = Block.over(base, self.schema, month=Month(month, first=month == start), treatment=treatment)
            block["active"] = base["departure_time"] > month
            block["undecided"] = decision > month + contact
            observe(block)


def test_outcomes_by_hand() -> None:
    world = small_world(
        "pilot.size=6",
        "pilot.control_share=0.001",
        "campaign.offers=[discount_30]",
        "offers.discount_30.acceptance.base_prob=0.999999",
        "offers.discount_30.eligibility.min_tenure_months=0",
        "pilot.outcome_months=6",
        "channels.call.answer_prob_by_hour=[" + "1.0," * 23 + "1.0]",
        "signals.list_delay_days=3.0",
        "signals.risk_horizon_months=3",
    )
    base = world.pilot_population()
    for name in ("contactable", "call_consent"):
        base[name] = 1
    base["answer_habit"] = 9.0
    # Months count from 2; service ends half a month after the decision.
    decision = START + np.array([np.inf, 0.01, 2.7, 5.5, 0.3, 3.2])
    # The fifth is away for a month, the last for two.
    back = START + np.array([9, 9, 9, 9, 2, 5])
    engine = Scripted(world.engine, decision, back)
    trial = run(world, engine=engine, base=base)
    assert trial.assigned.tolist() == ["discount_30"] * 6 and trial.reached.all()
    assert (engine.contact >= 0.1).all() and (engine.contact < 0.2).all()
    # The second had decided three days before the call: its yes is none.
    assert trial.accepted.tolist() == [True, False, True, True, True, True]
    # Departures: never, month 0.51, 3.2, 6.0, 0.8, 3.7. A bill is due at the start of each month on the network.
    assert trial.stayed.tolist() == [True, False, False, False, True, True]
    # Whoever came back has left all the same; the last did so after the horizon of three months.
    assert trial.left_early.tolist() == [False, True, False, False, True, False]
    worth = 1.1 ** (-np.arange(6) / 12)
    assert trial.margin_months == pytest.approx(
        [worth.sum(), 1.0, worth[:4].sum(), worth.sum(), 1.0 + worth[2:].sum(), worth.sum() - worth[4]])


def test_effect_of_assignment_agrees_with_exact_twins() -> None:
    """The trial's difference in means and the mean difference of twins estimate one effect.

    Tolerance 4 standard errors of the trial's difference, two offers: false alarm below 2e-4.
    """
    causes = small_world().experiment.lifecycle.causes
    strong = "{" + ", ".join(f"{name}: 0.02" for name in causes) + "}"
    world = small_world(
        "pilot.size=12000",
        "campaign.offers=[discount_30, contract_device]",
        "market.season_amplitude=0.0",
        f"offers.discount_30.hazard_multipliers={strong}",
        "offers.discount_30.effect_months=6",
        "offers.discount_30.acceptance.base_prob=0.95",
        *(f"lifecycle.causes.{name}.intercept=-4.6" for name in causes),
    )
    trial = run(world)
    untreated = world.pilot_population()
    world.engine.run([(untreated, None)], start=0, months=START + world.experiment.pilot.outcome_months)
    alone = untreated["departure_time"] > START + world.experiment.pilot.outcome_months
    alone = alone[np.isin(untreated.ids, ids_of(trial))]
    control = trial.assigned == CONTROL
    assert np.array_equal(trial.stayed[control], alone[control])
    for k, offer in enumerate(trial.offers):
        rows = trial.rows_for(offer)
        treated, held = rows[trial.assigned[rows] == offer], rows[control[rows]]
        twins = trial.stayed[treated].astype(float) - alone[treated]
        difference = trial.stayed[treated].mean() - trial.stayed[held].mean()
        error = np.sqrt(sum(trial.stayed[arm].var() / len(arm) for arm in (treated, held)))
        assert trial.eligible[rows, k].all()
        assert difference == pytest.approx(twins.mean(), abs=4 * error), offer
        if offer == "discount_30":
            assert twins.mean() > 0.08 > 4 * error


def test_same_key_same_trial_and_another_replicate_another(world: World, trial: Trial) -> None:
    again = run(world)
    assert again.X.equals(trial.X) and np.array_equal(again.assigned, trial.assigned)
    assert np.array_equal(again.margin_months, trial.margin_months)
    other = run(small_world("pilot.size=8000", replicate=1))
    assert world.engine.key != make_key(seed=7, replicate=1)
    assert not np.array_equal(other.assigned[:500], trial.assigned[:500])

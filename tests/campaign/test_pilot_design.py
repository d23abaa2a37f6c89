"""Chances of a pilot's arms and the draw by them: counts and chances by hand, keyed, whatever the shares."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churnsim.campaign.pilot_design import (
    MARGIN_TIERS,
    assign,
    design_probabilities,
    group_codes,
    held_out,
    of_kind,
    offer_shares,
    strata_codes,
    stratum_rows,
)
from churnsim.campaign.settings import STRATA, PilotSettings
from churnsim.core.columns import Subscribers
from churnsim.core.draws import choice, make_key, stream
from churnsim.population.columns import SCHEMA
from churnsim.signals.observe import Observed

KEY = make_key(seed=3, replicate=0)
TRIES = ("gift", "call", "pack")
NOBODY_BACK = np.zeros(3, bool)


def pilot(**changes: Any) -> PilotSettings:
    plain = {"size": 9, "start_month": 2, "outcome_months": 6, "control_share": 0.4, "channel": "call", **changes}
    return PilotSettings.model_validate(plain)


def table_of(n: int, **columns: Any) -> Observed:
    base = Subscribers.empty(SCHEMA, np.arange(n) + 50)
    for name, values in columns.items():
        base[name] = values
    return Observed(base, 2)


def chances(settings: PilotSettings, table: Observed, *, lost: Any = None, back: Any = NOBODY_BACK) -> np.ndarray:
    n = len(table)
    none = np.zeros(n, bool)
    return design_probabilities(settings, table, margin=np.arange(n, dtype=float),
                                lost=none if lost is None else np.array(lost), tries=TRIES, for_lost=np.array(back))


# Chances


def test_by_control_share_the_offers_share_the_rest_equally() -> None:
    assert chances(pilot(), table_of(2)) == pytest.approx(np.array([[0.4, 0.2, 0.2, 0.2]] * 2))


def test_shares_are_taken_as_they_stand() -> None:
    shares = {"control": 0.5, "gift": 0.1, "call": 0.15, "pack": 0.25}
    assert np.array_equal(chances(pilot(shares=shares), table_of(1)), [[0.5, 0.1, 0.15, 0.25]])


def test_each_kind_of_subscriber_shares_the_offers_for_it() -> None:
    lost, back = [False, True], [False, False, True]
    assert chances(pilot(), table_of(2), lost=lost, back=back) == pytest.approx(
        np.array([[0.4, 0.3, 0.3, 0.0], [0.4, 0.0, 0.0, 0.6]]))
    shares = {"control": 0.5, "gift": 0.1, "call": 0.3, "pack": 0.1}
    assert chances(pilot(shares=shares), table_of(2), lost=lost, back=back) == pytest.approx(
        np.array([[0.5, 0.125, 0.375, 0.0], [0.5, 0.0, 0.0, 0.5]]))
    # Nothing is for those who have left.
    assert np.array_equal(chances(pilot(), table_of(2), lost=lost)[1], [1.0, 0.0, 0.0, 0.0])


def test_a_stratum_has_its_own_shares_and_the_first_that_fits_counts() -> None:
    table = table_of(3, customer_type=[0, 1, 1], region=[4, 4, 5])
    family = {"where": {"customer_type": "family"},
              "shares": {"control": 0.7, "gift": 0.1, "call": 0.1, "pack": 0.1}}
    west = {"where": {"region": 4}, "shares": {"control": 0.1, "gift": 0.3, "call": 0.3, "pack": 0.3}}
    settings = pilot(strata=["customer_type", "region"], stratum_shares=[family, west])
    assert chances(settings, table)[:, 0].tolist() == [0.1, 0.7, 0.7]
    west_first = pilot(strata=["customer_type", "region"], stratum_shares=[west, family])
    assert chances(west_first, table)[:, 0].tolist() == [0.1, 0.1, 0.7]
    assert stratum_rows({"customer_type": "family", "region": "4"}, table, np.zeros(3)).tolist() == [False, True, False]


def test_margin_tiers_are_thirds() -> None:
    margin = np.array([9.0, 1.0, 5.0, 2.0, 8.0, 4.0])
    found = [MARGIN_TIERS[code] for code in group_codes("margin_tier", table_of(6), margin)]
    assert found == ["high", "low", "mid", "low", "high", "mid"]
    assert group_codes("margin_tier", table_of(3), np.full(3, 7.0)).tolist() == [0, 0, 0]
    assert len(group_codes("margin_tier", table_of(0), np.zeros(0))) == 0


def test_every_named_stratum_is_a_column_with_few_groups() -> None:
    table = table_of(4)
    for name in STRATA:
        assert group_codes(name, table, np.arange(4.0)).max() < 128


@given(st.lists(st.integers(1, 20), min_size=4, max_size=4), st.lists(st.booleans(), min_size=3, max_size=3),
       st.lists(st.booleans(), min_size=1, max_size=5))
def test_chances_sum_to_one_and_go_to_arms_of_ones_kind(weights: list[int], back: list[bool], lost: list[bool]) -> None:
    total = sum(weights)
    shares = dict(zip(("control", *TRIES), (w / total for w in weights), strict=True))
    for settings in (pilot(shares=shares), pilot()):
        prob = chances(settings, table_of(len(lost)), lost=lost, back=back)
        assert prob.sum(axis=1) == pytest.approx(np.ones(len(lost))) and (prob[:, 0] > 0.0).all()
        own = np.array(back)[None, :] == np.array(lost)[:, None]
        assert np.array_equal(prob[:, 1:] > 0.0, own)


def test_offers_of_a_kind() -> None:
    assert of_kind(np.array([0.2, 0.3, 0.5]), np.array([True, False, True])) == pytest.approx([2 / 7, 0.0, 5 / 7])
    assert of_kind(np.array([0.2, 0.8]), np.zeros(2, bool)).tolist() == [0.0, 0.0]
    assert offer_shares(pilot(shares={"control": 0.2, "gift": 0.4, "call": 0.2, "pack": 0.2}), TRIES) == pytest.approx(
        [0.5, 0.25, 0.25])


# Draws


def test_alone_everybody_is_drawn_as_always() -> None:
    ids = np.arange(5000)
    prob = np.tile([0.4, 0.2, 0.0, 0.4], (5000, 1))
    found = assign(prob, ids, key=KEY, month=2)
    codes = np.array([0, 1, 3])
    assert np.array_equal(found, codes[choice(KEY, stream("campaign.pilot_arm"), ids, [0.4, 0.2, 0.4], month=2)])
    some = np.array([4000, 7, 12])
    assert np.array_equal(assign(prob[some], ids[some], key=KEY, month=2), found[some])


def test_strata_hold_their_shares_exactly() -> None:
    """Twelve of one stratum and thirty of another by shares 1/2, 1/4, 1/4; where it does not divide, up or down."""
    strata = np.repeat([5, 9], [12, 30])
    prob = np.tile([0.5, 0.25, 0.25], (42, 1))
    found = assign(prob, np.arange(42) * 3, key=KEY, month=1, strata=strata)
    assert np.bincount(found[:12]).tolist() == [6, 3, 3]
    counts = np.bincount(found[12:])
    assert counts[0] == 15 and set(counts[1:]) == {7, 8}


def test_strata_are_keyed_and_know_nothing_of_each_other() -> None:
    rng = np.random.default_rng(1)
    ids, strata = np.arange(300) + 11, rng.integers(0, 4, 300)
    prob = np.tile([0.3, 0.3, 0.4], (300, 1))
    found = assign(prob, ids, key=KEY, month=1, strata=strata)
    shuffled = rng.permutation(300)
    assert np.array_equal(assign(prob[shuffled], ids[shuffled], key=KEY, month=1, strata=strata[shuffled]),
                          found[shuffled])
    some = np.flatnonzero(strata != 2)
    assert np.array_equal(assign(prob[some], ids[some], key=KEY, month=1, strata=strata[some]), found[some])
    assert not np.array_equal(assign(prob, ids, key=make_key(seed=4, replicate=0), month=1, strata=strata), found)
    assert not np.array_equal(assign(prob, ids, key=KEY, month=2, strata=strata), found)


def test_the_stated_chance_is_the_chance_in_strata_too() -> None:
    """One subscriber of a stratum of five, over 4,000 keys; 4 standard errors, three arms: false alarm 2e-4."""
    prob = np.tile([0.62, 0.23, 0.15], (5, 1))
    strata = np.zeros(5, np.int64)
    arms = [assign(prob, np.arange(5), key=make_key(seed=s, replicate=0), month=0, strata=strata)[3]
            for s in range(4000)]
    for arm, share in enumerate(prob[0]):
        assert arms.count(arm) / 4000 == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 4000))


@given(st.integers(0, 60), st.lists(st.integers(0, 9), min_size=2, max_size=5).filter(lambda w: sum(w) > 0),
       st.booleans())
def test_only_arms_with_a_chance_are_drawn_and_counts_are_within_one(
    n: int, weights: list[int], stratified: bool
) -> None:
    prob = np.tile(np.array(weights) / sum(weights), (n, 1))
    strata = np.arange(n) % 2 if stratified else None
    found = assign(prob, np.arange(n) * 7, key=KEY, month=3, strata=strata)
    assert (prob[np.arange(n), found] > 0.0).all()
    if strata is not None:
        for stratum in (0, 1):
            rows = found[strata == stratum]
            counts = np.bincount(rows, minlength=len(weights))
            assert (np.abs(counts - len(rows) * np.array(weights) / sum(weights)) < 1.0 + 1e-9).all()


def test_strata_numbers_depend_on_ones_own_values() -> None:
    table = table_of(4, customer_type=[0, 1, 1, 0], payment=[1, 1, 1, 0])
    lost = np.array([False, False, True, False])
    found = strata_codes(("customer_type", "payment"), table, margin=np.zeros(4), lost=lost)
    assert len(set(found.tolist())) == 4
    few = table_of(2, customer_type=[1, 0], payment=[1, 0])
    assert strata_codes(("customer_type", "payment"), few, margin=np.zeros(2), lost=np.zeros(2, bool)).tolist() == [
        found[1], found[3]]


def test_the_holdout_is_a_keyed_share() -> None:
    ids = np.arange(10_000)
    found = held_out(ids, share=0.2, key=KEY, month=2)
    assert found is not None
    # 4 standard errors: false alarm 6e-5.
    assert found.mean() == pytest.approx(0.2, abs=4 * np.sqrt(0.16 / 10_000))
    assert np.array_equal(held_out(ids[70:90], share=0.2, key=KEY, month=2), found[70:90])
    assert held_out(ids, share=0.0, key=KEY, month=2) is None

"""The offers of an experiment tried out, and printed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from small_world import base_at_campaign, load_small, small_world

from churnsim.errors import ConfigError
from churnsim.experiment.lifetimes import lifetimes
from churnsim.experiment.offer_effects import OfferEffects, offers_table
from churnsim.report.offers import as_data, offers_text
from churnsim.signals.observe import active_rows, listed_rows

NAMES = ("discount_30", "wake_silent", "smart_home_bundle")


@pytest.fixture(scope="module")
def found() -> OfferEffects:
    return offers_table(load_small("population.size=400", "offers.wake_silent.eligibility.states=[suspended]"),
                        offers=NAMES, years=1, draws=1)


def test_what_was_computed_is_stated(found: OfferEffects) -> None:
    assert (found.seed, found.replicate, found.month, found.draws, found.channel) == (7, 0, 8, 1, "call")
    world = small_world("population.size=400")
    base = base_at_campaign(world)
    # Those on the network, not who left and is not missed yet.
    assert found.subscribers == len(active_rows(base, month=8)) < len(listed_rows(base, month=8, silent_days=90.0))
    assert found.table["offer"].tolist() == ["contact", *NAMES]
    assert found.table["eligible"][0] == found.subscribers
    assert found.table["strategy"].tolist() == ["", "price", "price", "product"]


def test_each_contact_costs_even_when_nothing_is_saved(found: OfferEffects) -> None:
    """A mere contact costs what its attempts cost, and an offer more for each who accepts: not all do."""
    cost = found.table.set_index("offer")["contact_cost_per_acceptor"]
    assert 0.0 < cost["contact"] < min(cost["discount_30"], cost["smart_home_bundle"])


def test_the_effect_of_one_offer_does_not_depend_on_the_others_asked_for(found: OfferEffects) -> None:
    alone = offers_table(load_small("population.size=400", "offers.wake_silent.eligibility.states=[suspended]"),
                         offers=["smart_home_bundle"], years=1, draws=1)
    both = [t.table[t.table["offer"] == "smart_home_bundle"].iloc[0].drop("offer") for t in (alone, found)]
    assert both[0].to_dict() == both[1].to_dict()


def test_the_text_and_the_data_hold_every_offer(found: OfferEffects) -> None:
    text = offers_text(found)
    assert text.startswith(f"small: preset data_grounded, {found.subscribers} subscribers on the network in month 8, "
                           "seed 7, replicate 0, 1 future, offers made by call, amounts in USD\n")
    assert all(text.count(f"\n{name}") == 3 for name in ("contact", *NAMES))
    data = json.loads(json.dumps(as_data(found), allow_nan=False))
    assert data["seed"] == 7 and [row["offer"] for row in data["offers"]] == ["contact", *NAMES]
    assert data["offers"][0]["cost_to_stayers_share"] is None


def test_the_whole_catalogue_is_the_default() -> None:
    loaded = load_small("population.size=60", "offers={win_back_pack: {acceptance: {base_prob: 0.1}}}")
    asked = offers_table(loaded, years=1, draws=1).table["offer"].tolist()
    assert asked == ["contact", *loaded.experiment.offers] and "win_back_pack" in asked


@pytest.mark.parametrize(("arguments", "message"), [
    ({"offers": ["discount_3"]}, "offer: no offer 'discount_3'; there are discount_30, contract_device"),
    ({"channel": "fax"}, "channel: no channel 'fax'; there are call, sms"),
    ({"years": 0}, "years: must be 1 to 10 (got 0)"),
    ({"draws": 1001}, "draws: must be 1 to 1000 (got 1001)"),
])
def test_bad_requests_are_refused(arguments, message) -> None:
    with pytest.raises(ConfigError) as refused:
        offers_table(load_small(), **arguments)
    assert str(refused.value).startswith(message)


def test_lifetimes_by_group() -> None:
    table = lifetimes(load_small("population.size=400"), months=16, fit_months=6)
    assert table["group"].tolist()[:1] == ["all"] and set(table["group"][1:]) >= {"individual", "family"}
    assert table["subscribers"][0] == table["subscribers"][1:].sum()
    assert np.isfinite(table["value_closed"]).all() and (table["lifetime_months_simulated"] <= 16.0).all()


@pytest.mark.parametrize(("arguments", "message"), [
    ({"months": 2}, "months: must be 3 to 240 (got 2)"),
    ({"months": 12, "fit_months": 12}, "fit_months: must be 2 to 11 (got 12)"),
    ({"by": "mood"}, "by: no such group 'mood'; there are customer_type, payment, value_tier, usage_scenario, "
                     "brand_tier"),
])
def test_bad_lifetimes_are_refused(arguments, message) -> None:
    with pytest.raises(ConfigError) as refused:
        lifetimes(load_small(), **arguments)
    assert str(refused.value) == message

"""Who an account is: kind, use, lines, place, way of paying, consents, habits, and the products of its bundle."""

from __future__ import annotations

import numpy as np

from churnsim.population.categories import ACQUISITION_CHANNELS, CUSTOMER_TYPES
from churnsim.population.contracts import bound_by_table
from churnsim.population.drawing import Drawer, Float64, geometric, lognormal, pick, shift_odds
from churnsim.population.lookup import Lookup, in_order

INDIVIDUAL = CUSTOMER_TYPES.index("individual")
DEALER = ACQUISITION_CHANNELS.index("social_dealer")
MOST_LINES = 10_000
# Odds of having been sold by a social dealer among migrants and those who pay in advance, against all others
# [assumption].
DEALER_ODDS = 2.0


def draw_accounts(draw: Drawer, lookup: Lookup) -> None:
    """Fill what does not depend on the plan.

    The usage scenario is drawn given the kind of account; where a table gives the scenario but not the kind, the kind
    is drawn given the scenario (Bayes).
    """
    base, traits = draw.base, lookup.traits
    _draw_kind(draw, lookup)
    kind, scenario = base["customer_type"], base["usage_scenario"]
    extra = geometric(draw.uniform("lines"), lookup.by_type("lines_mean")[kind])
    draw.put("lines", 1 + np.minimum(extra, MOST_LINES - 1))
    draw.put("region", np.floor(traits.regions * draw.uniform("region")))
    cell = np.floor(traits.cells_per_region * draw.uniform("cell"))
    draw.put("cell", base["region"] * float(traits.cells_per_region) + cell)
    migrant = shift_odds(traits.migrant_share, lookup.by_scenario("migrant_log_odds"))
    draw.put("locality", (kind == INDIVIDUAL) & (draw.uniform("locality") < migrant[scenario]))
    draw.put("building_access", draw.uniform("building_access") < traits.shared_building_share)
    prepaid = shift_odds(lookup.by_type("prepaid_share")[:, None, None], lookup.by_scenario("prepaid_log_odds")[:, None]
                         + np.array([0.0, traits.migrant_prepaid_log_odds]))
    draw.put("payment", (draw.uniform("payment") < prepaid[kind, scenario, base["locality"]]) & ~bound_by_table(draw))
    draw.put("acquisition_channel", pick(
        _channel_shares(lookup), draw.uniform("acquisition_channel"), (base["payment"] == 1) | (base["locality"] == 1)))
    for name in ("contactable", "call_consent", "sms_consent", "app_consent"):
        draw.put(name, draw.uniform(name) < getattr(traits, f"{name}_share"))
    for name in ("answer_habit", "read_habit"):
        draw.put(name, lognormal(draw.normal(name), traits.habit_log_sd))
    draw.put("app_habit", lookup.by_scenario("app_factor")[scenario]
             * lognormal(draw.normal("app_habit"), traits.habit_log_sd))
    _draw_bundle(draw, lookup)


def _draw_kind(draw: Drawer, lookup: Lookup) -> None:
    shares, of_kind = lookup.by_type("share"), lookup.scenario_shares()
    u, known = draw.uniform("customer_type"), draw.known("usage_scenario")
    if known is None:
        draw.put("customer_type", pick(shares, u))
    else:
        # A row a scenario, and a last one for those whose scenario is not known or has no kind.
        posterior = np.vstack([(of_kind * shares[:, None]).T, shares])
        posterior[posterior.sum(axis=1) == 0.0] = shares
        draw.put("customer_type", pick(posterior, u, np.nan_to_num(known, nan=float(len(posterior) - 1))))
    draw.put("usage_scenario", pick(of_kind, draw.uniform("usage_scenario"), draw.base["customer_type"]))


def _channel_shares(lookup: Lookup) -> Float64:
    """Return the shares of sales channels, (2, channels): of most, and of migrants and those who pay in advance."""
    shares = in_order(lookup.traits.acquisition_channel_shares, ACQUISITION_CHANNELS)
    tilted = shares.copy()
    tilted[DEALER] *= DEALER_ODDS
    return np.vstack([shares, tilted / tilted.sum()])


def _draw_bundle(draw: Drawer, lookup: Lookup) -> None:
    """Fill the bundle: a smart home needs broadband."""
    base, kind = draw.base, draw.base["customer_type"]
    has = draw.uniform("broadband") < lookup.by_type("broadband_share")[kind]
    known = draw.known("smart_home")
    draw.put("broadband", has if known is None else has | (known == 1.0))
    smart = draw.uniform("smart_home") < lookup.by_type("smart_home_share")[kind]
    draw.put("smart_home", smart & (base["broadband"] == 1))

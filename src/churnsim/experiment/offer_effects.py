"""The offers of an experiment tried out on its subscribers: what each does to those who may have it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.response import acceptance_prob, odds_factor
from churnsim.campaign.wave import planned_contact_time
from churnsim.capacity.plan import planned_reach
from churnsim.config.messages import did_you_mean
from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.core.columns import Subscribers
from churnsim.errors import ConfigError
from churnsim.evaluation.catalogue import CONTACT, Candidates, offer_effects
from churnsim.experiment.load import Loaded
from churnsim.experiment.stages import decision_base, history
from churnsim.experiment.world import World, make_world
from churnsim.signals.observe import CHURNED, Observed, observe

MAX_YEARS = 10
MAX_DRAWS = 1000
# Offers that bring back are tried on those who left within so many months.
LOST_MONTHS = 6


@dataclass(frozen=True)
class OfferEffects:
    """What the offers do.

    Attributes
    ----------
    table
        A row an offer and year, as :func:`churnsim.evaluation.catalogue.offer_effects` returns it, with the offer's
        `strategy` and `contact_cost_per_acceptor`, the planned cost of contacts for each who accepts, those not
        reached and those who decline included. The first offer is ``contact``: a contact in which nothing is accepted.
    subscribers
        On the network when the offers are made, in `month`.
    draws
        Futures averaged over.
    channel
        Through which offers are made.
    """

    table: pd.DataFrame
    experiment: str
    preset: str
    seed: int
    replicate: int
    subscribers: int
    month: int
    draws: int
    channel: str
    currency: str


def offers_table(exp: Loaded, *, offers: Collection[str] | None = None, years: int = 3, draws: int | None = None,
                 channel: str | None = None, replicate: int = 0) -> OfferEffects:
    """Return what each offer does to those who may have it, by horizon year, from expected effects.

    Parameters
    ----------
    exp
        A loaded experiment; offers are made at the start of its campaign month.
    offers
        Names; None: the whole catalogue.
    years
        Horizon, 1 to 10.
    draws
        Futures to average over, 1 to 1000; None: evaluation.inner_draws.
    channel
        Through which the offers are made; None: the pilot's.
    replicate
        Which replicate, from 0.

    Raises
    ------
    ConfigError
        An offer or channel is unknown, or a number is out of range.

    Examples
    --------
    >>> found = offers_table(load("experiments/quickstart.yaml"), offers=["discount_30"])  # doctest: +SKIP
    >>> found.table[["offer", "year", "effect_on_staying", "net_value_per_acceptor"]]  # doctest: +SKIP
    """
    e = exp.experiment
    draws = e.evaluation.inner_draws if draws is None else draws
    channel = e.pilot.channel if channel is None else channel
    for name, value, most in (("years", years, MAX_YEARS), ("draws", draws, MAX_DRAWS)):
        if not 1 <= value <= most:
            raise ConfigError(f"{name}: must be 1 to {most} (got {value})")
    asked = list(e.offers if offers is None else offers)
    for name in asked:
        _require_known("offer", name, e.offers)
    _require_known("channel", channel, e.channels)
    evaluation = e.evaluation.model_copy(update={"inner_draws": draws, "horizon_months": MONTHS_PER_YEAR * years + 1})
    campaign = e.campaign.model_copy(update={"lost_months": LOST_MONTHS})
    world = make_world(e.model_copy(update={"evaluation": evaluation, "campaign": campaign}), replicate=replicate,
                       folder=exp.folder)
    base = decision_base(history(world), world.engine.schema)
    table = observe(base, month=e.campaign_month, settings=e.signals, key=world.key)
    candidates = _candidates(world, base, table, asked, channel)
    effects = offer_effects(base, lambda watch: world.inner_engines(watch=watch), candidates=candidates, years=years,
                            month=e.campaign_month, contact_time=planned_contact_time(e.signals.list_delay_days),
                            rate_annual=e.evaluation.discount_rate_annual)
    cost = {name: _contact_cost(world, table, made, channel) for name, made in candidates.items()}
    place = list(effects.columns).index("net_value_per_acceptor")
    effects.insert(place, "contact_cost_per_acceptor", effects["offer"].map(cost))
    effects.insert(1, "strategy", [e.offers[name].strategy if name in e.offers else "" for name in effects["offer"]])
    return OfferEffects(effects, e.name, e.preset, e.seed, replicate, len(candidates[CONTACT].rows), e.campaign_month,
                        draws, channel, e.currency)


def _candidates(world: World, base: Subscribers, table: Observed, offers: Collection[str], channel: str
                ) -> dict[str, Candidates]:
    """Return who may have each offer and accepts how likely; a mere contact is anybody's on the network."""
    e, month = world.experiment, world.experiment.campaign_month
    there = base["departure_time"] > month
    made = {CONTACT: Candidates(np.flatnonzero(there), np.ones(int(there.sum())))}
    for name in offers:
        may = world.offers.eligible(name, table, month=month) & (there | (table["state"] == CHURNED))
        rows = np.flatnonzero(may)
        prob = acceptance_prob(e.offers[name], base.take(rows), engine=world.engine, month=month,
                               channel_factor=odds_factor(e.offers[name], channel, e.channels))
        made[name] = Candidates(rows, prob)
    return made


def _contact_cost(world: World, table: Observed, made: Candidates, channel: str) -> float:
    e = world.experiment
    settings = e.channels[channel]
    habit: npt.NDArray[np.float64] = table[
        "read_habit" if settings.kind == "batch" else "answer_habit"][made.rows].astype(np.float64)
    plan = planned_reach(settings, habit, capacity=e.capacity, name=channel)
    accepted = float((plan.reach * made.accept).sum())
    return float(plan.cost_amount.sum()) / accepted if accepted > 0.0 else np.nan


def _require_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ConfigError(f"{what}: no {what} {name!r}; there are {', '.join(known)}{did_you_mean(name, known)}")

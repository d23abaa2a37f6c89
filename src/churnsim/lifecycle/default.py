"""The default lifecycle: the engine with the drivers of a telecom operator's subscribers."""

from __future__ import annotations

from collections.abc import Sequence

from churnsim.core.clock import days_to_months
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key
from churnsim.lifecycle.block import Block, Month
from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
from churnsim.lifecycle.driver import Driver
from churnsim.lifecycle.drivers import (
    arrears,
    billing,
    contacts,
    contract,
    market,
    offers,
    plan,
    recharge,
    service,
    shopping,
    substitution,
    tenure,
    usage,
    win_back,
)
from churnsim.lifecycle.engine import Engine
from churnsim.lifecycle.hazards import HazardTable
from churnsim.lifecycle.leaving import Leaving, Watch
from churnsim.lifecycle.market import Market
from churnsim.lifecycle.plugin import with_offers
from churnsim.lifecycle.settings import LifecycleSettings
from churnsim.offers.table import OfferTable


def default_drivers(settings: LifecycleSettings, around: Market, table: OfferTable) -> tuple[Driver, ...]:
    """Return the drivers of a month but for leaving, in order.

    Raises
    ------
    ValueError
        The offer table is made for other causes than those of the lifecycle.
    """
    if (made_for := table.log_multipliers.shape[1]) < len(settings.causes):
        raise ValueError(f"the offer table is made for {made_for} causes, the lifecycle has "
                         f"{len(settings.causes)}; give offer_table the causes of the lifecycle")
    hazards = _hazards(settings, table, apparent=False)
    causes = Driver("causes", reads=hazards.reads, causes=hazards.causes, hazards=hazards.hazards,
                    update=hazards.update)
    back = win_back_of(settings, table)
    return (*(() if back is None else (back.driver(),)), market.driver(around), plan.prices(around),
            usage.driver(settings), recharge.driver(settings.recharge), service.driver(settings, table),
            contacts.driver(settings), arrears.driver(settings),
            shopping.driver(settings), billing.driver(settings.cost_to_serve),
            offers.upkeep_driver(table), causes,
            contract.Contract(settings.contract).driver(), tenure.driver(settings.suspension), plan.driver(settings),
            offers.Offers(table, settings.contact).driver(), *_substitution(settings, around, table))


def _hazards(settings: LifecycleSettings, table: OfferTable, *, apparent: bool) -> HazardTable:
    names = tuple(settings.causes)
    which = [k for k, name in enumerate(names) if settings.causes[name].apparent == apparent]
    return HazardTable({names[k]: settings.causes[names[k]] for k in which}, table.log_multipliers[:, which],
                       habituation=settings.contact.habituation)


def win_back_of(settings: LifecycleSettings, table: OfferTable) -> win_back.WinBack | None:
    """Return who comes back; None if nobody ever does."""
    s = settings.win_back
    by_itself = s.return_prob > 0.0 and any(s.cause_factors.values())
    if not by_itself and not table.brings_back.any():
        return None
    return win_back.WinBack(s, table.return_factor, table.brings_back)


def _substitution(settings: LifecycleSettings, around: Market, table: OfferTable) -> tuple[Driver, ...]:
    hazards = _hazards(settings, table, apparent=True)
    if not hazards.causes:
        return ()
    return (substitution.Substitution(settings, hazards, around.newcomer_terms).driver(),)


class Lifecycle(Engine):
    """The lifecycle of an experiment under one key.

    Parameters
    ----------
    settings
        Settings of the lifecycle.
    around
        Market state for every calendar month the engine will be asked for.
    table
        The offer table; its causes must be those of `settings`, then those of `more` if offers act on them too.
    key
        Every draw depends on it.
    more
        Further drivers; their causes compete with the others.
    watch
        Is told every month who leaves for which of `competing`.

    Attributes
    ----------
    competing
        Causes of leaving that compete, apparent ones left out.
    causes
        Causes of leaving in the order of their codes, from 1: those of the config, apparent ones included (their
        codes stand in column `substituted`), then those of further drivers.
    """

    def __init__(self, settings: LifecycleSettings, around: Market, table: OfferTable, *, key: Key,
                 more: Sequence[Driver] = (), watch: Watch | None = None) -> None:
        drivers = (*default_drivers(settings, around, table),
                   *with_offers(more, table.log_multipliers[:, len(settings.causes):],
                                habituation=settings.contact.habituation))
        leaving = Leaving(drivers, notice_months=days_to_months(settings.notice_days), names=tuple(settings.causes),
                          watch=watch, win_back=win_back_of(settings, table))
        super().__init__((*drivers, leaving.driver()), schema=LIFECYCLE_SCHEMA, key=key)
        self.settings = settings
        self.market = around
        self.offers = table
        self.more = tuple(more)
        self.causes = leaving.names
        self.competing = leaving.causes

    def at(self, base: Subscribers, month: int) -> Block:
        """Return all of `base` as it met the market and its bill in `month`, for covariates outside a run."""
        block = Block.over(base, self.schema, month=Month(month))
        market.show(self.market, block)
        block["bill_shock"] = usage.bill_shock(block)
        return block

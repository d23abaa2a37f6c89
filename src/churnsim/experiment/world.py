"""The world of one replicate: keys, market, engine, offers, and what they are built from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from churnsim.campaign.limits import may_be_listed, segment_limits
from churnsim.campaign.pilot import may_contact
from churnsim.capacity.plan import planned_reach
from churnsim.capacity.supply import supplies
from churnsim.core.clock import HOURS_PER_MONTH, days_to_hours
from churnsim.core.columns import Subscribers
from churnsim.core.draws import Key, make_key
from churnsim.experiment.settings import Experiment
from churnsim.lifecycle.default import Lifecycle
from churnsim.lifecycle.drivers import word_of_mouth
from churnsim.lifecycle.leaving import Watch
from churnsim.lifecycle.market import arrivals, make_market
from churnsim.lifecycle.plugin import load_drivers
from churnsim.lifecycle.record import Labels
from churnsim.offers.table import OfferTable, offer_table
from churnsim.policy.choices import Limits, Resource
from churnsim.policy.plan import Arm
from churnsim.population.generate import OpeningTerms, entrant_ids, evaluation_ids, generate, pilot_ids
from churnsim.population.table import ImportedTable, bootstrap, read_table
from churnsim.signals.observe import Observed

Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reach:
    """What the operator plans with, (n, arms) each.

    Attributes
    ----------
    reach, contact_cost, minutes
        Planned probability of contact, its cost, and minutes of staff (messages, of channels that send them).
    allowed
        Who may be given each arm.
    """

    reach: Float64
    contact_cost: Float64
    minutes: Float64
    allowed: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class World:
    """One replicate of an experiment.

    Attributes
    ----------
    key
        What happens.
    engine
        The lifecycle under `key`.
    """

    experiment: Experiment
    replicate: int
    folder: Path
    key: Key
    engine: Lifecycle

    @property
    def offers(self) -> OfferTable:
        """The offers as arrays."""
        return self.engine.offers

    @property
    def labels(self) -> Labels:
        """What the codes of offers and causes mean."""
        apparent = tuple(name for name, cause in self.experiment.lifecycle.causes.items() if cause.apparent)
        return Labels(self.offers.names, self.engine.causes, apparent)

    def inner_engines(self, *, watch: Watch | None = None) -> list[Lifecycle]:
        """Return an engine an inner draw: other futures of the same market, keyed apart from the world.

        Parameters
        ----------
        watch
            Is told every month who leaves for which cause.
        """
        e = self.experiment
        engines = []
        for draw in range(e.evaluation.inner_draws):
            key = make_key(seed=e.seed, replicate=self.replicate * 1000 + draw, purpose="inner")
            market = make_market(e.market, regions=e.population.traits.regions,
                                 cells_per_region=e.population.traits.cells_per_region, months=_months(e), key=key,
                                 past=self.engine.market, past_months=e.campaign_month)
            engines.append(Lifecycle(e.lifecycle, market, self.offers, key=key, more=self.engine.more, watch=watch))
        return engines

    def table(self) -> ImportedTable | None:
        """Return the operator's table, if the population starts from one."""
        table = self.experiment.population.table
        if table is None:
            return None
        path, mapping = self.folder / table.path, self.folder / table.mapping
        return _read(path, mapping, self.experiment.currency, self.experiment.population.size, self.key,
                     (_last_change(path), _last_change(mapping)))

    def source_id(self, base: Subscribers) -> npt.NDArray[np.object_] | None:
        """Return the operator's own ids, None for who is not from its table; None without a table."""
        table = self.table()
        if table is None:
            return None
        known = dict(zip(table.ids.tolist(), table.source_id.tolist(), strict=True))
        return np.array([known.get(i) for i in base.ids.tolist()], dtype=object)

    def population(self, *, until: int | None = None, part: tuple[int, int] | None = None) -> Subscribers:
        """Return the subscribers campaigns are judged on at month 0, and who will join later.

        Parameters
        ----------
        until
            Month before which the last ones join; None: the campaign month.
        part
            Rows [low, high) of the start's subscribers, and the same part of every later month's; None: all.
        """
        e = self.experiment
        traits = e.population.traits
        table = self.table()
        if table is None:
            assert e.population.size is not None
            ids, known = evaluation_ids(e.population.size), None
        else:
            ids, known = table.ids, table.known
        n = len(ids)
        low, high = part or (0, n)
        if known is not None:
            known = {name: values[..., low:high] for name, values in known.items()}
        parts = [generate(ids[low:high], traits, key=self.key, known=known, terms=self.opening_terms())]
        for month in range(1, e.campaign_month if until is None else until):
            joiners = entrant_ids(arrivals(e.market, month=month, base_size=n), cohort_month=month)
            first, last = (self._cut(len(joiners), row, n) for row in (low, high))
            if last > first:
                parts.append(generate(joiners[first:last], traits, key=self.key, join_month=month,
                                      terms=self.opening_terms()))
        return Subscribers.concat(parts).completed(self.engine.schema)

    def _cut(self, joiners: int, row: int, n: int) -> int:
        """Return how many of a month's joiners belong to the partitions before row `row` of the start's `n`."""
        talk = self.experiment.market.word_of_mouth
        whole = 1 if talk is None or row == n else talk.community_size
        return joiners * row // n // whole * whole if n else 0

    def pilot_population(self) -> Subscribers:
        """Return the pilot's subscribers at month 0; with a table, rows drawn from it with replacement."""
        e = self.experiment
        ids = pilot_ids(e.pilot.size)
        table = self.table()
        known = None if table is None else bootstrap(table, ids, key=self.key)
        base = generate(ids, e.population.traits, key=self.key, known=known, terms=self.opening_terms())
        return base.completed(self.engine.schema)

    def opening_terms(self) -> OpeningTerms:
        """Return what the lifecycle's rules make of a base at its start."""
        rules = self.experiment.lifecycle
        return OpeningTerms(termination_fee_share=rules.contract.termination_fee_share,
                            low_value_amount=rules.plan.low_value_amount,
                            high_value_amount=rules.plan.high_value_amount,
                            app_logins_mean=rules.contacts.app_logins_mean,
                            recharge_fee_months=rules.recharge.fee_months)

    def arms(self) -> tuple[Arm, ...]:
        """Return every offer of the campaign through every channel of it, offers outermost."""
        campaign = self.experiment.campaign
        return tuple(Arm(name, self.offers.code(name), channel) for name in campaign.offers
                     for channel in campaign.channels)

    def reach(self, table: Observed) -> Reach:
        """Return planned reach and cost, and who may be given which arm."""
        e = self.experiment
        arms = self.arms()
        reach, cost, minutes = (np.empty((len(table), len(arms))) for _ in range(3))
        allowed = np.empty((len(table), len(arms)), bool)
        free = may_be_listed(table, e.campaign.limits, key=self.key)
        for k, arm in enumerate(arms):
            channel = e.channels[arm.channel]
            habit = table["read_habit" if channel.kind == "batch" else "answer_habit"].astype(np.float64)
            plan = planned_reach(channel, habit, capacity=e.capacity, name=arm.channel)
            reach[:, k], cost[:, k], minutes[:, k] = plan.reach, plan.cost_amount, plan.minutes
            allowed[:, k] = (free & may_contact(table, channel.kind)
                             & self.offers.eligible(arm.offer, table, month=table.month))
        return Reach(reach, cost, minutes, allowed)

    def limits(self, *, month: int) -> Limits:
        """Return what a list of a month must keep: the budget, the staff until the deadline, segments."""
        e, arms = self.experiment, self.arms()
        start = float(month * HOURS_PER_MONTH)
        found = supplies(e.campaign.channels, channels=e.channels, capacity=e.capacity, month=month,
                         start_hours=start + days_to_hours(e.signals.list_delay_days),
                         end_hours=start + days_to_hours(e.campaign.deadline_days))
        resources = tuple(Resource(each.name, each.amount, tuple(float(arm.channel in each.channels) for arm in arms),
                                   each.unit) for each in found)
        return Limits(e.campaign.budget_amount, resources, segment_limits(e.campaign.limits))


@lru_cache(maxsize=1)
def _read(path: Path, mapping: Path, currency: str, size: int | None, key: Key, changed: tuple[int, int]
          ) -> ImportedTable:
    """Read a table once, however many partitions start from it, and again when `changed` tells of an edit."""
    return read_table(path, mapping, currency=currency, size=size, key=key)


def _last_change(path: Path) -> int:
    # That a file is not there is for its reader to say.
    return path.stat().st_mtime_ns if path.exists() else 0


def make_world(experiment: Experiment, *, replicate: int, folder: Path, months: int = 0) -> World:
    """Build the world of a replicate; its market lasts to the evaluation's horizon, and at least `months`."""
    key = make_key(seed=experiment.seed, replicate=replicate)
    traits = experiment.population.traits
    market = make_market(experiment.market, regions=traits.regions, cells_per_region=traits.cells_per_region,
                         months=max(months, _months(experiment)), key=key)
    talk = experiment.market.word_of_mouth
    own = () if talk is None else (word_of_mouth.driver(talk),)
    more = (*own, *load_drivers(experiment.lifecycle.drivers, folder))
    causes = (*experiment.lifecycle.causes, *(cause for driver in more for cause in driver.causes))
    offers = offer_table(experiment.offers, causes=causes)
    lifecycle = Lifecycle(experiment.lifecycle, market, offers, key=key, more=more)
    return World(experiment, replicate, folder, key, lifecycle)


def _months(experiment: Experiment) -> int:
    return experiment.campaign_month + experiment.evaluation.horizon_months

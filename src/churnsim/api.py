"""What a notebook calls besides load and run: months without a campaign, the truth, the centre alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from churnsim.campaign.response import acceptance_prob, odds_factor
from churnsim.campaign.wave import planned_contact_time
from churnsim.capacity.case import Case
from churnsim.capacity.hindsight import Hindsight
from churnsim.capacity.load import offered_load, overloads
from churnsim.capacity.log import ContactLog
from churnsim.capacity.metrics import centre_metrics
from churnsim.capacity.orders import Orders
from churnsim.capacity.shadow import shadow_prices as price_hours
from churnsim.capacity.staffing import ServiceGoal, Staffing, staff_for_net_value, staff_for_service_level
from churnsim.config.messages import did_you_mean
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key
from churnsim.core.executor import Engine
from churnsim.errors import ConfigError
from churnsim.evaluation.truth import Responses, realised_responses, responses
from churnsim.experiment.load import Loaded
from churnsim.experiment.settings import Experiment
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.reasons import reasons_of_leavers
from churnsim.lifecycle.record import Labels, state_table
from churnsim.signals.observe import active_rows

if TYPE_CHECKING:
    from churnsim.experiment.simulated import Simulated

MAX_MONTHS = 600
MAX_DRAWS = 1000


@dataclass(frozen=True)
class History:
    """Subscribers after some months without a campaign, and all that is needed to go on from there.

    Attributes
    ----------
    experiment
        The experiment that was simulated.
    folder
        Folder that paths in the experiment are relative to.
    replicate
        Replicate of the experiment, from 0.
    month
        Calendar month at whose start the subscribers are shown.
    base
        Everybody who was ever there, those who left included.
    source_id
        (n,) the operator's own ids of subscribers that came from a table, None for others; None without a
        table.
    """

    experiment: Experiment
    folder: Path
    replicate: int
    month: int
    base: Subscribers
    source_id: npt.NDArray[np.object_] | None

    def __len__(self) -> int:
        return len(self.base)

    @property
    def labels(self) -> Labels:
        """What the codes of offers and causes mean."""
        return _world(self.experiment, self.folder, replicate=self.replicate, month=self.month).labels

    def to_arrow(self, *, latent: bool = False) -> pa.Table:
        """Return one row a subscriber, codes as dictionaries of their labels.

        Parameters
        ----------
        latent
            True adds what only the simulator knows: traits, satisfaction, when and why a subscriber decides
            to leave.

        Returns
        -------
        pyarrow.Table
            `subscriber` (the id), `source_id` if there is a table, and the columns of docs/columns.md, then
            those of further drivers, without the error of the operator's systems. A
            history is six columns: ``usage_gb_lag1`` is the month before `month`. `state` is "churned" for
            those who have left, whose other values are what they would be had they stayed. `departure_time`
            and `decision_time` are in months since the start, null where it has not come to that; without
            `latent`, `departure_time` is null for those who have not left yet. `stated_reason` is what leavers
            said, "none" for others; the true `cause` is latent.
        """
        table = state_table(self.base, month=self.month, labels=self.labels, latent=latent, source_id=self.source_id)
        said = reasons_of_leavers(self.base, month=self.month, settings=self.experiment.lifecycle,
                                  key=make_key(seed=self.experiment.seed, replicate=self.replicate))
        return table.append_column("stated_reason", said)

    def to_pandas(self, *, latent: bool = False) -> pd.DataFrame:
        """Return :meth:`to_arrow` as a DataFrame, codes as categories."""
        frame: pd.DataFrame = self.to_arrow(latent=latent).to_pandas()
        return frame


class Worked(NamedTuple):
    """What the contact centre made of a list of orders.

    Attributes
    ----------
    attempts
        One row an attempt: see :class:`churnsim.capacity.log.Attempts`.
    outcomes
        One row an order: see :class:`churnsim.capacity.log.Outcomes`.
    calls
        One row a call of the inbound streams: see :class:`churnsim.capacity.log.CallLog`.
    notes
        What a reader should know: teams with more work than hours.
    metrics
        One row a metric: see :func:`churnsim.capacity.metrics.centre_metrics`.
    """

    attempts: pd.DataFrame
    outcomes: pd.DataFrame
    calls: pd.DataFrame
    notes: tuple[str, ...]
    metrics: pd.DataFrame


def simulate(exp: Loaded, *, months: int | None = None, replicate: int = 0) -> History:
    """Let months pass without any campaign.

    Parameters
    ----------
    exp
        A loaded experiment; its base scenario is simulated.
    months
        Months from the start, 0 to 600; None: until the month of the campaign (lifecycle.history_months).
    replicate
        Which replicate, from 0.

    Returns
    -------
    History
        Subscribers of the start and those who joined before `months`.

    Raises
    ------
    ConfigError
        `months` or `replicate` is out of range.
    DataError
        The operator's table that the experiment starts from cannot be used.

    Examples
    --------
    >>> history = simulate(load("experiments/quickstart.yaml"), months=24)  # doctest: +SKIP
    >>> history.to_pandas()["state"].value_counts()  # doctest: +SKIP
    """
    months = exp.experiment.campaign_month if months is None else months
    _require("months", months, 0, MAX_MONTHS)
    if replicate < 0:
        raise ConfigError(f"replicate: must be at least 0 (got {replicate})")
    return _simulate(exp.experiment, exp.folder, replicate=replicate, month=months)


def _simulate(experiment: Experiment, folder: Path, *, replicate: int, month: int) -> History:
    world = _world(experiment, folder, replicate=replicate, month=month)
    base = world.population()
    world.engine.run([(base, None)], start=0, months=month)
    return History(experiment, folder, replicate, month, base, world.source_id(base))


def _world(experiment: Experiment, folder: Path, *, replicate: int, month: int) -> World:
    """Return the world whose campaign month is `month`: nothing before depends on when that is."""
    lifecycle = experiment.lifecycle.model_copy(update={"history_months": month})
    experiment = experiment.model_copy(update={"lifecycle": lifecycle})
    return make_world(experiment, replicate=replicate, folder=folder)


def simulate_to(exp: Loaded, out: str | Path, *, replicate: int = 0, jobs: int | None = None,
                engine: Engine | None = None, scheduler: str | None = None) -> Simulated:
    """Let the months of section `simulation` pass, in partitions that fit into memory, and write a folder.

    Parameters
    ----------
    exp
        A loaded experiment; `simulation` says how many months pass, whether there is a campaign, and how many
        subscribers a partition has, `record` what is written.
    out
        Folder to write; finished partitions in it are used.
    replicate
        Which replicate, from 0.
    jobs, engine, scheduler
        Workers, what they are ("serial", "threads", "processes", "dask"; None: processes) and the address of a
        Dask scheduler. Results do not depend on them.

    Returns
    -------
    Simulated
        Summaries and what the campaign came to; the files of `out` are those of docs/simulation.md.

    Raises
    ------
    ConfigError
        The engine, jobs and scheduler do not fit together, or `replicate` is out of range.
    ResultsError
        Results cannot be written; finished partitions stay.
    """
    from churnsim.experiment.simulation import open_simulation
    from churnsim.experiment.simulation import simulate as run

    found = run(open_simulation(exp, Path(out), replicate=replicate), engine=engine, workers=jobs, scheduler=scheduler)
    found.save(Path(out))
    return found


def twins(history: History, *, at_month: int | None = None, offers: Collection[str] | None = None,
          subscribers: Collection[int] | None = None, draws: int | None = None, channel: str | None = None,
          realised: bool = False, lost_months: int = 0) -> pd.DataFrame:
    """Compute the true expected effect of a contact on each subscriber, by the offer accepted in it.

    Every subscriber lives the same futures with and without the contact; the clocks of leaving are
    integrated out.

    Parameters
    ----------
    history
        From :func:`simulate`.
    at_month
        Month of the contact, at most the history's; None: the history's. An earlier month is simulated again
        from the start, which gives the same subscribers as `history` had then.
    offers
        Names of offers of the catalogue; None: those of the campaign. The effect of one does not depend on which
        others are asked for.
    subscribers
        Ids of those asked for, who must be on the network at the month's start; None: all who are. The effect on
        one does not depend on who else is asked for.
    draws
        Futures to average over, 1 to 1000; None: evaluation.inner_draws.
    channel
        Adds the probability that each offer is accepted when made through this channel.
    realised
        True adds what happens to the twins in the history's own future, one of many: ``_value_realised`` and
        ``_staying_realised`` (-1, 0 or 1). For looking at mechanisms; nobody can choose by it.
    lost_months
        Adds those who left within so many months before, at most the history's. Only they can take an offer that
        brings back: for others it is a mere contact, as any other offer is for them.

    Returns
    -------
    DataFrame
        One row for each subscriber on the network at the month's start (or gone within `lost_months`), indexed by
        `subscriber`. For each offer, and for ``contact``, a contact after which no offer was accepted: ``_value``,
        the expected change of discounted margin less offer cost over evaluation.horizon_months, contact cost not
        included; ``_value_se``, its standard error over the draws (NaN for one draw); ``_staying``, the change of
        the probability to be active 12 months later (the last month of a shorter horizon). With `channel`,
        ``_accept_prob`` for each offer, after the others. A contact in which offer X is made is worth
        ``X_accept_prob * X_value + (1 - X_accept_prob) * contact_value``.

    Raises
    ------
    ConfigError
        An offer or channel is unknown, `draws` or `at_month` is out of range.
    """
    month = history.month if at_month is None else at_month
    _require("at_month", month, 0, history.month)
    _require("lost_months", lost_months, 0, month)
    e = _drawn(history.experiment, draws)
    for name in () if offers is None else offers:
        _require_known("offers", name, e.offers)
        if e.offers[name].brings_back and not lost_months:
            raise ConfigError(f"offers: {name!r} is for those who have left; give lost_months, or take it out")
    if channel is not None:
        _require_known("channel", channel, e.channels)
    if month != history.month:
        history = _simulate(history.experiment, history.folder, replicate=history.replicate, month=month)
    world = _world(e, history.folder, replicate=history.replicate, month=month)
    there = active_rows(history.base, month=month, lost_months=lost_months)
    base = _asked(history.base.take(there), subscribers, month)
    contact_time = planned_contact_time(e.signals.list_delay_days)
    asked = [name for name in e.offers if name in (e.campaign.offers if offers is None else offers)]
    found = responses(base, world.inner_engines(), e.evaluation, offers=asked, month=month, contact_time=contact_time)
    once = realised_responses(base, world.engine, e.evaluation, offers=asked, month=month,
                              contact_time=contact_time) if realised else None
    columns = _effect_columns(("contact", *asked), found, once)
    if channel is not None:
        for name in asked:
            columns[f"{name}_accept_prob"] = acceptance_prob(
                e.offers[name], base, engine=world.engine, month=month,
                channel_factor=odds_factor(e.offers[name], channel, e.channels))
    return pd.DataFrame(columns, index=pd.Index(base.ids, name="subscriber"))


def _effect_columns(names: Sequence[str], found: Responses, once: Responses | None
                    ) -> dict[str, npt.NDArray[np.float64]]:
    """Return value, its standard error and staying of each treatment, and what happened in the one future `once`."""
    columns: dict[str, npt.NDArray[np.float64]] = {}
    count, _, n = found.value.shape
    for row, name in enumerate(names):
        value = found.value[:, row]
        columns[f"{name}_value"] = value.mean(axis=0)
        columns[f"{name}_value_se"] = (value.std(axis=0, ddof=1) / np.sqrt(count) if count > 1
                                       else np.full(n, np.nan))
        columns[f"{name}_staying"] = found.staying[:, row].mean(axis=0)
        if once is not None:
            columns[f"{name}_value_realised"] = once.value[0, row]
            columns[f"{name}_staying_realised"] = once.staying[0, row]
    return columns


def _asked(base: Subscribers, subscribers: Collection[int] | None, month: int) -> Subscribers:
    """Return the rows of those asked for, in the base's order."""
    if subscribers is None:
        return base
    asked = np.array(sorted(set(subscribers)), np.int64)
    absent = np.setdiff1d(asked, base.ids)
    if len(absent):
        raise ConfigError(f"subscribers: {absent[0]} is not on the network in month {month} ({len(absent)} such ids); "
                          "leave them out")
    return base.take(np.flatnonzero(np.isin(base.ids, asked)))


def _drawn(e: Experiment, draws: int | None) -> Experiment:
    """Return the experiment with the asked number of inner draws."""
    if draws is not None:
        _require("draws", draws, 1, MAX_DRAWS)
        e = e.model_copy(update={"evaluation": e.evaluation.model_copy(update={"inner_draws": draws})})
    return e


def work(orders: pd.DataFrame | None, exp: Loaded, *, seed: int, month: int = 0, calls: pd.DataFrame | None = None
         ) -> Worked:
    """Let the experiment's contact centre work a list of orders for a month, with its callers in between.

    Parameters
    ----------
    orders
        One row an order, with the columns of :class:`churnsim.capacity.orders.Orders`: order_id, subscriber,
        channel, offer, value, answer_habit, release_hours, deadline_hours, and, if you like, skill, priority,
        loss_rate_monthly, max_attempts, consent, accept_prob. Hours count from the start of month 0. Columns
        decision_hours, accepted and saved are what became known later, see
        :class:`churnsim.capacity.hindsight.Hindsight`: the centre does not see them, the metrics do. None: nobody but
        callers.
    exp
        A loaded experiment; its `channels` and `capacity` are used.
    seed
        Answers and handle times depend on it, from 0.
    month
        Hours ``720 * month`` to ``720 * (month + 1)`` are worked.
    calls
        Calls known beforehand, with columns call_id, stream and time_hours, and if known subscriber, patience_hours and
        handle_hours; those of the streams' own rates come on top.

    Returns
    -------
    Worked
        The attempts, the outcome of every order, the calls that came in between, notes and metrics.

    Raises
    ------
    DataError
        A column is absent, or a cell does not fit.
    CapacityError
        A channel of the list cannot be worked with these teams.
    """
    if seed < 0 or month < 0:
        raise ConfigError(f"seed and month: must be at least 0 (got {seed} and {month})")
    case = centre_case(orders, exp, month=month, calls=calls)
    log = case.work(seed)
    metrics = centre_metrics(log, case.orders, channels=case.channels, capacity=case.capacity, key=case.key(seed),
                             month=month, hindsight=case.hindsight)
    return Worked(log.attempts.to_pandas(), log.outcomes.to_pandas(), log.calls.to_pandas(),
                  centre_notes(case, log), metrics)


def centre_notes(case: Case, log: ContactLog) -> tuple[str, ...]:
    """Return what a reader of a log should know: which engine stood in, and teams with more work than hours."""
    loads = offered_load(case.orders, channels=case.channels, capacity=case.capacity, month=case.month)
    return (*([log.note] if log.note else []), *overloads(loads))


def centre_case(orders: pd.DataFrame | None, exp: Loaded, *, month: int, calls: pd.DataFrame | None = None) -> Case:
    """Return a month of an experiment's contact centre; parameters and errors as for :func:`work`."""
    table = pd.DataFrame(columns=[each.name for each in fields(Orders)]) if orders is None else orders
    e = exp.experiment
    return Case(Orders.from_frame(table), e.channels, e.capacity, month, Hindsight.from_frame(table), calls)


def staff(exp: Loaded, *, team: str, service_level: str | None = None, budget_per_hour_amount: float | None = None,
          orders: pd.DataFrame | None = None, seeds: Sequence[int] = (1, 2, 3, 4, 5), month: int = 0,
          calls: pd.DataFrame | None = None) -> Staffing:
    """Find out how many agents a team needs: the fewest for a service level, or the number that pays best.

    Parameters
    ----------
    team
        Whose agents are varied.
    service_level
        Such as "save_desk:0.8:20": 80 % of that stream's calls answered within 20 seconds.
    budget_per_hour_amount
        Instead of it: the best net value after pay with a team that costs at most so much an hour.
    orders, month, calls
        As for :func:`work`.
    seeds
        Each is a month of its own; intervals come from several.

    Raises
    ------
    ConfigError
        Not exactly one goal is given, or there is no seed.
    CapacityError
        The goal does not fit the centre.
    """
    if (service_level is None) == (budget_per_hour_amount is None):
        raise ConfigError("staff: give a service level or a budget an hour for the best net value, and not both")
    _require_seeds(seeds)
    case = centre_case(orders, exp, month=month, calls=calls)
    if budget_per_hour_amount is not None:
        return staff_for_net_value(case, team, budget_per_hour_amount=budget_per_hour_amount, seeds=seeds)
    assert service_level is not None
    return staff_for_service_level(case, team, ServiceGoal.parse(service_level), seeds=seeds)


def shadow_prices(orders: pd.DataFrame, exp: Loaded, *, seeds: Sequence[int] = (1, 2, 3, 4, 5), month: int = 0,
                  calls: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return what one more agent hour is worth, by team and hour: :func:`churnsim.capacity.shadow.shadow_prices`.

    Parameters and errors as for :func:`work` and :func:`staff`.
    """
    _require_seeds(seeds)
    return price_hours(centre_case(orders, exp, month=month, calls=calls), seeds=seeds)


def _require_seeds(seeds: Sequence[int]) -> None:
    if not len(seeds) or min(seeds) < 0:
        raise ConfigError(f"seeds: give at least one, each at least 0 (got {list(seeds)})")


def _require(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ConfigError(f"{name}: must be {low} to {high} (got {value})")


def _require_known(what: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ConfigError(f"{what}: no {what.removesuffix('s')} {name!r}; there are {', '.join(known)}"
                          f"{did_you_mean(name, known)}")

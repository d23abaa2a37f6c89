"""The composed schema of an experiment file, and the checks between its sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field

from churnsim.campaign.checks import check_pilot
from churnsim.campaign.settings import CampaignSettings, PilotSettings
from churnsim.capacity.checks import check_capacity
from churnsim.capacity.settings import CapacitySettings, Channel
from churnsim.config.base import Settings
from churnsim.config.messages import did_you_mean
from churnsim.config.paths import KeyPath
from churnsim.errors import ConfigError, DataError
from churnsim.evaluation.settings import EvaluationSettings
from churnsim.experiment.month_checks import campaign_months, check_months
from churnsim.lifecycle.market_settings import MarketSettings, check_market
from churnsim.lifecycle.record_settings import GROUPS, RecordSettings
from churnsim.lifecycle.settings import MOST_CAUSES, LifecycleSettings, check_lifecycle
from churnsim.offers.checks import check_offers
from churnsim.offers.settings import Offer
from churnsim.policy.checks import channels_of, check_policies
from churnsim.policy.settings import IN_PARTS, PolicySettings
from churnsim.population.settings import PopulationSettings, check_population
from churnsim.signals.settings import SignalsSettings
from churnsim.uplift.settings import UpliftSettings, check_learner

if TYPE_CHECKING:
    from churnsim.core.columns import Column

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=60)]


class GateSettings(Settings):
    """What counts as a changed result."""

    margin_share: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)]
    """Largest difference of a metric that counts as equivalent, as a share of its largest absolute value
    among the baseline's policies."""


class SimulationSettings(Settings):
    """How ``churnsim simulate`` lets months pass."""

    months: Annotated[int, Field(strict=True, ge=0, le=600)]
    """Months that pass, from the start."""
    policy: Name | None = None
    """Policy whose list is worked in the campaign month (lifecycle.history_months); no campaign if absent."""
    partition_size: Annotated[int, Field(strict=True, ge=1)]
    """Subscribers of the start that are simulated and written together: memory grows with it, results do not
    depend on it."""


class Experiment(Settings):
    """An experiment: a world, a pilot, a campaign, and the policies compared in it."""

    model_config = ConfigDict(populate_by_name=True)

    schema_version: Literal[1] = Field(alias="schema")
    """Version of this schema."""
    preset: str = "data_grounded"
    """Defaults that this file is laid over."""
    name: Name
    """Name of the results folder."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**64)]
    """Everything random depends on it."""
    replicates: Annotated[int, Field(strict=True, ge=1, le=10_000)]
    """Independent repetitions: traits, pilot, fits, futures and the contact centre are drawn anew."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """Currency of every amount (ISO 4217)."""
    population: PopulationSettings
    market: MarketSettings
    lifecycle: LifecycleSettings
    offers: dict[Name, Offer]
    """What may be offered, by name; null takes an offer of the preset out."""
    channels: dict[Name, Channel]
    """How subscribers are contacted, by name; null takes a channel of the preset out."""
    capacity: CapacitySettings
    signals: SignalsSettings
    pilot: PilotSettings
    uplift: UpliftSettings
    campaign: CampaignSettings
    policies: dict[Name, PolicySettings]
    """The policies compared, by name; null takes a policy of the preset out."""
    evaluation: EvaluationSettings
    simulation: SimulationSettings
    record: RecordSettings
    scenarios: dict[Name, dict[str, Any]] = Field(default_factory=dict)
    """Patches laid over this file, each run beside it."""
    sweep: dict[str, list[Any]] = Field(default_factory=dict)
    """Dotted key -> values; every combination is a scenario."""
    gate: GateSettings

    @property
    def campaign_month(self) -> int:
        """Calendar month of the campaign."""
        return self.lifecycle.history_months

    def plain(self) -> dict[str, Any]:
        """Return the settings as plain data, keys as in the file."""
        return self.model_dump(mode="json", by_alias=True)


COUPLED = ("market.word_of_mouth couples subscribers, and a campaign is judged by stepping those it contacts again, "
           "alone")


def check_experiment(experiment: Experiment, *, folder: Path = Path()) -> Iterator[tuple[KeyPath, str]]:
    """Yield cross-reference findings as (key path, message); paths in the experiment are relative to `folder`."""
    findings = [*_check_sections(experiment), *_check_names(experiment, folder)]
    yield from findings
    if experiment.lifecycle.drivers and not findings:
        yield from _check_month(experiment, folder)


def _check_names(experiment: Experiment, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield findings about policies and drivers of the user's own, and about names that drivers may declare."""
    from churnsim.lifecycle.columns import LIFECYCLE_SCHEMA
    from churnsim.lifecycle.covariates import COVARIATES
    from churnsim.lifecycle.plugin import check_drivers, driver_covariates
    from churnsim.policy.own import check_own

    yield from check_own(experiment.policies, folder)
    if any(learner.estimator for learner in experiment.uplift.learners.values()):
        from churnsim.uplift.estimators import check_estimators

        for tail, text in check_estimators(experiment.uplift.learners, folder):
            yield ("uplift", "learners", *tail), text
    drivers, findings = check_drivers(experiment.lifecycle.drivers, folder)
    if findings:
        yield from findings
        return
    yield from check_lifecycle(experiment.lifecycle, (*COVARIATES, *driver_covariates(drivers, stored=False)))
    causes = (*experiment.lifecycle.causes, *(cause for driver in drivers for cause in driver.causes))
    if drivers and len(causes) > MOST_CAUSES:
        yield (("lifecycle", "drivers"), f"at most {MOST_CAUSES} causes with those of lifecycle.causes (got "
               f"{len(causes)}); take some out")
    own = (column for driver in drivers for column in driver.columns if column.scope == "stored")
    yield from _check_columns(experiment.record, (*LIFECYCLE_SCHEMA.stored, *own))
    yield from check_offers(experiment.offers, causes=causes, channels=tuple(experiment.channels),
                            covariates=(*COVARIATES, *driver_covariates(drivers, stored=True)))


def _check_columns(record: RecordSettings, columns: Sequence[Column]) -> Iterator[tuple[KeyPath, str]]:
    from churnsim.lifecycle.record import names_in_table
    from churnsim.lifecycle.views import SCHEMES

    made = {"stated_reason": "observed", **{scheme.column: "observed" for scheme in SCHEMES}}
    stored = {name: column.visibility for column in columns for name in (column.name, *names_in_table(column))}
    # Of those who have left, it is observed.
    known = {**stored, **made, "departure_time": "observed"}
    for k, name in enumerate(record.columns or ()):
        at = ("record", "columns", k)
        if name not in known:
            yield at, f"no such column{did_you_mean(name, known) or '; docs/columns.md names them'}"
        elif name in (record.columns or ())[:k]:
            yield at, f"{name!r} stands there twice; name it once"
        elif known[name] == "latent" and not record.latent:
            yield at, f"only the simulator knows {name!r}; set record.latent to true, or take it out"


def _check_month(experiment: Experiment, folder: Path) -> Iterator[tuple[KeyPath, str]]:
    """Yield why drivers do not fit together to a month."""
    from churnsim.experiment.world import make_world

    try:
        make_world(experiment, replicate=0, folder=folder)
    except (ConfigError, DataError) as error:
        for line in str(error).splitlines():
            yield ("lifecycle", "drivers"), line


def _check_sections(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    from churnsim.campaign.limits import check_limits

    yield from check_population(experiment.population)
    yield from check_market(experiment.market)
    tickets = experiment.campaign.tickets.channel
    used = dict.fromkeys((*experiment.campaign.channels, experiment.pilot.channel, *((tickets,) if tickets else ()),
                          *channels_of(experiment.policies.values())))
    known = [name for name in used if name in experiment.channels]
    yield from check_capacity(experiment.channels, experiment.capacity, known,
                              months=dict.fromkeys((experiment.pilot.start_month, *campaign_months(experiment))))
    yield from _check_campaign(experiment)
    yield from check_pilot(experiment.pilot, experiment.uplift, offers=experiment.campaign.offers,
                           regions=experiment.population.traits.regions)
    for name, learner in experiment.uplift.learners.items():
        for tail, text in check_learner(learner):
            yield ("uplift", "learners", name, *tail), text
    yield from _check_simulation(experiment)
    if not experiment.policies:
        yield ("policies",), "at least one policy is needed"
    for key, values in experiment.sweep.items():
        if not values:
            yield ("sweep", key), "give at least one value"
    yield from check_limits(experiment.campaign.limits)
    for name, policy in experiment.policies.items():
        if policy.kind == "capacity_aware" and experiment.uplift.unanswered == "possible":
            yield (("policies", name, "kind"), "capacity_aware goes by who is reached in time, and with "
                   "uplift.unanswered possible effects do not; set that to no_effect, or take the policy out")
    yield from check_months(experiment)
    yield from check_policies(
        experiment.policies, offers=experiment.campaign.offers, channels=experiment.campaign.channels,
        learners=tuple(experiment.uplift.learners))


def _check_campaign(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    channels, pilot, campaign = experiment.channels, experiment.pilot, experiment.campaign
    if not experiment.offers or len(experiment.offers) > 100:
        yield ("offers",), f"between 1 and 100 offers are needed (got {len(experiment.offers)})"
    yield from _check_campaign_offers(experiment)
    yield from _check_tickets(experiment)
    if not campaign.channels:
        yield ("campaign", "channels"), f"name at least one of {', '.join(channels)}"
    for k, name in enumerate(campaign.channels):
        if name not in channels:
            yield ("campaign", "channels", k), f"no channel {name!r}; there are {', '.join(channels)}"
    if pilot.channel not in campaign.channels:
        yield (("pilot", "channel"), f"{pilot.channel!r} is not among campaign.channels "
               f"({', '.join(campaign.channels)}); rankings use the pilot's channel")
    elif pilot.channel in channels and channels[pilot.channel].acceptance_factor == 0.0:
        yield ("pilot", "channel"), "nobody accepts through this channel (acceptance_factor 0); use another"
    if pilot.start_month < 1:
        yield ("pilot", "start_month"), "must be at least 1: features look at the month before"
    end = pilot.start_month + pilot.outcome_months
    if end > experiment.campaign_month:
        yield (("pilot", "outcome_months"), f"the pilot's outcomes end with month {end}, after the campaign "
               f"month {experiment.campaign_month} (lifecycle.history_months) starts; start earlier or "
               "lengthen the history")
    if experiment.signals.risk_horizon_months > pilot.outcome_months:
        yield (("signals", "risk_horizon_months"),
               f"must be at most pilot.outcome_months ({pilot.outcome_months})")
    if experiment.evaluation.horizon_months <= pilot.outcome_months:
        yield ("evaluation", "horizon_months"), f"must be above pilot.outcome_months ({pilot.outcome_months})"
    if experiment.signals.list_delay_days >= campaign.deadline_days:
        yield (("campaign", "deadline_days"), "must be later than signals.list_delay_days "
               f"({experiment.signals.list_delay_days}): no order could be worked")
    longest = max((max(o.discounted_bills, o.effect_months, o.contract_months_added, o.lock_in_months)
                   for name, o in experiment.offers.items() if name in campaign.offers), default=0)
    if experiment.evaluation.horizon_months < longest + 6:
        yield (("evaluation", "horizon_months"), f"must be at least {longest + 6}: the longest effect or "
               f"added contract lasts {longest} months, and its benefit needs 6 more to show")
    if not 0.0 < pilot.control_share < 1.0:
        yield ("pilot", "control_share"), "must lie strictly between 0 and 1"


def _check_campaign_offers(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    offers, named, channel = experiment.offers, experiment.campaign.offers, experiment.pilot.channel
    lost_months = experiment.campaign.lost_months
    known = [offers[name] for name in named if name in offers]
    if known and lost_months and not any(offer.brings_back for offer in known):
        yield (("campaign", "lost_months"), "no offer of campaign.offers is for those who have left (brings_back); "
               f"name one, or set it to 0 (got {lost_months})")
    if not named:
        yield ("campaign", "offers"), f"name at least one of {', '.join(offers)}"
    for k, name in enumerate(named):
        at = ("campaign", "offers", k)
        if name not in offers:
            yield at, f"no offer {name!r}; there are {', '.join(offers)}"
        elif name in named[:k]:
            yield at, f"{name!r} stands there twice; name it once"
        elif offers[name].brings_back and not lost_months:
            yield at, f"{name!r} is for those who have left; raise campaign.lost_months above 0, or take it out"
        elif offers[name].acceptance.channel_factors.get(channel) == 0.0:
            yield (("offers", name, "acceptance", "channel_factors", channel), "nobody accepts it through the pilot's "
                   "channel; raise it above 0 or take the offer out of campaign.offers")


def _check_tickets(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    name, channels = experiment.campaign.tickets.channel, experiment.channels
    at = ("campaign", "tickets", "channel")
    if name is None:
        return
    live = ", ".join(known for known, channel in channels.items() if channel.kind == "live") or "none"
    if name not in channels:
        yield at, f"no channel {name!r}; live ones are {live}"
    elif channels[name].kind != "live":
        yield at, (f"{name!r} is a channel of kind {channels[name].kind}, and tickets are worked by agents; "
                   f"name a live one ({live})")
    if experiment.simulation.policy is not None:
        yield (("simulation", "policy"), "a campaign that delays tickets is judged by `churnsim run` only: partitions "
               "of a simulation do not know each other's tickets; set simulation.policy or campaign.tickets.channel "
               "to null")


def _check_simulation(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    simulation, record = experiment.simulation, experiment.record
    for k, name in enumerate(record.by):
        if name not in GROUPS:
            yield ("record", "by", k), f"no such group {name!r}; there are {', '.join(GROUPS)}"
        elif name in record.by[:k]:
            yield ("record", "by", k), f"{name!r} stands there twice; name it once"
    if record.snapshot is not None and record.snapshot.month + record.snapshot.outcome_months > simulation.months:
        yield (("record", "snapshot"), "the outcome months end after simulation.months "
               f"({simulation.months}); start earlier, look less far or simulate longer")
    yield from _check_word_of_mouth(experiment)
    if simulation.policy is None:
        return
    at = ("simulation", "policy")
    if simulation.policy not in experiment.policies:
        yield at, f"no policy {simulation.policy!r}; there are {', '.join(experiment.policies)}"
    elif (kind := experiment.policies[simulation.policy].kind) not in IN_PARTS:
        yield at, (f"a list of kind {kind} cannot be made in partitions, `churnsim run` makes it; name a policy of "
                   f"kind {', '.join(IN_PARTS)}")
    elif experiment.campaign.limits.segments:
        yield (("campaign", "limits", "segments"), "a partition does not know how many of a segment are listed in "
               "others; set simulation.policy to null, or take the segments out")
    if simulation.months <= experiment.campaign_month:
        yield (("simulation", "months"), "must be above the campaign month (lifecycle.history_months, "
               f"{experiment.campaign_month}) when there is a campaign (got {simulation.months})")


def _check_word_of_mouth(experiment: Experiment) -> Iterator[tuple[KeyPath, str]]:
    talk, simulation = experiment.market.word_of_mouth, experiment.simulation
    if talk is None:
        return
    if simulation.partition_size % talk.community_size:
        yield (("simulation", "partition_size"),
               f"must be a multiple of market.word_of_mouth.community_size ({talk.community_size}; got "
               f"{simulation.partition_size}): a community stays in one partition")
    if experiment.population.table is not None and experiment.population.size is not None:
        yield (("population", "size"), "a subset of a table breaks up the communities of market.word_of_mouth; remove "
               "one of the two")
    if simulation.policy is not None:
        yield (("simulation", "policy"), f"{COUPLED}; set simulation.policy or market.word_of_mouth to null")

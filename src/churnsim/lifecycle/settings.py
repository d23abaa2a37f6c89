"""Settings of the lifecycle: usage, service, shopping, contracts, causes of leaving, and the market."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Number, Prob, Settings, Share


class Usage(Settings):
    """Monthly data use and what is billed for it."""

    persistence: Share
    """Share of last month's deviation from usual usage that remains."""
    noise_log_sd: NonNegative
    """Standard deviation of the monthly innovation of log usage (a sum of four uniforms: never beyond 3.5 of
    them)."""
    shopping_factor: Share
    """Factor on usage while shopping: traffic moves to a second card before a number does."""
    overage_price_per_gb: Amount
    """Price of a GB above the allowance."""


class Service(Settings):
    """Faults, complaints and satisfaction."""

    fault_prob: Prob
    """Chance of feeling a fault in a month at normal network quality."""
    fault_log_odds_per_quality: Number
    """Change of the fault's log-odds per standard deviation of regional network quality."""
    complaint_prob: Prob
    """Chance of a complaint in a month without fault or bill shock."""
    complaint_log_odds: dict[str, Number]
    """Added log-odds for ``fault`` (felt this month), ``bill_shock`` (log ratio), ``dissatisfaction``
    (20 points), ``service_sensitivity`` (standard deviation)."""
    stock_persistence: Share
    """Share of complaint, fault and ad-click stocks left after a month."""
    satisfaction_persistence: Share
    """Share of last month's distance from usual satisfaction that remains."""
    fault_points: Number
    """Change of satisfaction by a fault."""
    complaint_points: Number
    """Change of satisfaction by a complaint."""


class Shopping(Settings):
    """The latent month of looking for another operator, which holds most voluntary leaving."""

    base_prob: Prob
    """Chance a month with no trigger."""
    log_odds: dict[str, Number]
    """Added log-odds per unit of a covariate (see the reference of covariates)."""
    ad_click_prob: Prob
    """Chance of a click on a competitor's advertisement in a month while shopping."""
    ad_click_prob_otherwise: Prob
    """Chance of such a click in any other month."""
    ad_click_log_odds_attention: Number
    """Change of the log-odds of a click from no attention to full attention, centred on one half."""


class Contract(Settings):
    """What happens when a contract ends."""

    renewal_prob: Prob
    """Chance that a subscriber who stays signs another contract of the same length without being asked."""


class Arrears(Settings):
    """Bills not paid in time."""

    miss_prob: Prob
    """Chance to miss a bill for a subscriber in good standing."""
    miss_log_odds_prepaid: Number
    """Change of the log-odds for those who pay in advance."""
    cure_prob: Prob
    """Chance to clear all arrears in a month."""


class Suspension(Settings):
    """Service paused with the number kept (season, absence)."""

    enter_prob: Prob
    """Chance a month for a local household."""
    enter_log_odds_migrant: Number
    """Change of the log-odds for migrant households."""
    resume_prob: Prob
    """Chance a month to resume."""
    fee_share: Share
    """Share of the fee billed while suspended."""


class Contact(Settings):
    """What a contact does by itself, whatever is offered."""

    wake: NonNegative
    """How far a contact wakes an inattentive subscriber without a contract; covariate ``wake`` after the
    contact is this times (1 - attention), and 0 for others."""
    wake_persistence: Share
    """Share of it left after a month."""
    goodwill_points: Number
    """Points a contact adds to satisfaction."""
    discount_shock_persistence: Share
    """Share of the price shock of an ended discount left after a month."""


class CostToServe(Settings):
    """What a subscriber costs while active."""

    fixed_amount: Amount
    """A line and month."""
    share_of_revenue: Share
    """Share of revenue before discounts (interconnection, licences, bad debt)."""


class Cause(Settings):
    """A cause of leaving: monthly hazard exp(intercept + sum of coefficient x covariate)."""

    intercept: Number
    """Log of the monthly hazard when every covariate is zero."""
    coefficients: dict[str, Number] = Field(default_factory=dict)
    """Change of the log hazard per unit of a covariate (see the reference of covariates)."""


class LifecycleSettings(Settings):
    """How months pass."""

    history_months: Annotated[int, Field(strict=True, ge=1, le=120)]
    """Months simulated before the campaign month; the campaign falls in the month after them."""
    notice_days: Annotated[float, Field(strict=True, ge=0.0, le=30.0)]
    """Days from the decision to leave to the end of service (notice period, porting time)."""
    usage: Usage
    service: Service
    shopping: Shopping
    contract: Contract
    arrears: Arrears
    suspension: Suspension
    contact: Contact
    cost_to_serve: CostToServe
    causes: dict[str, Cause]
    """Competing causes of leaving by name."""


class Promotion(Settings):
    """Competitors' promotions by region and month."""

    start_prob: Prob
    """Chance that a promotion runs in a region in a month."""
    strength: NonNegative
    """Value of covariate ``promotion`` while one runs."""


class Network(Settings):
    """Regional network quality: a mean-reverting process in standard deviations."""

    persistence: Share
    """Share of last month's quality that remains."""


class MarketSettings(Settings):
    """The world around the subscribers."""

    promotion: Promotion
    network: Network
    season_amplitude: NonNegative
    """Amplitude of covariate ``season``, a cosine over the year that peaks in its first month."""
    arrivals_share_monthly: Share
    """New subscribers a month, share of the base at the start. In ``churnsim run`` the last ones join before the
    campaign month, in ``churnsim simulate`` before the last month."""
    start_month_of_year: Annotated[int, Field(strict=True, ge=1, le=12)]
    """Month of the year in which the simulation starts (1 January)."""


class Snapshot(Settings):
    """A table to learn from: features when a month starts, and what came of the subscribers after it."""

    month: Annotated[int, Field(strict=True, ge=1, le=600)]
    """Calendar month at whose start features are taken, of those on the network then."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=120)]
    """Months after it that count for the outcome."""


class RecordSettings(Settings):
    """What a simulation leaves behind beside its monthly summaries."""

    by: tuple[str, ...]
    """Columns that summaries are grouped by: those that hold codes and never change (customer_type, region,
    locality, payment)."""
    end_state: bool
    """Write every subscriber's columns when the simulation ends."""
    events: bool
    """Write a log of joining, complaints, contacts, acceptances, decisions to leave and leaving."""
    panel_share: Share
    """Share of subscribers whose every month is written; the same ones in every run of a seed."""
    latent: bool
    """Write what only the simulator knows of end state and panel too, in files of its own."""
    snapshot: Snapshot | None = None
    """Write features and outcomes of one decision month; nothing if absent."""


GROUPS = ("customer_type", "region", "locality", "payment")
MOST_CAUSES = 100
# Probabilities that a driver turns into log-odds.
LOG_ODDS = (("service", "fault_prob"), ("service", "complaint_prob"), ("shopping", "base_prob"),
            ("shopping", "ad_click_prob"), ("shopping", "ad_click_prob_otherwise"), ("arrears", "miss_prob"),
            ("suspension", "enter_prob"))
COMPLAINT_TERMS = ("fault", "bill_shock", "dissatisfaction", "service_sensitivity")


def check_lifecycle(lifecycle: LifecycleSettings, covariates: tuple[str, ...]
                    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield cross-reference findings as (key path, message)."""
    tables: list[tuple[tuple[str, ...], dict[str, float]]] = [
        (("lifecycle", "causes", name, "coefficients"), cause.coefficients)
        for name, cause in lifecycle.causes.items()]
    tables.append((("lifecycle", "shopping", "log_odds"), lifecycle.shopping.log_odds))
    for path, table in tables:
        for name in table:
            if name not in covariates:
                yield (*path, name), f"no such covariate; there are {', '.join(covariates)}"
    for name in lifecycle.service.complaint_log_odds:
        if name not in COMPLAINT_TERMS:
            yield (("lifecycle", "service", "complaint_log_odds", name),
                   f"no such term; there are {', '.join(COMPLAINT_TERMS)}")
    if not lifecycle.causes:
        yield ("lifecycle", "causes"), "at least one cause of leaving is needed; add one"
    if len(lifecycle.causes) > MOST_CAUSES:
        yield (("lifecycle", "causes"),
               f"at most {MOST_CAUSES} causes (got {len(lifecycle.causes)}); take some out")
    for section, key in LOG_ODDS:
        prob = getattr(getattr(lifecycle, section), key)
        if not 0.0 < prob < 1.0:
            yield ("lifecycle", section, key), f"must lie strictly between 0 and 1 (got {prob})"

"""Settings of the lifecycle: what happens to subscribers in a month, and why they leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from churnsim.config.base import Amount, NonNegative, Number, Positive, Prob, Settings, Share
from churnsim.population.categories import COMPLAINT_TYPES

Weights = dict[str, Number]
Months = Annotated[int, Field(strict=True, ge=0, le=60)]


class Usage(Settings):
    """Monthly data and voice use, and what is billed for it."""

    persistence: Share
    """Share of last month's deviation from usual usage that remains."""
    noise_log_sd: NonNegative
    """Standard deviation of the monthly innovation of log usage (a sum of four uniforms: never beyond 3.5 of
    them)."""
    growth_log: NonNegative
    """How far the log of usage of a new subscriber lies below its usual level; it closes with tenure."""
    growth_months: Positive
    """Months in which this gap falls to 1/e."""
    idle_prob: Prob
    """Chance of a month of little usage (travel, second card) for reasons of no consequence."""
    idle_log_depth: NonNegative
    """Mean fall of log usage in an idle month (exponential)."""
    shopping_factor: Share
    """Mean factor on usage while shopping: traffic moves to a second card before a number does. It varies between
    nothing and all from month to month."""
    voice_share_of_deviation: Share
    """Share of the deviation of log data usage that minutes follow."""
    overage_price_per_gb: Amount
    """Price of a GB above the allowance."""


class PlanChange(Settings):
    """Changes of plan, brand and lines by the subscriber's own wish."""

    change_prob: Prob
    """Chance of a plan change in a month when every covariate is zero."""
    change_log_odds: Weights
    """Added log-odds per unit of a covariate (see the reference of covariates)."""
    down_prob: Prob
    """Chance that a change is to a cheaper plan when every covariate is zero."""
    down_log_odds: Weights
    """Added log-odds per unit of a covariate."""
    step_share: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)]
    """Change of fee and allowance by one change, a share of them."""
    tier_move_prob: Prob
    """Chance that a change moves the brand tier too."""
    line_loss_prob: Prob
    """Chance a month that an account of several lines gives one up, when every covariate is zero."""
    line_loss_log_odds: Weights
    """Added log-odds per unit of a covariate."""
    line_gain_prob: Prob
    """Chance a month that an account of several lines adds one."""
    need_decay_months: Positive
    """Months in which an account's residual need falls to 1/e on average."""
    high_value_amount: Amount
    """Mean monthly bill from which an account's value is high."""
    low_value_amount: Amount
    """Mean monthly bill below which an account's value is low."""


class Recharge(Settings):
    """Balance and recharges of those who pay in advance."""

    skip_prob: Prob
    """Chance that no recharge is made in a month when every covariate is zero."""
    skip_log_odds: Weights
    """Added log-odds per unit of a covariate."""
    fee_months: Positive
    """Size of a recharge, in monthly fees."""


class Ticket(Settings):
    """How long a complaint's ticket takes, and what that does to the subscriber."""

    hours_median: Positive
    """Median hours to resolution (log-normal), when no contact centre decides it."""
    hours_log_sd: NonNegative
    """Standard deviation of the log of it."""
    network_repair_hours_mean: Positive
    """Mean hours to repair of a network complaint of accounts with broadband (exponential)."""
    fast_hours: Positive
    """A ticket resolved within so many hours counts as fast."""
    slow_hours: Positive
    """A ticket that takes longer counts as slow."""
    fast_points: Number
    """Change of satisfaction by a fast resolution, at the start of the next month."""
    slow_points: Number
    """Change of satisfaction by a slow one."""
    fast_relief: Share
    """Share of the complaint stock that a fast resolution clears."""
    network_share: Prob
    """Share of complaints about the network when no fault was felt."""
    billing_share: Prob
    """Share of complaints about the bill when there was no bill shock."""


class Service(Settings):
    """Faults, complaints, tickets and satisfaction."""

    fault_prob: Prob
    """Chance of feeling a fault in a month at normal network quality."""
    fault_log_odds_per_quality: Number
    """Change of the fault's log-odds per standard deviation of the cell's network quality."""
    complaint_prob: Prob
    """Chance of a complaint in a month without fault or bill shock."""
    complaint_log_odds: Weights
    """Added log-odds for ``fault`` (felt this month), ``bill_shock`` (log ratio), ``dissatisfaction``
    (20 points), ``service_sensitivity`` (standard deviation)."""
    stock_persistence: Share
    """Share of complaint, fault, ad-click, contact and plan-change stocks left after a month."""
    satisfaction_persistence: Share
    """Share of last month's distance from usual satisfaction that remains."""
    fault_points: Number
    """Change of satisfaction by a fault."""
    complaint_points: Number
    """Change of satisfaction by a complaint."""
    fatigue_persistence: Share
    """Share of experience fatigue (faults, complaints, slow tickets) left after a month."""
    ticket: Ticket


class Contacts(Settings):
    """Contacts that the subscriber makes, and surveys."""

    hotline_prob: Prob
    """Chance to call the hotline in a month without fault or complaint."""
    hotline_log_odds: dict[str, Number]
    """Added log-odds for ``fault``, ``complaint`` and ``bill_shock``."""
    shop_prob: Prob
    """Chance to visit a shop in a month."""
    shop_points: Number
    """Change of satisfaction by a visit (queueing)."""
    app_logins_mean: NonNegative
    """Logins to the app a month of the average account."""
    app_shopping_factor: NonNegative
    """Factor on logins while shopping."""
    survey_share: Prob
    """Share of subscribers surveyed in a month."""
    survey_noise_points: NonNegative
    """Standard deviation of the error of an answer (scale 0 to 10)."""


class Shopping(Settings):
    """The latent days or weeks of looking for another operator, which hold most voluntary leaving."""

    base_prob: Prob
    """Chance a month to start looking, with no trigger."""
    log_odds: Weights
    """Added log-odds per unit of a covariate (see the reference of covariates)."""
    days_mean: Positive
    """Mean days that it lasts (exponential)."""
    ad_click_prob: Prob
    """Chance of a click on a competitor's advertisement in a month while shopping."""
    ad_click_prob_otherwise: Prob
    """Chance of such a click in any other month."""
    ad_click_log_odds_attention: Number
    """Change of the log-odds of a click from no attention to full attention, centred on one half."""
    porting_request_prob: Prob
    """Chance to ask for a porting code in a month while shopping."""


class Contract(Settings):
    """What happens when a contract ends."""

    renewal_prob: Prob
    """Chance that a subscriber who stays signs another contract of the same length without being asked."""
    termination_fee_share: Share
    """Fee for leaving early, a share of the fees of the months left on the contract. It deters (covariate
    ``termination_fee``); that it is ever collected is not counted."""
    notice_wake: NonNegative
    """Wake (covariate ``wake``) by the mandated notice a month before a contract ends."""


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
    """Chance a month when every covariate is zero."""
    enter_log_odds: Weights
    """Added log-odds per unit of a covariate."""
    resume_prob: Prob
    """Chance a month to resume."""
    fee_share: Share
    """Share of the fee billed while suspended."""


class WinBack(Settings):
    """Coming back after leaving: the same id, a new spell."""

    return_prob: Share
    """Chance to come back in the month after the month of leaving, for a cause of factor 1."""
    persistence: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)]
    """Factor on that chance with every further month away."""
    cause_factors: dict[str, Share]
    """Factor on it by cause of leaving; 0 for causes that are not named."""
    hazard_factor: NonNegative
    """Factor on all hazards of leaving of those who came back."""


class Contact(Settings):
    """What a contact does by itself, whatever is offered."""

    wake: NonNegative
    """How far a contact wakes an inattentive subscriber without a contract; covariate ``wake`` after the
    contact is this times (1 - attention), and 0 for others."""
    wake_by_inertia: Number
    """Relative change of it per standard deviation of inertia: who stays from habit has most to wake."""
    wake_persistence: Share
    """Share of it left after a month."""
    goodwill_points: Number
    """Points a contact adds to satisfaction of a subscriber of average attitude."""
    goodwill_points_by_attitude: Number
    """Change of these points per standard deviation of attitude."""
    fatigue_points: Number
    """Points that a contact costs for every contact in the stock of past ones."""
    stock_persistence: Share
    """Share of the stock of past contacts left after a month."""
    discount_shock_persistence: Share
    """Share of the price shock of an ended discount left after a month."""
    habituation: NonNegative
    """An offer's effect is multiplied by exp(-this x offers accepted before)."""
    habituation_persistence: Share
    """Share of the stock of offers accepted before left after a month."""


class CostToServe(Settings):
    """What a subscriber costs while active."""

    fixed_amount: Amount
    """A line and month."""
    share_of_revenue: Share
    """Share of revenue before discounts (interconnection, licences, bad debt)."""
    hotline_call_amount: Amount
    """A call to the hotline."""
    shop_visit_amount: Amount
    """A visit to a shop."""
    ticket_amount: Amount
    """A complaint's ticket."""


class Cause(Settings):
    """A cause of leaving: monthly hazard exp(intercept + sum of coefficient x covariate)."""

    intercept: Number
    """Log of the monthly hazard when every covariate is zero."""
    coefficients: Weights = Field(default_factory=dict)
    """Change of the log hazard per unit of a covariate (see the reference of covariates)."""
    apparent: bool = False
    """True: the line is given up but the account stays with the operator on another line (internal substitution,
    churn and rejoin): it costs a subsidy or commission and starts the new line's terms, but is no loss."""
    subsidy_amount: Amount = 0.0
    """Of an apparent cause: what the new line costs the operator in device or set-up."""
    newcomer_terms: bool = False
    """Of an apparent cause: the new line gets the newcomers' discount and the dealer its commission."""


class StatedReasons(Settings):
    """What those who leave say: a noisy view of the true cause."""

    silent_share: Share
    """Share that says nothing."""
    given_cause: dict[str, dict[str, Share]]
    """Stated reason -> share, by true cause; shares add to 1. A cause that is not named is stated as it is."""


class PluginDriver(Settings):
    """A driver of one's own."""

    driver: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")]
    """Its class, as module:Class; the module is a file beside the experiment file, or installed."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """What the class's Settings declare."""


class LifecycleSettings(Settings):
    """How months pass."""

    history_months: Annotated[int, Field(strict=True, ge=1, le=120)]
    """Months simulated before the campaign month; the campaign falls in the month after them."""
    notice_days: Annotated[float, Field(strict=True, ge=0.0, le=30.0)]
    """Days from the decision to leave to the end of service (notice period, porting time)."""
    usage: Usage
    plan: PlanChange
    recharge: Recharge
    service: Service
    contacts: Contacts
    shopping: Shopping
    contract: Contract
    arrears: Arrears
    suspension: Suspension
    win_back: WinBack
    contact: Contact
    cost_to_serve: CostToServe
    causes: dict[str, Cause]
    """Competing causes of leaving by name."""
    stated_reasons: StatedReasons
    drivers: dict[str, PluginDriver] = Field(default_factory=dict)
    """Drivers of one's own by name, in the order of the file; null takes one out."""


MOST_CAUSES = 100
# Probabilities that a driver turns into log-odds.
LOG_ODDS = (("plan", "change_prob"), ("plan", "down_prob"), ("plan", "line_loss_prob"), ("recharge", "skip_prob"),
            ("service", "fault_prob"), ("service", "complaint_prob"), ("contacts", "hotline_prob"),
            ("shopping", "base_prob"), ("shopping", "ad_click_prob"), ("shopping", "ad_click_prob_otherwise"),
            ("arrears", "miss_prob"), ("suspension", "enter_prob"))
WEIGHTS = (("plan", "change_log_odds"), ("plan", "down_log_odds"), ("plan", "line_loss_log_odds"),
           ("recharge", "skip_log_odds"), ("shopping", "log_odds"), ("suspension", "enter_log_odds"))
COMPLAINT_TERMS = ("fault", "bill_shock", "dissatisfaction", "service_sensitivity")
HOTLINE_TERMS = ("fault", "complaint", "bill_shock")
NO_REASON, SILENT = "none", "silent"


def check_lifecycle(lifecycle: LifecycleSettings, covariates: tuple[str, ...]
                    ) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield cross-reference findings as (key path, message)."""
    tables: list[tuple[tuple[str, ...], Weights]] = [
        (("lifecycle", "causes", name, "coefficients"), cause.coefficients)
        for name, cause in lifecycle.causes.items()]
    tables += [(("lifecycle", section, key), getattr(getattr(lifecycle, section), key)) for section, key in WEIGHTS]
    for path, table in tables:
        for name in table:
            if name not in covariates:
                yield (*path, name), f"no such covariate; there are {', '.join(covariates)}"
    for at, found, terms in (
            (("service", "complaint_log_odds"), lifecycle.service.complaint_log_odds, COMPLAINT_TERMS),
            (("contacts", "hotline_log_odds"), lifecycle.contacts.hotline_log_odds, HOTLINE_TERMS)):
        for name in found:
            if name not in terms:
                yield ("lifecycle", *at, name), f"no such term; there are {', '.join(terms)}"
    for section, key in LOG_ODDS:
        prob = getattr(getattr(lifecycle, section), key)
        if not 0.0 < prob < 1.0:
            yield ("lifecycle", section, key), f"must lie strictly between 0 and 1 (got {prob})"
    ticket = lifecycle.service.ticket
    if ticket.network_share + ticket.billing_share > 1.0:
        yield (("lifecycle", "service", "ticket", "billing_share"),
               f"network_share and billing_share add to {ticket.network_share + ticket.billing_share:.6g}; "
               f"what is left of 1 is about {COMPLAINT_TYPES[-1]}, so keep the sum at most 1")
    if ticket.fast_hours > ticket.slow_hours:
        yield (("lifecycle", "service", "ticket", "fast_hours"),
               f"must not be above slow_hours ({ticket.slow_hours}; got {ticket.fast_hours})")
    if lifecycle.plan.low_value_amount > lifecycle.plan.high_value_amount:
        yield (("lifecycle", "plan", "low_value_amount"),
               f"must not be above high_value_amount ({lifecycle.plan.high_value_amount})")
    yield from _check_causes(lifecycle)


def _check_causes(lifecycle: LifecycleSettings) -> Iterator[tuple[tuple[str | int, ...], str]]:
    causes, win_back = lifecycle.causes, lifecycle.win_back
    real = [name for name, cause in causes.items() if not cause.apparent]
    if not real:
        yield ("lifecycle", "causes"), "at least one cause of leaving that is not apparent is needed; add one"
    if len(causes) > MOST_CAUSES:
        yield ("lifecycle", "causes"), f"at most {MOST_CAUSES} causes (got {len(causes)}); take some out"
    for name, cause in causes.items():
        if name in (NO_REASON, SILENT):
            yield ("lifecycle", "causes", name), "is what stated reasons call those who give none; rename it"
        for key in ("subsidy_amount", "newcomer_terms"):
            if getattr(cause, key) and not cause.apparent:
                yield (("lifecycle", "causes", name, key),
                       "concerns apparent causes only; set apparent: true or remove it")
    if (total := win_back.return_prob / (1.0 - win_back.persistence)) > 1.0:
        yield (("lifecycle", "win_back", "return_prob"),
               f"return_prob / (1 - persistence) is the share that ever comes back; it is {total:.6g}, "
               "make it at most 1")
    for name in win_back.cause_factors:
        if name not in real:
            yield (("lifecycle", "win_back", "cause_factors", name),
                   f"no such cause of leaving; there are {', '.join(real)}")
    for name, reasons in lifecycle.stated_reasons.given_cause.items():
        at = ("lifecycle", "stated_reasons", "given_cause", name)
        if name not in causes:
            yield at, f"no such cause; lifecycle.causes has {', '.join(causes)}"
        for reason in reasons:
            if reason not in causes:
                yield (*at, reason), f"no such reason; lifecycle.causes has {', '.join(causes)}"
        if abs(sum(reasons.values()) - 1.0) > 1e-9:
            yield at, f"shares add to {sum(reasons.values()):.6g}; make them add to 1"

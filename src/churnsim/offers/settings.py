"""Settings of the offers: what each changes, for whom, at what cost."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from churnsim.config.base import Amount, Count, NonNegative, Number, Prob, Settings, Share

CustomerType = Literal["individual", "family", "enterprise_small", "enterprise_large"]
Payment = Literal["postpaid", "prepaid"]
Locality = Literal["local", "migrant"]
BrandTier = Literal["budget", "standard", "premium"]
State = Literal["entry", "growth", "stable", "decline", "suspended", "churned"]
UsageScenario = Literal["general", "voice_led_senior", "data_led_young", "student", "business_traveller",
                        "converged_family", "finance", "health", "manufacturing", "other_industry"]
Need = Literal["night_data", "roaming", "large_print", "smart_home", "office_cloud", "network_slice",
               "edge_computing"]
Bundled = Literal["broadband", "smart_home", "device"]
Months = Annotated[int, Field(strict=True, ge=0, le=120)]
MOST_OFFERS = 100


class Eligibility(Settings):
    """Who may be given an offer, by what the operator can see."""

    customer_types: tuple[CustomerType, ...] = (
        "individual", "family", "enterprise_small", "enterprise_large")
    """Kinds of account that may have it."""
    payments: tuple[Payment, ...] = ("postpaid", "prepaid")
    """Ways of paying that may have it."""
    max_contract_left_months: Months = 120
    """At most so many months left on the contract."""
    min_tenure_months: Count = 0
    """At least so many months since joining, or since coming back."""
    max_tenure_months: Count = 1200
    """At most so many."""
    usage_scenarios: tuple[UsageScenario, ...] = (
        "general", "voice_led_senior", "data_led_young", "student", "business_traveller", "converged_family",
        "finance", "health", "manufacturing", "other_industry")
    """Usage scenarios that may have it."""
    states: tuple[State, ...] = ("entry", "growth", "stable", "decline", "suspended")
    """Lifecycle states that may have it; only ``churned`` are those who have left."""
    brand_tiers: tuple[BrandTier, ...] = ("budget", "standard", "premium")
    """Brands that may have it."""
    localities: tuple[Locality, ...] = ("local", "migrant")
    """Localities that may have it."""
    needs_broadband: bool = False
    """True: only accounts with broadband."""
    min_bill_amount: Amount = 0.0
    """Mean bill of the last three months at least so high."""
    max_bill_amount: Amount | None = None
    """Mean bill of the last three months at most so high; no bound if absent."""
    cool_off_months: Months = 0
    """At least so many months since the last accepted offer."""


class Acceptance(Settings):
    """How likely a subscriber who was contacted takes the offer: a logistic model."""

    base_prob: Prob
    """Probability when every covariate below is zero and the channel's factor is one."""
    coefficients: dict[str, Number] = Field(default_factory=dict)
    """Log-odds per unit of a covariate of the lifecycle (see the reference of covariates)."""
    channel_factors: dict[str, NonNegative] = Field(default_factory=dict)
    """Factor on the odds through a channel, beside the channel's own acceptance_factor; 1 if not named."""
    log_odds_per_fee_month: Number = 0.0
    """Log-odds per month's fee that the offer is worth to the subscriber: fees waived, and direct cost."""
    withdrawal_prob: Share = 0.0
    """Share of those who accept that use their right of withdrawal within days; they count as not accepting."""


class Ladder(Settings):
    """A discount that grows with the contract years signed, for as long as the added contract runs."""

    share_per_year: Share
    """Discount for each contract year added."""
    form: Literal["linear", "compounding"]
    """For k years: linear k x share; compounding 1 - (1 - share) ** k."""


class Offer(Settings):
    """An offer: price effect, direct cost, contract, effect on the causes of leaving, acceptance."""

    strategy: Literal["price", "product", "service", "combined", "care"] = "combined"
    """Class of the offer, for tables."""
    discount_share: Share = 0.0
    """Share of the monthly fee that is waived."""
    discount_months: Months = 0
    """Number of bills the discount lasts, from the bill after acceptance."""
    ladder: Ladder | None = None
    """Instead of discount_share and discount_months."""
    price_change_share: Annotated[float, Field(strict=True, gt=-1.0, le=1.0)] = 0.0
    """Lasting change of the fee, a share of it (minimal plan below 0, growth plan above)."""
    price_added_amount: Amount = 0.0
    """Added to the fee of the account for good (bundle)."""
    allowance_change_share: Annotated[float, Field(strict=True, gt=-1.0, le=10.0)] = 0.0
    """Lasting change of the data included, a share of it."""
    direct_cost_per_line_amount: Amount = 0.0
    """Device, content, commission or gift, a line of the account: due on acceptance."""
    direct_cost_amount: Amount = 0.0
    """The same, once an account."""
    monthly_cost_amount: Amount = 0.0
    """Cost an account and month (manager's hours, content) while the effect lasts and the account is active."""
    contract_months_added: Months = 0
    """Months added to the contract on acceptance."""
    effect_months: Months = 0
    """How long the hazard multipliers act after the month of acceptance."""
    hazard_multipliers: dict[str, NonNegative] = Field(default_factory=dict)
    """Factor on the monthly hazard of a cause, for a subscriber of responsiveness 1; it acts as
    ``multiplier ** responsiveness``."""
    complaint_relief: Share = 0.0
    """Share of the complaint and fault stocks that acceptance clears."""
    satisfaction_points: Number = 0.0
    """Points added to satisfaction on acceptance (scale 0 to 100)."""
    lock_in_amount: Amount = 0.0
    """What leaving would forfeit (deposit, points, stored data, bonus to come), a line of the account."""
    lock_in_months: Months = 0
    """Months until it is used up or expires, evenly."""
    adds: tuple[Bundled, ...] = ()
    """What the account has from then on; a device is new."""
    meets_needs: tuple[Need, ...] = ()
    """Needs that it meets."""
    ticket_hours_factor: NonNegative = 1.0
    """Factor on the hours to resolution of tickets while the effect lasts (priority)."""
    suspends: bool = False
    """True: the service is paused with the number kept."""
    return_factor: NonNegative = 1.0
    """Factor on the chance to come back of those who leave while the effect lasts (reinstall card)."""
    brings_back: bool = False
    """True: an offer to those who have left. Whoever had left when the month of the contact began and takes it is back
    when the next month starts; it does nothing to others."""
    eligibility: Eligibility = Eligibility()
    acceptance: Acceptance

    @property
    def discount(self) -> float:
        """Share of the fee that is waived while the discount runs, a ladder's included.

        >>> two_years = {"contract_months_added": 24, "acceptance": {"base_prob": 0.5}}
        >>> Offer(ladder={"share_per_year": 0.05, "form": "linear"}, **two_years).discount
        0.1
        >>> round(Offer(ladder={"share_per_year": 0.05, "form": "compounding"}, **two_years).discount, 6)
        0.0975
        """
        if self.ladder is None:
            return self.discount_share
        years, share = self.contract_months_added // 12, self.ladder.share_per_year
        return years * share if self.ladder.form == "linear" else 1.0 - (1.0 - share) ** years

    @property
    def discounted_bills(self) -> int:
        """Number of bills the discount lasts; a ladder's as many as contract months are added."""
        return self.discount_months if self.ladder is None else self.contract_months_added


Offers = dict[str, Offer]

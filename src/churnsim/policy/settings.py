"""Settings of the policies that are compared: one class a kind, so that a key that a kind does not use is refused."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field

from churnsim.config.base import Number, Settings

Rounds = Annotated[int, Field(strict=True, ge=1, le=20)]


class NonePolicy(Settings):
    """An empty list: nobody is contacted."""

    kind: Literal["none"]


class Everyone(Settings):
    """One offer to all who may be contacted."""

    kind: Literal["everyone", "everyone_capacity"]
    """everyone: with as much staff as it takes. everyone_capacity: with the staff there is."""
    offer: str
    """Offer to everybody."""
    channel: str
    """Channel to everybody."""


class Ranked(Settings):
    """The highest first, with the offer and to the depth that did best on the pilot, through its channel."""

    kind: Literal["random", "churn_risk", "risk_value"]
    """random: a keyed random order. churn_risk: predicted risk. risk_value: expected loss, risk x monthly margin."""


class RankedByEffect(Settings):
    """The highest learned effect first, with the offer and to the depth that did best on the pilot."""

    kind: Literal["uplift", "profit_lift"]
    """uplift: months of margin that being listed keeps, whatever they are worth. profit_lift: effect x value - cost,
    and nobody whose is below 0 (Lemmens and Gupta, 2020, doi 10.1287/mksc.2020.1229)."""
    learner: str
    """Learner whose effects are used."""


class Match(Settings):
    """An offer for those whom a warning rule flags."""

    rule: str
    """Warning rule (docs/policies.md names them)."""
    offer: str
    """What they are offered."""
    channel: str
    """Through which channel."""


class RuleList(Settings):
    """The first rule that flags a subscriber decides the offer; within the budget, the riskiest first."""

    kind: Literal["rules"]
    match: Annotated[tuple[Match, ...], Field(min_length=1)]
    """Rules in order."""


class Tier(Settings):
    """An offer for those of at least some monthly margin."""

    least_margin_amount: Number
    """Monthly margin from which the tier starts."""
    offer: str
    """What the tier is offered."""
    channel: str
    """Through which channel."""


class ValueTiers(Settings):
    """One class, one policy: the monthly margin decides the offer; within the budget, the riskiest first."""

    kind: Literal["value_tier"]
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)]
    """In any order; who is below all of them is left alone."""


class UpliftValue(Settings):
    """Learned effect on margin less costs, over all offers and channels, where the money does most; may list nobody."""

    kind: Literal["uplift_value"]
    learner: str
    """Learner whose effects are used."""


class BudgetStaff(Settings):
    """The same under staff minutes and message throttles as well, by their shadow prices."""

    kind: Literal["budget_staff"]
    learner: str
    """Learner whose effects are used."""


class CapacityAware(Settings):
    """The same with the reach that a rehearsal of the list in the contact centre finds, list and rehearsal in turn."""

    kind: Literal["capacity_aware"]
    learner: str
    """Learner whose effects are used."""
    rounds: Rounds = 12
    """Most rounds of list and rehearsal."""
    damping: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] = 0.5
    """Weight of the newest rehearsal in the reach that the next list is made with."""
    rehearsals: Annotated[int, Field(strict=True, ge=1, le=50)] = 4
    """Simulated months of the centre a round, and again as many, drawn apart, to judge each round's list."""


class Readable(Settings):
    """A shallow decision tree that imitates another policy, for people to read."""

    kind: Literal["readable"]
    imitates: str
    """Name of the policy it imitates."""
    max_leaves: Annotated[int, Field(strict=True, ge=2, le=64)] = 8
    """Leaves of the tree at most: groups of subscribers who are treated alike."""


class Adaptive(Settings):
    """Lists month after month, refitted on what came of them; part of each list is drawn at random to learn from."""

    kind: Literal["adaptive"]
    learner: str
    """Learner whose effects are used."""
    months: Annotated[int, Field(strict=True, ge=1, le=36)] = 6
    """Months with a list; the budget is spread evenly over them."""
    refit_months: Annotated[int, Field(strict=True, ge=1, le=36)] | None = 3
    """Months between two fits; null: the pilot's models throughout."""
    explore_share: Annotated[float, Field(strict=True, ge=0.0, lt=1.0)] = 0.1
    """Share of each month's money for offers, or none, drawn at random, whose outcomes the next fit learns from; they
    are made through the pilot's channel, and who takes part is left alone until his outcome is known."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=36)] = 3
    """Months after which the outcome of such a draw is read; what is left of the pilot's outcome months is filled in at
    the rate at which such subscribers leave, as if an offer did nothing any more."""


class Bandit(Settings):
    """Thompson sampling: each month, subscribers get the arm that is best under a draw of what is believed of it.

    Offers are made through the pilot's channel.
    """

    kind: Literal["bandit"]
    months: Annotated[int, Field(strict=True, ge=1, le=36)] = 6
    """Months with a list; the budget is spread evenly over them."""
    model: Literal["segments", "linear"] = "segments"
    """Beliefs for each segment and arm apart, or about a line in the features, an arm each."""
    segments: Annotated[tuple[str, ...], Field(min_length=1, max_length=6)] = ("enterprise", "contract_ending")
    """Features whose combinations are the segments; one that is not 0 or 1 is cut at the pilot's median. Whom the same
    offers may be made to is told apart too."""
    outcome_months: Annotated[int, Field(strict=True, ge=1, le=36)] = 3
    """Months after which the outcome of an offer is read and beliefs are updated, the rest filled in as in kind
    adaptive; until then nothing else is offered."""
    compared_share: Annotated[float, Field(strict=True, gt=0.0, lt=1.0)] = 0.05
    """Share of subscribers, drawn anew each month, who are left alone as long, to compare with."""


class Own(Settings):
    """A policy of your own; docs/policies.md shows one."""

    kind: Literal["own"]
    policy: Annotated[str, Field(pattern=r"^[^:\s]+:[A-Za-z_]\w*$")]
    """``package.module:Class``; the module may stand beside the experiment file."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the class."""


class Oracle(Settings):
    """The true expected effect under the same budget and limits; nobody can be it."""

    kind: Literal["oracle"]


class Clairvoyant(Settings):
    """What happens to the realised twins, one future of many: a diagnostic, no reference for regret."""

    kind: Literal["clairvoyant"]


PolicySettings = Annotated[
    NonePolicy | Everyone | Ranked | RankedByEffect | RuleList | ValueTiers | UpliftValue | BudgetStaff | CapacityAware
    | Readable | Adaptive | Bandit | Own | Oracle | Clairvoyant,
    Field(discriminator="kind")]
"""One policy."""

KINDS: tuple[str, ...] = tuple(kind for model in get_args(get_args(PolicySettings)[0])
                               for kind in get_args(model.model_fields["kind"].annotation))
UNBUDGETED = ("none", "everyone", "everyone_capacity")
BUDGETED: tuple[str, ...] = tuple(kind for kind in KINDS if kind not in UNBUDGETED)
"""Kinds whose list depends on the budget."""
TRUTHFUL = ("oracle", "clairvoyant")
"""Kinds that know what nobody can."""
OVER_MONTHS = ("adaptive", "bandit")
"""Kinds that make a list every month."""
def rules_read(settings: PolicySettings) -> tuple[str, ...]:
    """Return the warning rules that a policy reads."""
    return tuple(match.rule for match in settings.match) if isinstance(settings, RuleList) else ()


RANKINGS = ("random", "churn_risk", "risk_value", "uplift", "profit_lift", "rules", "value_tier")
"""Kinds that take people in the order of their priority: a larger budget only ever adds to the list."""
IN_PARTS = (*UNBUDGETED, *RANKINGS, "uplift_value", "budget_staff")
"""Kinds whose list can be made of partitions' shortlists."""

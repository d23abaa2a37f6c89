"""Settings of the effects learned from the pilot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from churnsim.config.base import Settings

LearnerKind = Literal[
    "t_logistic", "t_ridge", "t_lightgbm", "t_own", "s_ridge", "s_lightgbm", "s_own", "x_ridge", "x_lightgbm", "x_own",
    "r_ridge", "r_lightgbm", "r_own", "dr_ridge", "dr_lightgbm", "dr_own", "uplift_forest", "causal_forest", "own"]
BINARY_KINDS = ("t_logistic", "uplift_forest")
"""Those that learn outcomes of 0 and 1 only."""


class Learner(Settings):
    """One uplift learner and the outcome it learns on."""

    kind: LearnerKind
    """Meta-learner and base model, through causalml. t: one outcome model an arm; s: one outcome model with the arm as
    a feature (with ridge the same effect for everybody); x: effects imputed with the other arm's model; r: residuals on
    residuals; dr: doubly robust scores. ridge, logistic; lightgbm: boosted trees, small below 100,000 rows; own:
    `estimator` is the base model. uplift_forest, causal_forest: 50 trees. "own" alone: `estimator` learns effects."""
    outcome: Literal["stayed", "margin_months", "net_value"]
    """"stayed": active when the pilot's outcome months end (only this one for t_logistic and uplift_forest).
    "margin_months": months of margin kept, those expected after the pilot included; it multiplies the monthly margin.
    "net_value": the change of discounted margin itself, as an amount, from what was billed; the planned cost of offers,
    which is known, stays out of it, and plans take it off."""
    estimator: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")] | None = None
    """Class of one's own, as module:Class, for the kinds that end in own; the module is a file beside the experiment
    file, or installed (sklearn.linear_model:Lasso)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the estimator."""
    most_seconds: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] | None = None
    """Longest wall time of one fit, in seconds, of which there are as many as folds and one more for each offer; a
    longer one is ended with an error. Each runs in a process of its own, which takes seconds to start. Null: any
    time, and no such process."""


def check_learner(learner: Learner) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what does not fit together in a learner, as (path below the learner, message)."""
    yield from check_estimator(learner.kind, learner.estimator, learner.options)
    if learner.kind in BINARY_KINDS and learner.outcome != "stayed":
        yield ("outcome",), f"{learner.kind} learns 0/1 outcomes only; use stayed (got {learner.outcome})"


def check_estimator(kind: str, estimator: str | None, options: Mapping[str, Any]
                    ) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what does not fit together in a kind of learner, an estimator and its options, as (path, message)."""
    own = kind == "own" or kind.endswith("_own")
    if own and estimator is None:
        yield ("estimator",), f"{kind} needs a class of your own; name it as module:Class"
    if not own and estimator is not None:
        yield (("estimator",), f"{kind} brings its own model (got {estimator}); use a kind that ends in own, or take "
               "it out")
    if options and estimator is None:
        yield ("options",), "these are of an estimator, and none is named; take them out"
    if "random_state" in options:
        yield ("options", "random_state"), "the estimator is given the experiment's seed; take it out"


class UpliftSettings(Settings):
    """Learners, and how their scores are made honest."""

    learners: dict[str, Learner]
    """Learners by name; policies name one."""
    folds: Annotated[int, Field(strict=True, ge=2, le=20)]
    """Folds of the cross-fitting that calibrates scores."""
    shrink: bool
    """True: effects are calibrated on held-out folds and shrunk for their uncertainty. False: as learned."""
    min_reach_prob: Annotated[float, Field(strict=True, gt=0.0, le=1.0)]
    """Effects of being assigned are divided by the predicted chance of contact, at least this."""
    reach: Literal["planned", "learned"] = "planned"
    """Chance of contact in the pilot, by which effects of being assigned are divided. "planned": what the pilot was
    planned with. "learned": a model of who was reached in it; plans for the pilot's channel then go by it too."""
    unanswered: Literal["no_effect", "possible"] = "no_effect"
    """What attempts do that nobody answers. "no_effect": the effect of a contact is the effect of being assigned over
    the chance of contact, and can be moved to other staff. "possible": effects of being assigned are used as they are,
    whatever the staff."""
    propensity: Literal["auto", "ignored"] = "auto"
    """Chance of assignment that learners are told. "auto": the design's; of a past campaign, a cross-fitted model's,
    which is refused if some were never or always on the list. "ignored": the arms' overall shares, and arms
    compared as they are, as if the list had been drawn at random."""

"""Settings of the effects learned from the pilot."""

from __future__ import annotations

from collections.abc import Iterator
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
    "net_value": the discounted margin kept, less the cost of the offer, as an amount."""
    estimator: Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$")] | None = None
    """Class of one's own, as module:Class, for the kinds that end in own; the module is a file beside the experiment
    file, or installed (sklearn.linear_model:Lasso)."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Keyword arguments of the estimator."""
    most_seconds: Annotated[float, Field(strict=True, gt=0.0, allow_inf_nan=False)] | None = None
    """Longest time that a fit may take, in seconds; a longer one is ended with an error. Null: any time."""


def check_learner(learner: Learner) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what does not fit together in a learner, as (path below the learner, message)."""
    own = learner.kind == "own" or learner.kind.endswith("_own")
    if own and learner.estimator is None:
        yield ("estimator",), f"{learner.kind} needs one; name a class as module:Class"
    if not own and learner.estimator is not None:
        yield (("estimator",), f"{learner.kind} brings its own model (got {learner.estimator}); use a kind that ends in "
               "own, or take it out")
    if learner.options and learner.estimator is None:
        yield ("options",), "these are of an estimator, and none is named; take them out"
    if "random_state" in learner.options:
        yield ("options", "random_state"), "the experiment's seed is given to the estimator; take it out"
    if learner.kind in BINARY_KINDS and learner.outcome != "stayed":
        yield ("outcome",), f"{learner.kind} learns 0/1 outcomes only; use stayed (got {learner.outcome})"


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

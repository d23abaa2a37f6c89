"""Who makes a list every month: what they know, whom they list, and how they learn from what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.campaign.exploration import explore
from churnsim.core.columns import Subscribers
from churnsim.core.draws import uniform
from churnsim.experiment.stages import learn_from, make_plan, pilot_trial, situation
from churnsim.experiment.world import World
from churnsim.policy.bandit import COMPARED, Beliefs
from churnsim.policy.choice import Choice
from churnsim.policy.optimal import by_money, uplift_value
from churnsim.policy.plan import Plan
from churnsim.policy.settings import Adaptive, Bandit, UpliftValue
from churnsim.signals.observe import features, observe
from churnsim.uplift.models import Models
from churnsim.uplift.outcomes import MARGIN_MONTHS, outcomes
from churnsim.uplift.trial import Trial

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

# Of two priorities the one that is certainly higher.
AHEAD = 2.0


@dataclass(frozen=True)
class Draft:
    """A month's list.

    Attributes
    ----------
    plan
        What was known of the month's subscribers.
    choice
        The list.
    value
        What it was expected to be worth.
    read
        (k,) positions of those whose outcome will be learned from.
    option
        (k,) what each of them is to get: 0 nothing, else 1 + the position of the offer.
    prob
        (k, 1 + offers) chance of each option; None: not known.
    explored
        How many of the list were drawn at random.
    """

    plan: Plan
    choice: Choice
    value: float
    read: Int64
    option: Int64
    prob: Float64 | None
    explored: int


class Planner(Protocol):
    """Makes a list every month."""

    models: Models

    def draft(self, base: Subscribers, free: Flags, *, month: int) -> Draft:
        """Return the list of a month; only those who are `free`, (n,) bool, may be on it."""

    def learn(self, finished: Sequence[Trial], *, later: int) -> bool:
        """Take in draws whose outcomes are known, `later` months after the campaign started; True: learned anew."""


class AdaptivePlanner:
    """The best list by a learner's effects, part of it drawn at random, and the learner fitted anew now and then."""

    def __init__(self, world: World, settings: Adaptive) -> None:
        self.world, self.settings = world, settings
        self._uplift = world.experiment.uplift.model_copy(
            update={"learners": {settings.learner: world.experiment.uplift.learners[settings.learner]}})
        self._trials = [pilot_trial(world)]
        self.models = learn_from(world, self._trials[0], self._uplift)
        self._fitted = 1

    def draft(self, base: Subscribers, free: Flags, *, month: int) -> Draft:
        """Return the list of a month: draws first, and with what is left of the money the best."""
        settings, world = self.settings, self.world
        plan = make_plan(world, self.models, base, learners=[settings.learner], rules=(), month=month)
        plan = replace(plan, allowed=plan.allowed & free[:, None])
        given = situation(world, plan, month=month)
        budget = given.limits.budget / settings.months
        columns = pilot_columns(plan)
        drawn = explore(plan, columns, money=settings.explore_share * budget, budget=budget,
                        segments=given.limits.segments, key=world.key, month=month)
        allowed = plan.allowed.copy()
        allowed[drawn.row] = False
        listed = drawn.row[drawn.option > 0]
        counts = np.bincount(plan.segment[listed][plan.segment[listed] >= 0], minlength=len(given.limits.segments))
        segments = tuple(replace(segment, least=max(segment.least - int(taken), 0), most=segment.most - int(taken))
                         for segment, taken in zip(given.limits.segments, counts, strict=True))
        limits = replace(given.limits, budget=max(budget - float(drawn.cost.sum()), 0.0), segments=segments)
        best = uplift_value(UpliftValue(kind="uplift_value", learner=settings.learner),
                            replace(given, plan=replace(plan, allowed=allowed), limits=limits))
        choice = _with_draws(plan, best, listed, np.array(columns)[drawn.option[drawn.option > 0] - 1])
        return Draft(plan, choice, _value(choice, plan.planned_value(settings.learner)), drawn.row, drawn.option,
                     drawn.prob, len(listed))

    def learn(self, finished: Sequence[Trial], *, later: int) -> bool:
        """Keep what came in; fit anew on it and the pilot when a fit is due."""
        self._trials += finished
        every = self.settings.refit_months
        if every is None or later == 0 or later % every or len(self._trials) == self._fitted:
            return False
        # The pilot's holdout is no part of what is learned from.
        self.models = learn_from(self.world, Trial.concat([self._trials[0].to_learn_from(), *self._trials[1:]]),
                                 self._uplift)
        self._fitted = len(self._trials)
        return True


class BanditPlanner:
    """Thompson sampling: the list that is best under one draw a month of what is believed of the offers."""

    def __init__(self, world: World, settings: Bandit) -> None:
        self.world, self.settings = world, settings
        pilot = pilot_trial(world).to_learn_from()
        self.models = learn_from(world, pilot, world.experiment.uplift.model_copy(update={"learners": {}}))
        self._context = Contexts(settings, pilot)
        self._beliefs = Beliefs(width=self._context.width, arms=1 + len(pilot.offers))
        learned = pilot.to_learn_from()
        self._take_in(learned, self.models.unseen_risk(learned))

    def draft(self, base: Subscribers, free: Flags, *, month: int) -> Draft:
        """Return the list of a month, and who is left alone to be compared with those on it."""
        world = self.world
        plan = make_plan(world, self.models, base, learners=(), rules=(), month=month)
        may = plan.allowed & free[:, None]
        columns = pilot_columns(plan)
        compared = may[:, columns].any(axis=1) & (
            uniform(world.key, COMPARED, plan.ids, month=month) < self.settings.compared_share)
        table = observe(base, month=month, settings=world.experiment.signals, key=world.key)
        context = self._context.of(features(table), may[:, columns])
        effect = context @ self._beliefs.draw(world.key, month=month)[1:].T
        # Beliefs are about being listed in the pilot's channel, whose reach is in them.
        value = np.full(plan.allowed.shape, -np.inf)
        value[:, columns] = plan.margin[:, None] * effect - plan.planned_cost[:, columns]
        usable = np.zeros_like(may)
        usable[:, columns] = may[:, columns] & ~compared[:, None]
        given = situation(world, replace(plan, allowed=usable), month=month)
        given = replace(given, limits=replace(given.limits, budget=given.limits.budget / self.settings.months))
        choice = by_money(given, np.where(usable, value, 0.0))
        read = np.flatnonzero(compared | (choice.arm >= 0))
        option = np.zeros(1 + plan.allowed.shape[1], np.int64)
        option[columns] = 1 + np.arange(len(columns))
        # What those left alone could have been given tells their segment: they keep it.
        return Draft(replace(plan, allowed=may), choice, _value(choice, value), read, option[choice.arm[read]], None, 0)

    def learn(self, finished: Sequence[Trial], *, later: int) -> bool:
        """Update the beliefs."""
        for trial in finished:
            self._take_in(trial, self.models.risk_of(trial))
        return bool(finished)

    def _take_in(self, trial: Trial, risk: Float64) -> None:
        """Learn from those left alone, and from those who could be given the offer that they were assigned."""
        own = trial.assigned[:, None] == np.array(trial.offers)
        rows = np.flatnonzero(~own.any(axis=1) | (own & trial.eligible).any(axis=1))
        trial, own = trial.take(rows), own[rows]
        months = outcomes(trial, self.models.months_after(risk[rows]))[MARGIN_MONTHS]
        arm = np.where(own.any(axis=1), 1 + own.argmax(axis=1), 0)
        self._beliefs.learn(self._context.of(trial.X, trial.eligible), arm, months)


class Contexts:
    """Contexts of subscribers for a bandit: a one for everybody, then segments or features.

    Parameters
    ----------
    trial
        The pilot: cuts and scales are its, and segments that it has nobody of count as no segment.
    """

    def __init__(self, settings: Bandit, trial: Trial) -> None:
        self.settings = settings
        X = trial.X
        self._center, self._scale = X.mean(), X.std(ddof=0).replace(0.0, 1.0)
        self._cuts = {name: 0.5 if X[name].isin((0.0, 1.0)).all() else float(X[name].median())
                      for name in settings.segments if settings.model == "segments"}
        self._known = np.unique(self._codes(X, trial.eligible))
        self.width = self.of(X.iloc[:1], trial.eligible[:1]).shape[1]

    def of(self, X: pd.DataFrame, eligible: Flags) -> Float64:
        """Return contexts, (n, width).

        Parameters
        ----------
        X, eligible
            (n, features); (n, offers) who may be given each offer.
        """
        ones = np.ones((len(X), 1))
        if self.settings.model == "segments":
            return np.hstack([ones, self._codes(X, eligible)[:, None] == self._known])
        return np.hstack([ones, ((X - self._center) / self._scale).to_numpy(), eligible])

    def _codes(self, X: pd.DataFrame, eligible: Flags) -> Int64:
        """Return the number of each subscriber's segment, (n,)."""
        flags = [(X[name] > cut).to_numpy() for name, cut in self._cuts.items()] + list(eligible.T)
        return np.asarray(sum(flag.astype(np.int64) << k for k, flag in enumerate(flags)))


def pilot_columns(plan: Plan) -> list[int]:
    """Return the arms of the pilot's channel, an offer each, in the order of the offers."""
    return [k for k, arm in enumerate(plan.arms) if arm.channel == plan.pilot_channel]


def _with_draws(plan: Plan, best: Choice, rows: Int64, arms: Int64) -> Choice:
    """Return a list with those drawn on it; the centre works them first, so that reach is what the pilot's was."""
    listed = np.flatnonzero(best.arm >= 0)
    reach = np.maximum(plan.reach, 1e-9)
    top = float((best.priority[listed] / reach[listed, best.arm[listed]]).max(initial=1.0))
    arm, priority = best.arm.copy(), best.priority.copy()
    arm[rows] = arms
    priority[rows] = AHEAD * max(top, 1.0) * reach[rows, arms]
    spend = best.planned_spend + float(plan.planned_cost[rows, arms].sum())
    return replace(best, arm=arm, priority=priority, planned_spend=spend)


def _value(choice: Choice, value: Float64) -> float:
    rows = np.flatnonzero(choice.arm >= 0)
    return float(value[rows, choice.arm[rows]].sum())

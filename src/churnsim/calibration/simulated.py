"""What an experiment makes of a table's rows: samples that moments are taken of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churnsim.calibration.moments import Where
from churnsim.calibration.sample import Sample, joined, observed_columns
from churnsim.calibration.tunables import with_values
from churnsim.config.source import Tree
from churnsim.config.validate import validate
from churnsim.core.clock import MONTHS_PER_YEAR
from churnsim.core.columns import Subscribers
from churnsim.core.draws import make_key, stream, uniform
from churnsim.evaluation.tenure_churn import reweighted_rate
from churnsim.experiment.settings import Experiment, check_experiment
from churnsim.experiment.world import World, make_world
from churnsim.lifecycle.block import Block
from churnsim.population.generate import generate
from churnsim.signals.observe import Observed, observe

Float64 = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]

OUTCOME = stream("calibration.outcome")
WORLDS = 6
LIVED_MONTHS = 6


@dataclass(frozen=True)
class Rows:
    """Some rows of an operator's table.

    Attributes
    ----------
    ids
        (n,) of the subscribers.
    known
        Columns that the table gives, as :func:`churnsim.population.generate.generate` takes them.
    churn
        (n,) 1 left, 0 stayed.
    monthly_rate
        What the population loses a month.
    delay_months
        Months between the table's date and the start of the month in which the outcome falls.
    """

    ids: Ids
    known: Mapping[str, Float64]
    churn: Float64
    monthly_rate: float
    delay_months: int

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def outcome_share(self) -> float:
        """Share of the rows that left."""
        return float(self.churn.mean())


def first_table(rows: Rows, experiment: Experiment, folder: Path) -> Observed:
    """Return the rows as the operator's table of the first world."""
    world = _worlds(experiment, folder, months=1, count=1)[0]
    return Observed(generate(rows.ids, world.experiment.population.traits, key=world.key, known=rows.known), 0)


def simulated_samples(rows: Rows, experiment: Experiment, folder: Path, *, wanted: Collection[Where]
                      ) -> dict[Where, Sample]:
    """Return the chance to leave of the same rows in an experiment's world, starting from the table and later.

    The clocks of leaving are integrated out, so that the chances move smoothly with the experiment's constants, and
    every world has the same draws whatever they are. Several worlds: latent traits, promotions and network are drawn
    anew in each, and they start in different months of the year.

    An operator counts the end of service, days of notice after the decision. With a delay so does the chance; in the
    month right after the table it is the chance to decide, since nobody has given notice when a run begins.
    """
    found: dict[Where, list[Sample]] = {where: [] for where in wanted}
    outcome = rows.delay_months + 1
    lived = max(LIVED_MONTHS, outcome)
    for world in _worlds(experiment, folder, months=lived + outcome, count=WORLDS):
        base = generate(rows.ids, world.experiment.population.traits, key=world.key, known=rows.known)
        columns = observed_columns(Observed(base, 0))
        staying = staying_probs(world, base, start=0, months=lived if "lived" in wanted else outcome)
        if "rows" in wanted:
            left = _chance(staying, rows.delay_months)
            found["rows"].append(Sample(columns, left, np.ones(len(base)), rows.monthly_rate))
        if "lived" in wanted:
            seen = observe(base, month=lived, settings=world.experiment.signals, key=world.key)
            left = _chance(staying_probs(world, base, start=lived, months=outcome), rows.delay_months)
            found["lived"].append(Sample(observed_columns(seen), left, staying.undecided[-1], rows.monthly_rate))
    return {where: joined(parts) for where, parts in found.items()}


def drawn_sample(rows: Rows, simulated: Sample, *, columns: Mapping[str, Float64], seed: int) -> Sample:
    """Return the rows with simulated outcomes that happen, churners as frequent among them as in the table.

    `columns` are the table's own: what is observed of the rows.
    """
    chance = simulated.left.reshape(WORLDS, len(rows)).mean(axis=0)
    # The correction of rates by odds, backwards.
    often = reweighted_rate(chance, table_share=rows.monthly_rate, monthly_rate=rows.outcome_share)
    key = make_key(seed=seed, replicate=0, purpose="calibration")
    left = (uniform(key, OUTCOME, rows.ids) < often).astype(np.float64)
    return replace(simulated, columns=columns, left=left, weight=np.ones(len(rows)), outcome_share=float(left.mean()))


def _chance(staying: Staying, delay_months: int) -> Float64:
    """Return the chance to leave in the outcome's month of those who are there when it begins, (n,)."""
    there = staying.active if delay_months else staying.undecided
    return np.asarray(1.0 - there[delay_months + 1] / there[delay_months])


@dataclass(frozen=True)
class Staying:
    """Probabilities at the start of each month of a run and at its end, (1 + months, n).

    `undecided`: not to have decided to leave by then; `active`: to be on the network.
    """

    undecided: Float64
    active: Float64


def staying_probs(world: World, base: Subscribers, *, start: int, months: int) -> Staying:
    """Let months pass in place and return who stays, the clocks of leaving integrated out."""
    found = Staying(np.ones((1 + months, len(base))), np.ones((1 + months, len(base))))

    def keep(block: Block) -> None:
        at = (block.month.number - start + 1, slice(block.low, block.low + len(block)))
        found.undecided[at] = np.exp(-block["cumulated_hazard"])
        found.active[at] = block["active_next_prob"]

    world.engine.run([(base, None)], start=start, months=months, observe=keep, realise=False)
    return found


def experiment_with(data: Mapping[str, Any], values: Mapping[str, float]) -> Experiment:
    """Return a resolved experiment with other values at dotted keys, checked."""
    return validate(Experiment, Tree.of(with_values(data, values), "calibration"), checks=[check_experiment])


def _worlds(experiment: Experiment, folder: Path, *, months: int, count: int) -> list[World]:
    worlds = []
    for k in range(count):
        month = (experiment.market.start_month_of_year - 1 + k * MONTHS_PER_YEAR // count) % MONTHS_PER_YEAR + 1
        market = experiment.market.model_copy(update={"start_month_of_year": month})
        worlds.append(make_world(experiment.model_copy(update={"market": market}), replicate=k, folder=folder,
                                 months=months))
    return worlds

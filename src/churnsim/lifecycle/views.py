"""The naming schemes of the trade as views of the one state machine: five, four and three stages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churnsim.lifecycle.block import Array
from churnsim.population.categories import STATES


@dataclass(frozen=True)
class Scheme:
    """A way to name the stages of a lifecycle.

    Attributes
    ----------
    column
        Name of its column in tables of states.
    meaning
        What the stages are.
    stage_of
        Stage by state; a state that is not there has none.
    """

    column: str
    meaning: str
    stage_of: dict[str, str]

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the stages, in the order of a life."""
        return tuple(dict.fromkeys(self.stage_of.values()))

    def codes(self, states: Array) -> npt.NDArray[np.int8]:
        """Return positions in `stages` by code of state, (n,) int8; -1 where a state has no stage.

        >>> FIVE.codes(np.array([0, 2, 6])).tolist()
        [0, 2, 4]
        >>> FOUR.codes(np.array([0, 2, 6])).tolist()
        [-1, 1, -1]
        """
        stages = self.stages
        by_state = [stages.index(self.stage_of[state]) if state in self.stage_of else -1 for state in STATES]
        return np.array(by_state, np.int8)[states]

    def counts(self, summary: pa.Table) -> pa.Table:
        """Return a table of monthly summaries with a column a stage, ``<column>.<stage>``, instead of one a state."""
        out = summary.drop_columns([f"state.{state}" for state in STATES])
        for stage in self.stages:
            of_stage = [summary[f"state.{state}"].to_numpy() for state in STATES if self.stage_of.get(state) == stage]
            out = out.append_column(f"{self.column}.{stage}", pa.array(np.sum(of_stage, axis=0)))
        return out


# The sources' five stages leave months 3 to 12 unassigned; here they are mature. A paused service belongs to decline
# in every scheme: the number is kept, but not used.
FIVE = Scheme("stage_of_five", "prospect, new (months 0 to 3), mature, decline (or paused), lost", {
    "prospect": "prospect", "entry": "new", "growth": "mature", "stable": "mature", "decline": "decline",
    "suspended": "decline", "churned": "lost"})
FOUR = Scheme("stage_of_four", "entry, growth, stable, decline (or paused); none off the network", {
    "entry": "entry", "growth": "growth", "stable": "stable", "decline": "decline", "suspended": "decline"})
THREE = Scheme("stage_of_three", "introduction (before joining and months 0 to 3), upkeep, retention (decline, or "
               "paused); none for the lost", {
    "prospect": "introduction", "entry": "introduction", "growth": "upkeep", "stable": "upkeep",
    "decline": "retention", "suspended": "retention"})
SCHEMES = (FIVE, FOUR, THREE)

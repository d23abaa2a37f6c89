"""What a policy is given, and the list that it makes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.core.draws import Key
from churnsim.policy.choices import Limits
from churnsim.policy.plan import Plan
from churnsim.policy.settings import PolicySettings

Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Choice:
    """A policy's list.

    Attributes
    ----------
    arm
        (n,) position of the arm in the plan, -1 for leaving alone.
    priority
        (n,) what the centre's dispatch by value goes by.
    planned_spend
        Expected planned spend.
    gap
        Upper bound on what the plan's value lacks to the best plan of whole subscribers; 0 where nothing is
        optimised.
    note
        What a reader should know, or empty.
    tables
        How the list came about, by name: shadow prices, rounds, rules.
    """

    arm: Int64
    priority: Float64
    planned_spend: float
    gap: float = 0.0
    note: str = ""
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Rehearsed:
    """What rehearsals of a list in the contact centre came to, means over them.

    Attributes
    ----------
    reach
        (n,) share of rehearsals in which each was reached before the decision day, 0 for who is not listed.
    contact_cost
        (n,) mean contact cost.
    """

    reach: Float64
    contact_cost: Float64


Rehearse = Callable[[Choice, int], Rehearsed]
"""Lets the contact centre work a list with all that the operator knows, under draws numbered so, not the world's."""


@dataclass(frozen=True)
class Situation:
    """What a policy is given; all that an operator knows.

    Attributes
    ----------
    plan
        Who may be given what, and what that is expected to come to.
    limits
        Money, staff and segments. Policies that know no staff leave out its part.
    key
        Of the world: for keyed random orders.
    rehearse
        The contact centre to try lists in; None where there is none to try.
    policies
        The experiment's policies by name.
    folder
        Folder of the experiment file.
    currency
        Of every amount, for texts.
    """

    plan: Plan
    limits: Limits
    key: Key
    rehearse: Rehearse | None = None
    policies: Mapping[str, PolicySettings] = field(default_factory=dict)
    folder: Path = Path()
    currency: str = ""

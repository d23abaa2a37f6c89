"""The traits as arrays by code: what each kind of account and each usage scenario is like."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from churnsim.population.categories import CUSTOMER_TYPES, NEEDS, USAGE_SCENARIOS
from churnsim.population.drawing import Array, Float64
from churnsim.population.settings import Traits


@dataclass(frozen=True)
class Lookup:
    """Traits by code of customer type and usage scenario."""

    traits: Traits

    def by_type(self, field: str) -> Float64:
        """Return a trait of the kinds of account, (types,)."""
        kinds = self.traits.customer_types
        return np.array([getattr(kinds[name], field) for name in CUSTOMER_TYPES], dtype=np.float64)

    def by_scenario(self, field: str) -> Float64:
        """Return a trait of the usage scenarios, (scenarios,)."""
        scenarios = self.traits.usage_scenarios
        return np.array([getattr(scenarios[name], field) for name in USAGE_SCENARIOS], dtype=np.float64)

    def scenario_shares(self) -> Float64:
        """Return the share of each scenario among each kind of account, (types, scenarios)."""
        scenarios = self.traits.usage_scenarios
        return np.array([[scenarios[name].shares.get(kind, 0.0) for name in USAGE_SCENARIOS]
                         for kind in CUSTOMER_TYPES])

    def scenario_weights(self) -> Float64:
        """Return the share of each scenario among all accounts, (scenarios,)."""
        return np.asarray(self.by_type("share") @ self.scenario_shares())

    def need_shares(self) -> Float64:
        """Return the share of each need in each scenario, none first, (scenarios, needs)."""
        scenarios = self.traits.usage_scenarios
        shares = np.array([[scenarios[name].needs.get(need, 0.0) for need in NEEDS] for name in USAGE_SCENARIOS])
        shares[:, 0] = np.maximum(1.0 - shares.sum(axis=1), 0.0)
        return shares

    def contract_lengths(self) -> tuple[npt.NDArray[np.int64], Float64]:
        """Return contract lengths (months, ascending) and their shares among each kind, (types, lengths)."""
        kinds = [self.traits.customer_types[name].contract_length_months_shares for name in CUSTOMER_TYPES]
        lengths = sorted({length for shares in kinds for length in shares})
        return np.array(lengths, np.int64), np.array([[shares.get(k, 0.0) for k in lengths] for shares in kinds])


def in_order(values: dict[str, float], names: tuple[str, ...]) -> Array:
    """Return the values of a dictionary in the order of `names`."""
    return np.array([values[name] for name in names], dtype=np.float64)

"""The workload in mesa: an agent a subscriber. Mesa has no common random numbers."""

from __future__ import annotations

from collections.abc import Callable
from math import exp

from mesa import Agent, Model

import row
from workload import (
    BY_COMPLAINTS,
    BY_CONTRACT,
    BY_PRICE,
    BY_TENURE,
    BY_USAGE,
    COMPLAINT_KEPT,
    COMPLAINT_PROB,
    COMPLAINT_PROB_AT_RISK,
    INTERCEPT,
    LOW_USAGE,
    MANY_COMPLAINTS,
    NEW_MONTHS,
    STATES,
    USAGE_KEPT,
    USAGE_NOISE,
    Columns,
    population,
    summary,
)

NEW, ACTIVE, AT_RISK, NOTICE, CHURNED = STATES


class Subscriber(Agent):
    """One subscriber; it removes itself when it leaves."""

    def __init__(
        self,
        model: Subscribers,
        usage: float,
        complaints: float,
        price_amount: float,
        tenure_months: int,
        contract_months: int,
        state: int,
    ) -> None:
        super().__init__(model)
        self.usage = usage
        self.complaints = complaints
        self.price_amount = price_amount
        self.tenure_months = tenure_months
        self.contract_months = contract_months
        self.state = state

    def step(self) -> None:
        model = self.model
        draw = model.random.random
        state = self.state
        self.usage = usage = USAGE_KEPT * self.usage + USAGE_NOISE * (draw() - 0.5)
        complains = draw() < (COMPLAINT_PROB_AT_RISK if state == AT_RISK else COMPLAINT_PROB)
        self.complaints = complaints = COMPLAINT_KEPT * self.complaints + complains
        logit = (
            INTERCEPT
            + BY_USAGE * usage
            + BY_COMPLAINTS * complaints
            + BY_TENURE * self.tenure_months
            + BY_PRICE * self.price_amount
            + BY_CONTRACT * self.contract_months
        )
        decides = draw() < 1 / (1 + exp(-logit))
        self.tenure_months += 1
        if self.contract_months > 0:
            self.contract_months -= 1

        if state == NOTICE:
            state = CHURNED
        elif decides:
            state = NOTICE if self.contract_months > 0 else CHURNED
        elif state == NEW:
            state = ACTIVE if self.tenure_months >= NEW_MONTHS else NEW
        else:
            state = AT_RISK if usage < LOW_USAGE or complaints > MANY_COMPLAINTS else ACTIVE
        self.state = state
        model.states[state] += 1
        model.complaints += complains
        if state == CHURNED:
            self.remove()


class Subscribers(Model):
    """All subscribers; the order of their steps does not matter, so nothing is shuffled."""

    def __init__(self, start: Columns) -> None:
        super().__init__(seed=3)
        self.subscribers = len(start["state"])
        self.rows: list[list[int]] = []
        Subscriber.create_agents(self, self.subscribers, *(column.tolist() for column in start.values()))

    def step(self) -> None:
        present = len(self.agents)
        self.states, self.complaints = [0] * len(STATES), 0
        self.agents.do("step")
        staying = self.states[:CHURNED]
        counts = {"complaints": self.complaints, "present": present}
        self.rows.append(summary(staying, **counts, subscribers=self.subscribers))


def agents(subscribers: int, months: int) -> Callable[[], row.Summary]:
    """Draws come from the model's one generator."""
    model = Subscribers(population(subscribers))

    def simulate() -> row.Summary:
        for _ in range(months):
            model.step()
        return model.rows

    return simulate


if __name__ == "__main__":
    row.main({"agents": agents}, packages=["mesa", "numpy"])

"""The same orders under several rules of dispatch and with more or fewer agents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import pandas as pd

from churnsim.capacity.case import Case
from churnsim.capacity.dispatch_index import RULES
from churnsim.capacity.replicates import mean_of
from churnsim.config.messages import did_you_mean
from churnsim.errors import CapacityError

MEASURES = ("net_value_amount", "before_pay_amount", "after_pay_amount", "reached_in_time")


def compare_disciplines(case: Case, team: str, *, agents: Collection[int], rules: Sequence[str],
                        seeds: Sequence[int]) -> pd.DataFrame:
    """Return what each rule of dispatch makes of the month with each number of agents in a team.

    Returns
    -------
    DataFrame
        A row a rule and number: dispatch, agents, and mean, _low and _high over seeds of net_value_amount,
        before_pay_amount, after_pay_amount and reached_in_time. All share the draws of their seed.

    Raises
    ------
    CapacityError
        A rule is unknown.
    """
    for rule in rules:
        if rule not in RULES:
            raise CapacityError(f"dispatch: no rule {rule!r}; there are {', '.join(RULES)}{did_you_mean(rule, RULES)}")
    case = case.for_runs(len(agents) * len(rules) * len(seeds))
    rows = []
    for rule in rules:
        ruled = replace(case, capacity=case.capacity.model_copy(update={"dispatch": rule}))
        for number in sorted(agents):
            each = ruled.staffed(team, number)
            rows.append({"dispatch": rule, "agents": number, **_measured(each, seeds)})
    return pd.DataFrame(rows)


def _measured(case: Case, seeds: Sequence[int]) -> dict[str, float]:
    found: dict[str, list[float]] = {name: [] for name in MEASURES}
    for seed in seeds:
        log = case.work(seed)
        money = case.money(log, seed)
        for name in MEASURES[:-1]:
            found[name].append(getattr(money, name))
        found["reached_in_time"].append(float(case.in_time(log).sum()))
    out: dict[str, float] = {}
    for name, values in found.items():
        mean = mean_of(values)
        out |= {name: mean.mean, f"{name}_low": mean.low, f"{name}_high": mean.high}
    return out

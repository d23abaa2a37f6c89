"""What one more agent hour is worth, by team and hour of the day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from churnsim.capacity.calendar import staffed_hours
from churnsim.capacity.case import Case
from churnsim.capacity.log import ContactLog
from churnsim.capacity.money import Money
from churnsim.capacity.orders import plan_steps
from churnsim.capacity.replicates import mean_of
from churnsim.capacity.settings import LiveChannel, Shift, Team
from churnsim.config.messages import did_you_mean
from churnsim.core.clock import HOURS_PER_DAY
from churnsim.errors import CapacityError

ONE_MORE = " +1"


def shadow_prices(case: Case, *, seeds: Sequence[int], teams: Collection[str] | None = None) -> pd.DataFrame:
    """Return what one more agent in one hour of every working day changes, an hour of that agent.

    The month is worked twice with the same draws: as it is, and with one average, experienced agent more who is at work
    in that hour only, after all others in rank. Hours in which the team has no order to try and no caller to expect are
    left out.

    Parameters
    ----------
    seeds
        At least one; intervals come from several.
    teams
        None: all.

    Returns
    -------
    DataFrame
        A row a team and hour of the day: team, hour, agent_hours (in the month), price_amount with price_low and
        price_high (net value an hour, the handled time charged), worth_amount (the same before agents are paid: worth
        more than cost_per_hour_amount, the hour pays for itself), callers_served (an hour), cost_per_hour_amount.

    Raises
    ------
    CapacityError
        A team is unknown.
    """
    names = list(case.capacity.teams) if teams is None else list(teams)
    for name in names:
        require_team(name, case)
    case = case.for_runs(len(seeds) * len(names) * HOURS_PER_DAY // 2)
    before = [_numbers(case, seed) for seed in seeds]
    rows = []
    for name in names:
        team = case.capacity.teams[name]
        for hour in range(HOURS_PER_DAY):
            if not _has_work(case, team, hour):
                continue
            extra = _one_more(team, hour)
            more = {**case.capacity.teams, name + ONE_MORE: extra}
            with_more = replace(case, capacity=case.capacity.model_copy(update={"teams": more}))
            hours = staffed_hours(extra, case.capacity, month=case.month)
            if hours:
                after = [_numbers(with_more, seed) for seed in seeds]
                gain = (np.array(after) - np.array(before)) / hours
                price = mean_of(gain[:, 0])
                rows.append((name, hour, hours, *price, float(gain[:, 1].mean()), float(gain[:, 2].mean()),
                             team.cost_per_hour_amount))
    return pd.DataFrame(rows, columns=["team", "hour", "agent_hours", "price_amount", "price_low", "price_high",
                                       "worth_amount", "callers_served", "cost_per_hour_amount"])


def require_team(name: str, case: Case) -> None:
    """Raise CapacityError if a team is not one of the case's."""
    if name not in case.capacity.teams:
        raise CapacityError(f"team: no team {name!r}; there are {', '.join(case.capacity.teams) or 'none'}"
                            f"{did_you_mean(name, case.capacity.teams)}")


def _numbers(case: Case, seed: int) -> tuple[float, float, int]:
    log: ContactLog = case.work(seed)
    money: Money = case.money(log, seed)
    return money.net_value_amount, money.before_pay_amount, int((log.calls.disposition == "served").sum())


def _one_more(team: Team, hour: int) -> Team:
    return team.model_copy(update={
        "agents": 1, "shifts": (Shift(start_hour=float(hour), end_hour=hour + 1.0),), "productivity_cv": 0.0,
        "learning": None, "absence_prob": 0.0, "reserve_agents": 0})


def _has_work(case: Case, team: Team, hour: int) -> bool:
    ordered = {name for plan in np.unique(case.orders.channel).tolist() for name in plan_steps(plan)}
    for name in ordered.intersection(team.channels):
        channel = case.channels[name]
        low, high = channel.calling_window_hours
        if isinstance(channel, LiveChannel) and low < hour + 1 and hour < high:
            return True
    return any(case.capacity.inbound[name].calls_per_hour_by_hour[hour] > 0 for name in team.inbound)

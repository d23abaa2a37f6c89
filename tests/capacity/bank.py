"""The real centre of the Anonymous Bank, February 1999: its calls, laws fitted on some weeks, and its staff."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from churnsim.capacity.settings import CapacitySettings, InboundStream, Law, Shift, Team
from churnsim.core.clock import WEEKDAYS

from .truths import Callers, Floats, Work, callers, calls_at

Ints = npt.NDArray[np.int64]
SECONDS = 3600.0
OPENS, CLOSES = 7, 24
# 1 February 1999 was a Monday. Fridays are short, Saturdays begin in the evening.
FRIDAY, SATURDAY = 4, 5
# Patience: the rate of giving up is constant between these seconds.
PIECES = np.array([0, 10, 20, 30, 60, 90, 120, 180, 300], float)


class BankCalls(NamedTuple):
    """Calls of people who asked for an agent, by time; (m,).

    Attributes
    ----------
    day, second
        Day of the month from 0, second of the day at which the caller left the voice menu.
    wait, service
        Seconds; a service of 0 is none.
    served
        Whether an agent took the call.
    """

    day: Ints
    second: Floats
    wait: Floats
    service: Floats
    served: npt.NDArray[np.bool_]

    def of(self, chosen: npt.NDArray[np.bool_]) -> BankCalls:
        """Return some of the calls."""
        return BankCalls(*(column[chosen] for column in self))

    @property
    def cell(self) -> Ints:
        """Kind of day (0 Sunday to Thursday, 1 Friday, 2 Saturday) x 24 + hour."""
        weekday = self.day % 7
        kind = np.where(weekday == FRIDAY, 1, np.where(weekday == SATURDAY, 2, 0))
        return np.asarray(24 * kind + (self.second // SECONDS).astype(np.int64))


def read_calls(folder: Path) -> BankCalls:
    """Return the calls in opening hours; phantoms and those who hung up before they queued are left out."""
    table = pd.read_csv(folder / "bank_calls" / "anonymous_bank_february_1999.tsv.gz", sep="\t")
    left_menu = pd.to_timedelta(table["vru_exit"]).dt.total_seconds().to_numpy()
    served = (table["outcome"] == "AGENT").to_numpy()
    asked = served | ((table["outcome"] == "HANG") & (table["q_time"] > 0)).to_numpy()
    calls = BankCalls((table["date"] % 100 - 1).to_numpy(), left_menu, table["q_time"].to_numpy(float),
                      table["ser_time"].to_numpy(float), served)
    calls = calls.of(asked & (left_menu >= OPENS * SECONDS))
    return calls.of(np.lexsort((calls.second, calls.day)))  # type: ignore[arg-type]


def patience_law(calls: BankCalls) -> Floats:
    """Return the rates of giving up a second, (pieces,): those who gave up over the time waited in each piece."""
    waited = np.clip(calls.wait[:, None] - PIECES, 0.0, np.append(np.diff(PIECES), np.inf)).sum(axis=0)
    gave_up = np.histogram(calls.wait[~calls.served], np.append(PIECES, np.inf))[0]
    return np.asarray(gave_up / waited)


def draw_patience(rates: Floats, number: int, rng: np.random.Generator) -> Floats:
    """Return so many seconds of patience."""
    risk = np.append(0.0, np.cumsum(rates[:-1] * np.diff(PIECES)))
    left = rng.exponential(size=number)
    piece = np.searchsorted(risk, left, side="right") - 1
    return np.asarray(PIECES[piece] + (left - risk[piece]) / rates[piece])


# Staff


def staff(agents: Ints, days: Sequence[int]) -> CapacitySettings:
    """Return the centre with so many agents by weekday and hour, (7, 24), for some weekdays.

    A team is one agent who works the hours of a weekday in which at least so many are needed.
    """
    teams = {}
    for day in days:
        for place in range(int(agents[day].max())):
            hours = np.flatnonzero(agents[day] > place)
            shifts = tuple(Shift(start_hour=float(hour), end_hour=float(hour + 1)) for hour in hours)
            teams[f"{WEEKDAYS[day]} {place}"] = Team(
                agents=1, cost_per_hour_amount=0.0, inbound=("s0",), weekdays=(WEEKDAYS[day],), shifts=shifts)
    law = Law(law="exponential", mean_minutes=1.0)
    stream = InboundStream(calls_per_hour_by_hour=(0.0,) * 24, patience=law, handle=law)
    return CapacitySettings(teams=teams, inbound={"s0": stream})


def agents_of(total: Floats) -> Ints:
    """Return agents by weekday and hour, (7, 24), from the mean agents of the three kinds of day, (72,).

    A fraction of an agent from Sunday to Thursday works on some of these days.
    """
    by_kind = total.reshape(3, 24)
    turns = np.array([0.1, 0.5, 0.9, 0.3, 0.0, 0.0, 0.7])
    agents = np.floor(by_kind[0] + turns[:, None])
    agents[FRIDAY], agents[SATURDAY] = np.round(by_kind[1]), np.round(by_kind[2])
    return agents.astype(np.int64)


def played(calls: BankCalls, total: Floats, *, rates: Floats, services: Floats, work: Work, seed: int) -> Callers:
    """Return how the callers fare, waits in seconds, with patience and service drawn anew."""
    rng = np.random.default_rng(seed)
    number = len(calls.day)
    arrivals = 24.0 * calls.day + calls.second / SECONDS
    return callers(
        calls_at(arrivals, handle_hours=rng.choice(services, number) / SECONDS,
                 patience_hours=draw_patience(rates, number, rng) / SECONDS),
        staff(agents_of(total), range(7)), work, unit_hours=1 / SECONDS)

# Hours in which fewer gave up than this tell little about their staff.
FEW = 5.0


class Fit(NamedTuple):
    """Laws and staff: rates of giving up a second, seconds of service, mean agents by kind of day and hour."""

    rates: Floats
    services: Floats
    agents: Floats


def fit(calls: BankCalls, days: int, work: Work, *, rounds: int = 30, draws: int = 4) -> Fit:
    """Return laws of patience and service, and the staff with which as many give up in every hour as did.

    Parameters
    ----------
    days
        Days of the month that the calls cover, a whole number of weeks.
    rounds, draws
        Steps of the search, and centres played in each.
    """
    rates, services = patience_law(calls), calls.service[calls.service > 0]
    number = np.bincount(calls.cell, minlength=72)
    gave_up = np.bincount(calls.cell[~calls.served], minlength=72)
    open_hours = np.repeat([5.0, 1.0, 1.0], 24) * days / 7
    agents = np.where(number, number / open_hours * services.mean() / SECONDS + 1.0, 0.0)
    seen = []
    for step in range(rounds):
        lost = np.zeros(72)
        for draw in range(draws):
            result = played(calls, agents, rates=rates, services=services, work=work, seed=1000 * step + draw)
            lost += np.bincount(calls.cell[~result.served], minlength=72) / draws
        seen.append(agents)
        # One agent in a hundred more lets some three in a hundred fewer give up; smaller and smaller steps.
        change = ((lost + FEW) / (gave_up + FEW)) ** (8 / (8 + step) / 3)
        agents = np.where(number, np.maximum(agents * change, 1.0), 0.0)
    return Fit(rates, services, np.mean(seen[rounds // 2:], axis=0))


class Service(NamedTuple):
    """Shares and mean waits, in seconds; of callers who asked for an agent."""

    abandoned: float
    queued: float
    wait: float
    wait_if_queued: float


def service_of(wait: Floats, served: npt.NDArray[np.bool_]) -> Service:
    """Return how a centre served; a wait below half a second is none, as in the data."""
    queued = wait >= 0.5
    return Service(float((~served).mean()), float(queued.mean()), float(wait.mean()), float(wait[queued].mean()))

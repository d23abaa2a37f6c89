"""churnsim's allocation and the linear program of HiGHS: eight arms, a budget and five teams."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from churnsim.policy.choices import Choices, Limits, Resource, choices
from churnsim.policy.prices import PricedPlan, plan_by_prices, plan_parts_by_prices
from scipy.optimize import linprog
from scipy.sparse import coo_array, vstack

import row

ARMS, SEED, TOLERANCE = 8, 7, 1e-6
PART_ROWS = 1000 * 1024
SAMPLE_ROWS = 20_000
# Arms take minutes of one team each, and the first one of the last team too.
PER_EFFORT = np.eye(5)[np.arange(ARMS) % 5].T
PER_EFFORT[4, 0] = 0.5
# Of what the best plan without limits would take: budget, teams.
SHARES = (0.5, 0.3, 0.3, 0.5, 0.7, 0.2)

Float32 = npt.NDArray[np.float32]


def tables(number: int, rows: int) -> tuple[Float32, Float32, Float32]:
    """Return values, costs and minutes of a partition, (rows, 8) each; a shorter one is the start of a longer one."""
    found = [np.empty((rows, ARMS), np.float32) for _ in range(3)]
    scale = np.random.default_rng(SEED)
    effect, price, minutes = (scale.uniform(*ends, ARMS) for ends in ((0.02, 0.25), (0.2, 8.0), (1.0, 12.0)))
    for block, first in enumerate(range(0, rows, SAMPLE_ROWS)):
        rng, part = np.random.default_rng([SEED, number, block]), slice(first, min(first + SAMPLE_ROWS, rows))
        noise = rng.standard_normal((3, SAMPLE_ROWS, ARMS))[:, : part.stop - first]
        risk, margin = rng.beta(1, 6, SAMPLE_ROWS), rng.lognormal(3, 0.6, SAMPLE_ROWS)
        at_stake = (12 * risk * margin)[: part.stop - first, None]
        cost = price * np.exp(0.3 * noise[1])
        found[0][part] = at_stake * effect * np.exp(0.4 * noise[0]) - cost / 2
        found[1][part], found[2][part] = cost, minutes * np.exp(0.2 * noise[2])
    return found[0], found[1], found[2]


def base(rows: int) -> Choices:
    """Return the subscribers of the first partition."""
    value, cost, minutes = tables(0, rows)
    return choices(value, cost, effort=minutes)


def limits(rows: int) -> Limits:
    """Return limits for so many subscribers, as scarce for any number."""
    def teams(capacity: npt.NDArray[np.float64]) -> tuple[Resource, ...]:
        return tuple(Resource(f"team {k}", capacity[k], tuple(PER_EFFORT[k])) for k in range(5))

    without = plan_by_prices(base(SAMPLE_ROWS), Limits(resources=teams(np.full(5, np.inf))))
    taken = np.array([without.spend, *without.used]) * SHARES * (rows / SAMPLE_ROWS)
    return Limits(float(taken[0]), teams(taken[1:]))


def by_prices(threads: int, subscribers: int, months: int) -> Callable[[], PricedPlan]:
    """All subscribers in memory."""
    everybody, kept = base(subscribers), limits(subscribers)
    return lambda: plan_by_prices(everybody, kept, tolerance=TOLERANCE, threads=threads)


def by_partitions(threads: int, subscribers: int, months: int) -> Callable[[], PricedPlan]:
    """Partitions of 1,024,000 subscribers in files, one of which is in memory at a time."""
    folder = Path(tempfile.mkdtemp())
    parts = []
    for number, first in enumerate(range(0, subscribers, PART_ROWS)):
        parts.append(partial(read, folder / f"{number}.npy"))
        np.save(folder / f"{number}.npy", np.stack(tables(number, min(PART_ROWS, subscribers - first))))
    kept = limits(subscribers)
    return lambda: plan_parts_by_prices(parts, kept, tolerance=TOLERANCE, threads=threads)


def read(path: Path) -> Choices:
    """Read a partition."""
    value, cost, minutes = np.load(path)
    return choices(value, cost, effort=minutes)


def linear_program(subscribers: int, months: int) -> Callable[[], float]:
    """Return the relaxation as a sparse linear program, solved by HiGHS."""
    everybody, kept = base(subscribers), limits(subscribers)
    cells = np.arange(subscribers * ARMS)
    one_arm = coo_array((np.ones(len(cells)), (cells // ARMS, cells)), shape=(subscribers, len(cells)))
    shared = np.stack([everybody.costs.ravel(), *((everybody.effort * rate).ravel() for rate in PER_EFFORT)])
    matrix = vstack([one_arm, coo_array(shared.astype(np.float64))]).tocsr()
    most = np.concatenate([np.ones(subscribers), [kept.budget], [team.capacity for team in kept.resources]])
    gains = -everybody.values.ravel().astype(np.float64)

    def solve() -> float:
        solved = linprog(gains, A_ub=matrix, b_ub=most, method="highs")
        if solved.status != 0:
            raise ValueError(solved.message)
        return -float(solved.fun)

    return solve


def facts(found: PricedPlan | float) -> dict[str, Any]:
    """Tell the bound, and of a plan its gap, rounds and a digest of its arms."""
    if not isinstance(found, PricedPlan):
        return {"bound": found}
    told = {"bound": found.bound, "gap_share": found.gap / found.bound, "price_rounds": found.rounds,
            "listed": int((found.arm >= 0).sum())}
    if sys.argv[1].startswith("memory"):
        told["arms"] = hashlib.sha256(found.arm.tobytes()).hexdigest()[:16]
    return told


if __name__ == "__main__":
    cases = {"linear program": linear_program}
    cases |= {f"memory {threads}": partial(by_prices, threads) for threads in (1, 2)}
    cases |= {f"partitions {threads}": partial(by_partitions, threads) for threads in (1, 2)}
    # A warm-up of 20,000 is minutes for the linear program, which compiles nothing.
    row.main(cases, packages=["numba", "numpy", "scipy"], facts=facts, warm_up=sys.argv[1] != "linear program")

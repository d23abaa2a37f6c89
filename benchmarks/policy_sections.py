"""The sections of the policy benchmark, and what churnsim is meant to reach in them."""

from __future__ import annotations

from capacity_sections import Target, wall_seconds
from harness import Outcome, Row, Section
from targets import peak_gib

OWN = "policy_run"
MILLION = 1_000_000
SLOW = ("uplift_forest", "causal_forest")

PROGRAM = Section(
    name="program",
    title="Allocation against a linear program",
    rows=(
        Row("plan_by_prices", OWN, "memory 1", checked=False),
        Row("HiGHS", OWN, "linear program", rounds=1, checked=False),
    ),
    against=("plan_by_prices",),
    sizes=(10_000, 50_000),
    months=1,
    compared="cpu_s",
    note="Eight arms, a budget and five teams. HiGHS solves the relaxation, in which subscribers may be given shares "
    "of arms; `plan_by_prices` gives its value to 1e-6 (the bound) and a plan of whole subscribers. A row fails if its "
    "bound is another one.",
)

ALLOCATION = Section(
    name="allocation",
    title="Allocation",
    rows=(
        Row("1 thread", OWN, "memory 1", checked=False),
        Row("2 threads", OWN, "memory 2", checked=False),
    ),
    against=("1 thread",),
    sizes=(MILLION,),
    months=1,
    compared="wall_s",
    note="The same with values, costs and minutes as float32, in memory. A row fails if a subscriber's arm differs.",
)

PARTITIONS = Section(
    name="partitions",
    title="Allocation by partitions",
    rows=(Row("2 threads", OWN, "partitions 2", rounds=1, checked=False),),
    against=(),
    sizes=(10 * MILLION,),
    months=1,
    compared="wall_s",
    note="Partitions of 1,024,000 subscribers in files; one of them is in memory at a time.",
)

LEARNERS = Section(
    name="learners",
    title="Learners",
    rows=tuple(
        Row(kind, "learner_run", kind, rounds=1 if kind in SLOW else None, checked=False)
        for kind in ("t_logistic", "t_ridge", "t_lightgbm", "s_ridge", "s_lightgbm", "x_ridge", "x_lightgbm", "r_ridge",
                     "r_lightgbm", "dr_ridge", "dr_lightgbm", *SLOW)
    ),
    against=("t_logistic",),
    sizes=(20_000, 100_000),
    months=1,
    compared="cpu_s",
    note="One fit on a randomised trial of three arms with 20 features and a 0/1 outcome, in one thread; forests have "
    "50 trees. PEHE is the root mean squared error of effects on 20,000 fresh subscribers: it is not what a list of "
    "theirs is worth.",
)

LISTS = Section(
    name="lists",
    title="A list from the operator's table",
    rows=tuple(Row(policy, "policy_list_run", policy, rounds=1, checked=False)
               for policy in ("uplift_value", "budget_staff")),
    against=("uplift_value",),
    sizes=(MILLION, 10 * MILLION),
    months=1,
    compared="wall_s",
    note="What stands between the table of a month and the orders of a campaign with eight offers: features, effects, "
    "acceptance, planned cost and reach of each subscriber and offer, and the best list under a budget, and under "
    "agents' minutes as well. Partitions of 250,000; those after the first are the same subscribers under other "
    "ids. Making subscribers and learning from a pilot stand before the clock.",
)

SECTIONS = (PROGRAM, ALLOCATION, PARTITIONS, LEARNERS, LISTS)


def gap_percent(outcome: Outcome) -> float:
    """Return what the plan may lack to the best one, in percent of the bound."""
    return 100 * max(run["gap_share"] for run in outcome.runs)


TARGETS = (
    Target("gap of plan_by_prices", PROGRAM, 50_000, ("plan_by_prices",), gap_percent, "below", 0.01, " %"),
    Target("wall time, 2 threads", ALLOCATION, MILLION, ("2 threads",), wall_seconds, "below", 10, " s"),
    Target("peak memory", PARTITIONS, 10 * MILLION, ("2 threads",), peak_gib, "below", 4, " GiB"),
)

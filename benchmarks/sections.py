"""The sections of the benchmark: which rows stand in one table, at which sizes, and how they are compared."""

from __future__ import annotations

from harness import Row, Section
from workload import MONTHS

MILLION = 1_000_000

WORKLOAD = Section(
    name="workload",
    title="Micro-workload",
    rows=(
        Row("churnsim", "churnsim_run", "fused"),
        Row("churnsim, three drivers", "churnsim_run", "three"),
        Row("churnsim, driver in numpy", "churnsim_run", "numpy"),
        Row("numpy", "numpy_run", "plain"),
        Row("numpy, tuned", "numpy_run", "tuned"),
        Row("starsim", "peers.starsim_run", "crn", environment="starsim"),
        Row("vivarium", "peers.vivarium_run", "crn", environment="vivarium", rounds=3),
        Row("mesa", "peers.mesa_run", "agents", environment="mesa", at_most=100_000),
        Row("draws alone", "bounds", "draws", checked=False),
        Row("copy alone", "bounds", "copy", checked=False),
    ),
    against=("numpy", "numpy, tuned", "starsim", "vivarium", "mesa", "draws alone"),
    sizes=(MILLION,),
    months=MONTHS,
)

MODEL = Section(
    name="model",
    title="The full default model",
    rows=(
        Row("full model", "model_run", "model", rounds=3, checked=False),
        Row("full model, summaries", "model_run", "summaries", rounds=3, checked=False),
    ),
    against=("full model",),
    sizes=(MILLION,),
    months=MONTHS,
    note="Preset data_grounded. Who joins later is a row from month 0, and is counted from month 0.",
)

TWINS = Section(
    name="twins",
    title="Twins",
    rows=tuple(
        Row(name, "model_run", f"{offers} offers", rounds=3, checked=False)
        for offers, name in (
            (0, "base alone"),
            (1, "base and 1 offer"),
            (4, "base and 4 offers"),
            (8, "base and 8 offers"),
        )
    ),
    against=("base alone",),
    sizes=(MILLION,),
    months=MONTHS,
    compared="cpu_s",
    note="The full model. Each offer touches another random tenth of all rows in month 0. The preset's three offers "
    "come in turn, so that 8 offers are these three, three and two times.",
)

SCALE = Section(
    name="scale",
    title="Scaling",
    rows=(Row("churnsim simulate", "simulate_run", "campaign", rounds=2, checked=False),),
    against=(),
    sizes=(MILLION // 10, MILLION, 10 * MILLION),
    months=MONTHS,
    note="`churnsim simulate experiments/scale.yaml` with `--engine processes --jobs 2`, from the start of the command "
    "to its end: pilot and models, partitions, a campaign in month 12, summaries and end state in Parquet.",
)

ENGINES = Section(
    name="engines",
    title="Engines",
    rows=tuple(
        Row(name, "simulate_run", case, rounds=2, checked=False)
        for name, case in (
            ("serial", "serial 1"),
            ("1 thread", "threads 1"),
            ("2 threads", "threads 2"),
            ("1 process", "processes 1"),
            ("2 processes", "processes 2"),
            ("1 Dask worker", "dask 1"),
            ("2 Dask workers", "dask 2"),
        )
    ),
    against=("serial",),
    sizes=(MILLION,),
    months=MONTHS,
    compared="wall_s",
    note="The same command on each engine, without the campaign, whose models threads do not fit. A row fails if "
    "summary.json or a table differs in a bit from serial's; the order of rows is free.",
)

FIRST = Section(
    name="first call",
    title="First call",
    rows=(
        Row("empty cache", "first_call", "cold", rounds=3, checked=False),
        Row("filled cache", "first_call", "warm", rounds=3, checked=False),
    ),
    against=("filled cache",),
    sizes=(10_000,),
    months=1,
    compared="wall_s",
    note="A fresh process from its start to its end: import, `load` of experiments/quickstart.yaml, `simulate` of a "
    "month. The cache is that of compiled functions.",
)

SECTIONS = (WORKLOAD, MODEL, TWINS, SCALE, ENGINES, FIRST)

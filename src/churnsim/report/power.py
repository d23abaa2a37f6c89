"""What pilots can find, as tables of text."""

from __future__ import annotations

from typing import Any

from churnsim.experiment.power import PilotPower
from churnsim.report.contents import Table, records
from churnsim.report.tables import text_table
from churnsim.report.words import counted, number, percent

POINTS = 100.0


def power_text(found: PilotPower, *, width: int | None = None) -> str:
    """Return what was computed in a line, and the table."""
    line = (f"{found.experiment}: preset {found.preset}, {counted(found.subscribers, 'subscriber')} under every arm, "
            f"seed {found.seed}, replicate {found.replicate}, {counted(found.pilots, 'pilot')} of each size")
    return f"{line}\n\n{text_table(power_tables(found), width=width)}"


def power_tables(found: PilotPower) -> Table:
    """Return the table: events, smallest detectable and true effect, simulated power and the size needed."""
    rows = tuple((row["offer"], number(row["size"]), f"{number(row['n_offer'])}/{number(row['n_control'])}",
                  f"{number(row['left_offer'])}/{number(row['left_control'])}",
                  number(POINTS * row["minimum_detectable_effect"], decimals=2),
                  f"{number(POINTS * row['true_effect'], decimals=2)} "
                  f"(± {number(POINTS * row['true_effect_se'], decimals=2)})",
                  f"{percent(row['power'])} ({percent(row['power_low'])} to {percent(row['power_high'])})",
                  number(row["size_needed"]))
                 for row in records(found.table))
    return Table(f"Effect of being assigned on staying {counted(found.outcome_months, 'month')}, percentage points: "
                 f"what pilots detect at {percent(found.alpha)}, two-sided",
                 ("offer", "pilot.size", "offer/\ncontrol", "of them\nleft", f"detectable\nat {percent(found.power)}",
                  "true effect", "power (95 % interval)", f"size for\n{percent(found.power)}"), rows)


def as_data(found: PilotPower) -> dict[str, Any]:
    """Return the numbers as plain data."""
    rows = [{name: None if value != value or value == float("inf") else value for name, value in row.items()}
            for row in records(found.table)]
    return {"experiment": found.experiment, "preset": found.preset, "seed": found.seed, "replicate": found.replicate,
            "subscribers": found.subscribers, "pilots": found.pilots, "alpha": found.alpha, "power": found.power,
            "outcome_months": found.outcome_months, "rows": rows}

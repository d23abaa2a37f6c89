"""What a calibration found, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass

from churnsim.calibration.moments import Estimate
from churnsim.calibration.preset import Source
from churnsim.report.contents import Table
from churnsim.report.tables import text_table
from churnsim.report.words import number

SIDED = 1.96


@dataclass(frozen=True)
class MomentResult:
    """A moment on one part of the table ("fitted" or "held_out").

    Attributes
    ----------
    target
        The table's value and its standard error.
    before, after
        Simulated, by the base preset and by the new one.
    scale
        Standard error that distances are counted in: the table's, or what its tolerance amounts to if that is more.
    fitted
        Whether the fit looked at it.
    """

    name: str
    unit: str
    part: str
    target: Estimate
    before: float
    after: float
    scale: float
    fitted: bool

    @property
    def distance(self) -> float:
        """Simulated less target after the fit, in standard errors."""
        return (self.after - self.target.value) / self.scale

    @property
    def inside(self) -> bool:
        """Whether the simulated value is inside the band: the table's 95 % interval, or the tolerance if wider."""
        return abs(self.distance) <= SIDED


@dataclass(frozen=True)
class Constant:
    """A key that was fitted: its value before and after, and the step of its tunable with standard error.

    `at_bound` tells that the table asks for more than the tunable's bounds allow; the standard error then says nothing.
    """

    tunable: str
    key: str
    before: float
    after: float
    step: float
    step_se: float
    at_bound: bool


@dataclass(frozen=True)
class Calibration:
    """What a calibration found.

    Attributes
    ----------
    rows
        Rows of each part.
    moments
        Every moment on both parts.
    constants
        Every key that was fitted.
    unidentified
        Tunable -> why it stays at the preset's value.
    left_out
        Moment -> why the table does not have it.
    converged
        False: the fit was stopped while it still came nearer.
    """

    source: Source
    rows: dict[str, int]
    moments: tuple[MomentResult, ...]
    constants: tuple[Constant, ...]
    unidentified: dict[str, str]
    left_out: dict[str, str]
    iterations: int
    converged: bool
    evaluations: int
    seconds: float

    def moment(self, name: str, *, part: str = "held_out") -> MomentResult:
        """Return a moment by name."""
        return next(m for m in self.moments if m.name == name and m.part == part)

    def __str__(self) -> str:
        tables = [self.moments_table(), self.constants_table(), _reasons(
            "Not identified: left as in the preset", "constant", self.unidentified), _reasons(
            "Moments that the table does not have", "moment", self.left_out)]
        told = [m for m in self.moments if m.part == "held_out"]
        inside = sum(m.inside for m in told)
        verdict = (f"Held-out part: {inside} of {len(told)} moments inside their band (the table's 95 % interval, or "
                   "the tolerance where that is wider).")
        if not self.converged:
            verdict += f" The fit was stopped after {self.iterations} iterations, while it still came nearer."
        return "\n\n".join([*(text_table(table) for table in tables if table.rows), verdict])

    def moments_table(self) -> Table:
        """Return the moments as a table: one row each, the fitted part beside the held-out one."""
        rows = []
        for fitted in (m for m in self.moments if m.part == "fitted"):
            held = self.moment(fitted.name)
            rows.append((fitted.name, fitted.unit, *_cells(fitted), *_cells(held), "yes" if held.inside else "no",
                         "" if fitted.fitted else "only compared"))
        values = ("target", "before", "after", "distance")
        heads = (*(f"fitted:\n{v}" for v in values), *(f"held out:\n{v}" for v in values), "inside\nits band", "")
        caption = (f"{self.source.table}: {self.rows['fitted']:,} rows fitted, {self.rows['held_out']:,} held out; "
                   "distances in standard errors")
        return Table(caption, ("moment", "unit", *heads), tuple(rows), (0, 1, 10, 11))

    def constants_table(self) -> Table:
        """Return the fitted constants as a table."""
        rows = tuple((c.tunable, c.key, f"{c.before:g}", f"{c.after:g}", number(c.step, decimals=2),
                      "at its bound" if c.at_bound else number(c.step_se, decimals=2)) for c in self.constants)
        return Table("Constants fitted", ("constant", "key", "before", "after", "step", "its standard\nerror"), rows,
                     (0, 1))


def _cells(m: MomentResult) -> tuple[str, str, str, str]:
    values = (number(v, decimals=2) for v in (m.target.value, m.before, m.after))
    return (*values, number(m.distance, decimals=1))  # type: ignore[return-value]


def _reasons(caption: str, what: str, reasons: dict[str, str]) -> Table:
    return Table(caption, (what, "because"), tuple(reasons.items()), (0, 1))

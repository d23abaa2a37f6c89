"""Fit the tunable constants of an experiment's preset to an operator's own table by simulated moments."""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from churnsim.calibration.fit import fit
from churnsim.calibration.moments import MOMENTS, Estimate, Moment, TooFewRows, with_score
from churnsim.calibration.preset import Source, preset_text
from churnsim.calibration.result import Calibration, Constant, MomentResult
from churnsim.calibration.sample import Sample, known_features, observed_columns, with_columns
from churnsim.calibration.simulated import drawn_sample, experiment_with, first_table, simulated_samples
from churnsim.calibration.store import Evaluations, writing
from churnsim.calibration.table import PARTS, Split, split_table
from churnsim.calibration.tunables import TUNABLES, Tunable, stepped
from churnsim.config.digest import digest
from churnsim.config.source import parse_yaml
from churnsim.errors import ConfigError
from churnsim.experiment.load import DEFAULT_PRESET, Loaded, load_tree
from churnsim.experiment.settings import Experiment
from churnsim.experiment.tasks import surroundings

Steps = Mapping[str, float]
Report = Callable[[str], None]

BARE = "schema: 1\npreset: {preset}\nname: calibration\nseed: 1\npopulation: {{size: 1}}\n"


def calibrate(
    table: str | Path,
    *,
    mapping: str | Path,
    out: str | Path,
    experiment: Loaded | None = None,
    seed: int = 1,
    rows: int | None = None,
    holdout: float = 0.5,
    report: Report | None = None,
) -> Calibration:
    """Fit a preset to an operator's table and write it to `out`.

    The rows become simulated subscribers, and the constants of :data:`~churnsim.calibration.tunables.TUNABLES` move
    until the moments of :data:`~churnsim.calibration.moments.MOMENTS` are near the table's: least squares on
    differences in standard errors. One part of the table is fitted, the other only compared with.

    Parameters
    ----------
    table, mapping
        The operator's table (CSV, gzipped CSV or Parquet) and its mapping file, which must name the outcome.
    out
        Preset to write (.yaml): what was fitted, over the preset of `experiment`. Finished evaluations are kept in a
        folder of this name with ``.work`` until then: the same call goes on where a killed one was.
    experiment
        From :func:`churnsim.load`; its base scenario is where the fit starts. None: the default preset.
    seed
        Everything random depends on it: which rows are held out, and every draw of the simulation.
    rows
        So many rows of the table, drawn by the seed; None: all.
    holdout
        Share of the rows that the fit does not see, 0.1 to 0.9.
    report
        Called with a line on progress.

    Returns
    -------
    Calibration
        Moments, constants, and what the table does not tell; ``print`` shows the tables.

    Raises
    ------
    ConfigError
        The mapping or an argument is wrong.
    DataError
        The table cannot be used: it cannot be read, or has fewer than 1,000 rows with an outcome, 200 who left or
        200 who stayed.
    ResultsError
        `out` cannot be written.
    """
    target = Path(out)
    if target.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{out}: a preset's name must end in .yaml or .yml")
    if target.is_dir():
        raise ConfigError(f"{out}: is a folder; name a file to write the preset to")
    if seed < 0:
        raise ConfigError(f"seed: must be at least 0 (got {seed})")
    loaded = experiment or load_tree(parse_yaml(BARE.format(preset=DEFAULT_PRESET), "default preset"), folder=Path())
    base = loaded.experiment.model_copy(update={"scenarios": {}, "sweep": {}, "seed": seed})
    split = split_table(Path(table), Path(mapping), currency=base.currency, seed=seed, rows=rows, holdout=holdout)
    found = _Comparison(base, loaded.folder, split, target.with_name(f"{target.name}.work"), report or _silent)
    name = _preset_name(loaded, target)
    result = found.run(Source(Path(table).name, split.sha256, seed, loaded.experiment.name, name))
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with writing(target):
            aside.write_text(preset_text(result), encoding="utf-8")
            os.replace(aside, target)
    finally:
        aside.unlink(missing_ok=True)
    found.kept.remove()
    return result


def _silent(_line: str) -> None:
    pass


def _preset_name(loaded: Loaded, target: Path) -> str:
    """Return what the new preset is laid over, as `preset:` of a file in the folder of `target` names it."""
    name = loaded.experiment.preset
    if not name.endswith((".yaml", ".yml")):
        return name
    return Path(os.path.relpath(loaded.folder / name, target.parent.resolve())).as_posix()


class _Comparison:
    """A table's moments, and the same of any experiment."""

    def __init__(self, base: Experiment, folder: Path, split: Split, work: Path, report: Report) -> None:
        self.base = base
        self.data = base.plain()
        self.folder = folder
        self.split = split
        self.report = report
        self.began = time.monotonic()
        self.left_out: dict[str, str] = {}
        tables = {part: first_table(rows, base, folder) for part, rows in split.parts.items()}
        self.features = known_features(tables["fitted"], split.columns)
        self.columns = {part: observed_columns(tables[part], with_features=self.features) for part in PARTS}
        self.scores: dict[str, npt.NDArray[np.float64]] = {}
        self.targets = self._targets()
        self.moments = tuple(m for m in MOMENTS if m.name in self.targets["fitted"])
        self.kept = Evaluations(work, digest({
            "surroundings": surroundings(), "experiment": self.data, "table": split.sha256, "columns": {
                part: [rows.ids.tolist(), rows.monthly_rate, rows.delay_months,
                       {name: _checksum(values) for name, values in rows.known.items()}]
                for part, rows in split.parts.items()},
            "moments": [m.name for m in self.moments]}))

    def _targets(self) -> dict[str, dict[str, Estimate]]:
        """Return the table's moments by part; what cannot be had is left out, and why."""
        samples = {}
        for part, rows in self.split.parts.items():
            scored = with_score(Sample(self.columns[part], rows.churn, np.ones(len(rows)), rows.monthly_rate,
                                       rows.outcome_share))
            self.scores[part] = scored.columns["score"]
            samples[part] = with_columns(scored, table_score=self.scores[part])
        found: dict[str, dict[str, Estimate]] = {part: {} for part in PARTS}
        for moment in MOMENTS:
            if lacking := moment.lacking(self.split.columns):
                self.left_out[moment.name] = f"{', '.join(lacking)} is not mapped"
                continue
            if moment.group == "model" and not self.features:
                self.left_out[moment.name] = "no feature follows from the mapped columns alone"
                continue
            same = [f"{name} {self.split.constant[name]}" for name in moment.needs if name in self.split.constant]
            if same:
                self.left_out[moment.name] = ", ".join(same)
                continue
            try:
                pair = {part: moment.measure(samples[part]) for part in PARTS}
            except TooFewRows as few:
                self.left_out[moment.name] = str(few)
                continue
            for part, estimate in pair.items():
                found[part][moment.name] = estimate
        return found

    def values(self, part: str, steps: Steps, *, fitted_only: bool) -> dict[str, float]:
        """Return the moments of the experiment after some steps."""
        return self.kept.get(f"{part}{'' if fitted_only else ', all'}", steps,
                             lambda: self._compute(part, steps, fitted_only))

    def _compute(self, part: str, steps: Steps, fitted_only: bool) -> dict[str, float]:
        rows = self.split.parts[part]
        experiment = experiment_with(self.data, stepped(self.data, steps))
        samples = simulated_samples(rows, experiment, self.folder, wanted={m.where for m in self.moments})
        worlds = len(samples["rows"]) // len(rows)
        samples["rows"] = with_columns(samples["rows"], table_score=np.tile(self.scores[part], worlds))
        drawn = None if fitted_only else with_score(
            drawn_sample(rows, samples["rows"], columns=self.columns[part], seed=self.base.seed))
        out = {}
        for moment in self.moments:
            if moment.fitted:
                value = moment.measure(samples[moment.where]).value
            elif drawn is not None:
                value = moment.measure(drawn).value
            else:
                continue
            # A rule that flags nobody finds nobody.
            out[moment.name] = 0.0 if math.isnan(value) else value
        return out

    def distances(self, steps: Steps) -> npt.NDArray[np.float64]:
        """Return how far each fitted moment is from the table's, in standard errors."""
        found = self.values("fitted", steps, fitted_only=True)
        return np.array([(found[m.name] - self.targets["fitted"][m.name].value) / self._scale("fitted", m)
                         for m in self.moments if m.fitted])

    def _scale(self, part: str, moment: Moment) -> float:
        return max(self.targets[part][moment.name].se, moment.tolerance / 1.96)

    def run(self, source: Source) -> Calibration:
        """Fit, and compare both parts before and after."""
        able, unable = self._tunables()
        before = {part: self.values(part, {}, fitted_only=False) for part in PARTS}
        found = fit(able, self.distances, report=self._line)
        after = {part: self.values(part, found.steps, fitted_only=False) for part in PARTS}
        moments = tuple(
            MomentResult(m.name, m.unit, part, self.targets[part][m.name], before[part][m.name], after[part][m.name],
                         self._scale(part, m), m.fitted)
            for m in self.moments for part in PARTS)
        moved = stepped(self.data, found.steps)
        constants = tuple(
            Constant(t.name, key, value, moved.get(key, value), found.steps[t.name], found.standard_errors[t.name],
                     min(found.steps[t.name] - t.low, t.high - found.steps[t.name]) < 0.02 * (t.high - t.low))
            for t in able if t.name in found.steps for key, value in t.values(self.data).items())
        return Calibration(source, {part: len(rows) for part, rows in self.split.parts.items()}, moments, constants,
                           unable | found.unidentified, self.left_out, found.iterations, found.converged,
                           self.kept.computed, time.monotonic() - self.began)

    def _tunables(self) -> tuple[list[Tunable], dict[str, str]]:
        """Return the tunables that can be looked at, and why the others cannot."""
        groups = {m.group for m in self.moments if m.fitted}
        able, unable = [], {}
        for tunable in TUNABLES:
            if not tunable.values(self.data):
                unable[tunable.name] = f"the preset has no {' or '.join(tunable.keys)}"
            elif not groups & set(tunable.groups):
                lost = [f"{m.name}: {self.left_out[m.name]}" for m in MOMENTS
                        if m.group in tunable.groups and m.name in self.left_out]
                unable[tunable.name] = f"it needs a moment that the table does not have ({lost[0]})"
            else:
                able.append(tunable)
        return able, unable

    def _line(self, iteration: int, distance: float) -> None:
        self.report(f"calibrate: iteration {iteration}, {len(self.kept.done)} evaluations, root mean square distance "
                    f"{distance:.2f} standard errors, {time.monotonic() - self.began:.0f} s")


def _checksum(values: npt.NDArray[np.float64]) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()

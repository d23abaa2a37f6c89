"""The gate: is a run's summary the same as its baseline, equivalent, changed, or too noisy to tell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from churnsim.errors import ConfigError, NotComparable, ResultsError
from churnsim.evaluation.intervals import Interval, paired_difference

Verdict = Literal["same", "equivalent", "inconclusive", "changed"]
PolicyKey = tuple[str, str]

_FROM_BEST: tuple[Verdict, ...] = ("same", "equivalent", "inconclusive", "changed")
_EXIT_CODE: dict[Verdict, int] = {"same": 0, "equivalent": 0, "changed": 1, "inconclusive": 4}
_SAME_RELATIVE = 1e-9


@dataclass(frozen=True)
class Finding:
    """What the gate says about one value: which one, before and after, and why.

    Attributes
    ----------
    verdict : {"same", "equivalent", "inconclusive", "changed"}
    scenario, policy : str or None
        Where the value stands in the summary; None where it belongs to a whole scenario or run.
    metric : str
        Name of the metric, `seed` or `recommended_policy`.
    baseline, current : float, str or None
        Mean of the metric, the seed or the policy's name; None is null in the summary.
    difference : Interval or None
        Current minus baseline over paired replicates; for another recommended policy, its net value minus
        that of the former one, both in the current run. None where there is nothing to subtract.
    margin : float or None
        Largest difference that counts as equivalent, in the unit of the metric; None where no margin applies.
    confidence : float
        Confidence of the interval of `difference`.
    """

    verdict: Verdict
    scenario: str | None
    policy: str | None
    metric: str
    baseline: float | str | None
    current: float | str | None
    difference: Interval | None
    margin: float | None
    confidence: float

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.scenario, self.policy, self.metric) if part is not None)
        text = f"{self.verdict}: {where}: {_shown(self.baseline)} -> {_shown(self.current)}"
        if self.difference is not None:
            subject = "net value of the new less the old" if self.policy is None else "difference"
            text += f"; {subject} {_shown(self.difference.mean)}, {self._limits(self.difference)}"
        if self.margin is not None:
            text += f", margin {_shown(self.margin)}"
        return text

    def _limits(self, interval: Interval) -> str:
        if interval.low is None:
            return "no interval from one replicate"
        return f"{100 * self.confidence:g} % interval {_shown(interval.low)} to {_shown(interval.high)}"


@dataclass(frozen=True)
class GateReport:
    """The worst verdict, a finding for each value compared (worst first), and notes without a verdict."""

    verdict: Verdict
    lines: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 for same and equivalent, 1 for changed, 4 for inconclusive."""
        return _EXIT_CODE[self.verdict]

    def __str__(self) -> str:
        """Verdict, notes, then a line for each value that is not the same."""
        count = Counter(line.verdict for line in self.lines)
        tally = ", ".join(f"{n} {verdict}" for verdict, n in count.items())
        head = f"{self.verdict}: of {len(self.lines)} values compared with the baseline, {tally}"
        differing = [str(line) for line in self.lines if line.verdict != "same"]
        return "\n".join([head, *(f"note: {note}" for note in self.notes), *differing])


def compare(
    baseline: Mapping[str, Any],
    current: Mapping[str, Any],
    *,
    require_same_seed: bool,
    margin_share: float = 0.01,
    confidence: float = 0.95,
    config_diff: str | None = None,
) -> GateReport:
    """Compare two contents of `summary.json`, value by value.

    *Same*: mean, limits and every replicate agree within relative 1e-9; null agrees with null only.
    *Equivalent*: the paired t interval of current minus baseline lies within the margin, which is
    `margin_share` of the largest absolute mean of that metric over all policies of the baseline (for regret:
    of net_value). *Changed*: the interval lies wholly outside the margin; or a null became a number or the
    reverse; or another policy is recommended and, in the current run, the interval of its net value less that
    of the former one does not hold 0. *Inconclusive*: everything else. One replicate gives no interval: what
    is not the same is changed. The report carries the worst verdict found.

    Parameters
    ----------
    baseline, current : mapping
        Contents of two `summary.json`. Besides `name` and `scenario`, each key of a policy is a metric:
        null, or a mapping with `mean`, `low`, `high` and `per_replicate`.
    require_same_seed : bool
        True refuses to compare another seed (`churnsim compare`); False reports it as changed
        (`churnsim check`), so that a swapped seed never passes the gate.
    margin_share : float
        Share of a metric's scale that counts as no difference, at least 0.
    confidence : float
        Confidence of the intervals, above 0 and below 1.
    config_diff : str, optional
        What differs between the two experiment files; follows the note on a differing `config_hash`.

    Raises
    ------
    NotComparable
        If schema, experiment, replicates, currency, policies or metrics differ, or a seed that must not.
    ResultsError
        If a summary is damaged: a missing key, a value that is not a finite number, a policy given twice.
    ConfigError
        If `margin_share` or `confidence` is out of range.
    """
    if not margin_share >= 0:
        raise ConfigError(f"margin_share: must be at least 0 (got {margin_share})")
    before, after = _Run.of(baseline, "baseline"), _Run.of(current, "current run")
    _refuse_unlike(before, after, require_same_seed)
    findings = _seed_findings(before, after, confidence) + _recommendation_findings(before, after, confidence)
    for key, metrics in before.policies.items():
        for name, old in metrics.items():
            new, margin = after.policies[key][name], margin_share * before.scale(name)
            verdict, difference = _judge(old, new, margin, confidence)
            findings.append(Finding(verdict, *key, name, old.mean, new.mean, difference, margin, confidence))
    worst_first = sorted(findings, key=lambda finding: -_FROM_BEST.index(finding.verdict))
    return GateReport(worst_first[0].verdict, tuple(worst_first), _notes(before, after, config_diff))


@dataclass(frozen=True)
class _Metric:
    mean: float | None
    low: float | None
    high: float | None
    per_replicate: tuple[float | None, ...]

    def values(self) -> tuple[float | None, ...]:
        return (self.mean, self.low, self.high, *self.per_replicate)

    @staticmethod
    def of(entry: Any, replicates: int, where: str) -> _Metric:
        """Read a metric; one that is null as a whole is null in every replicate."""
        if entry is None:
            return _Metric(None, None, None, (None,) * replicates)
        mean, low, high = (_key(entry, key, where) for key in ("mean", "low", "high"))
        metric = _Metric(mean, low, high, tuple(_key(entry, "per_replicate", where)))
        given = len(metric.per_replicate)
        if given != replicates:
            raise ResultsError(f"{where}, per_replicate: must have {replicates} values (got {given})")
        for value in metric.values():
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ResultsError(f"{where}: must hold finite numbers or null (got {value!r})")
        return metric


@dataclass(frozen=True)
class _Run:
    header: Mapping[str, Any]
    policies: dict[PolicyKey, dict[str, _Metric]]
    recommended: Mapping[str, str]

    @staticmethod
    def of(summary: Mapping[str, Any], which: str) -> _Run:
        fields = ("schema", "experiment", "config_hash", "seed", "replicates", "currency")
        header = {field: _key(summary, field, which) for field in fields}
        policies: dict[PolicyKey, dict[str, _Metric]] = {}
        for entry in _key(summary, "policies", which):
            key = _key(entry, "scenario", f"{which}, policies"), _key(entry, "name", f"{which}, policies")
            where = f"{which}, {key[0]}, {key[1]}"
            if key in policies:
                raise ResultsError(f"{where}: given twice; write the summary again")
            policies[key] = {
                metric: _Metric.of(value, header["replicates"], f"{where}, {metric}")
                for metric, value in entry.items()
                if metric not in ("scenario", "name")
            }
            _key(policies[key], "net_value", where)
        recommended = _key(summary, "recommended_policy", which)
        for scenario, name in recommended.items():
            if (scenario, name) not in policies:
                raise ResultsError(f"{which}, recommended_policy: {scenario} has no policy {name!r}")
        return _Run(header, policies, recommended)

    def scale(self, metric: str) -> float:
        """Largest absolute mean over all policies; regret, a difference of net values, takes theirs."""
        source = "net_value" if metric == "regret" else metric
        means = (metrics[source].mean for metrics in self.policies.values() if source in metrics)
        return max((abs(mean) for mean in means if mean is not None), default=0.0)


def _judge(old: _Metric, new: _Metric, margin: float, confidence: float) -> tuple[Verdict, Interval | None]:
    difference = _paired(new, old, confidence)
    both = list(zip(old.values(), new.values(), strict=True))
    if all(_agree(a, b) for a, b in both):
        return "same", difference
    if difference is None or difference.low is None or any((a is None) != (b is None) for a, b in both):
        return "changed", difference
    assert difference.high is not None
    if -margin <= difference.low and difference.high <= margin:
        return "equivalent", difference
    if difference.low > margin or difference.high < -margin:
        return "changed", difference
    return "inconclusive", difference


def _paired(a: _Metric, b: _Metric, confidence: float) -> Interval | None:
    """Interval of a - b over the replicates that have both."""
    pairs = zip(a.per_replicate, b.per_replicate, strict=True)
    numbers = [(x, y) for x, y in pairs if x is not None and y is not None]
    if not numbers:
        return None
    return paired_difference([x for x, _ in numbers], [y for _, y in numbers], confidence=confidence)


def _agree(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=_SAME_RELATIVE)


def _seed_findings(before: _Run, after: _Run, confidence: float) -> list[Finding]:
    old, new = before.header["seed"], after.header["seed"]
    verdict: Verdict = "same" if old == new else "changed"
    return [Finding(verdict, None, None, "seed", str(old), str(new), None, None, confidence)]


def _recommendation_findings(before: _Run, after: _Run, confidence: float) -> list[Finding]:
    findings = []
    for scenario, old in before.recommended.items():
        new = after.recommended[scenario]
        verdict: Verdict = "same"
        lead = None
        if new != old:
            of = {name: after.policies[scenario, name]["net_value"] for name in (old, new)}
            lead = _paired(of[new], of[old], confidence)
            tied = lead and lead.low is not None and lead.high is not None and lead.low <= 0 <= lead.high
            verdict = "inconclusive" if tied else "changed"
        findings.append(
            Finding(verdict, scenario, None, "recommended_policy", old, new, lead, None, confidence)
        )
    return findings


def _notes(before: _Run, after: _Run, config_diff: str | None) -> tuple[str, ...]:
    notes = []
    if before.header["config_hash"] != after.header["config_hash"]:
        differs = f"config_hash differs: {before.header['config_hash']} -> {after.header['config_hash']}"
        notes.append(differs if config_diff is None else f"{differs}\n{config_diff}")
    if before.header["seed"] != after.header["seed"]:
        notes.append("the seeds differ: replicates share no draws and intervals are wider than paired ones")
    return tuple(notes)


def _refuse_unlike(before: _Run, after: _Run, require_same_seed: bool) -> None:
    fields = ["schema", "experiment", "replicates", "currency"] + ["seed"] * require_same_seed
    reasons = [
        f"{field}: {before.header[field]} in the baseline, {after.header[field]} in the current run"
        for field in fields
        if before.header[field] != after.header[field]
    ]
    reasons += _unlike("policies", map("/".join, before.policies), map("/".join, after.policies))
    for key in before.policies.keys() & after.policies.keys():
        reasons += _unlike(f"metrics of {'/'.join(key)}", before.policies[key], after.policies[key])
    reasons += _unlike("scenarios of recommended_policy", before.recommended, after.recommended)
    if reasons:
        remedy = (
            "Repeat one of the runs so that they agree or, if the difference is meant, "
            "record a new baseline with `churnsim accept`."
        )
        raise NotComparable("\n".join(["the results cannot be compared:", *sorted(reasons), remedy]))


def _unlike(what: str, before: Iterable[str], after: Iterable[str]) -> list[str]:
    old, new = set(before), set(after)
    parts = [
        f"{', '.join(sorted(only))} only in the {side}"
        for only, side in ((old - new, "baseline"), (new - old, "current run"))
        if only
    ]
    return [f"{what}: {'; '.join(parts)}"] if parts else []


def _key(entry: Any, key: str, where: str) -> Any:
    if not isinstance(entry, Mapping) or key not in entry:
        raise ResultsError(f"{where}: lacks {key!r}; write the summary again")
    return entry[key]


def _shown(value: float | str | None) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

"""Every verdict of the gate by a constructed pair of summaries."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from churnsim.errors import ConfigError, NotComparable, ResultsError
from churnsim.evaluation.intervals import mean_interval
from churnsim.experiment.gate import Finding, GateReport, compare

Summary = dict[str, Any]

NET_VALUES = {
    "none": [0.0, 0.0, 0.0, 0.0, 0.0],
    "churn_risk": [480.0, 520.0, 500.0, 510.0, 490.0],
    "uplift_value": [990.0, 1010.0, 1000.0, 1005.0, 995.0],
    "oracle": [1040.0, 1060.0, 1050.0, 1055.0, 1045.0],
}


def metric(values: list[float]) -> Summary:
    interval = mean_interval(values)
    return {"mean": interval.mean, "low": interval.low, "high": interval.high, "per_replicate": list(values)}


def summary(net_values: Mapping[str, list[float]] = NET_VALUES) -> Summary:
    oracle = np.array(net_values["oracle"])
    policies = [
        {
            "name": name,
            "scenario": "base",
            "net_value": metric(values),
            "churn_rate": metric([0.02 + 0.0001 * i for i in range(len(values))]),
            "regret": metric((oracle - values).tolist()),
        }
        for name, values in net_values.items()
    ]
    return {
        "schema": 1,
        "experiment": "quickstart",
        "config_hash": "aaaa",
        "seed": 1,
        "replicates": len(oracle),
        "currency": "EUR",
        "policies": policies,
        "recommended_policy": {"base": "uplift_value"},
    }


def policy(of: Summary, name: str) -> Summary:
    found: Summary = next(entry for entry in of["policies"] if entry["name"] == name)
    return found


def shifted(differences: list[float], *, name: str = "uplift_value", of: str = "net_value") -> Summary:
    """The baseline with one metric of one policy moved by a difference per replicate."""
    run = summary()
    old = policy(run, name)[of]["per_replicate"]
    policy(run, name)[of] = metric([a + b for a, b in zip(old, differences, strict=True)])
    return run


def check(current: Summary, baseline: Summary | None = None) -> GateReport:
    return compare(baseline or summary(), current, require_same_seed=False)


def finding(report: GateReport, name: str, *, of: str = "net_value") -> Finding:
    return next(line for line in report.lines if (line.policy, line.metric) == (name, of))


def test_an_unchanged_summary_is_the_same() -> None:
    report = check(json.loads(json.dumps(summary())))
    assert (report.verdict, report.exit_code, report.notes) == ("same", 0, ())
    # Four policies of three metrics, the seed, and the recommended policy of one scenario.
    assert str(report) == "same: of 14 values compared with the baseline, 14 same"


def test_order_of_policies_and_relative_rounding_do_not_matter() -> None:
    run = shifted([4e-7] * 5)
    run["policies"].reverse()
    assert check(run).verdict == "same"
    assert check(shifted([4e-6] * 5)).verdict == "equivalent"


def test_small_differences_are_equivalent() -> None:
    # Largest |net_value| is the oracle's 1050, so the margin is 10.50. Mean difference 2, s = sqrt(2.5),
    # half width 2.776445 * sqrt(2.5 / 5) = 1.96.
    report = check(shifted([0, 1, 2, 3, 4]))
    line = finding(report, "uplift_value")
    assert (report.verdict, report.exit_code) == ("equivalent", 0)
    assert line.margin == pytest.approx(10.5)
    assert line.difference is not None
    assert (line.difference.low, line.difference.high) == pytest.approx((0.0368, 3.9632), abs=1e-4)
    assert str(line) == (
        "equivalent: base, uplift_value, net_value: 1,000 -> 1,002; difference 2, "
        "95 % interval 0.03676 to 3.963, margin 10.5"
    )


@pytest.mark.parametrize("sign", [-1, 1])
def test_large_differences_are_changed(sign: int) -> None:
    report = check(shifted([sign * d for d in (48, 49, 50, 51, 52)]))
    assert (report.verdict, report.exit_code) == ("changed", 1)
    assert report.lines[0] == finding(report, "uplift_value")


@pytest.mark.parametrize("differences", [[0, 5, 10, 15, 20], [-60, 60, -60, 60, 0]])
def test_differences_across_the_margin_are_inconclusive(differences: list[float]) -> None:
    # The first interval holds one end of the margin, the second one holds all of it.
    report = check(shifted(differences))
    assert (report.verdict, report.exit_code) == ("inconclusive", 4)


def test_the_same_difference_in_every_replicate_is_judged_by_the_margin() -> None:
    assert check(shifted([10.4] * 5)).verdict == "equivalent"
    assert check(shifted([10.6] * 5)).verdict == "changed"


def test_each_metric_has_its_own_margin_and_regret_that_of_net_value() -> None:
    # Mean churn rate is 0.0202, so its margin is 0.000202; 0.001 would be nothing in money.
    churn = finding(check(shifted([0.001] * 5, of="churn_rate")), "uplift_value", of="churn_rate")
    assert (churn.verdict, churn.margin) == ("changed", pytest.approx(0.000202))
    regret = finding(check(shifted([10.4] * 5, name="oracle", of="regret")), "oracle", of="regret")
    assert (regret.verdict, regret.margin) == ("equivalent", pytest.approx(10.5))


def test_the_margin_follows_the_largest_loss_too() -> None:
    losing = {**NET_VALUES, "none": [-3000.0] * 5}
    report = check(summary(losing), summary(losing))
    assert finding(report, "oracle").margin == pytest.approx(30)


def test_margin_share_and_confidence_are_used() -> None:
    run = shifted([0, 5, 10, 15, 20])
    wide = compare(summary(), run, require_same_seed=True, margin_share=0.05)
    assert wide.verdict == "equivalent"
    # Half width 0.740697 * sqrt(62.5 / 5) = 2.62 around 10: still across the margin of 10.5.
    narrow = compare(summary(), run, require_same_seed=True, confidence=0.5)
    assert "difference 10, 50 % interval 7.381 to 12.62, margin 10.5" in str(narrow)


def test_the_worst_finding_wins_and_comes_first() -> None:
    run = shifted([0, 1, 2, 3, 4], name="churn_risk")
    policy(run, "uplift_value")["net_value"] = policy(shifted([50] * 5), "uplift_value")["net_value"]
    oracle = policy(shifted([0, 5, 10, 15, 20], name="oracle"), "oracle")
    policy(run, "oracle")["net_value"] = oracle["net_value"]
    report = check(run)
    assert [line.verdict for line in report.lines[:4]] == ["changed", "inconclusive", "equivalent", "same"]
    assert str(report).splitlines()[0] == (
        "changed: of 14 values compared with the baseline, 1 changed, 1 inconclusive, 1 equivalent, 11 same"
    )
    assert len(str(report).splitlines()) == 4


def test_changed_limits_over_unchanged_replicates_are_equivalent() -> None:
    run = summary()
    policy(run, "oracle")["net_value"]["low"] -= 1
    assert check(run).verdict == "equivalent"


def test_another_recommended_policy_beyond_noise_is_changed() -> None:
    run = summary()
    run["recommended_policy"] = {"base": "churn_risk"}
    report = check(run)
    assert report.verdict == "changed"
    # Differences -510, -490, -500, -495, -505: s = sqrt(62.5), half width 2.776445 * sqrt(62.5 / 5) = 9.816.
    assert str(report.lines[0]) == (
        "changed: base, recommended_policy: uplift_value -> churn_risk; "
        "net value of the new less the old -500, 95 % interval -509.8 to -490.2"
    )


def test_another_recommended_policy_within_noise_is_inconclusive() -> None:
    near = {**NET_VALUES, "churn_risk": [1000.0, 1000.0, 1000.0, 1000.0, 1001.0]}
    run = summary(near)
    run["recommended_policy"] = {"base": "churn_risk"}
    report = check(run, summary(near))
    assert (report.verdict, report.lines[0].metric) == ("inconclusive", "recommended_policy")
    assert {line.verdict for line in report.lines[1:]} == {"same"}


def test_the_lead_of_another_recommended_policy_is_that_of_the_current_run() -> None:
    run = summary({**NET_VALUES, "churn_risk": [1000.0, 1000.0, 1000.0, 1000.0, 1001.0]})
    run["recommended_policy"] = {"base": "churn_risk"}
    flip = next(line for line in check(run).lines if line.metric == "recommended_policy")
    assert flip.difference is not None
    assert (flip.verdict, flip.difference.mean) == ("inconclusive", pytest.approx(0.2))


def test_one_replicate_is_the_same_or_changed() -> None:
    single = {name: values[:1] for name, values in NET_VALUES.items()}
    assert check(summary(single), summary(single)).verdict == "same"
    report = check(summary({**single, "uplift_value": [990.001]}), summary(single))
    assert report.verdict == "changed"
    assert "difference 0.001, no interval from one replicate, margin 10.4" in str(report)
    flipped = summary(single)
    flipped["recommended_policy"] = {"base": "churn_risk"}
    assert check(flipped, summary(single)).verdict == "changed"


def test_null_equals_null_only() -> None:
    nulls = summary()
    policy(nulls, "none")["regret"] = None
    policy(nulls, "oracle")["regret"] = {"mean": None, "low": None, "high": None, "per_replicate": [None] * 5}
    assert check(copy.deepcopy(nulls), nulls).verdict == "same"
    for before, after, shown in ((nulls, summary(), "null -> 1,050"), (summary(), nulls, "1,050 -> null")):
        report = check(after, before)
        assert report.verdict == "changed"
        assert f"changed: base, none, regret: {shown}, margin 10.5" in str(report)


def test_null_in_one_replicate_is_left_out_of_the_pairs() -> None:
    before, after = summary(), shifted([0, 1, 2, 3, 4])
    policy(before, "uplift_value")["net_value"]["per_replicate"][0] = None
    assert check(after, before).verdict == "changed"
    policy(after, "uplift_value")["net_value"]["per_replicate"][0] = None
    line = finding(check(after, before), "uplift_value")
    assert line.difference is not None
    assert (line.verdict, line.difference.n, line.difference.mean) == ("equivalent", 4, 2.5)


def test_a_swapped_seed_never_passes() -> None:
    run = {**summary(), "seed": 2}
    report = check(run)
    assert (report.verdict, report.exit_code) == ("changed", 1)
    assert "changed: seed: 1 -> 2" in str(report).splitlines()
    assert "replicates share no draws" in report.notes[0]
    with pytest.raises(NotComparable, match="seed: 1 in the baseline, 2 in the current run"):
        compare(summary(), run, require_same_seed=True)


def test_another_config_is_noted_with_its_diff() -> None:
    run = {**summary(), "config_hash": "bbbb"}
    report = compare(summary(), run, require_same_seed=True, config_diff="offers.0.share: 0.3 -> 0.2")
    assert report.verdict == "same"
    assert report.notes == ("config_hash differs: aaaa -> bbbb\noffers.0.share: 0.3 -> 0.2",)
    assert check(run).notes == ("config_hash differs: aaaa -> bbbb",)


def without_oracle(run: Summary) -> None:
    run["policies"].pop()


def without_regret(run: Summary) -> None:
    for entry in run["policies"]:
        del entry["regret"]


def fewer_replicates(run: Summary) -> None:
    run.update(summary({name: values[:3] for name, values in NET_VALUES.items()}))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.update(schema=2), "schema: 1 in the baseline, 2 in the current run"),
        (
            lambda run: run.update(experiment="telco"),
            "experiment: quickstart in the baseline, telco in the current run",
        ),
        (lambda run: run.update(currency="RUB"), "currency: EUR in the baseline, RUB in the current run"),
        (fewer_replicates, "replicates: 5 in the baseline, 3 in the current run"),
        (without_oracle, "policies: base/oracle only in the baseline"),
        (without_regret, "metrics of base/none: regret only in the baseline"),
        (
            lambda run: policy(run, "oracle").update(scenario="strike"),
            "policies: base/oracle only in the baseline; strike/oracle only in the current run",
        ),
        (
            lambda run: run.update(recommended_policy={}),
            "scenarios of recommended_policy: base only in the baseline",
        ),
    ],
)
def test_unlike_results_are_refused(change: Callable[[Summary], None], message: str) -> None:
    run = summary()
    change(run)
    with pytest.raises(NotComparable) as refused:
        check(run)
    first, *reasons, remedy = str(refused.value).splitlines()
    assert first == "the results cannot be compared:"
    assert message in reasons
    assert remedy.endswith("if the difference is meant, record a new baseline with `churnsim accept`.")
    assert refused.value.exit_code == 4


def test_all_reasons_are_given_at_once() -> None:
    with pytest.raises(NotComparable, match=r"currency: EUR .*\nexperiment: quickstart .*\nRepeat one"):
        check({**summary(), "currency": "RUB", "experiment": "telco"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.pop("seed"), "current run: lacks 'seed'; write the summary again"),
        (lambda run: policy(run, "oracle").pop("net_value"), "current run, base, oracle: lacks 'net_value'"),
        (
            lambda run: policy(run, "oracle")["net_value"].pop("low"),
            "current run, base, oracle, net_value: lacks 'low'",
        ),
        (
            lambda run: policy(run, "oracle").update(net_value=3.0),
            "current run, base, oracle, net_value: lacks 'mean'",
        ),
        (
            lambda run: policy(run, "oracle")["net_value"]["per_replicate"].pop(),
            "current run, base, oracle, net_value, per_replicate: must have 5 values (got 4)",
        ),
        (
            lambda run: policy(run, "oracle")["net_value"].update(mean=float("nan")),
            "current run, base, oracle, net_value: must hold finite numbers or null (got nan)",
        ),
        (lambda run: policy(run, "oracle").update(name="none"), "current run, base, none: given twice"),
        (
            lambda run: run.update(recommended_policy={"base": "best"}),
            "current run, recommended_policy: base has no policy 'best'",
        ),
    ],
)
def test_damaged_summaries_are_refused(change: Callable[[Summary], None], message: str) -> None:
    run = summary()
    change(run)
    with pytest.raises(ResultsError) as refused:
        check(run)
    assert message in str(refused.value)


@pytest.mark.parametrize("margin_share", [-0.01, float("nan")])
def test_a_bad_margin_is_refused(margin_share: float) -> None:
    with pytest.raises(ConfigError, match=rf"margin_share: must be at least 0 \(got {margin_share}\)"):
        compare(summary(), summary(), require_same_seed=True, margin_share=margin_share)

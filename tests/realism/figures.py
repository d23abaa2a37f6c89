"""Print every figure of docs/realism.md: run `python -m realism.figures` in tests/ (two minutes of CPU, seed 20)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from churnsim.evaluation.churn_rates import ChurnCounts, ChurnRates
from churnsim.evaluation.lifetime import fit_sbg
from churnsim.experiment import stages

from . import measure, test_delay, test_effects, test_scenarios, test_sources, test_world

# A world in which nobody differs from anybody: 2.5 % leave each month, 2.5 % join.
CONSTANT = (f"lifecycle.causes.need_gone.intercept={np.log(-np.log(0.975)):.5f}", "lifecycle.win_back.return_prob=0.0",
            "lifecycle.shopping.base_prob=0.000001", "market.arrivals_share_monthly=0.025")


def alike() -> Iterator[str]:
    """Yield the overrides that leave one cause, the same for all."""
    for name, cause in measure.experiment().lifecycle.causes.items():
        if not cause.apparent:
            yield from (f"lifecycle.causes.{name}.coefficients.{term}=0.0" for term in cause.coefficients)
            if name != "need_gone":
                yield f"lifecycle.causes.{name}.intercept=-40.0"


def second_year(*overrides: str, preset: str = "data_grounded") -> ChurnRates | None:
    """Return the three annual churns of months 12-23, 100,000 subscribers at the start."""
    place = measure.world(measure.experiment(*overrides, preset=preset), months=24)
    counts = ChurnCounts(start=12)
    place.engine.run([(place.population(until=24), None)], start=0, months=24, observe=counts.observe)
    return counts.rates()


def predicted_risk_and_effect(scenario: str | None) -> float:
    """Return the Spearman that a run reports: risk as the pilot's churn model predicts it."""
    made = measure.experiment("pilot.size=40000", "evaluation.inner_draws=4", size=5_000, scenario=scenario)
    place = measure.world(made)
    history = stages.history(place)
    return stages.risk_and_effect(stages.plan(place, history), stages.truth(place, history))


def world() -> Iterator[tuple[str, object]]:
    """Yield the figures of the presets."""
    for target in test_world.TARGETS:
        yield target.name, target.figure(**target.made)
    yield "first months", measure.first_months(test_world.log(size=400_000))
    for preset in ("data_grounded", "source_claims"):
        log = test_world.log(size=100_000, preset=preset)
        yield f"{preset}: monthly churn", measure.monthly_churn(log)
        yield f"{preset}: revenue of families and enterprises", measure.revenue_share(log)
        yield f"{preset}: name service, leave for it", test_world.named_first(preset=preset)
        yield f"{preset}: a year", second_year(preset=preset)
    yield "constant: a year", second_year(*alike(), *CONSTANT)
    yield "into decline", measure.into_decline(measure.experiment(size=50_000))
    yield "in decline", measure.decline(measure.experiment(size=60_000))
    yield "negative margin", test_sources.negative_margin_share()
    yield "searching", test_delay.delayed(listed="searching")
    yield "signs", test_delay.delayed(listed="signs")
    yield "no searches", test_delay.without_searches()


def scenarios() -> Iterator[tuple[str, object]]:
    """Yield the figures of the scenarios."""
    for name in test_effects.BANDS:
        found = test_effects.fates(scenario=name)
        yield f"{name}: risk and effect", (found.risk_and_effect(), predicted_risk_and_effect(name))
        yield f"{name}: harmed", found.harmed()
    yield "call_list", test_scenarios.of_list(scenario="call_list", offer="discount_30", months=10)
    yield "perils", test_scenarios.of_list(scenario="perils", offer="plan_recommendation", months=3)
    kept = test_scenarios.retention()
    yield "no_tenure_terms", kept
    yield "no_tenure_terms: sBG of years 0-7", fit_sbg(kept[:8] * 30_000).survival(np.arange(13))
    for scenario in ("foreseeable", None):
        yield f"{scenario}: AUC, accuracy, nobody leaves", test_scenarios.judged(scenario=scenario)
    for scenario in (None, "zero_net_growth", "price_war", "fast_repair", "predictive_maintenance", "big_in_big_out"):
        sums = test_scenarios.monthly(scenario=scenario)
        a_head = sums["revenue"] / sums["there"]
        yield f"{scenario}: growth", sums["there"][-1] / sums["there"][0]
        yield f"{scenario}: revenue a head", a_head[-3:].mean() / a_head[:3].mean()
        yield f"{scenario}: hours of a ticket", test_scenarios.rate(sums, "hours", "closed")
        for part in ("left", "left_for_service", "faults"):
            yield f"{scenario}: {part} a month", test_scenarios.rate(sums, part)
    for scenario in ("big_in_big_out", None):
        yield f"{scenario}: gone within a year", test_scenarios.gone_within_a_year(scenario=scenario)


if __name__ == "__main__":
    for figures in (world(), scenarios()):
        for label, figure in figures:
            print(f"{label}: {figure}", flush=True)

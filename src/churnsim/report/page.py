"""The report page: one HTML file that needs nothing beside it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from churnsim.experiment.store import writing
from churnsim.report.background import (
    causes_table,
    churn_table,
    imported_table,
    months_table,
    tenure_table,
    truth_table,
)
from churnsim.report.contents import (
    Table,
    comparisons_table,
    confidence_text,
    details_table,
    pilot_table,
    policies_table,
    realised_table,
    recommendation,
    scenario_title,
)
from churnsim.report.estimate_tables import estimate_sentences, estimates_table
from churnsim.report.figures import MINUS, Picture, draw_all
from churnsim.report.learner_figures import draw_learners
from churnsim.report.policy_figures import draw_policies
from churnsim.report.policy_tables import (
    OWN_DEPTH_SENTENCE,
    TRUST,
    equal_terms_tables,
    errors_table,
    learners_table,
    prices_table,
    rules_tables,
)
from churnsim.report.run_folder import Run, read_run
from churnsim.report.tables import write_tables
from churnsim.report.words import counted, number

PILOT_SENTENCE = (
    "The minimum detectable effect is the smallest true average effect that one pilot of this size finds "
    "with 80 % power (two-sided test at 5 %). Where the average effect is below it, one pilot easily misses or "
    "misjudges it, and so does what is learned from it."
)


@dataclass(frozen=True)
class Section:
    """Tables of one scenario under one heading."""

    title: str
    sentences: tuple[str, ...]
    tables: tuple[Table, ...]
    pictures: tuple[Picture, ...] = ()


def write_report(folder: str | Path) -> Path:
    """Write report.html, figures/*.svg and the derived tables of a run folder; returns the page.

    Files appear whole: an earlier report stays until the new one is complete.

    Raises
    ------
    ResultsError
        The folder is not one of a finished run or cannot be written.
    """
    folder = Path(folder)
    run = read_run(folder)
    pictures = [*draw_all(run), *draw_policies(run), *draw_learners(run)]
    files = {f"figures/{picture.name}.svg": picture.svg for picture in pictures}
    files["report.html"] = page_text(run, pictures)
    write_tables(folder)
    aside = folder / f".report.{os.getpid()}"
    with writing(aside):
        (aside / "figures").mkdir(parents=True)
        for name, text in files.items():
            (aside / name).write_text(text, encoding="utf-8")
        (folder / "figures").mkdir(exist_ok=True)
        for name in files:
            os.replace(aside / name, folder / name)
        for path in set((folder / "figures").iterdir()) - {folder / name for name in files}:
            path.unlink()
        shutil.rmtree(aside)
    return folder / "report.html"


def page_text(run: Run, pictures: Sequence[Picture]) -> str:
    """Return the page of a run."""
    scenarios = [_scenario_section(run, scenario, pictures) for scenario in run.scenarios]
    return rendered(
        "page.html.j2",
        {
            "run": run,
            "facts": _facts(run),
            "interval": confidence_text(run),
            "kinds": {run.kind(name) for name in run.config["policies"]},
            "scenarios": scenarios,
            "background": _background(run, pictures),
        },
    )


def rendered(template: str, content: Mapping[str, object]) -> str:
    """Return a template of this package, filled; the macros of parts.html.j2 are at its hand."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["minus"] = _minus
    files = resources.files("churnsim.report")
    text = "".join((files / name).read_text(encoding="utf-8") for name in ("parts.html.j2", template))
    return environment.from_string(text).render(content)


def _minus(text: str) -> str:
    """Set a true minus before numbers, which is read aloud as one."""
    return re.sub(r"(?<![\w.])-(?=\d)", MINUS, text)


def _facts(run: Run) -> list[tuple[str, str]]:
    summary, config = run.summary, run.config
    evaluation, pilot = config["evaluation"], config["pilot"]
    subscribers = [] if run.subscribers is None else [("Subscribers in the first month", number(run.subscribers))]
    return [
        ("Experiment", summary["experiment"]),
        ("Preset", config["preset"]),
        ("Seed", str(summary["seed"])),
        ("Replicates", str(summary["replicates"])),
        ("Currency", summary["currency"]),
        *subscribers,
        ("Budget", f"{number(config['campaign']['budget_amount'])} {summary['currency']} of planned spend"),
        (
            "Horizon",
            f"{counted(evaluation['horizon_months'], 'month')}, discounted at "
            f"{100.0 * evaluation['discount_rate_annual']:g} % a year",
        ),
        (
            "Pilot",
            f"{counted(pilot['size'], 'subscriber')} of its own in each replicate, by {pilot['channel']}",
        ),
        ("Config digest", summary["config_hash"]),
    ]


def _scenario_section(run: Run, scenario: str, pictures: Sequence[Picture]) -> Section:
    position = run.scenarios.index(scenario)
    mine = f"net_value_{position}" if position else "net_value"
    tables = (
        policies_table(run, scenario),
        comparisons_table(run, scenario),
        realised_table(run, scenario),
        details_table(run, scenario),
    )
    return Section(
        scenario_title(run, scenario),
        (recommendation(run, scenario),),
        _present(*tables),
        tuple(p for p in pictures if p.name == mine),
    )


def _background(run: Run, pictures: Sequence[Picture]) -> list[Section]:
    """Return what stands behind the policies, for the first scenario."""
    scenario = run.scenarios[0]
    by_name = {picture.name: picture for picture in pictures}

    def drawn(*names: str) -> tuple[Picture, ...]:
        return tuple(by_name[name] for name in names if name in by_name)

    sections = [
        Section("Net value and the budget", (), (), drawn("net_value_by_budget")),
        Section("Policies on equal terms", (OWN_DEPTH_SENTENCE,), equal_terms_tables(run, scenario),
                drawn("cost_curves")),
        Section("Prices of money and staff", (), _present(prices_table(run)), drawn("shadow_prices")),
        Section("Plans and rehearsals", (), (), drawn("rounds")),
        Section("Campaigns over months", (), (), drawn("waves")),
        Section("Who is listed", (), rules_tables(run, scenario), drawn("offers_of_lists", "segments_of_lists")),
        Section("From the list to acceptance", (), (), drawn("reach")),
        Section("What learners know", (TRUST,), _present(learners_table(run, scenario), errors_table(run, scenario)),
                drawn("qini_curves", "calibration")),
        Section(
            "Predicted risk and true effect",
            _rank_correlation(run, scenario),
            _present(truth_table(run, scenario)),
            drawn("risk_and_effect", "four_kinds"),
        ),
        Section("The pilot", (PILOT_SENTENCE,), _present(pilot_table(run, scenario))),
        Section("Policy values from the pilot's holdout", estimate_sentences(run, scenario),
                _present(estimates_table(run, scenario))),
        Section(
            "The population before the campaign",
            (),
            _present(churn_table(run, scenario), months_table(run, scenario), causes_table(run, scenario)),
        ),
        Section("The operator's table", (), _present(imported_table(run, scenario), tenure_table(run, scenario))),
    ]
    # The budget figure is of several scenarios and says so.
    where = f" (scenario {scenario})" if len(run.scenarios) > 1 else ""
    budget, *others = sections
    return [
        section
        for section in (budget, *(replace(other, title=other.title + where) for other in others))
        if section.tables or section.pictures
    ]


def _present(*tables: Table | None) -> tuple[Table, ...]:
    return tuple(table for table in tables if table is not None)


def _rank_correlation(run: Run, scenario: str) -> tuple[str, ...]:
    found = run.table("diagnostics", scenario)
    if found is None:
        return ()
    mean = number(found["risk_effect_spearman"].mean(), decimals=2)
    return (
        "Spearman's rank correlation of predicted risk and the best true effect on staying among the offers "
        f"allowed is {mean} (mean over replicates; 1 would mean that risk ranks people as uplift does).",
    )

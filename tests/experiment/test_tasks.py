"""Task keys: a cell's key changes exactly when something changes that it may read."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest
from small_world import load_small

from churnsim.capacity.settings import InboundStream, Law
from churnsim.core.executor import open_pool
from churnsim.errors import ConfigError, ResultsError
from churnsim.experiment.load import Loaded
from churnsim.experiment.run import run
from churnsim.experiment.simulation import Simulation
from churnsim.experiment.store import Cell, Store
from churnsim.experiment.tasks import Task, compute_there, make_tasks, run_cells, run_tasks, versions
from churnsim.policy.settings import BUDGETED

KINDS = load_small().experiment.policies
ALL_POLICIES = set(KINDS)
EVERYTHING = {"history", "plan", "truth", "accuracy"} | ALL_POLICIES
BUDGETED_POLICIES = {name for name, policy in KINDS.items() if policy.kind in BUDGETED}


def tasks_of(loaded: Loaded) -> list[Task]:
    return make_tasks(loaded)[0]


def keys(loaded: Loaded) -> dict[tuple[str, int], str]:
    return {(task.policy or task.stage, task.replicate): task.key for task in tasks_of(loaded)}


BEFORE = keys(load_small())


def changed(*overrides: str) -> set[str]:
    """Return stages and policies whose keys changed, in every replicate alike."""
    after = keys(load_small(*overrides))
    found = [
        {name for (name, r), key in after.items() if r == replicate and BEFORE.get((name, r)) != key}
        for replicate in (0, 1)
    ]
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("name=other", set()),
        ("gate.margin_share=0.5", set()),
        ("replicates=3", set()),
        ("scenarios={a: {uplift: {folds: 4}}}", set()),
        ("sweep={uplift.folds: [4]}", set()),
        ("seed=8", EVERYTHING),
        ("currency=EUR", EVERYTHING),
        ("population.size=501", EVERYTHING),
        ("market.network.persistence=0.5", EVERYTHING),
        ("lifecycle.contact.wake=0.5", EVERYTHING),
        ("offers.discount_30.effect_months=4", EVERYTHING),
        ("channels.sms.read_prob=0.5", EVERYTHING - {"history"}),
        ("capacity.teams.day.agents=3", EVERYTHING - {"history"}),
        ("signals.list_delay_days=3.0", EVERYTHING - {"history"}),
        ("evaluation.inner_draws=3", EVERYTHING - {"history"}),
        ("campaign.channels=[call]", EVERYTHING - {"history"}),
        ("pilot.size=4001", {"plan", "accuracy"} | ALL_POLICIES),
        ("uplift.folds=4", {"plan", "accuracy"} | ALL_POLICIES),
        ("campaign.deadline_days=20.0", ALL_POLICIES),
        ("campaign.budget_amount=10.0", {"accuracy"} | BUDGETED_POLICIES),
        ("policies.random.kind=churn_risk", {"random"}),
        ("policies.everyone.offer=contract_device", {"everyone"}),
        ("policies.extra={kind: random}", {"extra"}),
        ("policies.random=null", set()),
    ],
)
def test_a_key_changes_iff_its_stage_may_read_the_change(override: str, expected: set[str]) -> None:
    assert changed(override) == expected


def test_keys_are_apart_by_stage_policy_and_replicate() -> None:
    assert len(set(BEFORE.values())) == len(BEFORE) == 2 * len(EVERYTHING)
    assert all(len(key) == 64 for key in BEFORE.values())
    # Two names for one policy share a cell.
    twice = keys(load_small("policies.extra={kind: random}"))
    assert twice["extra", 0] == twice["random", 0]


def test_equal_cells_of_scenarios_are_shared() -> None:
    base, poor, deaf = make_tasks(
        load_small(
            extra="\nscenarios:\n  poor: {campaign: {budget_amount: 10.0}}\n  deaf: {seed: 1}\n".replace(
                "seed: 1", "uplift: {folds: 4}"
            )
        )
    )
    shared = {task.policy or task.stage for task in poor} - {
        task.policy or task.stage for task, other in zip(poor, base, strict=True) if task.key != other.key
    }
    assert shared == EVERYTHING - BUDGETED_POLICIES - {"accuracy"}
    assert [task.key for task in deaf if task.stage == "truth"] == [task.key for task in base if task.stage == "truth"]


def test_needs_come_first_and_labels_say_what_runs() -> None:
    seen: set[str] = set()
    for task in tasks_of(load_small()):
        assert seen.issuperset(task.needs)
        seen.add(task.key)
    labels = [task.label for task in tasks_of(load_small())]
    first = ["history", "plan", "truth", "accuracy", "policy none"]
    assert labels[:5] == [f"{label}, replicate 0" for label in first]
    (scenario,) = make_tasks(load_small(extra="\nscenarios: {poor: {uplift: {folds: 4}}}\n"))[1:]
    assert scenario[0].label == "history, replicate 0, scenario poor"


def test_the_order_of_segments_and_learners_is_part_of_the_key() -> None:
    """A subscriber belongs to the first segment that fits; rules of a policy without a learner go by the first one."""
    segments = ("families: {by: {customer_type: family}}", "cash: {by: {payment: prepaid}}")
    one, other = (keys(load_small(f"campaign.limits.segments={{{', '.join(each)}}}"))
                  for each in (segments, segments[::-1]))
    assert one["plan", 0] != other["plan", 0] and one["history", 0] == other["history", 0]
    loaded = load_small()
    uplift = loaded.experiment.uplift
    turned = uplift.model_copy(update={"learners": dict(reversed(uplift.learners.items()))})
    after = keys(replace(loaded, scenarios={"base": loaded.experiment.model_copy(update={"uplift": turned})}))
    assert after["plan", 0] != BEFORE["plan", 0] and after["truth", 0] == BEFORE["truth", 0]


def test_the_order_of_callers_streams_is_part_of_the_key() -> None:
    """Callers of earlier streams go first."""
    loaded = load_small()
    stream = InboundStream(calls_per_hour_by_hour=(1.0,) * 24, patience=None, handle=Law(law="fixed", mean_minutes=5.0))

    def of(*names: str) -> dict[tuple[str, int], str]:
        capacity = loaded.experiment.capacity.model_copy(update={"inbound": dict.fromkeys(names, stream)})
        return keys(replace(loaded, scenarios={"base": loaded.experiment.model_copy(update={"capacity": capacity})}))

    one, other = of("fault", "hotline"), of("hotline", "fault")
    assert {name for name, key in one.items() if key == other[name]} == {("history", 0), ("history", 1)}


def test_an_edited_estimator_is_other_jobs_of_a_simulation(tmp_path: Path) -> None:
    def jobs(comment: str) -> list[str]:
        (tmp_path / "mine.py").write_text(
            f"class Flat:  # {comment}\n    def fit(self, X, y): ...\n    def predict(self, X): ...\n")
        loaded = load_small("uplift.learners.mine={kind: t_own, outcome: stayed, estimator: 'mine:Flat'}",
                            "simulation.policy=random", "simulation.months=12", folder=tmp_path)
        return [job.key for job in Simulation(loaded.experiment, 0, tmp_path, Store(tmp_path)).jobs()]

    before, again, after = jobs("one"), jobs("one"), jobs("another")
    assert before == again and not set(before) & set(after)


def test_a_readable_policy_names_whom_it_imitates() -> None:
    """Its note has the name: two names of one policy are two cells."""
    found = keys(load_small("policies.other={kind: churn_risk}", "policies.a={kind: readable, imitates: churn_risk}",
                            "policies.b={kind: readable, imitates: other}"))
    assert found["churn_risk", 0] == found["other", 0] and found["a", 0] != found["b", 0]


TABLE = "population.table={path: table.csv, mapping: table.yaml}"


def test_input_files_are_part_of_the_key(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("id\n1\n")
    (tmp_path / "table.yaml").write_text("a: 1\n")
    first = keys(load_small(TABLE, folder=tmp_path))
    assert first.keys() == BEFORE.keys() and not set(first.values()) & set(BEFORE.values())
    (tmp_path / "table.csv").write_text("id\n2\n")
    second = keys(load_small(TABLE, folder=tmp_path))
    (tmp_path / "table.yaml").write_text("a: 2\n")
    third = keys(load_small(TABLE, folder=tmp_path))
    assert not set(first.values()) & set(second.values()) and not set(second.values()) & set(third.values())


def test_a_missing_input_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        tasks_of(load_small(TABLE, folder=tmp_path))
    assert str(caught.value) == (
        f"population.table.path: cannot read {tmp_path / 'table.csv'} (No such file or "
        "directory); correct the path, which is relative to the experiment file"
    )


def test_versions_and_sources_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    assert versions()["numpy"].count(".") == 2 and versions()["python"].startswith("3.")
    monkeypatch.setattr("churnsim.experiment.tasks.surroundings", lambda: {"churnsim": "other sources"})
    assert not set(keys(load_small()).values()) & set(BEFORE.values())


def test_only_unfinished_cells_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def pretend(task: Task, store: Store) -> float:
        ran.append(task.label)
        store.write(task.key, Cell())
        return 0.0

    monkeypatch.setattr("churnsim.experiment.tasks.run_task", pretend)
    store = Store(tmp_path)
    store.folder.mkdir()
    told: list[tuple[int, int]] = []

    def report(task: Task, seconds: float, done: int, to_do: int) -> None:
        told.append((done, to_do))

    def go(tasks: Iterable[Task]) -> tuple[int, int]:
        return run_tasks(list(tasks), store, pool=open_pool("serial"), report=report)

    n = len(BEFORE)
    assert go(tasks_of(load_small())) == (n, 0)
    assert told == [(k, n) for k in range(1, n + 1)]
    assert go(tasks_of(load_small())) == (0, n)
    ran.clear()
    assert go(tasks_of(load_small("policies.extra={kind: churn_risk}"))) == (0, n)
    assert go(tasks_of(load_small("policies.extra={kind: everyone, offer: discount_30, channel: sms}"))) == (2, n)
    assert ran == ["policy extra, replicate 0", "policy extra, replicate 1"]


SHARE = (
    "results must be in a folder that all workers and this process share: name one with --out (in Python: out=), or "
    "run without --scheduler"
)
HERE = {"churnsim": "1a2b", "numpy": "2.1.0"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store without cells, on a file system that shows late what others wrote; workers have what `HERE` says."""
    monkeypatch.setattr("churnsim.experiment.tasks.surroundings", lambda: HERE)
    monkeypatch.setattr("churnsim.experiment.store.SHARED_SECONDS", 0.5)
    found = Store(tmp_path)
    found.folder.mkdir()
    return found


def never() -> float:
    raise AssertionError("computed")


def test_a_worker_computes_a_cell_once_it_sees_what_it_needs(store: Store) -> None:
    Timer(0.2, store.write, ("first", Cell())).start()
    assert compute_there(lambda: 1.5, "second", ["first"], store, HERE) == 1.5
    assert compute_there(never, "first", [], store, HERE) == 0.0


@pytest.mark.parametrize("seen", ["nothing", "the folder"])
def test_a_worker_that_does_not_see_the_results(seen: str, store: Store) -> None:
    needs = ["first"] if seen == "the folder" else []
    if seen == "nothing":
        store.folder.rmdir()
    with pytest.raises(ResultsError) as caught:
        compute_there(never, "second", needs, store, HERE)
    assert str(caught.value) == (
        f"{store.folder}: the worker on {socket.gethostname()} does not see what is in this folder; {SHARE}"
    )


def test_a_worker_with_other_sources_or_versions(store: Store) -> None:
    with pytest.raises(ConfigError) as caught:
        compute_there(never, "first", [], store, {"churnsim": "1a2b", "numpy": "2.2.0", "scipy": "1.16.0"})
    assert str(caught.value) == (
        f"worker on {socket.gethostname()}: has numpy 2.1.0 (expected 2.2.0), scipy None (expected 1.16.0); install "
        "there what the main process has and start the workers again, or, if sources were edited during the run, run "
        "again"
    )


def test_a_cell_that_a_worker_wrote_elsewhere(store: Store) -> None:
    with open_pool("serial") as pool, pytest.raises(ResultsError) as caught:
        list(run_cells(pool, {"first": lambda: 1.5}, store=store, needs={}, label=lambda key: f"history {key}"))
    assert str(caught.value) == f"{store.folder}: the cell of history first was computed and is not here; {SHARE}"


def test_workers_get_paths_that_mean_the_same_in_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Path] = []

    def look(task: Task, store: Store) -> float:
        found.extend([task.folder, store.folder])
        raise InterruptedError

    monkeypatch.setattr("churnsim.experiment.tasks.run_task", look)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InterruptedError):
        run(load_small(folder=Path()), out="results")
    assert found == [tmp_path, tmp_path / "results/cells"]


def test_cells_never_run_in_threads() -> None:
    with pytest.raises(ConfigError) as caught:
        run(load_small(), engine="threads")
    assert str(caught.value) == (
        "engine threads: learners share state in a process; choose serial, processes or dask"
    )

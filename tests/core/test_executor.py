"""One pool for four engines: the same results, lost workers replaced, and no worker outlives its run."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from threading import Timer
from typing import Any

import distributed
import pytest

from churnsim.core.executor import Pool, open_pool, run_jobs
from churnsim.errors import ConfigError, ResultsError

ENGINES = ("serial", "threads", "processes", "dask")
ELSEWHERE = ("processes", "dask")
PATIENCE_SECONDS = 60


def opened(engine: Any) -> Any:
    return open_pool(engine, workers=None if engine == "serial" else 2)


@pytest.fixture(scope="module")
def pools() -> Iterator[dict[str, Pool]]:
    """A pool of each engine, which all tests share."""
    with ExitStack() as stack:
        yield {engine: stack.enter_context(opened(engine)) for engine in ENGINES}


@pytest.fixture(params=ENGINES)
def pool(request: pytest.FixtureRequest, pools: dict[str, Pool]) -> Pool:
    return pools[request.param]


@pytest.fixture(params=ELSEWHERE)
def elsewhere(request: pytest.FixtureRequest, pools: dict[str, Pool]) -> Pool:
    """A pool whose workers are processes."""
    return pools[request.param]


@pytest.fixture(scope="module")
def cluster() -> Iterator[distributed.LocalCluster]:
    """A scheduler to connect to, and one worker with two threads, all in this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as found:
        yield found


def calls(folder: Path) -> dict[str, int]:
    """Return how often each job was started."""
    return {path.name: path.stat().st_size for path in sorted(folder.iterdir())}


def count_call(folder: Path, name: str) -> int:
    with (folder / name).open("a") as file:
        file.write(".")
        return file.tell()


def square(folder: Path, x: int) -> int:
    count_call(folder, str(x))
    return x * x


def fragile(folder: Path, x: int, lives: int) -> int:
    """Return the square of `x`, but be killed in the first `lives` calls."""
    if count_call(folder, str(x)) <= lives:
        os.kill(os.getpid(), signal.SIGKILL)
    return x * x


def wrong(folder: Path) -> None:
    count_call(folder, "wrong")
    raise ConfigError("population.size: must be at least 1 (got 0)")


def settings() -> tuple[str | None, bool]:
    """Return what tells libraries their number of threads, and whether an interrupt is ignored."""
    return os.environ.get("OMP_NUM_THREADS"), signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_every_engine_gives_the_same(pool: Pool, tmp_path: Path) -> None:
    jobs = {x: partial(square, tmp_path, x) for x in range(20)}
    needs = {x: [x // 2, x - 1, -1] for x in range(1, 20) if x % 5}
    found = list(run_jobs(pool, jobs, needs=needs))
    assert sorted(found) == [(x, x * x) for x in range(20)]
    order = [key for key, _ in found]
    assert all(order.index(x) > order.index(x - 1) for x in needs)
    assert set(calls(tmp_path).values()) == {1}
    twice = [pool.submit(count_call, tmp_path, "twice") for _ in range(2)]
    assert sorted(future.result() for future in twice) == [1, 2]


def test_no_jobs_are_no_results(pool: Pool) -> None:
    assert list(run_jobs(pool, {})) == []


def test_where_jobs_run(pools: dict[str, Pool]) -> None:
    here = {engine: pool.submit(os.getpid).result() == os.getpid() for engine, pool in pools.items()}
    assert here == {"serial": True, "threads": True, "processes": False, "dask": False}


def test_workers_leave_threads_to_the_pool_and_interrupts_to_the_main_process(elsewhere: Pool) -> None:
    assert elsewhere.submit(settings).result() == ("1", True)


def test_what_a_job_raises_arrives_and_is_not_tried_again(pool: Pool, tmp_path: Path) -> None:
    jobs: dict[str, Any] = {"wrong": partial(wrong, tmp_path), "after": partial(square, tmp_path, 1)}
    with pytest.raises(ConfigError) as caught:
        list(run_jobs(pool, jobs, needs={"after": ["wrong"]}))
    assert str(caught.value) == "population.size: must be at least 1 (got 0)"
    assert calls(tmp_path) == {"wrong": 1}
    assert pool.submit(pow, 2, 3).result() == 8


def test_jobs_of_a_lost_worker_run_again(elsewhere: Pool, tmp_path: Path) -> None:
    jobs = {x: partial(fragile, tmp_path, x, {4: 1, 6: 2}.get(x, 0)) for x in range(10)}
    assert dict(run_jobs(elsewhere, jobs)) == {x: x * x for x in range(10)}
    started = calls(tmp_path)
    assert len(started) == 10
    if elsewhere.retries:
        assert started == {str(x): {4: 2, 6: 3}.get(x, 1) for x in range(10)}
    else:
        # Dask also starts again what stood beside, and what was finished and not fetched.
        assert started["4"] >= 2 and started["6"] >= 3


def test_a_worker_that_died_between_jobs_is_replaced(tmp_path: Path) -> None:
    with opened("processes") as pool:
        for worker in {pool.submit(os.getpid).result() for _ in range(2)}:
            os.kill(worker, signal.SIGKILL)
            wait_until_gone([worker])
        assert dict(run_jobs(pool, {x: partial(square, tmp_path, x) for x in range(3)})) == {0: 0, 1: 1, 2: 4}


def test_a_local_dask_cluster_replaces_what_is_there_no_more() -> None:
    with open_pool("dask", workers=1) as pool:
        before = pool.submit(os.getpid).result()
        cluster = pool.executor._client.cluster  # type: ignore[attr-defined]
        cluster.sync(cluster.workers[0].close)
        assert pool.submit(os.getpid).result() != before


def test_a_job_that_always_loses_its_worker_is_given_up(elsewhere: Pool, tmp_path: Path) -> None:
    with pytest.raises(ResultsError) as caught:
        list(run_jobs(elsewhere, {"part 3": partial(fragile, tmp_path, 3, 99)}, label=lambda key: f"history, {key}"))
    assert str(caught.value) == (
        "history, part 3: its worker was lost again and again (killed, or out of memory); what is finished is kept: "
        "run again with fewer workers (--jobs), or more memory for each"
    )
    assert calls(tmp_path) == {"3": 4}


@pytest.mark.parametrize("engine", ["serial", "threads", "processes"])
def test_workers_wait_until_results_are_taken(engine: str, tmp_path: Path) -> None:
    with opened(engine) as pool:
        taken = run_jobs(pool, {x: partial(square, tmp_path, x) for x in range(9)})
        next(taken)
        time.sleep(0.2)
        assert len(calls(tmp_path)) <= (1 if engine == "serial" else 2)
        assert len(list(taken)) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "gpu"}, "engine: must be one of serial, threads, processes, dask (got 'gpu')"),
        ({"engine": "threads", "workers": 0}, "workers: must be at least 1 (got 0)"),
        (
            {"engine": "serial", "workers": 2},
            "engine serial: has one worker (got 2); choose another --engine, or --jobs 1",
        ),
        (
            {"engine": "processes", "scheduler": "tcp://10.0.0.1:8786"},
            "scheduler tcp://10.0.0.1:8786: only engine dask has one (got engine processes); choose --engine dask, or "
            "leave --scheduler out",
        ),
        (
            {"engine": "dask", "scheduler": "tcp://10.0.0.1:8786", "workers": 4},
            "scheduler tcp://10.0.0.1:8786: its cluster has the workers it was started with (got 4 workers); leave "
            "--jobs out",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_pool(**options)
    assert str(caught.value) == message


def test_dask_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError) as caught, opened("dask"):
        pass
    assert str(caught.value) == (
        "engine dask: needs the extra dask (import of distributed halted; None in sys.modules); install it with: pip "
        "install 'churnsim[dask]'"
    )


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:9", "Timed out trying to connect to tcp://127.0.0.1:9 after 0.5 s"),
        ("127.0.0.1:9", "Timed out trying to connect to 127.0.0.1:9 after 0.5 s"),
        ("http://127.0.0.1:9", "unknown address scheme 'http' (known schemes: ["),
        ("nonsense", "missing port number in address 'nonsense'"),
    ],
)
def test_a_scheduler_that_cannot_be_reached(address: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnsim.core.executor.CONNECT_SECONDS", 0.5)
    with pytest.raises(ConfigError) as caught, open_pool("dask", scheduler=address):
        pass
    assert str(caught.value).startswith(f"scheduler {address}: cannot be reached ({reason}")
    assert str(caught.value).endswith("); correct the address, or start the cluster")


def test_a_port_that_says_nothing_is_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnsim.core.executor.CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "tcp://{}:{}".format(*silent.getsockname())
        with pytest.raises(ConfigError) as caught, open_pool("dask", scheduler=address):
            pass
    assert str(caught.value) == (
        f"scheduler {address}: cannot be reached (no answer); correct the address, or start the cluster"
    )


class NotInstalled:
    """Cannot be loaded by another process, as the functions of a package that is not there."""

    def __reduce__(self) -> tuple[Any, ...]:
        return importlib.import_module, ("package_of_elsewhere",)


def test_a_scheduler_without_churnsim(cluster: distributed.LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("churnsim.core.executor._is_here", NotInstalled())
    with pytest.raises(ConfigError) as caught, open_pool("dask", scheduler=cluster.scheduler_address):
        pass
    assert str(caught.value) == (
        f"scheduler {cluster.scheduler_address}: cannot run churnsim (ModuleNotFoundError: No module named "
        "'package_of_elsewhere'); install the same churnsim[dask] there and on the workers"
    )


def test_a_dask_worker_with_several_threads_is_refused(cluster: distributed.LocalCluster) -> None:
    with open_pool("dask", scheduler=cluster.scheduler_address) as pool, pytest.raises(ConfigError) as caught:
        pool.submit(pow, 2, 3).result()
    (address,) = cluster.scheduler_info["workers"]
    assert str(caught.value) == (
        f"Dask worker {address}: runs 2 jobs at a time in one process; start workers with --nthreads 1, and more of "
        "them"
    )


def test_a_scheduler_that_goes_away() -> None:
    with (
        distributed.LocalCluster(n_workers=0, dashboard_address=":0") as cluster,
        open_pool("dask", scheduler=cluster.scheduler_address) as pool,
    ):
        Timer(0.5, cluster.close).start()
        with pytest.raises(ResultsError) as caught:
            list(run_jobs(pool, {"part 3": partial(pow, 2, 3)}))
    assert str(caught.value) == (
        "part 3: the Dask scheduler is out of reach; what is finished is kept: start the cluster again, then run again"
    )


PROGRAM = """
import os, sys, time
from functools import partial
from churnsim.core.executor import open_pool, run_jobs

if __name__ == "__main__":
    with open_pool(sys.argv[1], workers=2) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(9)}, flush=True)
        list(run_jobs(pool, {x: partial(time.sleep, 600) for x in range(2)}))
"""


def is_running(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while any(map(is_running, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("engine", ELSEWHERE)
def test_no_worker_outlives_its_run(engine: str, how: signal.Signals, tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    with subprocess.Popen(
        [sys.executable, str(script), engine],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell starts what it puts in the background deaf to SIGINT, and children inherit that.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stdout and process.stderr
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert workers and all(map(is_running, workers))
        time.sleep(0.3)
        if how == signal.SIGINT:
            os.killpg(process.pid, how)
        else:
            process.kill()
        said = process.stderr.read()
        assert process.wait(PATIENCE_SECONDS) == -how
    wait_until_gone(workers)
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == (how == signal.SIGINT), said

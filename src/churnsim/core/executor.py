"""Where jobs run: in this process, in threads, in spawned processes or on a Dask cluster, behind one pool.

Results do not depend on the engine. A job whose worker is lost (killed, or out of memory) runs again on
another one; what a job itself raises is raised here.

Threads are for compiled kernels, which release the GIL. Whatever fits learners goes to processes or Dask,
whose workers run one job at a time.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from types import ModuleType
from typing import Any, Literal, TypeVar, get_args

from churnsim.errors import ConfigError, ResultsError

Engine = Literal["serial", "threads", "processes", "dask"]
RETRIES = 3
CONNECT_SECONDS = 10
CARE_SECONDS = 1

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Pool:
    """Workers of one engine, in the shape of concurrent.futures.

    Attributes
    ----------
    executor
        Takes the jobs.
    at_once
        How many jobs are worth submitting before one is finished.
    lost
        What the future of a job raises whose worker was lost.
    retries
        How many more times to submit such a job; 0 where the executor has done that itself.
    """

    executor: Executor
    at_once: int
    lost: tuple[type[Exception], ...] = ()
    retries: int = 0

    def submit(self, fn: Callable[..., T], /, *args: Any) -> Future[T]:
        """Let a worker call `fn`; both it and `args` travel to other processes, so keep them small."""
        return self.executor.submit(fn, *args)


def processors() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_pool(engine: Engine, *, workers: int | None = None,
              scheduler: str | None = None) -> AbstractContextManager[Pool]:
    """Return a pool for a ``with`` statement, which starts the workers and stops them at its end.

    Parameters
    ----------
    engine
        "serial": in this process, a job at a time, in `submit` itself. "threads". "processes": spawned ones.
        "dask": a Dask cluster, on this machine if `scheduler` is None.
    workers
        Number of workers; None: of processors.
    scheduler
        Address of the scheduler of a running Dask cluster, such as "tcp://10.0.0.1:8786".

    Raises
    ------
    ConfigError
        The engine, number of workers and scheduler do not fit together. Starting raises it when Dask is not
        installed, or the scheduler does not answer within 10 seconds or has no churnsim.

    Examples
    --------
    >>> with open_pool("threads", workers=2) as pool:
    ...     pool.submit(pow, 2, 5).result()
    32
    """
    if engine not in get_args(Engine):
        raise ConfigError(f"engine: must be one of {', '.join(get_args(Engine))} (got {engine!r})")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers: must be at least 1 (got {workers})")
    if scheduler is not None and engine != "dask":
        raise ConfigError(f"scheduler {scheduler}: only engine dask has one (got engine {engine}); choose --engine "
                          "dask, or leave --scheduler out")
    if scheduler is not None and workers is not None:
        raise ConfigError(f"scheduler {scheduler}: its cluster has the workers it was started with (got {workers} "
                          "workers); leave --jobs out")
    if engine == "serial" and workers not in (None, 1):
        raise ConfigError(f"engine serial: has one worker (got {workers}); choose another --engine, or --jobs 1")
    count = workers or processors()
    if engine == "serial":
        return _serial()
    if engine == "threads":
        return _threads(count)
    return _processes(count) if engine == "processes" else _dask(count, scheduler)


def run_jobs(pool: Pool, jobs: Mapping[K, Callable[[], T]], *, needs: Mapping[K, Collection[K]] | None = None,
             label: Callable[[K], str] = str) -> Iterator[tuple[K, T]]:
    """Run jobs, each as soon as a worker is free and what it needs is finished.

    Parameters
    ----------
    pool
        From :func:`open_pool`.
    jobs
        Functions without arguments by key; earlier ones start first.
    needs
        Keys of jobs that a job must wait for, by its key; what is not in `jobs` counts as finished.
    label
        Names a job in messages.

    Yields
    ------
    tuple
        Key and result of each job, in the order in which they finish. Workers go on meanwhile, no further
        than ``pool.at_once`` jobs.

    Raises
    ------
    ResultsError
        The worker of a job was lost again and again, or all workers are out of reach. What a job raises comes
        through as it is; jobs that have not started then never do.

    Examples
    --------
    >>> from functools import partial
    >>> with open_pool("serial") as pool:
    ...     dict(run_jobs(pool, {"late": partial(pow, 2, 3), "early": partial(pow, 3, 2)},
    ...                   needs={"late": ["early"]}))
    {'early': 9, 'late': 8}
    """
    keys = list(jobs)
    place = {key: at for at, key in enumerate(keys)}
    graph = TopologicalSorter({key: [need for need in (needs or {}).get(key, ()) if need in place] for key in keys})
    graph.prepare()
    ready: list[int] = []
    running: dict[Future[T], K] = {}
    losses: Counter[K] = Counter()
    try:
        while graph.is_active():
            for key in graph.get_ready():
                heapq.heappush(ready, place[key])
            while ready and len(running) < pool.at_once:
                key = keys[heapq.heappop(ready)]
                running[pool.submit(jobs[key])] = key
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                key = running.pop(future)
                try:
                    result = future.result()
                except pool.lost as error:
                    losses[key] += 1
                    if losses[key] > pool.retries:
                        raise ResultsError(
                            f"{label(key)}: its worker was lost again and again (killed, or out of memory); what is "
                            "finished is kept: run again with fewer workers (--jobs), or more memory for "
                            "each") from error
                    heapq.heappush(ready, place[key])
                except CancelledError as error:
                    raise ResultsError(f"{label(key)}: the Dask scheduler is out of reach; what is finished is kept: "
                                       "start the cluster again, then run again") from error
                else:
                    graph.done(key)
                    yield key, result
    finally:
        for future in running:
            future.cancel()


class _Here(Executor):
    """Runs a job when it is submitted."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        future: Future[T] = Future()
        try:
            future.set_result(fn(*args, **named))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def _serial() -> Iterator[Pool]:
    yield Pool(_Here(), at_once=1)


@contextmanager
def _threads(workers: int) -> Iterator[Pool]:
    executor = ThreadPoolExecutor(workers)
    try:
        yield Pool(executor, at_once=workers)
    finally:
        executor.shutdown(cancel_futures=True)


class _Process:
    """A spawned process, or a new one in its place when it was lost."""

    def __init__(self) -> None:
        self._jobs: list[Future[Any]] = []
        self._start()

    def _start(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self.pool = ProcessPoolExecutor(1, mp_context=spawn, initializer=_follow_main_process)

    def count_jobs(self) -> int:
        """Return how many jobs are not finished."""
        self._jobs = [job for job in self._jobs if not job.done()]
        return len(self._jobs)

    def submit(self, fn: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        try:
            job = self.pool.submit(fn, *args, **named)
        except BrokenProcessPool:
            self.pool.shutdown()
            self._start()
            job = self.pool.submit(fn, *args, **named)
        self._jobs.append(job)
        return job


class _Processes(Executor):
    """Spawned processes, each a pool of its own: one that is lost takes no other's job along."""

    def __init__(self, workers: int) -> None:
        self._workers = [_Process() for _ in range(workers)]

    def submit(self, fn: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        return min(self._workers, key=_Process.count_jobs).submit(fn, *args, **named)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        for worker in self._workers:
            worker.pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def _processes(workers: int) -> Iterator[Pool]:
    # BLAS and OpenMP read this when they are loaded: busy libraries on few cores stand in each other's way.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    others = multiprocessing.active_children()
    executor = _Processes(workers)
    try:
        yield Pool(executor, at_once=workers, lost=(BrokenProcessPool,), retries=RETRIES)
    except KeyboardInterrupt:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _follow_main_process() -> None:
    """Leave Ctrl-C to the main process, and end when it does: a killed one cannot tell its workers."""
    main = multiprocessing.parent_process()
    assert main is not None

    def follow() -> None:
        main.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow, daemon=True).start()


class _OnDask(Executor):
    """Jobs on the workers of a Dask cluster, which runs those of a lost worker again by itself."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def submit(self, fn: Callable[..., T], /, *args: Any, **named: Any) -> Future[T]:
        job = self._client.submit(_alone, fn, *args, **named, pure=False)
        # Dask's own executor takes a result for an error if the worker that held it is lost meanwhile.
        return asyncio.run_coroutine_threadsafe(_result(job), self._client.loop.asyncio_loop)


async def _result(job: Awaitable[T]) -> T:
    return await job


def _alone(fn: Callable[..., T], /, *args: Any, **named: Any) -> T:
    """Call a function on a Dask worker, where it must be alone: learners share state in a process."""
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads > 1:
        raise ConfigError(f"Dask worker {worker.address}: runs {worker.state.nthreads} jobs at a time in one process; "
                          "start workers with --nthreads 1, and more of them")
    return fn(*args, **named)


@contextmanager
def _dask(workers: int, scheduler: str | None) -> Iterator[Pool]:
    distributed = _distributed()
    with _connected(distributed, scheduler) if scheduler else _local_cluster(distributed, workers) as client:
        # Dask queues jobs by itself, and a cluster that adapts looks at how many wait.
        yield Pool(_OnDask(client), at_once=sys.maxsize, lost=(distributed.KilledWorker,))


@contextmanager
def _local_cluster(distributed: ModuleType, workers: int) -> Iterator[Any]:
    """Start a Dask cluster on this machine and return a client of it."""
    import dask
    from tornado.ioloop import PeriodicCallback

    # A nanny starts its worker again when that dies. The cluster closes nannies of lost workers after a while,
    # even those that are about to: it shall not.
    patience = dask.config.set({"distributed.deploy.lost-worker-timeout": "520 weeks"})
    # No dashboard, and no limit of memory: as many workers as processors share all of it.
    with patience, distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, memory_limit=None, silence_logs=logging.CRITICAL,
            dashboard_address="127.0.0.1:0", scheduler_kwargs={"allowed_failures": RETRIES, "dashboard": False},
            preload="import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)") as cluster, \
            distributed.Client(cluster, set_as_default=False) as client:

        def replace_nannies() -> None:
            for name, nanny in list(cluster.workers.items()):
                if nanny.status in (distributed.Status.closed, distributed.Status.failed):
                    del cluster.workers[name]
            cluster.scale(workers)

        # A nanny closes when its worker dies while it starts, and jobs could wait for none at all.
        care = PeriodicCallback(replace_nannies, CARE_SECONDS * 1000)
        cluster.loop.add_callback(care.start)
        try:
            yield client
        finally:
            cluster.loop.add_callback(care.stop)


def _connected(distributed: ModuleType, address: str) -> AbstractContextManager[Any]:
    """Return a client of a scheduler that runs jobs of this package."""
    try:
        # A client would wait without end for a port that takes connections and says nothing. The thread: a
        # notebook's has a loop of its own.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _reach(distributed, address)).result()
    except Exception as error:
        raise ConfigError(f"scheduler {address}: cannot be reached ({str(error) or 'no answer'}); correct the "
                          "address, or start the cluster") from error
    client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    try:
        client.run_on_scheduler(_is_here)
    except Exception as error:
        client.close()
        raise ConfigError(f"scheduler {address}: cannot run churnsim ({type(error).__name__}: {error}); install the "
                          "same churnsim[dask] there and on the workers") from error
    opened: AbstractContextManager[Any] = client
    return opened


async def _reach(distributed: ModuleType, address: str) -> None:
    security = distributed.Security().get_connection_args("client")
    connecting = distributed.comm.connect(address, timeout=CONNECT_SECONDS, **security)
    (await asyncio.wait_for(connecting, CONNECT_SECONDS + 1)).abort()


def _is_here() -> bool:
    return True


def _distributed() -> ModuleType:
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(f"engine dask: needs the extra dask ({error}); install it with: pip install "
                          "'churnsim[dask]'") from error
    return distributed

"""Fits that may not take too long: a call in a process of its own, which is ended when its time is over."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

from churnsim.errors import DataError

_READY = b"ready\n"
_START = "from churnsim.uplift.learners_budget import answer; answer()"


def call_within(seconds: float, function: Callable[..., Any], arguments: Mapping[str, Any], *,
                prepare: Callable[[], Any], late: str) -> Any:
    """Return ``function(**arguments)``, called in another process, or raise what it raises.

    Parameters
    ----------
    seconds
        Longest wall time, from when the process is prepared.
    function, prepare
        Functions of modules, since they travel by name; `prepare` imports what takes long.
    late
        Message of the error when time is over.

    Raises
    ------
    DataError
        It took longer, or its process was ended from outside.
    """
    # A plain subprocess: a worker that may have no children of multiprocessing's can have it, and it does not run the
    # user's script again.
    command = [sys.executable, "-P", "-c", _START]
    surroundings = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=surroundings) as other:
        try:
            assert other.stdin is not None and other.stdout is not None
            other.stdin.write(pickle.dumps(prepare))
            told = b""
            if other.stdout.readline() == _READY:
                told = other.communicate(pickle.dumps((function, dict(arguments))), timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            raise DataError(late) from None
        finally:
            other.kill()
    if not told:
        raise DataError(f"the process of a fit with a time limit was ended from outside (status {other.returncode}); "
                        "it may have needed more memory than there is")
    value, error = pickle.loads(told)
    if error is not None:
        raise error
    return value


def answer() -> None:
    """Be the other process: read what to prepare and what to call, and write what it returned or raised."""
    channel = os.fdopen(os.dup(1), "wb")
    # What is printed meanwhile must not end up among the answer.
    os.dup2(2, 1)
    questions = sys.stdin.buffer
    pickle.load(questions)()
    channel.write(_READY)
    channel.flush()
    function, arguments = pickle.load(questions)
    value, error = None, None
    try:
        value = function(**arguments)
    except Exception as raised:
        error = raised
    channel.write(pickle.dumps((value, error)))
    channel.close()

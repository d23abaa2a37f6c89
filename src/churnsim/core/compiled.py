"""Compile functions with numba and keep the result in a cache that notices edited sources.

Numba's own cache looks at the file of the compiled function only: an edited function that it *calls*
from another file would go unnoticed. The cache folder is therefore named after a digest of every source
file of the package, numba's and Python's versions and the processor.
"""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba.core import codegen

# Its settings are made at run time, which type checkers cannot see.
config: Any = numba.config

F = TypeVar("F", bound=Callable[..., Any])


@cache
def source_digest() -> str:
    """Return the sha256 of every Python source file of the package, in a fixed order."""
    root = Path(__file__).resolve().parents[1]
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        total.update(path.relative_to(root).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _cache_folder() -> str:
    processor = config.CPU_NAME or codegen.get_host_cpu_features()  # type: ignore[no-untyped-call]
    tag = "|".join((source_digest(), numba.__version__, platform.python_version(), processor))
    name = hashlib.sha256(tag.encode()).hexdigest()[:16]
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for base in (home / "churnsim", Path(tempfile.gettempdir()) / "churnsim-cache"):
        try:
            folder = base / name
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return str(folder)
        except OSError:
            continue
    return ""


config.CACHE_DIR = _cache_folder()


def njit(fn: F) -> F:
    """Compile a module-level function: without the GIL, IEEE arithmetic (x / 0 is inf).

    Functions of this package are cached on disk. Others are compiled in each process: the cache would not notice
    an edit of what they call.
    """
    return cast(F, numba.njit(fn, cache=_is_cached(fn), nogil=True, error_model="numpy"))


def _is_cached(fn: Callable[..., Any]) -> bool:
    return bool(config.CACHE_DIR) and fn.__module__.startswith("churnsim.")


def inlined(fn: F) -> F:
    """Compile a scalar function that is copied into every loop that calls it.

    A call left in a loop keeps the loop from being vectorised; the compiler's own inlining gives up on longer
    functions without a word.
    """
    return cast(F, numba.njit(fn, cache=_is_cached(fn), nogil=True, error_model="numpy", inline="always"))

"""Classes of the user's own, which an experiment file names as module:Class.

The module is a file beside the experiment file, or installed. Nothing of such a class travels to workers, which load
the file again: what an experiment holds of it is its name and plain data.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from churnsim.config.messages import did_you_mean
from churnsim.errors import ConfigError

# Modules beside experiment files, by path and sha256: an edited file is loaded again, also within one process.
_modules: dict[tuple[Path, str], ModuleType] = {}
_loading = threading.RLock()


def load_class(named: str, folder: Path, *, suits: Callable[[Any], bool], must_be: str) -> type[Any]:
    """Return the class that `named` names.

    Parameters
    ----------
    named
        As module:Class.
    folder
        Folder of the experiment file, whose modules are found first.
    suits
        Whether something found in the module is a class of the kind that is wanted.
    must_be
        What a class of this kind is, for the message about one that is not: "is no driver: it must be ...".

    Raises
    ------
    ConfigError
        There is no such module or class, it cannot be imported, or it does not suit.
    """
    module, _, name = named.partition(":")
    try:
        found = _import(module, folder)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise ConfigError(f"cannot import {module!r} ({told(error)}); install it, or correct the file") from error
        raise ConfigError(f"no module {module!r} in {folder.absolute()}, and none is installed; correct the name or "
                          "add the file") from error
    except Exception as error:
        raise ConfigError(f"cannot import {module!r} ({told(error)}); correct the file") from error
    wanted: Any = getattr(found, name, None)
    if wanted is None:
        there = [each for each, value in vars(found).items() if suits(value)]
        advice = did_you_mean(name, there) or (f"; there is {', '.join(there)}" if there else "; define the class")
        raise ConfigError(f"module {module!r} has no {name!r}{advice}")
    if not suits(wanted):
        raise ConfigError(f"{named} {must_be}")
    return wanted  # type: ignore[no-any-return]


def class_digest(named: str, folder: Path) -> str:
    """Return the sha256 of the file that holds a class; of what has no file, nothing."""
    path = _import(named.partition(":")[0], folder).__file__
    return "" if path is None else hashlib.sha256(Path(path).read_bytes()).hexdigest()


def told(error: Exception) -> str:
    """Return what an error says, and where it was raised."""
    if isinstance(error, SyntaxError):
        return f"SyntaxError: {error}"
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, {Path(at.filename).name} line {at.lineno}"


def _import(module: str, folder: Path) -> ModuleType:
    """Return a module: a file in `folder` as it is now, else one that is installed."""
    path = folder.absolute().joinpath(*module.split(".")).with_suffix(".py")
    with _loading, _first_on_path(folder.absolute()):
        if not path.is_file():
            return importlib.import_module(module)
        source = path.read_bytes()
        place = path, hashlib.sha256(source).hexdigest()
        if place not in _modules:
            _modules[place] = _execute(module, path, source)
        # What is pickled is looked up here by the module's name, which another folder may use too.
        sys.modules[module] = _modules[place]
        return _modules[place]


def _execute(module: str, path: Path, source: bytes) -> ModuleType:
    # Python's own cache of compiled files does not notice an edit within a second that keeps the size.
    if "." in module:
        importlib.import_module(module.rpartition(".")[0])
    spec = importlib.util.spec_from_file_location(module, path)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[module] = made
    try:
        exec(compile(source, path, "exec", dont_inherit=True), made.__dict__)
    except BaseException:
        del sys.modules[module]
        raise
    return made


@contextmanager
def _first_on_path(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))

"""The pins are plain and complete, and an interpreter is chosen only after it has run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PINS = (ROOT / "constraints.txt").read_text().splitlines()
PINNED = {canonicalize_name(pin.partition("==")[0]) for pin in PINS}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_constraints_are_plain_pins():
    assert [pin for pin in PINS if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.+!]+", pin)] == []
    assert len(PINNED) == len(PINS)


def needed(requirement: str, found: set[str]) -> None:
    """Add to `found` what a requirement installs here, itself and whatever that needs in turn."""
    wanted = Requirement(requirement)
    for extra in ("", *wanted.extras):
        key = f"{canonicalize_name(wanted.name)}[{extra}]"
        if key not in found:
            found.add(key)
            for child in metadata.requires(wanted.name) or ():
                marker = Requirement(child).marker
                if marker is None or marker.evaluate({"extra": extra}):
                    needed(child, found)


def test_constraints_pin_everything_that_is_installed():
    found: set[str] = set()
    extras = project()["optional-dependencies"]
    for requirement in [*project()["dependencies"], *extras["test"], *extras["dask"]]:
        if not requirement.startswith("churnsim"):
            needed(requirement, found)
    names = {key.partition("[")[0] for key in found}
    assert len(names) > 100
    assert sorted(names - PINNED) == []


def python(folder: Path, name: str, script: str) -> Path:
    """Write an interpreter `name` that is a shell script."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def find_python(tmp_path: Path, *versions: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/find-python where only the interpreters below `tmp_path` are known."""
    path = f"{tmp_path / 'first'}:{tmp_path / 'second'}:{tmp_path / 'tools'}"
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "cat", "ls", "sed"):
        (tools / tool).symlink_to(next(p for d in os.get_exec_path() if (p := Path(d) / tool).exists()))
    return subprocess.run(
        ["bash", ROOT / "scripts/find-python", *versions],
        env={"PATH": path, "HOME": str(tmp_path / "home"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


WORKS = 'case "$2" in *version_info*) echo {};; esac'
NO_ENSUREPIP = 'case "$2" in *version_info*) echo 3.11;; *) exit 1;; esac'


def test_a_shim_that_fails_is_passed_over(tmp_path):
    python(tmp_path / "first", "python3.11", "echo 'command exists in these versions' >&2; exit 127")
    good = python(tmp_path / "second", "python3.11", WORKS.format("3.11"))
    assert find_python(tmp_path).stdout == f"{good}\n"


def test_a_python_without_ensurepip_is_passed_over(tmp_path):
    python(tmp_path / "first", "python3.11", NO_ENSUREPIP)
    python(tmp_path / "first", "python3", WORKS.format("3.13"))
    good = python(tmp_path / "home/.pyenv/versions/3.12.9/bin", "python", WORKS.format("3.12"))
    assert find_python(tmp_path).stdout == f"{good}\n"


def test_the_asked_version_is_found_behind_another(tmp_path):
    python(tmp_path / "first", "python3.11", WORKS.format("3.11"))
    good = python(tmp_path / "first", "python3", WORKS.format("3.12"))
    assert find_python(tmp_path, "3.12").stdout == f"{good}\n"


def test_no_python_says_what_was_tried_and_what_to_do(tmp_path):
    shim = python(tmp_path / "first", "python3.12", "exit 127")
    other = python(tmp_path / "second", "python3", WORKS.format("3.13"))
    bare = python(tmp_path / "second", "python3.11", NO_ENSUREPIP)
    result = find_python(tmp_path)
    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr.startswith("No Python 3.11 or 3.12 that can create an environment was found. Tried:")
    assert f"  {shim}: does not run\n" in result.stderr
    assert f"  {other}: 3.13\n" in result.stderr
    assert f"  {bare}: 3.11 without venv or ensurepip\n" in result.stderr
    assert "name one: make test PYTHON=" in result.stderr


def test_a_named_python_is_the_only_candidate(tmp_path):
    python(tmp_path / "first", "python3.11", WORKS.format("3.11"))
    named = python(tmp_path / "elsewhere", "python", WORKS.format("3.10"))
    result = find_python(tmp_path, PYTHON=str(named))
    assert result.returncode == 1
    assert f"Tried:\n  {named}: 3.10\n" in result.stderr
    assert "python3.11:" not in result.stderr


def test_this_python_is_one_that_works(tmp_path):
    assert find_python(tmp_path, PYTHON=sys.executable).stdout == f"{sys.executable}\n"


@pytest.mark.parametrize("path", ["scripts/find-python", "scripts/environment", ".ci/run"])
def test_scripts_can_be_executed(path):
    assert os.access(ROOT / path, os.X_OK)

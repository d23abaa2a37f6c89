"""An environment for each peer: made once from pinned requirements, kept in a folder that git ignores."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent / ".environments"
PINS = Path(__file__).parent / "peers"


def python_of(environment: str | None) -> str:
    """Return the interpreter of an environment (None: this one), which is made if its pins are new.

    Raises
    ------
    subprocess.CalledProcessError
        The environment could not be made; pip has written why to stderr.
    """
    if environment is None:
        return sys.executable
    pins = PINS / f"{environment}.txt"
    folder = FOLDER / f"{environment}-{sys.version_info.major}.{sys.version_info.minor}"
    python, stamp = folder / "bin/python", folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != pins.read_text():
        print(f"Making an environment for {environment} (about a minute) ...", file=sys.stderr)
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / ".gitignore").write_text("*\n")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins]
        subprocess.run(install, check=True, stdout=sys.stderr)
        shutil.copyfile(pins, stamp)
    return str(python)

"""The clients from npm: their modules, as the lock file says, and scripts that use them."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import filelock

from tests import programs

HERE = Path(__file__).parent
_MODULES = HERE / "node_modules"
_STAMP = _MODULES / ".installed"


class ModulesError(Exception):
    """The modules cannot be had; the text says why."""


def install() -> None:
    """Installs the modules beside the scripts, once for each lock file.

    No module runs a script of its own while it is installed.
    """
    path = programs.path("npm")
    if path is None:
        raise ModulesError("there is no npm")
    wanted = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()
    with filelock.FileLock(HERE / ".npm.lock", timeout=300):
        if _STAMP.is_file() and _STAMP.read_text() == wanted:
            return
        done = subprocess.run(
            [path, "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
            cwd=HERE,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        if done.returncode != 0:
            said = (line for line in done.stderr.splitlines() if line.startswith("npm error"))
            raise ModulesError(f"npm ci failed: {next(said, done.stderr)}")
        _STAMP.write_text(wanted)


def run(script: str, **said: str) -> dict[str, Any]:
    """What a script of this folder prints; `said` is in its environment."""
    install()
    node = shutil.which("node")
    assert node is not None, "npm comes with node"
    done = subprocess.run(
        [node, str(HERE / script)],
        env={**os.environ, **said},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told

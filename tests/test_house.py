"""The house rules that a reader relies on, held by reading the tree and by importing it."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "darkroom"
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if path.name not in ("__init__.py", "__main__.py")
)
LONGEST_FILE = 800
LONGEST_FUNCTION = 60

# Refuses what an import must not do; what the libraries do is done before the hook is set.
IMPORT_QUIETLY = """
import importlib, os, sys
for library in sys.argv[1].split(","):
    importlib.import_module(library)

def refuse(event, arguments):
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    acts = event in ("os.mkdir", "os.putenv", "subprocess.Popen") or event.startswith("socket.")
    if writes or acts:
        raise RuntimeError(f"an import does {event}: {arguments}")

sys.dont_write_bytecode = True
sys.addaudithook(refuse)
for module in sys.argv[2:]:
    importlib.import_module(module)
"""

# The rooms that answer at once: a command line and, later, a server import them without torch.
INSTANT = {"text", "planning", "images", "settings", "paths", "errors", "names", "timesteps"}
NO_TORCH = [
    *(module for module in MODULES if module.split(".")[1] in INSTANT | {"contracts"}),
    *(f"darkroom.checkpoints.{name}" for name in ("header", "detect", "catalog", "download")),
    "darkroom.tasks.judging",
    "darkroom.tasks.recalling",
    "darkroom.cli.app",
    "darkroom.cli.saving",
]


def python(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_files_and_functions_stay_readable(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= LONGEST_FILE
    assert path.stem not in {"utils", "util", "helpers", "common", "misc"}
    if path.name == "__init__.py" and path.parent != PACKAGE:
        assert source == "", "the __init__ of a package is empty"
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, functions):
            body = (node.end_lineno or 0) - node.body[0].lineno + 1
            assert body <= LONGEST_FUNCTION, f"{node.name} has {body} lines"


def test_imports_do_nothing() -> None:
    libraries = "torch,numpy,PIL.Image,PIL.PngImagePlugin,safetensors.torch,typer,rich.progress"
    done = python(IMPORT_QUIETLY, libraries, "darkroom", *MODULES)
    assert done.returncode == 0, done.stderr


def test_rooms_that_answer_at_once_never_load_torch() -> None:
    script = "import sys, importlib; sys.modules['torch'] = None\n"
    script += "for module in sys.argv[1:]: importlib.import_module(module)"
    done = python(script, "darkroom", *NO_TORCH)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("crime", ["os.mkdir(target)", "open(target, 'w')", "os.putenv('a', 'b')"])
def test_the_watch_on_imports_can_see(crime: str, tmp_path: Path) -> None:
    target = tmp_path / "crime"
    script = IMPORT_QUIETLY + f"target = {str(target)!r}\n{crime}"
    done = python(script, "json", "darkroom.errors")
    assert "an import does" in done.stderr
    assert not target.exists()

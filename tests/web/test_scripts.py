"""The page's own arithmetic, tested by Node in the language that it is written in."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.mark.npm
@pytest.mark.parametrize("script", sorted(HERE.glob("*.test.mjs")), ids=lambda path: path.stem)
def test_script(script: Path) -> None:
    node = shutil.which("node")
    assert node is not None, "npm comes with node"
    done = subprocess.run(
        [node, "--test", str(script)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr

"""The server answers without torch: it starts at once, and a crash of a driver is not its own."""

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["torch"] = None  # an import of it fails
import darkroom.server.app
import darkroom.server.jobs
import darkroom.server.running
assert not [name for name in sys.modules if name.startswith(("torch.", "typer", "rich"))]
"""


def test_the_server_never_loads_torch() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)

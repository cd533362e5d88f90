"""Starts Darkroom out of an unpacked bundle; the first time it sets itself up beside this file.

Standard library only.  What is given on the command line goes to `darkroom serve`.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = HERE / "environment"
STAMP = ENVIRONMENT / "darkroom-is-set-up"
WHEELS = HERE / "wheels"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
TORCH = "torch>=2.11"
LAST_RESORT = "torch==2.13.0"  # of the usual index, where the one for CPUs cannot be reached


class Trouble(Exception):
    """What went wrong, and what to do, in two lines."""


def main() -> int:
    """The exit code of `darkroom serve`, or 1 where it could not be set up."""
    try:
        wheel = the_wheel()
        done = f"{wheel.name} {hashlib.sha256(wheel.read_bytes()).hexdigest()}"
        if not STAMP.is_file() or STAMP.read_text("utf-8") != done:
            set_up(wheel)
            STAMP.write_text(done, "utf-8")
    except Trouble as trouble:
        print(f"\n{trouble}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Start it again to go on.", file=sys.stderr)
        return 1
    command = [str(python()), "-m", "darkroom", "serve", *sys.argv[1:]]
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 (so that Ctrl-C and a closed window reach it)
    return subprocess.call(command)


def the_wheel() -> Path:
    """Darkroom's own wheel."""
    found = sorted(HERE.glob("darkroom-*.whl"))
    if len(found) != 1:
        raise Trouble("The folder is not whole: Darkroom itself is missing.\nUnpack the zip again.")
    return found[0]


def set_up(wheel: Path) -> None:
    """An environment of its own, torch that fits this computer, and Darkroom."""
    print("Setting Darkroom up. This happens once and takes a few minutes.", flush=True)
    if not has_torch(python()):
        # From the beginning: what an interrupted run left may be half an environment.
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    if not python().is_file():
        make_environment()
    if not has_torch(python()):
        install_torch()
    print("2 of 2: Darkroom …", flush=True)
    pip("install", "--upgrade", str(wheel))


def python() -> Path:
    """The interpreter of the environment."""
    return ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment() -> None:
    """A virtual environment; a torch that this interpreter already has is kept."""
    try:
        venv.create(ENVIRONMENT, with_pip=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise Trouble(
            "The environment could not be made: "
            f"{error.strerror if isinstance(error, OSError) else 'Python lacks its venv part'}.\n"
            "There must be 2 GB of room; on Debian and Ubuntu: sudo apt-get install python3-venv"
        ) from error
    if has_torch(Path(sys.executable)):
        where = answer(
            Path(sys.executable),
            "import torch, pathlib as p; print(p.Path(torch.__file__).parents[1])",
        )
        into = answer(python(), "import sysconfig; print(sysconfig.get_path('purelib'))")
        Path(into, "kept-torch.pth").write_text(where + "\n", "utf-8")
        # Python 3.11 brings one that is too old for torch and would hide the newer one there.
        answer(python(), "import pip; pip.main(['uninstall', '--yes', 'setuptools'])")


def has_torch(interpreter: Path) -> bool:
    """Whether it can import a torch that is new enough."""
    version = answer(interpreter, "import torch; print(torch.__version__)")
    parts = version.split(".")
    return len(parts) > 1 and tuple(int(part) for part in parts[:2]) >= (2, 11)


def answer(interpreter: Path, program: str) -> str:
    """What a program prints, or nothing where it fails."""
    try:
        done = subprocess.run(
            [str(interpreter), "-c", program], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def install_torch() -> None:
    """The build for this computer: on Linux without an NVIDIA card that for CPUs."""
    print("1 of 2: torch, the largest part …", flush=True)
    if WHEELS.is_dir() or platform.system() != "Linux" or has_card():
        pip("install", TORCH)
    elif reachable(f"{CPU_INDEX}/torch/"):
        pip("install", "--index-url", CPU_INDEX, TORCH)
    else:
        pip("install", LAST_RESORT)


def has_card() -> bool:
    """Whether there is an NVIDIA card."""
    tool = shutil.which("nvidia-smi")
    return (
        tool is not None
        and subprocess.run([tool, "-L"], capture_output=True, check=False).returncode == 0
    )


def reachable(address: str) -> bool:
    """Whether a host answers."""
    try:
        with urllib.request.urlopen(address, timeout=10):  # noqa: S310 (ours)
            return True
    except OSError:
        return False


def pip(*arguments: str) -> None:
    """Have pip work in the environment; a folder of wheels beside this file is all it asks."""
    offline = ("--no-index", "--find-links", str(WHEELS)) if WHEELS.is_dir() else ()
    command = [str(python()), "-m", "pip", "--disable-pip-version-check", *arguments, *offline]
    done = subprocess.run([*command, "--quiet"], check=False)
    if done.returncode:
        raise Trouble(
            "Not everything could be installed; the lines above say why.\n"
            + (
                "Some wheel is missing."
                if offline
                else "Is there a network? Start it again to go on."
            )
        )


if __name__ == "__main__":
    sys.exit(main())

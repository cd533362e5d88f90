"""Downloads from a host that cuts, lies and sends elsewhere: whole and proven, or not there."""

import json
import os
import shutil
import socket
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import hypothesis
import hypothesis.strategies as st
import pytest
import safetensors.numpy

from darkroom.checkpoints import catalog, download, hosts, load, sources
from darkroom.checkpoints.download import Event, Pulled, Remark, Step
from darkroom.checkpoints.hosts import Patience
from darkroom.checkpoints.sources import CATALOGUE, Source
from darkroom.errors import DarkroomError, DownloadError, ModelError, OutputError, RequestError
from tests.checkpoints.misbehaving import Behaviour, Host, drip, file, say, sha256
from tests.tiny import TinyCheckpoint

CERTIFICATE = Path(__file__).parents[1] / "data" / "tls" / "cdn.test.pem"
CONNECT = socket.socket.connect  # as it is outside of tests
PATIENCE = Patience(pauses=(0.0, 0.0))
HASTY = Patience(answer=0.3, silence=0.3, window=0.2, slowest=10_000, pauses=(0.0, 0.0))
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n"
PAGE = b"<!doctype html><title>Log in</title>" + b" " * 5000

Table = dict[str, list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Table:
    """What DNS says, and a network that has this computer only: 93.184.216.34 is it as well."""
    table: Table = {}

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        numbers = table.get(host) or ([host] if host.replace(".", "").isdigit() else [])
        if not numbers and ":" not in host:
            raise socket.gaierror(-2, "Name or service not known")
        return [
            (socket.AF_INET6 if ":" in number else socket.AF_INET, 1, 6, "", (number, port))
            for number in numbers or [host]
        ]

    def connect(self: socket.socket, place: tuple[str, int]) -> None:
        assert place[0] in {"127.0.0.1", "93.184.216.34"}, f"a forbidden connection: {place}"
        port = int(table["port"][0]) if place[0] != "127.0.0.1" else place[1]
        CONNECT(self, ("127.0.0.1", port))

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    return table


@pytest.fixture
def host(names: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The models host."""
    with Host() as made:
        monkeypatch.setenv("DARKROOM_MODELS_HOST", made.url)
        yield made


@pytest.fixture(scope="session")
def content(tiny_checkpoint: TinyCheckpoint) -> bytes:
    return tiny_checkpoint.safetensors.read_bytes()


def run(source: Source | str, folder: Path, patience: Patience = PATIENCE) -> list[Event]:
    wanted = sources.find(source) if isinstance(source, str) else source
    return list(download.pull(wanted, folder, patience=patience))


def end(events: list[Event]) -> Pulled:
    *others, pulled = events
    assert isinstance(pulled, Pulled)
    assert not any(isinstance(event, Pulled) for event in others)
    return pulled


def remarks(events: list[Event]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Remark))


def refused(
    source: Source | str,
    folder: Path,
    match: str,
    kind: type[DarkroomError] = DownloadError,
    patience: Patience = PATIENCE,
) -> DarkroomError:
    """One sentence, one hint, nothing that looks like a model."""
    with pytest.raises(kind, match=match) as caught:
        run(source, folder, patience)
    error = caught.value
    assert error.hint
    assert "\n" not in error.message + error.hint
    assert catalog.in_folder(folder) == []
    return error


FILE = "people/tiny/tiny.safetensors"


def test_the_control_downloads_and_loads(host: Host, content: bytes, tmp_path: Path) -> None:
    # Linked headers are those of the hub, which has the file somewhere else.
    linked = {"x_linked_etag": f'"{sha256(content)}"', "x_linked_size": str(len(content))}
    host.answers = [
        say(307, location="/people/small/resolve/main/tiny.safetensors"),
        say(302, location="/cdn/4711?signed=a%20b&c", **linked),
        file(content),
    ]
    events = run(FILE, tmp_path)
    pulled = end(events)
    assert pulled.path == tmp_path / "tiny.safetensors"
    assert pulled.path.read_bytes() == content
    assert pulled.sha256 == sha256(content)
    assert pulled.proven_by == "127.0.0.1"
    assert list(tmp_path.iterdir()) == [pulled.path]
    assert [asked.path for asked in host.asked] == [
        "/people/tiny/resolve/main/tiny.safetensors",
        "/people/small/resolve/main/tiny.safetensors",
        "/cdn/4711?signed=a%20b&c",
    ]
    assert {asked.headers["accept-encoding"] for asked in host.asked} == {"identity"}
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.done for step in steps if not step.checking][-1] == len(content)
    assert pulled.spec is not None
    loaded = load.load(pulled.spec, device="cpu", precision="fp32")
    assert loaded.unet is not None


def test_the_hash_is_not_taken_twice(
    host: Host, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.answers = [file(content)]
    pulled = end(run(FILE, tmp_path))
    assert pulled.proven_by is None
    monkeypatch.setattr("hashlib.file_digest", None)
    assert catalog.sha256(pulled.path) == sha256(content)


def test_a_cut_anywhere_is_gone_on_with(host: Host, content: bytes, tmp_path: Path) -> None:
    edges = (0, 1, 4095, 4096, len(content) - 1)

    def check(cut: int) -> None:
        host.asked.clear()
        host.answers = [file(content, cut=cut), file(content)]
        shutil.rmtree(tmp_path / "models", ignore_errors=True)
        if cut == 0:  # Nothing came: there is nothing to go on with, and no reason to hope.
            refused(FILE, tmp_path / "models", "ended after 0")
            return
        pulled = end(run(FILE, tmp_path / "models"))
        assert pulled.path.read_bytes() == content
        assert host.asked[1].headers["range"] == f"bytes={cut}-"
        assert host.asked[1].headers["if-range"] == '"first"'

    for edge in edges:
        check(edge)
    hypothesis.settings(max_examples=5)(hypothesis.given(st.integers(1, len(content) - 1))(check))()


def test_many_cuts_in_a_row_that_each_bring_something(
    host: Host, content: bytes, tmp_path: Path
) -> None:
    host.answers = [file(content, cut=len(content) // 7)]
    events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == content
    assert remarks(events).count("Trying to go on.") >= 7


def test_the_next_run_goes_on(host: Host, content: bytes, tmp_path: Path) -> None:
    half = len(content) // 2
    host.answers = [file(content, cut=half), say(500)]
    error = refused(FILE, tmp_path, "fault of its own")
    assert "goes on from there" in error.hint
    part = tmp_path / ".tiny.safetensors.part"
    assert part.read_bytes() == content[:half]
    host.answers = [file(content)]
    events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == content
    assert host.asked[-1].headers["range"] == f"bytes={half}-"
    first = next(event for event in events if isinstance(event, Step))
    assert first.done > half
    assert list(tmp_path.iterdir()) == [tmp_path / "tiny.safetensors"]


def test_stopping_keeps_what_has_come(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [drip([b"HTTP/1.1 200 So\r\netag: \"e\"\r\ncontent-length: 9999999\r\n\r\n"
                          + content[:9000]], 0.2)]  # fmt: skip
    pulling = download.pull(sources.find(FILE), tmp_path, patience=PATIENCE)
    assert any(event == Step(9000, 9_999_999) for event in pulling)
    pulling.close()  # type: ignore[attr-defined]
    assert (tmp_path / ".tiny.safetensors.part").stat().st_size == 9000
    assert not (tmp_path / ".tiny.safetensors.lock").exists()


def test_a_part_that_is_whole_is_asked_for_its_last_byte(
    host: Host, content: bytes, tmp_path: Path
) -> None:
    host.answers = [file(content, cut=10_000), say(500)]
    refused(FILE, tmp_path, "fault")
    (tmp_path / ".tiny.safetensors.part").write_bytes(content)
    host.answers = [file(content)]
    assert end(run(FILE, tmp_path)).path.read_bytes() == content
    assert host.asked[-1].headers["range"] == f"bytes={len(content) - 1}-"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (lambda new: file(new, ranges=False), "cannot go on in the middle"),
        (lambda _: say(416, PAGE, content_type="text/html"), "has no more of the file"),
        (lambda new: say(206, new[3:], etag='"first"'), "has changed"),
        (
            lambda new: say(
                206, new[3:], etag='"first"', content_range=f"bytes 3-{len(new) - 1}/{len(new)}"
            ),
            "another part",
        ),
    ],
)
def test_a_host_that_cannot_go_on_begins_anew(
    host: Host,
    content: bytes,
    tmp_path: Path,
    second: Callable[[bytes], Behaviour],
    said: str,
) -> None:
    host.answers = [file(content, cut=10_000), second(content), file(content)]
    events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == content
    assert said in remarks(events)
    assert "begins anew" in remarks(events)


@pytest.mark.parametrize("mark", ["etag", "hash", "size"])
def test_a_file_that_changes_on_the_host_begins_anew(
    host: Host, content: bytes, tiny_checkpoint: TinyCheckpoint, tmp_path: Path, mark: str
) -> None:
    new = content[:-1] + bytes([content[-1] ^ 1])
    if mark == "etag":
        answers = [file(content, cut=10_000), file(new, etag='"second"')]
    elif mark == "hash":
        first = file(content, cut=10_000, x_linked_etag=sha256(content))
        answers = [first, file(new, x_linked_etag=sha256(new))]
    else:
        new = tiny_checkpoint.ckpt.read_bytes()
        answers = [file(content, cut=10_000), file(new)]
    host.answers = answers
    events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == new
    assert "The file on the host has changed. It begins anew." in remarks(events)


def test_a_file_that_changes_all_the_time_is_given_up(
    host: Host, content: bytes, tmp_path: Path
) -> None:
    host.answers = []
    for number in range(40):
        etag = f'"{number // 2}"'
        host.answers.append(file(content, etag=etag, cut=10_000))
    refused(FILE, tmp_path, "all the time")


def test_a_body_in_chunks_that_is_cut_is_gone_on_with(
    host: Host, content: bytes, tmp_path: Path
) -> None:
    chunks = b"%x\r\n%b" % (len(content), content[:50_000])
    size, digest = str(len(content)), sha256(content)
    cut = say(
        200,
        chunks,
        content_length="",
        transfer_encoding="chunked",
        x_linked_size=size,
        x_linked_etag=digest,
    )
    host.answers = [cut, file(content, x_linked_size=size, x_linked_etag=digest)]
    assert end(run(FILE, tmp_path)).path.read_bytes() == content
    assert host.asked[1].headers["range"] != "bytes=0-"


def test_a_part_without_a_mark_begins_anew(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [file(content, cut=10_000, etag='W/"weak"'), file(content, etag="")]
    events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == content
    assert "cannot be gone on with" in remarks(events)
    assert "range" not in host.asked[1].headers


@pytest.mark.parametrize(
    "note", ["", "[]", "{}", '{"url": 3}', "\0", "[" * 100_000, '{"size": true, "etag": 4}']
)
def test_a_damaged_note_is_no_note(host: Host, content: bytes, tmp_path: Path, note: str) -> None:
    (tmp_path / ".tiny.safetensors.part").write_bytes(b"something")
    (tmp_path / ".tiny.safetensors.part.json").write_text(note)
    host.answers = [file(content)]
    assert end(run(FILE, tmp_path)).path.read_bytes() == content
    assert "range" not in host.asked[0].headers


def test_a_part_of_another_address_is_none(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [file(content, cut=10_000), say(404)]
    refused(FILE, tmp_path, "no such file")
    host.answers = [file(content)]
    assert end(run("others/tiny/tiny.safetensors", tmp_path)).path.read_bytes() == content
    assert "range" not in host.asked[-1].headers


def foreign_family() -> bytes:
    import numpy as np

    name = "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight"
    return bytes(safetensors.numpy.save({name: np.zeros((3, 3), np.float16)}))


@pytest.mark.parametrize(
    ("behaviour", "said", "kind"),
    [
        (say(200, PAGE, content_type="text/html;charset=utf-8"), "sends a web page", DownloadError),
        (say(200, PAGE), "tiny.safetensors is a web page", ModelError),
        (file(b"GIF89a" + bytes(9000)), "is a GIF image", ModelError),
        (file(b"not found"), "is a text file", ModelError),
        (file(bytes(9000)), "only zeros|not a model", ModelError),
        (file(POINTER), "LFS pointer", ModelError),
        (file(foreign_family()), "tiny.safetensors", ModelError),
        (file(os.urandom(9000)), "tiny.safetensors", ModelError),
        (say(200, b""), "how large", DownloadError),
        (say(200, b"x" * 99, content_length=""), "how large", DownloadError),
        (say(200, b"x" * 99, content_length="-5"), "how large", DownloadError),
        (say(200, zlib.compress(PAGE), content_encoding="deflate"), "compressed", DownloadError),
        (say(200, b"x", x_linked_size="5"), "sends 1 bytes where 5", DownloadError),
        (say(206, b"xyz", content_range="bytes 0-2/3"), "does not fit", DownloadError),
        (say(416), "does not fit", DownloadError),
        (say(204), "does not fit", DownloadError),
        (say(401), "wants a login", DownloadError),
        (say(403, x_error_code="GatedRepo"), "people who are logged in", DownloadError),
        (say(404), "has no such file", DownloadError),
        (say(410), "has no such file", DownloadError),
        (say(503, retry_after="tomorrow"), "too much to do", DownloadError),
        (say(500), "fault of its own", DownloadError),
        (drip([b"SSH-2.0-OpenSSH_9.6\r\n"], 0), "does not speak HTTP", DownloadError),
        (drip([b"HTTP/1.1 200 So\r\n" + b"a: b\r\n" * 200 + b"\r\n"], 0), "HTTP", DownloadError),
        (drip([b"HTTP/1.1 200 So\r\na: " + b"b" * 70_000 + b"\r\n\r\n"], 0), "HTTP", DownloadError),
        (drip([], 0), "connection to 127.0.0.1 failed", DownloadError),
        (drip([b"HTTP/1.1 100 Continue\r\n\r\n"] * 20, 0.05), "does not answer", DownloadError),
        (drip([b"HTTP/1.1 200 So\r\n", *[b"a"] * 20], 0.05), "does not answer", DownloadError),
        (drip([b""], 1), "does not answer", DownloadError),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused_and_removed(
    host: Host, tmp_path: Path, behaviour: Behaviour, said: str, kind: type[DarkroomError]
) -> None:
    host.answers = [behaviour]
    error = refused(FILE, tmp_path, said, kind, HASTY if "not answer" in said else PATIENCE)
    assert ".part" not in error.message
    assert list(tmp_path.iterdir()) == []


def test_a_host_says_when_to_come_again(host: Host, tmp_path: Path) -> None:
    host.answers = [say(429, retry_after="120")]
    assert "in 120 s" in refused(FILE, tmp_path, "too much to do").hint


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "dripping"])
def test_a_host_that_hardly_sends_is_given_up(
    host: Host, content: bytes, tmp_path: Path, silent: bool
) -> None:
    head = f'HTTP/1.1 200 So\r\netag: "e"\r\ncontent-length: {len(content)}\r\n\r\n'.encode()
    pieces = [head, b"x"] if silent else [head, *[bytes([n]) for n in content[:12]]]
    host.answers = [drip(pieces, 0.4 if silent else 0.05)]
    refused(FILE, tmp_path, "does not answer|hardly sends", patience=HASTY)


@pytest.mark.parametrize("lie", [1, 10**12])
def test_a_body_that_is_shorter_than_announced_is_no_model(
    host: Host, content: bytes, tmp_path: Path, lie: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**15))
    host.answers = [say(200, content, etag='"e"', content_length=str(len(content) + lie)), say(404)]
    refused(FILE, tmp_path, "no such file")


def test_a_wrong_hash_is_removed(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [file(content, x_linked_etag="0" * 64)]
    error = refused(FILE, tmp_path, "arrived damaged")
    assert "0" * 64 in error.hint
    assert list(tmp_path.iterdir()) == []


def test_a_hash_is_only_believed_of_the_host_that_was_asked(
    host: Host, content: bytes, tmp_path: Path
) -> None:
    host.answers = [file(content, etag=f'"{sha256(content)}"')]
    assert end(run(FILE, tmp_path)).proven_by is None


def test_a_hash_of_the_host_that_one_is_sent_to_proves_nothing(
    host: Host, content: bytes, tmp_path: Path, cdn: Host
) -> None:
    host.answers = [say(302, location="https://cdn.test/file")]
    cdn.answers = [file(content, x_linked_etag=sha256(content))]
    assert end(run(FILE, tmp_path)).proven_by is None


@pytest.mark.parametrize("what", ["size", "hash"])
def test_another_file_than_the_catalogue_knows_is_refused(
    host: Host, content: bytes, tmp_path: Path, what: str
) -> None:
    host.answers = [file(content, x_linked_etag="1" * 64)]
    size, digest = (7, None) if what == "size" else (len(content), "0" * 64)
    source = Source(url=f"{host.url}/a/b", file="a.ckpt", page="p", size=size, sha256=digest)
    refused(source, tmp_path, "another a.ckpt than the catalogue knows")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("http://127.0.0.1:1/x.ckpt", "unencrypted"),
        ("http://public.test/x.ckpt", "unencrypted"),
        ("https://127.0.0.1:{port}/x.ckpt", "private network"),
        ("https://10.0.0.8/x.ckpt", "private network"),
        ("https://private.test/x.ckpt", "private network"),
        ("https://169.254.169.254/latest/meta-data", "private network"),
        ("https://100.64.0.1/x.ckpt", "private network"),
        ("https://0.0.0.0/x.ckpt", "private network"),
        ("https://224.0.0.1/x.ckpt", "private network"),
        ("https://[::1]/x.ckpt", "private network"),
        ("https://[::ffff:10.0.0.1]/x.ckpt", "private network"),
        ("https://[64:ff9b::a00:1]/x.ckpt", "private network"),
        ("https://[64:ff9b:1::a00:1]/x.ckpt", "private network"),
        ("https://[::7f00:1]/x.ckpt", "private network"),
        ("https://[::ffff:0:7f00:1]/x.ckpt", "private network"),
        ("https://[2002:a00:1::]/x.ckpt", "private network"),
        ("https://[fe80::1]/x.ckpt", "private network"),
        ("https://nowhere.test/x.ckpt", "no way to nowhere.test"),
        ("file:///etc/passwd", "no address that Darkroom follows"),
        ("ftp://public.test/x.ckpt", "no address that Darkroom follows"),
        ("https://me:secret@public.test/x.ckpt", "no address that Darkroom follows"),
        ("https://public.test:99999/x.ckpt", "no address that Darkroom follows"),
        ("https:///x.ckpt", "no address that Darkroom follows"),
        ("https://[/x.ckpt", "no address that Darkroom follows"),
        ("/people/tiny/resolve/main/tiny.safetensors", "without an end"),
        ("", "without an end"),
    ],
)
def test_a_host_may_not_send_anywhere(
    host: Host, names: Table, tmp_path: Path, place: str, said: str
) -> None:
    names["public.test"] = ["93.184.216.34"]
    names["private.test"] = ["192.168.1.1", "fd00::1"]
    host.answers = [say(302, location=place.format(port=host.port))]
    refused(FILE, tmp_path, said)
    assert len(host.asked) <= hosts.MAX_REDIRECTS + 1


@pytest.fixture
def cdn(names: Table, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Another host, with TLS and an address on the open internet."""
    with Host(certificate=CERTIFICATE) as made:
        names["cdn.test"] = ["93.184.216.34"]
        names["port"] = [str(made.port)]
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        yield made


def test_a_token_is_shown_to_its_host_when_that_asks_and_to_nobody_else(
    names: Table, content: bytes, tmp_path: Path, cdn: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    names["cdn.test"].insert(0, "10.0.0.1")  # where a host on the internet may not send
    with Host() as hub:
        monkeypatch.setenv("DARKROOM_MODELS_HOST", hub.url)
        hub.answers = [say(401), say(302, location="https://cdn.test/file?key=1")]
        cdn.answers = [file(content, cut=10_000), file(content)]
        events = run(FILE, tmp_path)
    assert end(events).path.read_bytes() == content
    assert [asked.headers.get("authorization") for asked in hub.asked[:2]] == [
        None,
        "Bearer hf_secret",
    ]
    assert len(cdn.asked) == 2
    assert not any("authorization" in asked.headers for asked in cdn.asked)
    assert cdn.asked[0].headers["host"] == "cdn.test"


def test_an_open_file_needs_no_token(
    host: Host, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    host.answers = [say(307, location="/elsewhere"), say(401)]
    refused(FILE, tmp_path, "to whom HF_TOKEN belongs")
    host.answers = [file(content)]
    end(run(FILE, tmp_path))
    # The second 401 came behind a redirect: nobody is shown the token there.
    assert not any("authorization" in asked.headers for asked in host.asked)


def test_a_token_is_not_for_other_addresses(
    content: bytes, tmp_path: Path, cdn: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    cdn.answers = [say(401)]
    error = refused("https://cdn.test/model.safetensors", tmp_path, "wants a login")
    assert "HF_TOKEN" not in error.hint
    assert "authorization" not in cdn.asked[0].headers
    monkeypatch.setenv("HF_TOKEN", "two\nlines")
    refused(FILE, tmp_path, "HF_TOKEN", RequestError)


def test_a_certificate_must_be_trusted_and_of_that_host(
    names: Table, content: bytes, tmp_path: Path, cdn: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    cdn.answers = [file(content)]
    end(run("https://cdn.test/model.safetensors", tmp_path / "trusted"))
    names["bank.test"] = names["cdn.test"]
    refused(
        "https://bank.test/model.safetensors",
        tmp_path / "bank",
        "cannot prove that it is bank.test",
    )
    monkeypatch.delenv("SSL_CERT_FILE")
    refused("https://cdn.test/model.safetensors", tmp_path / "other", "cannot prove")


def test_the_checked_address_is_the_one_that_is_connected_to(
    names: Table, content: bytes, tmp_path: Path, cdn: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = socket.getaddrinfo

    def rebind(*asked: object, **more: object) -> object:
        found = looked_up(*asked, **more)  # type: ignore[arg-type]
        names["cdn.test"] = ["127.0.0.1"]  # from now on
        return found

    monkeypatch.setattr(socket, "getaddrinfo", rebind)
    with Host() as hub:
        monkeypatch.setenv("DARKROOM_MODELS_HOST", hub.url)
        hub.answers = [say(302, location="https://cdn.test/file")]
        cdn.answers = [file(content)]
        names["cdn.test"] = ["93.184.216.34"]
        monkeypatch.setitem(names, "127.0.0.1", ["127.0.0.1"])
        assert end(run("https://cdn.test/m.safetensors", tmp_path)).fresh
        refused(FILE, tmp_path / "second", "private network")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("https://me:secret@public.test/x.ckpt", "https://public.test/x.ckpt"),
        ("https://me:s/e?c#ret@public.test/x.ckpt", "https://public.test/x.ckpt"),
        ("https://secret@public.test/x.ckpt?a=1", "https://public.test/x.ckpt"),
        ("https://public.test/x.ckpt?token=secret#secret", "https://public.test/x.ckpt"),
        ("https://public.test/x.ckpt", "https://public.test/x.ckpt"),
    ],
)
def test_what_is_told_of_an_address_holds_no_password(
    address: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hosts.public(address) == told
    if "@" not in address:
        assert sources.find(address).page == told
    with pytest.raises(DownloadError) as caught:
        hosts.Address.of(address.replace("https", "ftp"))
    assert "secret" not in f"{caught.value} {caught.value.hint}"
    monkeypatch.setenv("DARKROOM_MODELS_HOST", "https://me:secret@mirror.test")
    with pytest.raises(RequestError, match=r"mirror\.test comes with a user") as refused:
        sources.host()
    assert "secret" not in str(refused.value)


def test_a_private_host_serves_who_names_it(
    names: Table, content: bytes, tmp_path: Path, cdn: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store of models at home: named by the person, not by a host on the internet."""
    names["cdn.test"] = ["127.0.0.1"]
    cdn.answers = [file(content)]
    assert end(run(f"https://cdn.test:{cdn.port}/m.safetensors", tmp_path)).fresh


def test_the_disk_must_have_room(
    host: Host, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=len(content)))
    host.answers = [file(content)]
    refused(FILE, tmp_path, "more, and the disk has", OutputError)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(host: Host, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    host.answers = [file(content)]
    refused(FILE, tmp_path / "models", "cannot be written", OutputError)


def test_one_pull_of_a_file_at_a_time(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [file(content)]
    first = download.pull(sources.find(FILE), tmp_path, patience=PATIENCE)
    next(first)
    refused(FILE, tmp_path, "is being pulled already", RequestError)
    assert end(list(first)).fresh


def test_what_is_there_already_is_compared(host: Host, content: bytes, tmp_path: Path) -> None:
    host.answers = [file(content, x_linked_etag=sha256(content))]
    first = end(run(FILE, tmp_path))
    again = end(run(FILE, tmp_path))
    assert (first.fresh, again.fresh) == (True, False)
    assert again.proven_by == "127.0.0.1"
    host.answers = [file(content, x_linked_etag="0" * 64)]
    with pytest.raises(RequestError, match="is another file"):
        run(FILE, tmp_path)
    host.answers = [file(content)]
    with pytest.raises(RequestError, match="no SHA-256 to compare"):
        run(FILE, tmp_path)
    assert first.path.read_bytes() == content


def test_the_catalogue_proves_where_the_host_does_not(
    host: Host, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = CATALOGUE["sd-1.4"]
    assert entry.sha256_source
    source = Source(
        url=f"{host.url}/x", file="x.safetensors", page="p", sha256=sha256(content), entry=entry
    )
    host.answers = [file(content)]
    assert end(run(source, tmp_path)).proven_by == entry.sha256_source
    assert not end(run(source, tmp_path)).fresh
    assert len(host.asked) == 1, "what the catalogue proves needs no host"


def test_wishes(names: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    found = sources.find("sd-1.5")
    assert found.url == (
        "https://huggingface.co/stable-diffusion-v1-5/stable-diffusion-v1-5/resolve/main/"
        "v1-5-pruned-emaonly.safetensors"
    )
    assert found.file == "sd-1.5.safetensors"
    hub = "https://huggingface.co"
    assert sources.find("a/b/c d.ckpt").url == f"{hub}/a/b/resolve/main/c%20d.ckpt"
    assert sources.find("a/b/unet/x.ckpt").file == "x.ckpt"
    page = sources.find(f"{hub}/a/b/blob/v2/c%20d.ckpt?download=true")
    assert (page.url, page.file) == (f"{hub}/a/b/resolve/v2/c%20d.ckpt", "c d.ckpt")
    assert sources.find("https://x.test/y.ckpt?z#q", "mine").file == "mine.ckpt"
    assert sources.find("https://x.test/api/7", "mine.ckpt").file == "mine.ckpt"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.test/")
    assert sources.find("a/b/c.ckpt").url == "https://mirror.test/a/b/resolve/main/c.ckpt"
    monkeypatch.setenv("DARKROOM_MODELS_HOST", "https://mine.test")
    assert sources.find("a/b/c.ckpt").url == "https://mine.test/a/b/resolve/main/c.ckpt"


@pytest.mark.parametrize(
    ("wish", "name", "said"),
    [
        ("sd-15", None, "Did you mean sd-1.5"),
        ("", None, "The catalogue has no"),
        ("owner/repository", None, "The catalogue has no"),
        ("a/b/config.json", None, "no name for a file of a model"),
        ("https://x.test/api/7", None, "no name for a file of a model"),
        ("a/b/c.ckpt", "../c", "no name for a file of a model"),
        ("a/b/c.ckpt", ".hidden", "no name for a file of a model"),
        ("a/b/c.ckpt", "a\\b", "no name for a file of a model"),
        ("https://x.test/..%2F..%2Fevil.ckpt", "", None),
    ],
)
def test_wishes_that_cannot_be_meant(wish: str, name: str | None, said: str | None) -> None:
    if said is None:
        assert sources.find(wish, name).file == "evil.ckpt"
        return
    with pytest.raises(RequestError, match=said) as caught:
        sources.find(wish, name)
    assert caught.value.hint


def test_the_catalogue_is_honest() -> None:
    for name, entry in CATALOGUE.items():
        assert (entry.sha256 is None) == (entry.sha256_source is None), name
        assert sources.find(name).file.startswith(name)
        assert entry.licence.link.startswith("https://")
        assert json.dumps(entry.about).isascii()

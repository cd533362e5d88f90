"""Files that must be refused: every trick that was played on readers of checkpoints, and more."""

import io
import pickle
import re
import struct
import tarfile
import zipfile
from collections.abc import Iterator

from tests.checkpoints.files import (
    FLOATS,
    GOOD,
    PROTO,
    STOP,
    Case,
    checkpoint,
    entry,
    in_legacy,
    in_safetensors,
    in_zip,
    many,
    name,
    number,
    storage,
    tensor,
    text,
)

CANARY = "touch canary"

# What published attacks and bypasses of scanners call.
FUNCTIONS = """
os.system posix.system nt.system os.popen os.execv subprocess.Popen subprocess.check_output
builtins.eval builtins.exec builtins.compile builtins.__import__ builtins.getattr builtins.open
__builtin__.eval __builtin__.apply builtins.globals builtins.map builtins.filter
torch.load torch.hub.load torch.jit.load torch.serialization.load torch.storage._load_from_bytes
torch._utils._import_dotted_name torch.utils.collect_env.run
torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression
torch.utils._config_module.ConfigModule.load_config torch.utils.bottleneck.__main__.run_cprofile
torch._utils._rebuild_tensor_v2.__globals__ torch.os.system
numpy.testing._private.utils.runstring numpy.f2py.crackfortran.getlincoef numpy.load numpy.fromfile
pip.main pydoc.locate pydoc.pipepager bdb.Bdb.run cProfile.run profile.run timeit.timeit
doctest.debug_script code.interact runpy._run_code runpy.run_path ensurepip._run_pip
asyncio.unix_events._UnixSubprocessTransport._start distutils.file_util.write_file
lib2to3.pgen2.pgen.ParserGenerator.make_label idlelib.autocomplete.AutoComplete.get_entity
functools.partial functools.reduce operator.attrgetter operator.methodcaller itertools.starmap
types.CodeType types.FunctionType marshal.loads ctypes.CDLL importlib.import_module
shutil.rmtree webbrowser.open socket.create_connection urllib.request.urlopen venv.create
logging.config.listen multiprocessing.util.spawnv_passfds pty.spawn platform.popen
commands.getoutput sys.settrace trace.Trace.run imaplib.IMAP4_stream ssl.get_server_certificate
copyreg.__newobj__ copyreg.add_extension _pickle.loads pickle.loads dill.loads joblib.load
cloudpickle.loads _io.FileIO pathlib.Path.unlink tempfile.mktemp codecs.open
pytorch_lightning.LightningModule ldm.models.diffusion.ddpm.LatentDiffusion
""".split()


def cases() -> Iterator[Case]:
    """All hostile files, each under a name of its own."""
    yield from _calls()
    yield from _instructions()
    yield from _arguments()
    yield from _bombs()
    yield from _archives()
    yield from _legacy()
    yield from _safetensors()
    yield from _foreign()
    yield from _truncated()


def _both(label: str, data: bytes, says: str) -> Iterator[Case]:
    yield Case(f"{label}-zip", in_zip(data), says)
    # Where no storage is mentioned, the list of storages does not fit first.
    yield Case(f"{label}-legacy", in_legacy(data), f"{says}|does not fit its tensors")


def _calls() -> Iterator[Case]:
    for full in FUNCTIONS:
        says = f"contains code, refused: {re.escape(full)}"
        call = name(full) + many(text(CANARY)) + b"R"
        yield from _both(f"reduce-{full}", PROTO + call + STOP, says)
        module, _, last = full.rpartition(".")
        stacked = text(module) + text(last) + b"\x93" + many(text(CANARY)) + b"R"
        beside = checkpoint(weight=tensor(), evil=stacked)
        yield Case(f"stack-global-{full}", in_zip(beside), says)


def _instructions() -> Iterator[Case]:
    system = name("os.system")
    says = r"contains code, refused: os\.system"
    arguments = many(text(CANARY))
    yield from _both("inst", PROTO + b"(" + text(CANARY) + b"ios\nsystem\n" + STOP, says)
    yield from _both("obj", PROTO + b"(" + system + text(CANARY) + b"o" + STOP, says)
    yield from _both("newobj", PROTO + system + arguments + b"\x81" + STOP, says)
    yield from _both("newobj-ex", PROTO + system + arguments + b"}\x92" + STOP, says)
    yield from _both("build", PROTO + system + b"}" + text("a") + number(1) + b"sb" + STOP, says)
    memo = PROTO + system + b"q\x010h\x01" + arguments + b"R" + STOP
    yield from _both("through-the-memo", memo, says)
    pieces = PROTO + text("os") + b"\x94" + text("system") + b"\x940 h\x00h\x01".replace(b" ", b"")
    yield from _both("names-in-the-memo", pieces + b"\x93" + arguments + b"R" + STOP, says)
    nested = name("copyreg._reconstructor") + many(system, name("builtins.object"), b"N") + b"R"
    yield from _both("reconstructor", PROTO + nested + STOP, r"refused: copyreg\._reconstructor")
    for code, width in ((0x82, 1), (0x83, 2), (0x84, 4)):
        data = PROTO + bytes([code]) + b"\1" * width + arguments + b"R" + STOP
        yield from _both(f"extension-{code:x}", data, "contains code, refused: an extension code")
    yield from _both("persistent-text", PROTO + b"Pos.system\n" + STOP, "refused: a persistent id")
    yield from _both("persistent-number", PROTO + number(1) + b"Q" + STOP, "no storage")
    yield from _both("persistent-call", PROTO + many(text("module"), system) + b"Q.", "no storage")
    yield from _both("calls-a-list", PROTO + b"]" + arguments + b"R" + STOP, "contains code")
    yield from _both("calls-no-tuple", PROTO + system + b"]R" + STOP, says)
    yield from _both(
        "homoglyph", PROTO + name("\u043es.system") + arguments + b"R.", "contains code"
    )
    yield from _both(
        "spaced-name", PROTO + b"c os \n system\n" + arguments + b"R.", "contains code"
    )
    foreign = checkpoint(weight=tensor(), evil=name("os.system"))
    yield from _both("name-among-weights", foreign, r"no tensor \(os\.system\)")
    remnant = name("numpy.dtype") + many(text("f4")) + b"R"
    yield from _both(
        "object-among-weights", checkpoint(evil=remnant), r"no tensor \(numpy\.dtype\)"
    )
    sub = name("collections.OrderedDict") + many(b"](" + many(text("a"), system) + b"e") + b"R"
    yield from _both("filled-dictionary", PROTO + sub + STOP, "filled in an unknown way")
    for code in sorted(set(range(256)) - set(KNOWN)):
        data = PROTO + system + bytes([code]) + b"1\n" + STOP
        yield Case(f"instruction-{code:02x}", in_zip(data), says)
    oldest = b"cos\nsystem\n(S'touch canary'\ntR."
    yield Case("protocol-0", oldest, says)
    yield Case("protocol-0-in-zip", in_zip(oldest), says)
    yield Case("inst-protocol-0", b"(S'touch canary'\nios\nsystem\n.", r"\.")
    for protocol in range(6):
        evil = pickle.dumps(Evil(), protocol)
        yield Case(f"dumped-{protocol}", evil, r"posix\.system" if protocol else r"\.")
        yield Case(f"dumped-{protocol}-in-zip", in_zip(evil), r"posix\.system")
        yield Case(f"dumped-{protocol}-as-weights", in_zip(evil), suffix=".safetensors")
    yield Case("scanned-extension", in_zip(PROTO + system + arguments + b"R."), says, ".bin")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, (CANARY,)


# Instructions that the reader knows, or refuses by their own names.
KNOWN = b"\x80\x95(012qrhjNJKMGXUTCB)t]lae}sucRbQ.ioP" + bytes([*range(0x81, 0x98), 0x88, 0x89])


def _arguments() -> Iterator[Case]:
    for label, value, says in (
        ("storage-is-a-function", tensor(name("os.system")), "describe no tensor"),
        ("storage-is-a-number", tensor(number(1)), "describe no tensor"),
        ("negative-offset", tensor(offset=number(-1)), "describe no tensor"),
        ("offset-true", tensor(offset=b"\x88"), "describe no tensor"),
        ("offset-text", tensor(offset=text("0")), "describe no tensor"),
        ("negative-shape", tensor(shape=(-2, -2)), "describe no tensor"),
        ("negative-stride", tensor(stride=(-2, 1)), "describe no tensor"),
        ("ranks-differ", tensor(shape=(4,)), "describe no tensor"),
        ("nine-dimensions", tensor(shape=(1,) * 9, stride=(1,) * 9), "describe no tensor"),
        ("beyond-by-offset", tensor(offset=number(1)), "beyond its storage"),
        ("beyond-by-shape", tensor(shape=(3, 2)), "beyond its storage"),
        ("beyond-by-stride", tensor(stride=(3, 1)), "beyond its storage"),
        ("huge-shape", tensor(shape=(2**31 - 1,) * 8, stride=(0,) * 8), "beyond its storage"),
        ("repeated-view", tensor(shape=(10**6, 10**6), stride=(0, 0)), "beyond its storage"),
        ("larger-storage", tensor(storage(elements=number(5))), "."),
        ("smaller-storage", tensor(storage(elements=number(3))), "."),
        ("negative-storage", tensor(storage(elements=number(-4))), "impossible size"),
        ("storage-of-text", tensor(storage(elements=text("4"))), "impossible size"),
        ("storage-of-float", tensor(storage(elements=b"G" + bytes(8))), "impossible size"),
        ("other-type", tensor(storage(kind="torch.DoubleStorage")), "."),
        ("quantised", tensor(storage(kind="torch.QInt8Storage")), "not supported"),
        ("untyped", tensor(storage(kind="torch.storage.UntypedStorage")), "no type"),
        ("foreign-storage", tensor(storage(kind="os.FloatStorage")), "no type"),
        ("missing-storage", tensor(storage("7")), "."),
        ("storage-outside", tensor(storage("../../../etc/passwd")), "."),
        ("storage-no-key", tensor(storage("")), "no key"),
        ("sparse", tensor(function="torch._utils._rebuild_sparse_tensor"), "kind of tensor"),
        ("subclass", tensor(function="torch._tensor._rebuild_from_type_v2"), "kind of tensor"),
        ("parameter-of-nothing", name("torch._utils._rebuild_parameter") + b")R", "no tensor"),
    ):
        yield from _both(label, checkpoint(weight=value), says)
    two = checkpoint(a=tensor(), b=tensor(storage(kind="torch.IntStorage")))
    yield from _both("storage-described-twice", two, "in two ways")
    twice = text("a.b") + tensor() + text("a") + b"}" + text("b") + tensor() + b"s"
    yield from _both("one-name-twice", PROTO + b"}(" + twice + b"u.", "twice")
    yield from _both("endless-name", checkpoint(**{"n" * 5000: tensor()}), "absurdly long")
    yield from _both("no-dictionary", PROTO + b"]" + STOP, "no weights by name")


def _bombs() -> Iterator[Case]:
    says = "is not a checkpoint|holds no weights|incomplete"
    doubled = PROTO + text("x") + b"2\x86" * 100_000 + STOP
    yield from _both("doubling-tuples", doubled, says)
    keyed = PROTO + b"}" + b")" + b"2\x86" * 60 + number(1) + b"s0" + b"]" + STOP
    yield from _both("doubling-key", keyed, says)
    collisions = b"".join(
        b"\x8a\x0c" + (i * (2**61 - 1)).to_bytes(12, "little") + b"N" for i in range(50_000)
    )
    yield from _both("colliding-keys", PROTO + b"}(" + collisions + b"u0]" + STOP, says)
    yield from _both("deep-marks", PROTO + b"(" * 500_000 + STOP, "nested too deeply")
    yield from _both("deep-tuples", PROTO + b")" + b"\x85" * 900_000 + STOP, says)
    yield from _both("many-lists", PROTO + b"]" * 2_000_000 + STOP, "instructions")
    yield from _both("many-dictionaries", PROTO + b"}\x94" * 1_500_000 + STOP, "instructions")
    yield from _both("many-copies", PROTO + b"]" + b"2" * 2_000_000 + STOP, "instructions")
    yield from _both("contains-itself", PROTO + b"]q\0h\0a" + STOP, says)
    cyclic = PROTO + b"}q\0" + text("state_dict") + b"h\0s" + STOP
    yield from _both("state-dict-in-itself", cyclic, ".")
    wide = b"".join(text(f"k{i}") + b"h\0" for i in range(3000))
    yield from _both(
        "wide-cycle",
        PROTO + b"}q\0(" + wide + b"u" + text("w") + tensor(shape=(9, 9)) + b"s.",
        "beyond",
    )
    yield from _both(
        "long-number", PROTO + b"\x8b" + struct.pack("<I", 2**31 - 1) + b"1", "absurdly long"
    )
    yield from _both("long-short-number", PROTO + b"\x8a\xff" + b"1" * 255 + STOP, "absurdly long")
    for code, width in ((b"X", 4), (b"B", 4), (b"T", 4), (b"\x8d", 8), (b"\x8e", 8), (b"\x96", 8)):
        data = PROTO + code + b"\xff" * (width - 1) + b"\x3f" + b"abc" + STOP
        yield from _both(f"endless-string-{code.hex()}", data, "absurdly long")
    yield from _both("far-memo", PROTO + b"]r\xff\xff\xff\xff].", says)
    yield from _both("unknown-memo", PROTO + b"h\x05.", "never said")
    yield from _both("empty-stack", PROTO + b".", "no sense")
    yield from _both("pop-nothing", PROTO + b"0.", "no sense")
    yield from _both("no-mark", PROTO + b"t.", "no sense")
    yield from _both("odd-items", PROTO + b"}(Nu.", "no dictionary")
    yield from _both("append-to-dictionary", PROTO + b"}Na.", "no list")
    yield from _both("set-in-list", PROTO + b"]NNs.", "no dictionary")
    yield from _both("tuple-of-too-few", PROTO + b"N\x87.", "no sense")
    yield from _both("future-protocol", b"\x80\xff]" + STOP, "protocol 255")
    yield from _both("endless-name-line", PROTO + b"c" + b"a" * 100_000 + b"\nb\n.", "does not end")
    yield from _both("out-of-band", PROTO + b"\x97\x98.", "not allowed")
    names = b"".join(name(f"m{i}.f") for i in range(200_000))
    yield from _both("many-names", PROTO + names + STOP, says)


def _archives() -> Iterator[Case]:
    good = in_zip(GOOD)
    deflated = in_zip(GOOD, compression=zipfile.ZIP_DEFLATED)
    yield Case("deflated", deflated, "compressed")
    bomb = {"0": bytes(50_000_000)}
    yield Case("zip-bomb", in_zip(GOOD, bomb, compression=zipfile.ZIP_DEFLATED), "compressed")
    yield Case("lzma", in_zip(GOOD, compression=zipfile.ZIP_LZMA), "compressed")
    yield Case("no-data", in_zip(GOOD, {}), "missing")
    yield Case("wrong-size", in_zip(GOOD, {"0": FLOATS * 2}), "32 bytes, not 16")
    yield Case("two-pickles", in_zip(GOOD, extra={"other/data.pkl": GOOD}), "not a checkpoint")
    yield Case("torchscript", in_zip(GOOD, extra={"archive/code/a.py": b"0"}), "TorchScript")
    yield Case("big-endian", in_zip(GOOD, extra={"archive/byteorder": b"big"}), "byte order")
    yield Case("second-pickle", in_zip(GOOD + GOOD), "something follows")
    yield Case("no-checkpoint", in_zip(GOOD, folder="a/b"), "not a checkpoint")
    for path in ("../evil", "/etc/evil", "archive/../../evil", "a\\evil", "C:/evil", "archive//x"):
        yield Case(f"path-{path.encode().hex()}", in_zip(GOOD, extra={path: b"x"}), "outside")
    yield Case("path-control", in_zip(GOOD, extra={"archive/\x1b[2J": b"x"}), "outside")
    yield Case("comment", good[:-2] + b"\3\0abc", "incomplete|damaged")
    yield Case("appended", good + b"appended", "incomplete")
    yield Case("prepended", b"#!/bin/sh\n" + good, r"\.")
    yield Case("damaged-pickle", good.replace(b"state_dict", b"state_dicT", 1), "damaged")
    start = good.index(b"PK\x01\x02")
    end = good.rindex(b"PK\x05\x06")

    def patched(at: int, value: bytes) -> bytes:
        return good[:at] + value + good[at + len(value) :]

    yield Case("wrong-checksum", patched(start + 16, b"\0\0\0\0"), "damaged")
    for bit, label in ((0x0001, "encrypted"), (0x0040, "strong"), (0x2000, "masked")):
        flags = struct.pack("<H", bit)
        yield Case(f"flag-{label}", patched(start + 8, flags), "encrypted")
        yield Case(f"flag-{label}-local", patched(6, flags), "disagree")
    yield Case("method-local", patched(8, b"\x08\0"), "disagree")
    yield Case("name-local", patched(30, b"ARCHIVE"), "disagree")
    yield Case("name-length-local", patched(26, b"\1\0"), "disagree")
    yield Case("name-central", patched(start + 46, b"\xff"), "UTF-8")
    yield Case("magic-local", patched(0, b"PK\x03\x04PKPK"), ".")
    yield Case("magic-central", patched(start, b"PKPK"), "damaged")
    yield Case("size-central", patched(start + 20, struct.pack("<II", 10**6, 10**6)), "beyond")
    yield Case("sizes-differ", patched(start + 24, struct.pack("<I", 1)), "compressed")
    yield Case("offset-central", patched(start + 42, struct.pack("<I", 10**8)), "beyond")
    second = good.index(b"PK\x01\x02", start + 4)
    yield Case("overlap", patched(second + 42, b"\0\0\0\0"), "disagree")
    yield Case("overlapping-data", _overlapping(), "overlap")
    yield Case("zip64-missing", patched(start + 20, b"\xff" * 8), "missing")
    yield Case("count-larger", patched(end + 8, b"\x09\0\x09\0"), "cut short")
    yield Case("count-smaller", patched(end + 8, b"\x01\0\x01\0"), "longer than its list")
    yield Case("directory-elsewhere", patched(end + 16, b"\0\0\0\0"), "damaged")
    yield Case("directory-size", patched(end + 12, b"\xff\xff\xff\x7f"), "damaged")
    yield Case("second-disk", patched(end + 4, b"\1\0"), "damaged")
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 2**62, 1)
    yield Case("zip64-nowhere", good[:end] + locator + good[end:], "damaged")
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, 0, 1)
    yield Case("zip64-no-record", good[:end] + locator + good[end:], "damaged")
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 2**60, 2**60, 10, end - 10)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, end, 1)
    yield Case("zip64-count", good[:end] + record + locator + good[end:], "lists|cut short")
    doubled = io.BytesIO()
    with zipfile.ZipFile(doubled, "w") as file:
        file.writestr("archive/data.pkl", GOOD)
        file.writestr("archive/data/0", FLOATS)
        file.writestr("archive/data/1", FLOATS)
    twice = doubled.getvalue().replace(b"archive/data/1", b"archive/data/0")
    yield Case("same-name-twice", twice, "twice")
    nothing = io.BytesIO()
    zipfile.ZipFile(nothing, "w").close()
    yield Case("empty-zip", nothing.getvalue(), r"\.")
    yield Case("zip-of-words", in_zip(GOOD, folder="word/media"), "not a checkpoint")


def _overlapping() -> bytes:
    """A storage whose bytes contain the next file of the archive."""
    good = in_zip(checkpoint(a=tensor(), b=tensor(storage("1"))), {"0": FLOATS, "1": FLOATS})
    at = good.index(b"archive/data/0", good.index(b"PK\x01\x02")) - 46
    return good[: at + 20] + struct.pack("<II", 70, 70) + good[at + 28 :]


def _legacy() -> Iterator[Case]:
    yield Case("legacy-magic", in_legacy(GOOD, magic=1), "not a checkpoint")
    yield Case("legacy-protocol", in_legacy(GOOD, protocol=1000), "protocol")
    yield Case("legacy-system", in_legacy(GOOD, system=[]), "protocol")
    yield Case("legacy-big-endian", in_legacy(GOOD, system={"little_endian": False}), "byte order")
    yield Case("legacy-keys", in_legacy(GOOD, keys=["1"]), "does not fit")
    yield Case("legacy-keys-twice", in_legacy(GOOD, keys=["0", "0"]), "does not fit")
    yield Case("legacy-keys-no-list", in_legacy(GOOD, keys={"0": 1}), "no list")
    yield Case("legacy-count", in_legacy(GOOD, {"0": (5, FLOATS)}), "4 elements")
    yield Case("legacy-negative", in_legacy(GOOD, {"0": (-1, FLOATS)}), "4 elements")
    yield Case("legacy-short", in_legacy(GOOD, {"0": (4, FLOATS[:8])}), "incomplete: ")
    yield Case("legacy-appended", in_legacy(GOOD) + b"x", "follow")
    view = many(
        text("storage"),
        name("torch.FloatStorage"),
        text("0"),
        text("cpu"),
        number(4),
        many(text("1"), number(0), number(4)),
    )
    yield Case("legacy-view", in_legacy(checkpoint(a=tensor(view + b"Q"))), "impossible size")
    yield Case("plain-pickle", pickle.dumps({"weight": [1.0]}), "not a checkpoint")


def _safetensors() -> Iterator[Case]:
    def case(label: str, header: object, data: bytes = FLOATS, says: str = "malformed") -> Case:
        return Case(label, in_safetensors(header, data), says, ".safetensors")

    good = {"weight": entry()}
    yield case("st-trailing", good, FLOATS + b"x", "1 bytes follow")
    yield case("st-hole", {"weight": entry(offsets=(4, 20))}, FLOATS + bytes(4), "hole")
    overlap = {"a": entry(), "b": entry(shape=(2,), offsets=(8, 16))}
    yield case("st-overlap", overlap, FLOATS, "overlaps")
    yield case("st-overlap-whole", {"a": entry(), "b": entry()}, FLOATS, "overlaps")
    yield case("st-shape-lies", {"weight": entry(shape=(3, 2))}, says="disagree")
    yield case("st-type-lies", {"weight": entry("F16")}, says="disagree")
    yield case("st-negative-offset", {"weight": entry(offsets=(-16, 0))}, says="offsets")
    yield case("st-backwards", {"weight": entry(offsets=(16, 0))}, says="disagree")
    yield case("st-negative-shape", {"weight": entry(shape=(-2, -2))}, says="shape")
    yield case("st-float-shape", {"weight": entry(shape=(2.0, 2))}, says="shape")
    yield case("st-true-shape", {"weight": entry(shape=(True, 4))}, says="shape")
    yield case("st-huge-shape", {"weight": entry(shape=(2**62, 2**62, 2**62))}, says="shape")
    yield case(
        "st-zero-bomb",
        {"weight": entry(shape=(2**62, 0, 2**62, 2**62), offsets=(0, 0))},
        b"",
        "shape",
    )
    yield case("st-many-dimensions", {"weight": entry(shape=[1] * 9)}, says="shape")
    yield case("st-unknown-type", {"weight": entry("F128")}, says="unknown type")
    yield case("st-type-list", {"weight": entry(["F32"])}, says="unknown type")  # type: ignore[arg-type]
    yield case("st-extra-field", {"weight": entry(code="os.system")}, says="wrong fields")
    yield case(
        "st-missing-field", {"weight": {"dtype": "F32", "shape": [2, 2]}}, says="wrong fields"
    )
    yield case("st-three-offsets", {"weight": entry(offsets=(0, 8, 16))}, says="offsets")
    yield case(
        "st-beyond", {"weight": entry(shape=(2**20,), offsets=(0, 2**22))}, says="incomplete: "
    )
    body = b'{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}'
    yield case("st-duplicate", b'{"a":' + body + b',"a":' + body + b"}", says="twice")
    field = body.replace(b"}", b',"dtype":"F32"}')
    yield case("st-duplicate-field", b'{"a":' + field + b"}", says="wrong fields")
    meta = b'"__metadata__":{"a":"b"}'
    yield case("st-two-metadata", b"{" + meta + b"," + meta + b"}", b"", "two blocks")
    yield case("st-metadata-twice", b'{"__metadata__":{"a":"b","a":"c"}}', b"", "twice")
    yield case("st-metadata-number", {"__metadata__": {"a": 1}}, b"", "text")
    yield case("st-metadata-nested", {"__metadata__": {"a": {"b": "c"}}}, b"", "text")
    yield case("st-not-utf8", b'{"\xff\xfe":' + body + b"}", says="UTF-8")
    yield case("st-surrogate", b'{"\\ud800":' + body + b"}", says="malformed")
    yield case("st-control", b'{"a\x00":' + body + b"}", says="malformed")
    yield case("st-long-name", {"n" * 2000: entry()}, says="absurdly long")
    yield case("st-list", b"[" + body + b"]", says=".")
    yield case("st-deep-list", b'{"a":' + b"[" * 1_000_000 + b"}", says="no entry")
    yield case("st-deep-object", b'{"a":' * 1_000_000, says="malformed|no entry")
    yield case("st-deep-field", b'{"a":{"dtype":' + b"[" * 1000 + b"}}", says="malformed|no entry")
    yield case("st-number-bomb", b'{"a":{"shape":[' + b"9" * 900 + b"]}}", says="malformed")
    yield case("st-long-list", b'{"a":[' + b"0," * 10_000_000 + b"0]}", says="no entry")
    many_names = b",".join(
        b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % i for i in range(70_000)
    )
    yield case("st-many-tensors", b"{" + many_names + b"}", b"", "more than")
    yield case("st-after", b'{"a":' + body + b"} x", says="after its end")
    yield case("st-unclosed", b'{"a":' + body, says="malformed")
    yield case("st-comma", b'{"a":' + body + b",}", says="malformed")
    yield case("st-no-comma", b'{"a":' + body + b'"b":' + body + b"}", says="malformed")
    for length in (2**25 + 1, 10**8 + 1, 2**39):
        data = in_safetensors(good, FLOATS, length=length)
        yield Case(f"st-length-{length}", data, "claims", ".safetensors")
    yield Case("st-length-all", b"\xff" * 8 + b"{}", r"\.", ".safetensors")
    yield Case(
        "st-length-lies", in_safetensors(good, FLOATS, length=10**6), "incomplete", ".safetensors"
    )
    yield Case(
        "st-length-short", in_safetensors(good, FLOATS, length=20), "malformed", ".safetensors"
    )
    yield Case("st-length-0", bytes(8) + b"{", "malformed", ".safetensors")


def _foreign() -> Iterator[Case]:
    page = b"\xef\xbb\xbf\n <!DOCTYPE html><html><body>Please log in</body></html>"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("weights"))
    for label, data, says in (
        ("empty", b"", "is empty"),
        ("web-page", page, "web page"),
        ("web-page-comments", b"<!-- a --> <!-- b -->\n" * 20 + page[3:], "web page"),
        ("comments-only", b"<!---->" * 26, "text file"),
        ("web-page-xml", b'<?xml version="1.0"?><Error/>', "web page"),
        ("git-lfs", pointer + b"\nsize 4265380512\n", r"Git-LFS pointer.*4\.27 GB"),
        ("png", b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG image"),
        ("jpeg", b"\xff\xd8\xff\xe0" + bytes(100), "JPEG image"),
        ("webp", b"RIFF\0\0\0\0WEBPVP8 " + bytes(100), "WebP image"),
        ("gguf", b"GGUF\3\0\0\0" + bytes(100), "GGUF"),
        ("tar", tar.getvalue(), "tar archive"),
        ("gzip", b"\x1f\x8b\x08" + bytes(100), "gzip"),
        ("seven-zip", b"7z\xbc\xaf\x27\x1c" + bytes(100), "7-Zip"),
        ("program", b"\x7fELF" + bytes(100), "program"),
        ("zeros", bytes(5000), "only zeros"),
        ("words", b"Entry not found", "text file.*Entry not found"),
        ("json", b'{"error": "Invalid username or password."}', "text file"),
        ("escape-codes", b"\x1b[2Jhello", "not a model"),
        ("noise", bytes((i * 7919 + 13) % 251 for i in range(4000)), "not a model"),
    ):
        yield Case(f"is-{label}", data, says)


def _truncated() -> Iterator[Case]:
    safetensors = in_safetensors({"weight": entry()}, FLOATS)
    for label, whole, suffix in (
        ("zip", in_zip(GOOD), ".ckpt"),
        ("legacy", in_legacy(GOOD), ".ckpt"),
        ("safetensors", safetensors, ".safetensors"),
    ):
        points = {len(whole) * i // 100 for i in range(100)} | {len(whole) - 1}
        for at in sorted(points):
            yield Case(f"cut-{label}-{at}", whole[:at], ".", suffix)

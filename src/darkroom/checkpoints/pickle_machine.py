"""Reads a pickle without executing it.

A pickle is a program for a small stack machine.  This interpreter knows the instructions that
`torch.save` writes, builds plain values only (numbers, strings, tuples, lists, dictionaries) and
never imports or calls anything: a name becomes a `Global`, an inert label.  Calling one is only
understood for the few functions that describe tensors (`REBUILD`), for plain containers, and for
the remnants of training programs (`REMNANTS`), whose result is an empty label again.  Whatever
else is called refuses the file by name.  Neither `pickle` nor `torch.load` is used.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

from darkroom.checkpoints.tensors import MAX_DIMENSIONS, shown
from darkroom.errors import ModelError

# A full training checkpoint of Stable Diffusion takes about 150,000 instructions and 2 MB.
MAX_BYTES = 2**25
MAX_INSTRUCTIONS = 1_000_000
MAX_MARKS = 1000
MAX_STRING = 2**20
MAX_NUMBER_BYTES = 64
MAX_NAME = 256

NO_CODE = (
    "A model needs no code. Get the .safetensors file of this model from a source that you trust, "
    "and open this file with nothing else."
)


@dataclass(frozen=True, slots=True)
class Global:
    """A name that the pickle mentions; nothing is looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(frozen=True, slots=True)
class Remnant:
    """Stands where an object of a training program was; empty."""

    kind: Global


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of `elements` numbers in the file, known by its key."""

    key: str
    dtype: str
    elements: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view on a storage: offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


STORAGES = {
    "DoubleStorage": "F64",
    "FloatStorage": "F32",
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}

REMNANTS = frozenset(
    {
        "__builtin__.bytearray",
        "__builtin__.complex",
        "__builtin__.frozenset",
        "__builtin__.set",
        "_codecs.encode",
        "argparse.Namespace",
        "builtins.bytearray",
        "builtins.complex",
        "builtins.frozenset",
        "builtins.set",
        "collections.Counter",
        "collections.deque",
        "datetime.datetime",
        "datetime.timedelta",
        "lightning.fabric.utilities.data.AttributeDict",
        "lightning.pytorch.callbacks.early_stopping.EarlyStopping",
        "lightning.pytorch.callbacks.model_checkpoint.ModelCheckpoint",
        "lightning_fabric.utilities.data.AttributeDict",
        "numpy._core.multiarray._reconstruct",
        "numpy._core.multiarray.scalar",
        "numpy._core.numeric._frombuffer",
        "numpy.core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy.dtype",
        "numpy.ndarray",
        "omegaconf.base.ContainerMetadata",
        "omegaconf.base.Metadata",
        "omegaconf.dictconfig.DictConfig",
        "omegaconf.listconfig.ListConfig",
        "omegaconf.nodes.AnyNode",
        "omegaconf.nodes.BooleanNode",
        "omegaconf.nodes.FloatNode",
        "omegaconf.nodes.IntegerNode",
        "omegaconf.nodes.StringNode",
        "pathlib.PosixPath",
        "pathlib.PurePosixPath",
        "pathlib.PureWindowsPath",
        "pathlib.WindowsPath",
        "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
        "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
        "pytorch_lightning.utilities.parsing.AttributeDict",
        "torch.device",
    }
)


def read_pickle(stream: BinaryIO, source: str) -> tuple[object, dict[str, Storage]]:
    """The value that a pickle describes, and every storage that it mentions, by key.

    Reads exactly to the pickle's end, so that what follows in `stream` can be read next.
    `source` is the file's name for messages.  Raises ModelError; time and memory are bounded by
    the constants above.
    """
    machine = _Machine(stream, source)
    return machine.run(), machine.storages


class _Machine:
    """The stack machine: one method for an instruction, or a few that share one."""

    def __init__(self, stream: BinaryIO, source: str) -> None:
        self.stream = stream
        self.source = source
        self.left = MAX_BYTES
        self.stack: list[object] = []
        self.outer: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.foreign: Global | None = None
        self.storages: dict[str, Storage] = {}

    def run(self) -> object:
        try:
            for _ in range(MAX_INSTRUCTIONS):
                code = self.take(1)[0]
                if code == STOP:
                    return self.pop()
                handler = HANDLERS.get(code)
                if handler is None:
                    self.refuse_nonsense(f"instruction 0x{code:02x} is not allowed")
                handler(self)
        except IndexError:
            self.refuse_nonsense("its instructions make no sense")
        self.refuse(f"it has more than {MAX_INSTRUCTIONS} instructions")

    # Refusals

    def refuse(self, reason: str) -> NoReturn:
        raise ModelError(
            f"{self.source} is not a checkpoint that torch.save wrote: {shown(reason)}.",
            "Download it again, or use the .safetensors file of this model.",
        )

    def refuse_code(self, name: object) -> NoReturn:
        raise ModelError(f"{self.source} contains code, refused: {_shown(name)}.", NO_CODE)

    def refuse_nonsense(self, reason: str) -> NoReturn:
        """For what no honest file holds: the strange name that it mentions says more."""
        if self.foreign is not None:
            self.refuse_code(self.foreign)
        self.refuse(reason)

    # Reading

    def take(self, count: int) -> bytes:
        if count > self.left:
            self.refuse(f"it needs more than {MAX_BYTES} bytes of instructions")
        self.left -= count
        data = self.stream.read(count)
        if len(data) != count:
            raise ModelError(
                f"{self.source} is incomplete: it ends in the middle of its list of tensors.",
                "Download it again.",
            )
        return data

    def skip(self, count: int) -> None:
        self.take(count)

    def number(self, width: int) -> int:
        return int.from_bytes(self.take(width), "little")

    def line(self) -> str:
        line = self.stream.readline(MAX_NAME + 1)
        self.left -= len(line)
        if not line.endswith(b"\n") or self.left < 0:
            self.refuse("a name in it does not end")
        return line[:-1].decode("utf-8", "replace")

    def text(self, length: int) -> str:
        return self.long(length).decode("utf-8", "replace")

    def long(self, length: int) -> bytes:
        if length > MAX_STRING:
            self.refuse("a string in it is absurdly long")
        return self.take(length)

    # The stack

    def push(self, value: object) -> None:
        self.stack.append(value)

    def pop(self) -> object:
        return self.stack.pop()

    def drop(self) -> None:
        self.stack.pop()

    def drop_to_mark(self) -> None:
        self.since_mark()

    def mark(self) -> None:
        if len(self.outer) == MAX_MARKS:
            self.refuse("it is nested too deeply")
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        items = self.stack
        self.stack = self.outer.pop()
        return items

    def remember(self, key: int) -> None:
        self.memo[key] = self.stack[-1]

    def recall(self, key: int) -> None:
        if key not in self.memo:
            self.refuse("it refers to something that it never said")
        self.push(self.memo[key])

    # Containers

    def pack(self, length: int) -> None:
        if length > len(self.stack):
            raise IndexError
        items = tuple(self.stack[-length:])
        del self.stack[-length:]
        self.push(items)

    def extend(self, items: list[object]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif not isinstance(target, Remnant):
            self.refuse("it appends to something that is no list")

    def set_items(self, items: list[object]) -> None:
        target = self.stack[-1]
        if len(items) % 2 or not isinstance(target, dict | Remnant):
            self.refuse("it fills something that is no dictionary")
        if isinstance(target, Remnant):
            return
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Other keys (classes, in old training files) name nothing that is read later, and
            # hashing a hostile tuple could take for ever.
            if isinstance(key, str) or (isinstance(key, int) and abs(key) < 2**60):
                target[key] = value

    def append_one(self) -> None:
        value = self.pop()
        self.extend([value])

    def set_one(self) -> None:
        value, key = self.pop(), self.pop()
        self.set_items([key, value])

    # Names and calls

    def label(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            self.refuse("a name in it is no text")
        found = Global(module[:MAX_NAME], name[:MAX_NAME])
        self.push(found)
        if not _known(found):
            self.foreign = found

    def stack_global(self) -> None:
        name, module = self.pop(), self.pop()
        self.label(module, name)

    def call(self, function: object, arguments: object) -> None:
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            self.refuse_code(function)
        name = str(function)
        if name in REBUILD:
            value = REBUILD[name](arguments)
            if value is None:
                self.refuse(f"{name} got arguments that describe no tensor")
            self.push(value)
        elif name in DICTIONARIES:
            # torch.save fills them afterwards; a defaultdict is given its factory, a name.
            if any(not isinstance(value, Global) for value in arguments[:1]):
                self.refuse(f"a {function.name} in it is filled in an unknown way")
            self.push({})
        elif name in REMNANTS or (
            name in RECONSTRUCTORS and arguments and _is_remnant(arguments[0])
        ):
            self.push(Remnant(function))
        elif _OTHER_TENSORS.fullmatch(name):
            self.refuse(f"it holds a kind of tensor that is not supported ({_shown(name)})")
        else:
            self.refuse_code(function)

    def reduce(self) -> None:
        arguments, function = self.pop(), self.pop()
        self.call(function, arguments)

    def new(self) -> None:
        arguments, kind = self.pop(), self.pop()
        if not isinstance(kind, Global) or str(kind) not in REMNANTS | DICTIONARIES:
            self.refuse_code(kind)
        self.call(kind, arguments)

    def new_with_names(self) -> None:
        self.pop()
        self.new()

    def build(self) -> None:
        # The state of an object: attributes, which neither dictionaries nor remnants need.
        self.pop()
        target = self.stack[-1]
        if not isinstance(target, dict | Remnant):
            self.refuse_code(target)

    def refuse_instance(self) -> NoReturn:
        module, name = self.line(), self.line()
        self.refuse_code(Global(module, name))

    def refuse_object(self) -> NoReturn:
        items = self.since_mark()
        self.refuse_code(items[0])

    def refuse_extension(self) -> NoReturn:
        self.refuse_code("an extension code")

    def refuse_text_id(self) -> NoReturn:
        self.refuse_code(f"a persistent id, {self.line()}")

    def persistent(self) -> None:
        """Storages, the only persistent ids of torch.save.

        ("storage", type, key, location, elements); legacy files add a sixth, None.
        """
        value = self.pop()
        if not isinstance(value, tuple) or len(value) not in (5, 6) or value[0] != "storage":
            self.refuse("a persistent id in it is no storage")
        kind, key, elements = value[1], value[2], value[4]
        if not isinstance(kind, Global) or kind.module not in ("torch", "torch.cuda"):
            self.refuse("a storage in it has no type")
        if kind.name not in STORAGES:
            self.refuse(f"a storage of type {_shown(kind)} is not supported")
        if not isinstance(key, str) or not 0 < len(key) <= MAX_NAME:
            self.refuse("a storage in it has no key")
        if not _natural(elements) or (len(value) == 6 and value[5] is not None):
            self.refuse("a storage in it has an impossible size")
        storage = Storage(key, STORAGES[kind.name], elements)
        if self.storages.setdefault(key, storage) != storage:
            self.refuse(f"the storage {_shown(key)} is described in two ways")
        self.push(storage)

    # Numbers

    def long_number(self, width: int) -> None:
        length = self.number(width)
        if length > MAX_NUMBER_BYTES:
            self.refuse("a number in it is absurdly long")
        self.push(int.from_bytes(self.take(length), "little", signed=True))

    def protocol(self) -> None:
        if (version := self.number(1)) > 5:
            self.refuse(f"pickle protocol {version} is unknown")

    def old_string(self, length: int) -> None:
        # Python 2 wrote both text and bytes in this way.
        data = self.long(length)
        try:
            self.push(data.decode())
        except UnicodeDecodeError:
            self.push(data)


def _known(name: Global) -> bool:
    full = str(name)
    return (
        full in REBUILD
        or full in DICTIONARIES
        or full in REMNANTS
        or full in RECONSTRUCTORS
        or (name.module in ("torch", "torch.cuda") and name.name in STORAGES)
    )


def _is_remnant(value: object) -> bool:
    return isinstance(value, Global) and str(value) in REMNANTS


def _natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _shown(value: object) -> str:
    """Something of the file in a message: never a container, whose text could be endless."""
    if not isinstance(value, str | Global):
        return "something that is no function"
    return shown(str(value))


def _rebuild_tensor(arguments: tuple[object, ...]) -> StoredTensor | None:
    """torch._utils._rebuild_tensor(storage, offset, size, stride) and _v2 with more behind."""
    if len(arguments) < 4:
        return None
    storage, offset, shape, stride = arguments[:4]
    if not isinstance(storage, Storage) or not isinstance(offset, int) or not _natural(offset):
        return None
    if not isinstance(shape, tuple) or not isinstance(stride, tuple):
        return None
    if len(shape) != len(stride) or len(shape) > MAX_DIMENSIONS:
        return None
    if not all(_natural(n) for n in shape + stride):
        return None
    return StoredTensor(storage, offset, shape, stride)


def _rebuild_parameter(arguments: tuple[object, ...]) -> StoredTensor | None:
    """torch._utils._rebuild_parameter(tensor, requires_grad, hooks)."""
    first = arguments[0] if arguments else None
    return first if isinstance(first, StoredTensor) else None


def _size(arguments: tuple[object, ...]) -> tuple[object, ...] | None:
    """torch.Size((…))"""
    first = arguments[0] if len(arguments) == 1 else ()
    return first if isinstance(first, tuple) else None


REBUILD: dict[str, Callable[[tuple[object, ...]], object]] = {
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch.Size": _size,
}
DICTIONARIES = frozenset({"collections.OrderedDict", "collections.defaultdict"})
_OTHER_TENSORS = re.compile(r"torch\._(utils|tensor)\._rebuild_\w+")
RECONSTRUCTORS = frozenset({"copy_reg._reconstructor", "copyreg._reconstructor"})

STOP = ord(".")

HANDLERS: dict[int, Callable[[_Machine], None]] = {
    # Framing
    0x80: _Machine.protocol,
    0x95: lambda m: m.skip(8),
    # Stack and memo
    ord("("): _Machine.mark,
    ord("0"): lambda m: m.drop(),
    ord("1"): lambda m: m.drop_to_mark(),
    ord("2"): lambda m: m.push(m.stack[-1]),
    ord("q"): lambda m: m.remember(m.number(1)),
    ord("r"): lambda m: m.remember(m.number(4)),
    0x94: lambda m: m.remember(len(m.memo)),
    ord("h"): lambda m: m.recall(m.number(1)),
    ord("j"): lambda m: m.recall(m.number(4)),
    # Plain values
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("J"): lambda m: m.push(struct.unpack("<i", m.take(4))[0]),
    ord("K"): lambda m: m.push(m.number(1)),
    ord("M"): lambda m: m.push(m.number(2)),
    0x8A: lambda m: m.long_number(1),
    0x8B: lambda m: m.long_number(4),
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    0x8C: lambda m: m.push(m.text(m.number(1))),
    ord("X"): lambda m: m.push(m.text(m.number(4))),
    0x8D: lambda m: m.push(m.text(m.number(8))),
    ord("U"): lambda m: m.old_string(m.number(1)),
    ord("T"): lambda m: m.old_string(m.number(4)),
    ord("C"): lambda m: m.push(m.long(m.number(1))),
    ord("B"): lambda m: m.push(m.long(m.number(4))),
    0x8E: lambda m: m.push(m.long(m.number(8))),
    0x96: lambda m: m.push(m.long(m.number(8))),
    # Containers; a set stays a list, because nothing here may be hashed
    ord(")"): lambda m: m.push(()),
    0x85: lambda m: m.pack(1),
    0x86: lambda m: m.pack(2),
    0x87: lambda m: m.pack(3),
    ord("t"): lambda m: m.push(tuple(m.since_mark())),
    ord("]"): lambda m: m.push([]),
    ord("l"): lambda m: m.push(m.since_mark()),
    ord("a"): _Machine.append_one,
    ord("e"): lambda m: m.extend(m.since_mark()),
    ord("}"): lambda m: m.push({}),
    ord("s"): _Machine.set_one,
    ord("u"): lambda m: m.set_items(m.since_mark()),
    0x8F: lambda m: m.push([]),
    0x90: lambda m: m.extend(m.since_mark()),
    0x91: lambda m: m.push(m.since_mark()),
    # Names and calls
    ord("c"): lambda m: m.label(m.line(), m.line()),
    0x93: _Machine.stack_global,
    ord("R"): _Machine.reduce,
    ord("b"): _Machine.build,
    0x81: _Machine.new,
    0x92: _Machine.new_with_names,
    ord("Q"): _Machine.persistent,
    # Known, and always refused
    ord("i"): _Machine.refuse_instance,
    ord("o"): _Machine.refuse_object,
    ord("P"): _Machine.refuse_text_id,
    0x82: _Machine.refuse_extension,
    0x83: _Machine.refuse_extension,
    0x84: _Machine.refuse_extension,
}

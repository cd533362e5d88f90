"""Files as `torch.save` and Lightning write them are read bit for bit."""

import argparse
import collections
import datetime as dt
import pathlib
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from darkroom.checkpoints.header import Header, read_header
from darkroom.checkpoints.tensors import incomplete_text, size_text
from darkroom.errors import ModelError
from tests.checkpoints import files
from tests.checkpoints.reading import read_or_refuse

STORED = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
# Every way of torch.save: both containers, every protocol.
WAYS = [
    {"_use_new_zipfile_serialization": new, "pickle_protocol": protocol}
    for new in (True, False)
    for protocol in (2, 3, 4, 5)
]


def save(value: object, path: Path, way: dict[str, bool | int]) -> Header:
    torch.save(value, path, **way)  # type: ignore[arg-type]
    return read_header(path)


def read(path: Path, header: Header, name: str) -> Tensor:
    """The tensor by the header's word alone."""
    info = header.tensors[name]
    data = bytearray(path.read_bytes()[info.offset : info.offset + info.span_bytes])
    dtype = STORED[info.dtype]
    flat = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
    return flat.as_strided(info.shape, info.stride)


def weights() -> dict[str, Tensor]:
    torch.manual_seed(0)
    base = torch.randn(10, 10)
    return {
        "float": torch.randn(3, 4),
        "half": torch.randn(3, 4).half(),
        "bfloat16": torch.randn(3, 4).bfloat16(),
        "double": torch.randn(3).double(),
        "long": torch.arange(4),
        "byte": torch.arange(4, dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "shared": base,
        "shared-view": base[2:5, 1::2],
        "transposed": base.t(),
        "permuted": torch.randn(2, 3, 4).permute(2, 0, 1),
        "parameter": nn.Parameter(torch.randn(2, 2)),
        "frozen": nn.Parameter(torch.randn(2), requires_grad=False),
        "scalar": torch.tensor(3.5),
        "empty": torch.empty(0, 3),
        "dots.and spaces/ünïcode": torch.randn(1),
    }


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_kind_of_tensor_is_read_bit_for_bit(
    way: dict[str, bool | int], tmp_path: Path
) -> None:
    path = tmp_path / "model.ckpt"
    expected = weights()
    header = save({"state_dict": expected, "global_step": 470_000, "epoch": 3}, path, way)
    assert header.container == "ckpt"
    assert header.metadata == {"global_step": "470000", "epoch": "3"}
    assert header.tensors.keys() == expected.keys()
    for name, tensor in expected.items():
        found = read(path, header, name)
        assert found.dtype == tensor.dtype
        assert torch.equal(found, tensor)
        assert found.stride() == tensor.stride()


@pytest.mark.parametrize("way", WAYS[::3], ids=str)
@pytest.mark.parametrize("shape", ["bare", "nested", "module"])
def test_the_state_dict_is_found(shape: str, way: dict[str, bool | int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(3, 2), nn.Conv2d(1, 2, 3))
    state = layer.state_dict()  # An OrderedDict with attributes.
    value = {
        "bare": state,
        "nested": {"state_dict": {"state_dict": state}},
        "module": {"state_dict": dict(layer.named_parameters())},
    }[shape]
    path = tmp_path / "model.pt"
    header = save(value, path, way)
    for name, tensor in state.items():
        assert torch.equal(read(path, header, name), tensor)


def a_class(patch: pytest.MonkeyPatch, full: str, base: type = object) -> type:
    """A class that pickles under a name of a library that is not installed."""
    module, _, name = full.rpartition(".")
    made = type(name, (base,), {"__module__": module})
    parts = module.split(".")
    for count in range(1, len(parts) + 1):
        parent = ".".join(parts[:count])
        patch.setitem(sys.modules, parent, sys.modules.get(parent) or types.ModuleType(parent))
    setattr(sys.modules[module], name, made)
    return made


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_what_training_programs_leave_is_passed_over(
    way: dict[str, bool | int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopper = a_class(monkeypatch, "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint")
    attributes = a_class(monkeypatch, "pytorch_lightning.utilities.parsing.AttributeDict", dict)
    config = a_class(monkeypatch, "omegaconf.dictconfig.DictConfig")
    wish = config()
    wish.__dict__.update(_content={"a": [1, 2]}, _metadata=None)
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}
    value = {
        "epoch": 4,
        "global_step": 12,
        "pytorch-lightning_version": "1.4.2",
        "callbacks": {
            stopper: {
                "best_model_score": torch.tensor(0.5),
                "best_k_models": {"a.ckpt": np.float32(3)},
                "dirpath": pathlib.PurePosixPath("/logs"),
            }
        },
        "hyper_parameters": attributes(rate=np.float64(1e-4), names=("a", None, b"bytes", {1, 2})),
        "arguments": argparse.Namespace(base=["config.yaml"], seed=23),
        "config": wish,
        "numbers": np.arange(3),
        "counts": collections.Counter("aab"),
        "defaults": collections.defaultdict(list, a=[1]),
        "when": dt.timedelta(seconds=3),
        "device": torch.device("cpu"),
        "size": torch.Size([2, 3]),
        "dtype": torch.float16,
        "class": stopper,
        "optimizer_states": [{"state": {0: moments, 1: moments}, "param_groups": [{"lr": 1e-4}]}],
        "lr_schedulers": [],
        "random": (2**70, -1, 1.5, "ü" * 300, b"x" * 300, 70_000, [1] * 3000),
        "state_dict": weights(),
    }
    path = tmp_path / "last.ckpt"
    header = save(value, path, way)
    assert header.tensors.keys() == weights().keys()
    assert torch.equal(read(path, header, "transposed"), weights()["transposed"])
    assert header.metadata == {"global_step": "12", "epoch": "4"}


@pytest.mark.parametrize("way", WAYS[::3], ids=str)
def test_an_optimizer_beside_weights_without_a_name_of_their_own(
    way: dict[str, bool | int], tmp_path: Path
) -> None:
    moments = {"step": torch.tensor(1.0), "exp_avg": torch.ones(2)}
    optimizer = {"state": {0: moments}, "param_groups": [{"lr": 1e-4}]}
    value = {**weights(), "optimizer": optimizer, "lr_scheduler": {"last": torch.ones(1)}}
    header = save(value, tmp_path / "last.ckpt", way)
    assert header.tensors.keys() == weights().keys()


def test_a_whole_model_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ModelError, match=r"contains code, refused: torch\.nn\.modules\.linear\."):
        read_header(path)


def test_an_archive_of_more_than_four_gigabytes(tmp_path: Path) -> None:
    """Positions beyond 32 bits; the first storage is only declared, never written."""
    path = tmp_path / "large.ckpt"
    count = 5 * 2**28
    stored = files.storage("0", files.number(count))
    data = files.checkpoint(
        large=files.tensor(stored, shape=(count,), stride=(1,)),
        small=files.tensor(files.storage("1")),
    )
    inside: dict[str, bytes | int] = {
        "a/data.pkl": data,
        "a/data/0": 4 * count,
        "a/data/1": files.FLOATS,
    }
    files.write_zip64(path, inside)
    tensors = read_header(path).tensors
    assert tensors["large"].elements == count
    assert tensors["small"].offset > 2**32
    with path.open("rb") as file:
        file.seek(tensors["small"].offset)
        assert file.read(16) == files.FLOATS


def test_a_tensor_alone_has_no_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(torch.ones(2), path)
    with pytest.raises(ModelError, match="no weights by name"):
        read_header(path)


def test_eight_bit_floats_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save({"a": torch.ones(2).to(torch.float8_e4m3fn)}, path)
    with pytest.raises(ModelError, match=r"not a checkpoint.*no type"):
        read_header(path)


@settings(max_examples=40)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=6),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    names=st.lists(st.text(min_size=1, max_size=20), min_size=6, max_size=6, unique=True),
    way=st.sampled_from(WAYS),
)
def test_round_trip(
    shapes: list[list[int]],
    dtype: torch.dtype,
    names: list[str],
    way: dict[str, bool | int],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("round-trip") / "model.ckpt"
    expected = {
        name: torch.randn(shape).to(dtype) for name, shape in zip(names, shapes, strict=False)
    }
    header = save({"state_dict": expected}, path, way)
    assert header.tensors.keys() == expected.keys()
    assert all(torch.equal(read(path, header, name), expected[name]) for name in expected)


@given(data=st.data())
def test_a_flipped_byte_is_refused_or_harmless(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is damaged: an answer within the file's bounds, or ModelError, never else."""
    path = tmp_path_factory.mktemp("flipped") / "model.ckpt"
    save({"state_dict": {"a": torch.ones(3)}}, path, data.draw(st.sampled_from(WAYS[::3])))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    header = read_or_refuse(path)
    for info in header.tensors.values() if header else ():
        assert 0 <= info.offset <= info.offset + info.span_bytes <= len(content)


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (4_265_380_512, "4.27 GB")],
)
def test_sizes_are_said_as_people_say_them(count: int, said: str) -> None:
    assert size_text(count) == said


@pytest.mark.parametrize(
    ("present", "expected", "said"),
    [
        (1_200_000_000, 4_000_000_000, "1.2 of 4 GB"),
        (4_265_380_511, 4_265_380_512, "4265380511 of 4265380512 bytes"),
        (3, 40, "3 of 40 bytes"),
    ],
)
def test_what_is_missing_is_said(present: int, expected: int, said: str) -> None:
    assert incomplete_text(present, expected) == said

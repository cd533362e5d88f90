"""Safetensors headers: what the format's own library writes, and damage to it."""

import struct
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.checkpoints.header import read_header
from darkroom.errors import ModelError
from tests.checkpoints.files import FLOATS, entry, in_safetensors
from tests.checkpoints.reading import read_or_refuse

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.bool,
]


@settings(max_examples=40)
@given(
    shapes=st.lists(st.lists(st.integers(0, 4), max_size=4), min_size=1, max_size=6),
    dtype=st.sampled_from(DTYPES),
    names=st.lists(
        st.text(min_size=1, max_size=20).filter(lambda name: name != "__metadata__"),
        min_size=6,
        max_size=6,
        unique=True,
    ),
    metadata=st.dictionaries(st.text(max_size=9), st.text(max_size=30), max_size=4),
)
def test_reads_what_the_library_writes(
    shapes: list[list[int]],
    dtype: torch.dtype,
    names: list[str],
    metadata: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = tmp_path_factory.mktemp("written") / "model.safetensors"
    tensors = {
        name: torch.randn(shape).to(dtype) for name, shape in zip(names, shapes, strict=False)
    }
    safetensors.torch.save_file(tensors, path, metadata=metadata)
    header = read_header(path)
    assert header.container == "safetensors"
    assert header.metadata == metadata
    assert header.tensors.keys() == tensors.keys()
    content = path.read_bytes()
    for name, tensor in tensors.items():
        info = header.tensors[name]
        assert info.shape == tuple(tensor.shape)
        stored = content[info.offset : info.offset + info.stored_bytes]
        assert stored == bytes(tensor.contiguous().view(-1).view(torch.uint8).tolist())


def test_white_space_order_and_escapes_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    header = (
        b'{ "b\\u00e9\\"" :\n{"data_offsets":[16, 16],"shape":[0],"dtype":"U8"},'
        b'\t"__metadata__" : { "a\\n" : "\\ud83d\\ude00" } ,'
        b'"a": {"shape":[2,2], "dtype":"F32","data_offsets":[0,16]}}   '
    )
    path.write_bytes(in_safetensors(header, FLOATS))
    found = read_header(path)
    assert found.tensors.keys() == {"a", 'bé"'}
    assert found.metadata == {"a\n": "😀"}


@given(data=st.data())
def test_a_flipped_byte_is_never_worse_than_in_the_library(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refused, or read as the format's own library reads it."""
    path = tmp_path_factory.mktemp("flipped") / "model.safetensors"
    header = {"one": entry(), "two": entry("U8", [3], (16, 19)), "__metadata__": {"a": "b"}}
    content = bytearray(in_safetensors(header, FLOATS + b"abc"))
    for _ in range(data.draw(st.integers(1, 2))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    found = read_or_refuse(path)
    if found is None:
        return
    with safetensors.safe_open(path, "pt") as oracle:
        assert set(oracle.keys()) == found.tensors.keys()
        for name, info in found.tensors.items():
            assert tuple(oracle.get_slice(name).get_shape()) == info.shape
            assert oracle.get_slice(name).get_dtype() == info.dtype


def test_a_long_true_header_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    names = {f"tensor.{i:05}": entry("U8", [0], (0, 0)) for i in range(20_000)}
    path.write_bytes(in_safetensors({**names, "__metadata__": {"notes": "ü" * 500_000}}))
    assert len(read_header(path).tensors) == 20_000


def test_the_name_of_a_file_decides_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    path.write_bytes(in_safetensors({"a": entry()}, FLOATS))
    assert read_header(path).container == "safetensors"


def test_no_file_no_folder_no_device(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="There is no file"):
        read_header(tmp_path / "absent.safetensors")
    with pytest.raises(ModelError, match="is a folder, not a model"):
        read_header(tmp_path)
    (tmp_path / "model_index.json").write_text("{}")
    with pytest.raises(ModelError, match="a folder of diffusers"):
        read_header(tmp_path)
    with pytest.raises(ModelError, match="There is no file"):
        read_header(Path("/dev/zero"))
    with pytest.raises(ModelError, match="There is no file"):
        read_header(tmp_path / "a\0b")


def test_a_header_is_read_without_the_weights(tmp_path: Path) -> None:
    """4 GB that are only declared, in a file without the blocks: a full read would take seconds."""
    path = tmp_path / "large.safetensors"
    count = 2**30
    header = in_safetensors({"weight": entry(shape=[count], offsets=(0, 4 * count))})
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + 4 * count)
    assert struct.unpack("<Q", header[:8])[0] == len(header) - 8
    assert read_header(path).tensors["weight"].elements == count

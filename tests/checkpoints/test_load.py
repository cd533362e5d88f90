"""Weights in and out: equal from every container, strict, memory-mapped, never half a file."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from darkroom.checkpoints import layouts
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import Header, read_header
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.load import DTYPES, Networks, load, save_published
from darkroom.checkpoints.weights import Weights
from darkroom.contracts import ModelSpec, Precision
from darkroom.errors import ModelError, OutputError
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from tests.checkpoints.files import in_safetensors
from tests.checkpoints.test_detect import AUTOENCODER, TEXT, UNET

NAMES = ("text_encoder", "unet", "autoencoder")


def networks() -> Networks:
    torch.manual_seed(0)
    return Networks(
        text_encoder=TextEncoder(TEXT), unet=UNet(UNET), autoencoder=Autoencoder(AUTOENCODER)
    )


def states(of: Networks) -> dict[str, Tensor]:
    return {f"{n}.{k}": v for n in NAMES for k, v in getattr(of, n).state_dict().items()}


def spec_of(path: Path) -> ModelSpec:
    return detect(read_header(path), path)


def assert_equal(one: Networks, other: Networks) -> None:
    first, second = states(one), states(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.dtype == second[name].dtype
        assert torch.equal(value, second[name]), name


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    save_published(path, networks(), metadata={"modelspec.title": "x"}, dtype=torch.float32)
    return path


@pytest.fixture(scope="module")
def published(saved: Path) -> dict[str, Tensor]:
    """The tensors under their published names, as the format's own library reads them."""
    return safetensors.torch.load_file(saved)


def ckpt(path: Path, state: dict[str, Tensor], **options: bool | int) -> Path:
    """The same weights as a training program writes them."""
    value = {"epoch": 1, "global_step": 2, "state_dict": state, "callbacks": {}}
    torch.save(value, path, **options)  # type: ignore[arg-type]
    return path


def test_saved_and_loaded_are_equal(saved: Path) -> None:
    loaded = load(spec_of(saved), precision="fp32", device="cpu")
    assert_equal(loaded, networks())
    for name in NAMES:
        network: nn.Module = getattr(loaded, name)
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())
        assert not any(value.is_meta for value in network.state_dict().values())


def test_the_file_has_the_published_layout(saved: Path, published: dict[str, Tensor]) -> None:
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    assert {name: tuple(t.shape) for name, t in published.items()} == {
        row.published: row.published_shape for row in rows
    }
    with safetensors.safe_open(saved, "pt") as file:
        assert file.metadata() == {"format": "pt", "modelspec.title": "x"}
    assert all(info.offset % 4 == 0 for info in read_header(saved).tensors.values())


@pytest.mark.parametrize("options", [{}, {"_use_new_zipfile_serialization": False}], ids=str)
@pytest.mark.parametrize("precision", DTYPES)
def test_containers_give_equal_networks(
    options: dict[str, bool],
    precision: Precision,
    saved: Path,
    published: dict[str, Tensor],
    tmp_path: Path,
) -> None:
    path = ckpt(tmp_path / "model.ckpt", published, **options)
    one = load(spec_of(saved), precision=precision, device="cpu")
    other = load(spec_of(path), precision=precision, device="cpu")
    assert_equal(one, other)
    assert {value.dtype for value in states(one).values()} == {DTYPES[precision]}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_every_stored_precision_is_read(
    dtype: torch.dtype, published: dict[str, Tensor], tmp_path: Path
) -> None:
    state = {name: tensor.to(dtype) for name, tensor in published.items()}
    loaded = load(spec_of(ckpt(tmp_path / "a.ckpt", state)), precision="fp32", device="cpu")
    for name, value in states(networks()).items():
        assert torch.equal(states(loaded)[name], value.to(dtype).float())


def test_old_names_odd_strides_and_leftovers(
    published: dict[str, Tensor], saved: Path, tmp_path: Path
) -> None:
    state = {k.replace(layouts.TEXT, layouts.OLD_TEXT): v for k, v in published.items()}
    query = "first_stage_model.decoder.mid.attn_1.q.weight"
    state[query] = state[query].flatten(1)
    odd = "model.diffusion_model.input_blocks.1.0.in_layers.2.weight"
    state[odd] = state[odd].to(memory_format=torch.channels_last)
    state["cond_stage_model.transformer.embeddings.position_ids"] = torch.arange(16.0)[None]
    state["betas"] = torch.ones(1000)
    state["model_ema.decay"] = torch.tensor(0.9999)
    loaded = load(spec_of(ckpt(tmp_path / "old.ckpt", state)), precision="fp32", device="cpu")
    assert_equal(loaded, networks())
    convolution = loaded.unet.get_parameter("down.0.blocks.0.residual.conv_1.weight")
    assert convolution.is_contiguous(memory_format=torch.channels_last)


def test_moving_averages_are_used_only_if_asked_for(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    averages = {
        layouts.ema_name(name): tensor + 1
        for name, tensor in published.items()
        if name.startswith(layouts.UNET)
    }
    spec = spec_of(ckpt(tmp_path / "model.ckpt", {**published, **averages}))
    plain = load(spec, precision="fp32", device="cpu")
    averaged = load(spec, precision="fp32", device="cpu", ema=True)
    assert_equal(plain, networks())
    for name, value in states(averaged).items():
        expected = states(plain)[name]
        assert torch.equal(value, expected + 1 if name.startswith("unet.") else expected)


def test_moving_averages_that_are_not_there_are_named(saved: Path) -> None:
    with pytest.raises(ModelError, match=r"model_ema\.diffusion_modeltime_embed0weight is missing"):
        load(spec_of(saved), precision="fp32", device="cpu", ema=True)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_weights_that_are_no_numbers_are_named(
    bad: float, dtype: torch.dtype, published: dict[str, Tensor], tmp_path: Path
) -> None:
    name = "model.diffusion_model.middle_block.0.in_layers.2.weight"
    state = {key: tensor.to(dtype) for key, tensor in published.items()}
    state[name] = state[name].clone()
    state[name].view(-1)[-7] = bad
    path = ckpt(tmp_path / "model.ckpt", state)
    for precision in DTYPES:
        with pytest.raises(ModelError, match=rf"{name} holds values that are no numbers"):
            load(spec_of(path), precision=precision, device="cpu")


def test_weights_too_large_for_the_precision_are_named(
    published: dict[str, Tensor], tmp_path: Path
) -> None:
    name = "first_stage_model.quant_conv.weight"
    state = {**published, name: published[name] * 1e6}
    spec = spec_of(ckpt(tmp_path / "model.ckpt", state))
    with pytest.raises(ModelError, match=rf"does not fit into float16: {name}") as caught:
        load(spec, precision="fp16", device="cpu")
    assert "bf16" in caught.value.hint
    load(spec, precision="bf16", device="cpu")


def test_whole_numbers_are_no_weights(published: dict[str, Tensor], tmp_path: Path) -> None:
    name = "first_stage_model.quant_conv.weight"
    path = ckpt(tmp_path / "model.ckpt", {**published, name: published[name].long()})
    with pytest.raises(ModelError, match=rf"{name} is stored as I64"):
        load(spec_of(path), precision="fp32", device="cpu")


@pytest.mark.parametrize("kind", ["I64", "F8_E8M0"])
def test_types_that_no_weights_have_are_refused_from_the_header(kind: str, saved: Path) -> None:
    header = read_header(saved)
    name = "first_stage_model.quant_conv.weight"
    tensors = {**header.tensors, name: dataclasses.replace(header.tensors[name], dtype=kind)}
    with pytest.raises(ModelError, match=rf"{name} is stored as {kind}"):
        detect(dataclasses.replace(header, tensors=tensors), saved)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2], ids=str)
def test_eight_bit_floats_are_read_and_widened(
    dtype: torch.dtype, published: dict[str, Tensor], tmp_path: Path
) -> None:
    state = {name: tensor.to(dtype) for name, tensor in published.items()}
    path = tmp_path / "small.safetensors"
    safetensors.torch.save_file(state, path)
    for precision, wide in DTYPES.items():
        loaded = load(spec_of(path), precision=precision, device="cpu")
        for name, value in states(networks()).items():
            assert torch.equal(states(loaded)[name], value.to(dtype).to(wide))
    name = "first_stage_model.quant_conv.bias"
    state[name].view(torch.uint8)[0] = 0x7F  # NaN in both.
    safetensors.torch.save_file(state, path)
    with pytest.raises(ModelError, match=rf"{name} holds values that are no numbers"):
        load(spec_of(path), precision="fp32", device="cpu")


def read_all(header: Header) -> None:
    weights = Weights(header, header.files[0].name)
    for info in header.tensors.values():
        weights.stored(info)


@pytest.mark.parametrize("left", [0, 1000, None])
def test_a_file_that_shrinks_behind_its_header_is_no_surprise(
    left: int | None, saved: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(saved.read_bytes())
    header = read_header(path)
    if left is None:
        path.unlink()
    else:
        os.truncate(path, left)
    with pytest.raises(ModelError, match=r"model\.safetensors changed while it was read"):
        read_all(header)


def test_a_file_that_changed_since_is_checked_again(saved: Path, tmp_path: Path) -> None:
    spec = spec_of(saved)
    other = dataclasses.replace(UNET, blocks=2)
    path = tmp_path / "model.safetensors"
    changed = Networks(
        text_encoder=networks().text_encoder,
        unet=UNet(other),
        autoencoder=networks().autoencoder,
    )
    save_published(path, changed, metadata={}, dtype=torch.float16)
    with pytest.raises(ModelError, match="broken"):
        load(dataclasses.replace(spec, path=path), precision="fp32", device="cpu")


def test_numbers_at_odd_places_are_read(saved: Path, tmp_path: Path) -> None:
    """Early programs did not fill the header up to a multiple of eight bytes."""
    content = saved.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = content[8 : 8 + length].rstrip()
    header += b" " * ((1 - len(header)) % 8)
    path = tmp_path / "odd.safetensors"
    path.write_bytes(in_safetensors(header, content[8 + length :]))
    assert all(info.offset % 4 == 1 for info in read_header(path).tensors.values())
    assert_equal(load(spec_of(path), precision="fp32", device="cpu"), networks())


def test_writing_to_a_loaded_weight_leaves_the_file_alone(saved: Path) -> None:
    before = saved.read_bytes()
    loaded = load(spec_of(saved), precision="fp32", device="cpu")
    loaded.unet.conv_in.weight.zero_()
    assert saved.read_bytes() == before
    assert_equal(load(spec_of(saved), precision="fp32", device="cpu"), networks())


def test_hidden_sizes_travel_in_the_metadata(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    unusual = Networks(
        text_encoder=TextEncoder(dataclasses.replace(TEXT, heads=4)),
        unet=UNet(dataclasses.replace(UNET, norm_groups=16, heads=(4, 4))),
        autoencoder=Autoencoder(dataclasses.replace(AUTOENCODER, norm_groups=8)),
    )
    save_published(path, unusual, metadata={}, dtype=torch.bfloat16)
    spec = spec_of(path)
    assert spec.text_encoder == unusual.text_encoder.config
    assert spec.unet == unusual.unet.config
    assert spec.autoencoder == unusual.autoencoder.config


def test_a_file_appears_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"the old one")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device\."):
        save_published(path, networks(), metadata={}, dtype=torch.float16)
    assert path.read_bytes() == b"the old one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]
    with pytest.raises(OutputError, match="cannot be written"):
        save_published(tmp_path / "no" / "x", networks(), metadata={}, dtype=torch.float16)


# Loads a file in a program of its own and says how its memory grew, in bytes.
GROWTH = """
import json, re, sys
from pathlib import Path
import torch
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import Header, read_header
from darkroom.checkpoints.load import load

def said(field):
    status = Path("/proc/self/status").read_text()
    return 1024 * int(re.search(field + r":\\s*(\\d+)", status)[1])

warm, large, precision = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
load(detect(read_header(warm), warm), precision=precision, device="cpu")
before = said("RssAnon")
spec = detect(read_header(large), large)
networks = load(spec, precision=precision, device="cpu")
grown = said("RssAnon") - before
print(json.dumps([grown, spec.stored_bytes, spec.parameters]))
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """About 200 MB, in both containers."""
    folder = tmp_path_factory.mktemp("large")
    text = dataclasses.replace(TEXT, vocabulary=400_000)
    made = dataclasses.replace(networks(), text_encoder=TextEncoder(text))
    path = folder / "large.safetensors"
    save_published(path, made, metadata={}, dtype=torch.float32)
    state = safetensors.torch.load_file(path)
    return {"safetensors": path, "ckpt": ckpt(folder / "large.ckpt", state)}


@pytest.mark.parametrize("container", ["safetensors", "ckpt"])
@pytest.mark.parametrize(("precision", "copied"), [("fp32", 0), ("bf16", 2)])
def test_no_second_copy_is_in_memory(
    container: str, precision: str, copied: int, large: dict[str, Path], saved: Path
) -> None:
    """In the stored precision nothing is copied; else the converted weights are all there is."""
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, str(saved), str(large[container]), precision],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    grown, stored, parameters = json.loads(done.stdout)
    assert stored > 200_000_000
    assert grown < copied * parameters + 20_000_000

"""Folders of diffusers: found, understood as files are, and refused in words where they lie."""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from darkroom.checkpoints import catalog, folder, layouts
from darkroom.checkpoints.convert import convert
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import Networks, load
from darkroom.checkpoints.tensors import Header, TensorInfo, contiguous
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError
from tests.checkpoints.test_load import assert_equal
from tests.tiny import TinyCheckpoint

UNET = "unet/diffusion_pytorch_model.safetensors"
VAE = "vae/diffusion_pytorch_model.safetensors"
TEXT = "text_encoder/model.safetensors"

Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def original(tiny_checkpoint: TinyCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("folders") / "tiny.v1"
    for _ in convert(tiny_checkpoint.safetensors, path):
        pass
    return path


@pytest.fixture
def model(original: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    path = tmp_path / "tiny.v1"
    shutil.copytree(original, path)
    return path


def spec_of(path: Path) -> ModelSpec:
    return detect(read_header(path), path)


def loaded(path: Path) -> Networks:
    return load(spec_of(path), precision="fp32", device="cpu")


def setting(file: str, **values: object) -> Change:
    """Writes entries into one of the JSON files."""

    def change(model: Path) -> None:
        content = json.loads((model / file).read_text())
        (model / file).write_text(json.dumps({**content, **values}))

    return change


def rewritten(file: str, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Change:
    def rewrite(model: Path) -> None:
        safetensors.torch.save_file(change(safetensors.torch.load_file(model / file)), model / file)

    return rewrite


def refusal(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        spec_of(path)
    assert caught.value.hint and caught.value.message.isprintable()
    return caught.value.message


def test_a_folder_is_the_same_model_as_the_file(
    original: Path, tiny_checkpoint: TinyCheckpoint
) -> None:
    spec, of_file = spec_of(original), spec_of(tiny_checkpoint.safetensors)
    assert spec.name == "tiny.v1"
    assert spec == dataclasses.replace(
        of_file,
        name=spec.name,
        path=original,
        prediction_reason="the settings of the folder's scheduler say so",
    )
    header = read_header(original)
    assert (header.container, header.layout, len(header.files)) == ("folder", "diffusers", 3)
    assert_equal(loaded(original), loaded(tiny_checkpoint.safetensors))


def shards(file: str, variant: str = "") -> Change:
    """Splits a file in two, with a list that says where each tensor is."""

    def split(model: Path) -> None:
        path = model / file
        state = safetensors.torch.load_file(path)
        stem = path.name.removesuffix(".safetensors")
        places: dict[str, str] = {}
        for number in (1, 2):
            part = dict(list(state.items())[number - 1 :: 2])
            name = f"{stem}{variant}-0000{number}-of-00002.safetensors"
            safetensors.torch.save_file(part, path.with_name(name))
            places |= dict.fromkeys(part, name)
        path.unlink()
        listed = {"metadata": {"total_size": 1}, "weight_map": places}
        index = path.with_name(f"{path.name}.index{variant}.json")
        index.write_text(json.dumps(listed))

    return split


def renamed(file: str, name: str) -> Change:
    return lambda model: (model / file).rename((model / file).with_name(name))


def pickled(file: str, name: str) -> Change:
    def change(model: Path) -> None:
        torch.save(safetensors.torch.load_file(model / file), (model / file).with_name(name))
        (model / file).unlink()

    return change


def old_attention(state: dict[str, Tensor]) -> dict[str, Tensor]:
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def old(name: str) -> str:
        for new, before in names.items() if ".attentions." in name else ():
            name = name.replace(f".{new}.", f".{before}.")
        return name

    return {old(name): tensor for name, tensor in state.items()}


def without_text_model(state: dict[str, Tensor]) -> dict[str, Tensor]:
    short = {name.removeprefix("text_model."): tensor for name, tensor in state.items()}
    return {**short, "embeddings.position_ids": torch.arange(77)[None]}


VARIANTS = {
    "shards": shards(UNET),
    "shards-fp16": shards(UNET, ".fp16"),
    "fp16": renamed(VAE, "diffusion_pytorch_model.fp16.safetensors"),
    "bin": pickled(TEXT, "pytorch_model.bin"),
    "bin-unet": pickled(UNET, "diffusion_pytorch_model.fp16.bin"),
    "old-attention": rewritten(VAE, old_attention),
    "new-text": rewritten(TEXT, without_text_model),
}


@pytest.mark.parametrize("change", VARIANTS.values(), ids=VARIANTS)
def test_every_way_to_store_a_part_gives_the_same_networks(
    change: Change, model: Path, original: Path
) -> None:
    change(model)
    assert_equal(loaded(model), loaded(original))


def test_the_first_of_several_variants_is_meant(model: Path, original: Path) -> None:
    """A download for another program may have left a half-precision copy, or pickles, beside it."""
    for name in ("diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.bin"):
        (model / "unet" / name).write_bytes(b"never opened")
    assert_equal(loaded(model), loaded(original))


def test_settings_tell_what_no_shape_does(model: Path) -> None:
    setting("scheduler/scheduler_config.json", prediction_type="v_prediction")(model)
    setting("scheduler/scheduler_config.json", rescale_betas_zero_snr=True)(model)
    setting("unet/config.json", norm_num_groups=16, attention_head_dim=[4, 2])(model)
    setting("unet/config.json", num_attention_heads=None, sample_size=16)(model)
    setting("vae/config.json", norm_num_groups=8, scaling_factor=0.5)(model)
    setting("text_encoder/config.json", num_attention_heads=2, hidden_act="gelu")(model)
    state = safetensors.torch.load_file(model / UNET)
    safetensors.torch.save_file(state, model / UNET)  # Without our own metadata.
    spec = spec_of(model)
    assert (spec.prediction, spec.zero_terminal_snr, spec.latent_scale) == ("v", True, 0.5)
    assert (spec.unet.norm_groups, spec.unet.heads) == (16, (4, 2))
    assert (spec.autoencoder.norm_groups, spec.text_encoder.heads) == (8, 2)
    assert spec.text_encoder.activation == "gelu"
    assert (spec.native_width, spec.native_height) == (128, 128)


def test_a_folder_without_settings_is_as_published(model: Path, original: Path) -> None:
    for file in ("unet", "vae", "text_encoder"):
        (model / file / "config.json").unlink()
    shutil.rmtree(model / "scheduler")
    spec = spec_of(model)
    assert spec.unet == spec_of(original).unet
    assert (spec.prediction, spec.prediction_reason) == (
        "eps",
        "every published Stable Diffusion 1 model does",
    )


def listing(text: str) -> Change:
    """A list of shards with one entry, instead of the file."""

    def change(model: Path) -> None:
        (model / UNET).rename(model / "unet/elsewhere.safetensors")
        path = model / f"{UNET}.index.json"
        path.write_text(text)

    return change


def wide(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {**state, "conv_in.weight": torch.zeros(32, 4, 3, 3, 1)}


def endless(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Few names that stand for a million blocks."""
    names = [f"down_blocks.{i}.resnets.0.conv1.weight" for i in range(100)]
    lies = {name: torch.zeros(32, 32, 3, 3) for name in [*names, names[0].replace(".0.c", ".99.c")]}
    deep = (f"down_blocks.{i}.attentions.0.transformer_blocks.99.norm1.bias" for i in range(100))
    return {**state, **lies, **{name: torch.zeros(1) for name in deep}}


def loop(model: Path) -> None:
    (model / UNET).unlink()
    (model / UNET).symlink_to(model / "unet/b.safetensors")
    (model / "unet/b.safetensors").symlink_to(model / UNET)


def circle(model: Path) -> None:
    """A folder that contains itself, where a part should be."""
    shutil.rmtree(model / "unet")
    (model / "unet").symlink_to(model)


def doubled(model: Path) -> None:
    """Both shards hold the same tensors."""
    shards(UNET)(model)
    one, two = sorted((model / "unet").glob("*-of-*.safetensors"))
    shutil.copy(one, two)


SPOILT: dict[str, tuple[Change, str]] = {
    "missing-part": (lambda m: shutil.rmtree(m / "vae"), "vae/diffusion_pytorch_model.safe"),
    "missing-file": (lambda m: (m / TEXT).unlink(), "text_encoder/model.safetensors is missing"),
    "up": (listing('{"weight_map": {"a": "../elsewhere.safetensors"}}'), "leads outside"),
    "absolute": (listing('{"weight_map": {"a": "/etc/passwd.safetensors"}}'), "leads outside"),
    "drive": (listing('{"weight_map": {"a": "C:x.safetensors"}}'), "leads outside"),
    "backslash": (listing('{"weight_map": {"a": "..\\\\x.safetensors"}}'), "leads outside"),
    "hidden": (listing('{"weight_map": {"a": ".safetensors"}}'), "leads outside"),
    "number": (listing('{"weight_map": {"a": 3}}'), "leads outside"),
    "escape": (listing('{"weight_map": {"a": "\\u001b[31m"}}'), "leads outside"),
    "no-shard": (listing('{"weight_map": {"a": "b.safetensors"}}'), "unet/b.safetensors is miss"),
    "no-map": (listing('{"weight_map": []}'), "lists no weights"),
    "no-object": (listing("[]"), "cannot be understood"),
    "no-json": (listing("{"), "cannot be understood"),
    "deep": (listing("[" * 100_000), "cannot be understood"),
    "index": (lambda m: (m / "model_index.json").write_bytes(b"\xff"), "understood"),
    "settings": (lambda m: (m / "unet/config.json").write_text("[1]"), "unet/config.json"),
    "shape": (rewritten(UNET, wide), "impossible shape"),
    "short": (
        rewritten(VAE, lambda s: {k: v for k, v in s.items() if "conv_norm_out.bias" not in k}),
        "vae/encoder.conv_norm_out.bias is missing",
    ),
    "more": (
        rewritten(UNET, lambda s: {**s, "adapter.weight": torch.ones(1)}),
        "unet/adapter.weight is not part",
    ),
    "endless": (rewritten(UNET, endless), "out of order"),
    "twice": (doubled, "twice"),
    "loop": (loop, "unet/diffusion_pytorch_model.safetensors is missing"),
    "circle": (circle, "unet/diffusion_pytorch_model.safetensors is missing"),
    "page": (lambda m: (m / UNET).write_bytes(b"<html>"), "web page"),
    "cut": (lambda m: (m / UNET).write_bytes((m / UNET).read_bytes()[:-9]), "incomplete"),
    "groups": (setting("unet/config.json", norm_num_groups=7), "groups"),
    "heads": (setting("unet/config.json", attention_head_dim=[1, 2, 3]), "unet.heads"),
    "million": (setting("unet/config.json", attention_head_dim=10**6), "unet.heads"),
    "scale": (setting("vae/config.json", scaling_factor=-1), "latent_scale"),
    "words": (setting("vae/config.json", scaling_factor="NaN"), "latent_scale"),
    "activation": (setting("text_encoder/config.json", hidden_act="relu"), "activation"),
    "prediction": (
        setting("scheduler/scheduler_config.json", prediction_type="sample"),
        "predicts 'sample'",
    ),
}


@pytest.mark.parametrize(("change", "says"), SPOILT.values(), ids=SPOILT)
def test_a_folder_that_lies_is_refused_in_words(change: Change, says: str, model: Path) -> None:
    change(model)
    assert says in refusal(model)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_settings_say_is_meant_or_refused(data: st.DataObject, model: Path) -> None:
    files = sorted({row[0] for row in folder._SETTINGS if (model / row[0]).is_file()})
    file = data.draw(st.sampled_from(files))
    before = (model / file).read_text()
    keys = st.sampled_from(sorted(json.loads(before)))
    changes = data.draw(st.dictionaries(keys, JSON, max_size=4))
    (model / file).write_text(json.dumps({**json.loads(before), **changes}))
    refused = None
    try:
        spec_of(model)
    except ModelError as error:
        refused = error
    finally:
        (model / file).write_text(before)
    assert refused is None or (refused.message.isprintable() and refused.hint)


RELATIVES: dict[str, tuple[dict[str, object], str]] = {
    "xl": (
        {"text_encoder_2": ["transformers", "CLIPTextModelWithProjection"]},
        "a Stable Diffusion XL model",
    ),
    "flux": (
        {"_class_name": "FluxPipeline", "unet": [None, None], "transformer": ["d", "F"]},
        "a folder of diffusers (FluxPipeline)",
    ),
}


@pytest.mark.parametrize(("entries", "family"), RELATIVES.values(), ids=RELATIVES)
def test_other_families_are_refused_by_name(
    entries: dict[str, object], family: str, model: Path
) -> None:
    setting("model_index.json", **entries)(model)
    assert f"tiny.v1 is {family}, which Darkroom cannot run yet." in refusal(model)


@pytest.mark.parametrize(("channels", "task"), [(9, "inpaint"), (8, "pix2pix"), (5, "depth2img")])
def test_relatives_with_the_same_parts_are_known_by_their_shapes(
    channels: int, task: str, original: Path
) -> None:
    header = read_header(original)
    shape = (32, channels, 3, 3)
    first = {"unet/conv_in.weight": TensorInfo("F16", shape, contiguous(shape), 0)}
    changed: Header = dataclasses.replace(header, tensors={**header.tensors, **first})
    assert detect(changed, original).task == task


def test_averages_are_not_looked_for_in_a_folder(original: Path) -> None:
    assert not spec_of(original).ema
    with pytest.raises(ModelError, match="is missing"):
        load(spec_of(original), precision="fp32", device="cpu", ema=True)


def test_a_folder_is_called_after_itself_or_its_repository(model: Path, tmp_path: Path) -> None:
    assert folder.name_of(model) == "tiny.v1"
    snapshot = tmp_path / "models--someone--dream-v1.5" / "snapshots" / "0123abcd"
    snapshot.parent.mkdir(parents=True)
    model.rename(snapshot)
    assert folder.name_of(snapshot) == spec_of(snapshot).name == "dream-v1.5"


def test_the_catalog_knows_folders(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert catalog.find("tiny.v1") == Path("tiny.v1")
    monkeypatch.chdir("/")
    assert catalog.find("tiny.v1") == model
    names = {found.name: found for found in catalog.installed()}
    assert names.keys() == {*catalog.PACKAGED, "tiny.v1"}  # Its parts are no models.
    assert names["tiny.v1"].stored_bytes == sum(
        (model / f).stat().st_size for f in (TEXT, UNET, VAE)
    )


def test_the_hash_of_a_folder_is_that_of_the_list_of_its_weights(model: Path) -> None:
    """What `sha256sum text_encoder/*.safetensors unet/… vae/… | sha256sum` prints."""
    import hashlib

    lines = [
        f"{hashlib.sha256((model / file).read_bytes()).hexdigest()}  {file}\n"
        for file in (TEXT, UNET, VAE)
    ]
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert catalog.sha256(model) == expected
    setting("unet/config.json", comment="no weights")(model)
    assert catalog.sha256(model) == expected
    content = bytearray((model / VAE).read_bytes())
    content[-1] ^= 1
    (model / VAE).write_bytes(content)
    os.utime(model / VAE, ns=(1, 1))
    assert catalog.sha256(model) != expected


def test_every_network_has_its_part() -> None:
    rows = layouts.model_rows(layouts.Sizes.of(spec_mini()))
    assert {row.diffusers.partition("/")[0] for row in rows} == {"text_encoder", "unet", "vae"}
    assert len({row.diffusers for row in rows}) == len(rows)


def spec_mini() -> ModelSpec:
    return spec_of(catalog.find("mini"))

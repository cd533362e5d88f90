"""What a file is, from its header: the family, its sizes, eps or v; and the first broken key."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from darkroom.checkpoints import layouts
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import Header, TensorInfo
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.rows import Row
from darkroom.checkpoints.tensors import contiguous
from darkroom.contracts import AutoencoderConfig, ModelDefaults, TextEncoderConfig, UNetConfig
from darkroom.errors import ModelError
from tests.checkpoints.test_layouts import published

TEXT = TextEncoderConfig(
    vocabulary=99,
    context_length=16,
    width=128,
    layers=2,
    heads=2,
    feed_width=256,
    activation="quick_gelu",
)
UNET = UNetConfig(
    in_channels=4,
    out_channels=4,
    widths=(32, 64),
    blocks=1,
    depths=(0, 1),
    middle_depth=1,
    self_attention=(True, True),
    heads=(8, 8),
    context_width=128,
)
AUTOENCODER = AutoencoderConfig(in_channels=3, latent_channels=4, widths=(32, 32, 64), blocks=1)

P = "model.diffusion_model."


def tensor(*shape: int, dtype: str = "F32") -> TensorInfo:
    return TensorInfo(dtype, shape, contiguous(shape), 0)


def small(**metadata: str) -> Header:
    """A whole Stable Diffusion 1 of small size."""
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    tensors = {row.published: tensor(*row.published_shape) for row in rows}
    return Header(container="safetensors", tensors=tensors, metadata=metadata)


def changed(header: Header, changes: Mapping[str, TensorInfo | None]) -> Header:
    tensors = {**header.tensors, **changes}
    kept = {name: info for name, info in tensors.items() if info is not None}
    return dataclasses.replace(header, tensors=kept)


def renamed(header: Header, rename: Callable[[str], str]) -> Header:
    tensors = {rename(name): info for name, info in header.tensors.items()}
    return dataclasses.replace(header, tensors=tensors)


def refusal(header: Header, name: str = "model.safetensors") -> str:
    with pytest.raises(ModelError) as caught:
        detect(header, Path(name))
    assert caught.value.message.startswith(name) and caught.value.hint
    assert caught.value.exit_code == 2
    return caught.value.message


def named(*names: str, shape: tuple[int, ...] = (2, 2)) -> Header:
    tensors = {name: tensor(*shape) for name in names}
    return Header(container="safetensors", tensors=tensors, metadata={})


def test_sizes_come_from_the_file() -> None:
    spec = detect(small(), Path("folder/tiny.safetensors"))
    assert (spec.text_encoder, spec.unet, spec.autoencoder) == (TEXT, UNET, AUTOENCODER)
    assert spec.name == "tiny"
    assert (spec.native_width, spec.native_height) == (256, 256)
    assert spec.multiple == 8


# Families that are not supported, by the keys that published files have.
FOREIGN = {
    "a Stable Diffusion XL model": [
        f"{P}input_blocks.0.0.weight",
        "conditioner.embedders.0.transformer.text_model.embeddings.token_embedding.weight",
        "conditioner.embedders.1.model.ln_final.weight",
        "first_stage_model.encoder.conv_in.weight",
    ],
    "a Stable Diffusion XL refiner": [
        f"{P}input_blocks.0.0.weight",
        "conditioner.embedders.0.model.ln_final.weight",
    ],
    "a Stable Diffusion 3 model": [
        f"{P}joint_blocks.0.context_block.adaLN_modulation.1.bias",
        "text_encoders.clip_l.transformer.text_model.embeddings.token_embedding.weight",
    ],
    "a FLUX model": ["double_blocks.0.img_attn.norm.key_norm.scale", "img_in.weight"],
    "a FLUX.2 model": ["double_stream_modulation_img.lin.weight", "img_in.weight"],
    "a Chroma model": [
        "distilled_guidance_layer.in_proj.bias",
        "double_blocks.0.img_attn.norm.key_norm.scale",
    ],
    "a Z-Image model": ["layers.0.adaLN_modulation.0.weight", "cap_embedder.0.weight"],
    "a Lumina model": ["cap_embedder.0.weight", "layers.0.attention.qkv.weight"],
    "a Qwen-Image model": ["transformer_blocks.0.img_mod.1.weight"],
    "a Wan model": ["head.modulation", "patch_embedding.weight"],
    "a Zero123 model": [f"{P}input_blocks.0.0.weight", "cc_projection.weight"],
    "an autoencoder": ["encoder.conv_in.weight", "decoder.conv_in.weight", "quant_conv.weight"],
    "a U-Net alone": [f"{P}input_blocks.0.0.weight", f"{P}out.2.weight"],
    "a text encoder alone": ["text_model.embeddings.token_embedding.weight"],
    "one part of a model in the layout of diffusers": ["down_blocks.0.resnets.0.conv1.weight"],
    "an enlarger": ["body.0.rdb1.conv1.weight", "conv_body.weight"],
    "a quantised model": [f"{P}input_blocks.1.0.in_layers.2.weight.quant_state.bitsandbytes__nf4"],
}
LORAS = (
    "lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight",
    "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha",
    "lora_te1_text_model_encoder_layers_0_mlp_fc1.hada_w1_a",
    "unet.down_blocks.0.attentions.0.proj_in.lora_A.weight",
    "transformer.blocks.0.attn.lora_B.weight",
    "diffusion_model.input_blocks.1.1.proj_in.lora_up.weight",
    "down_blocks.0.attentions.0.attn1.processor.to_q_lora.down.weight",
    "unet.mid_block.attentions.0.to_q.lora_linear_layer.down.weight",
    "lycoris_down_blocks_0_attentions_0_proj_in.lokr_w1",
)
CONTROLS = (
    "control_model.input_hint_block.0.weight",
    "input_hint_block.0.weight",
    "controlnet_cond_embedding.conv_in.weight",
    "zero_convs.0.0.weight",
)
INVERSIONS = ("emb_params", "string_to_param.*", "clip_l", "<cat-toy>")


@pytest.mark.parametrize(("family", "names"), FOREIGN.items())
def test_other_families_are_refused_by_name(family: str, names: list[str]) -> None:
    message = refusal(named(*names))
    assert f" is {family}" in message and "which Darkroom cannot run yet" in message


@pytest.mark.parametrize(
    ("family", "name"),
    [
        *(("a LoRA", name) for name in LORAS),
        *(("a ControlNet", name) for name in CONTROLS),
        *(("a textual inversion", name) for name in INVERSIONS),
    ],
)
def test_additions_are_refused_by_name(family: str, name: str) -> None:
    assert f" is {family} (an addition to a model" in refusal(named(name))


PUBLISHED: dict[str, tuple[str, str, int, int, int]] = {
    # family, task, parameters that are used, pixels a side, noise levels
    "sd1": ("sd1", "txt2img", 1_066_235_307, 512, 0),
    "sd2": ("sd2", "txt2img", 1_289_952_427, 512, 0),
    "sd2-inpainting": ("sd2", "inpaint", 1_289_966_827, 512, 0),
    "sd2-depth": ("sd2", "depth2img", 1_411_151_596, 512, 0),
    "x4": ("sd2", "upscale", 869_111_787, 512, 351),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_headers_are_known_and_whole(name: str) -> None:
    family, task, parameters, side, levels = PUBLISHED[name]
    # Which prediction a plain Stable Diffusion 2 has no header tells.
    spec = detect(published(name), Path("a"), prediction="eps" if name == "sd2" else None)
    assert (spec.family, spec.task) == (family, task)
    assert (spec.native_width, spec.native_height) == (side, side)
    assert spec.noise_levels == (levels or None)
    assert spec.prediction == ("v" if name == "x4" else "eps")
    assert spec.parameters == parameters


def test_published_sizes_of_the_second_family() -> None:
    spec = detect(published("sd2-depth"), Path("a"))
    assert (spec.text_encoder.layers, spec.text_encoder.heads) == (23, 16)
    assert (spec.text_encoder.activation, spec.text_encoder.tokens) == ("gelu", "openclip")
    assert spec.unet.heads == (5, 10, 20, 20)
    assert (spec.betas, spec.latent_scale) == ((0.00085, 0.012), 0.18215)
    assert spec.depth is not None
    assert spec.depth.stages == ((3, 256), (4, 512), (9, 1024))
    assert (spec.depth.layers, spec.depth.heads, spec.depth.taps) == (12, 12, (8, 11))
    assert (spec.depth.stem, spec.depth.grid, spec.depth.head) == (64, 24, (128, 32))


def test_the_published_upscaler_is_of_other_numbers() -> None:
    spec = detect(published("x4"), Path("a"))
    assert (spec.unet.classes, spec.unet.vector_width) == (1000, None)
    assert (spec.unet.heads, spec.autoencoder.factor) == ((8, 8, 8, 8), 4)
    assert spec.unet.self_attention == (True, False, False, True)
    assert (spec.betas, spec.latent_scale) == ((0.0001, 0.02), 0.08333)


@pytest.mark.parametrize(("channels", "task"), [(9, "inpaint"), (8, "pix2pix")])
def test_more_channels_mean_another_task(channels: int, task: str) -> None:
    first = {f"{P}input_blocks.0.0.weight": tensor(320, channels, 3, 3)}
    spec = detect(changed(published("sd1"), first), Path("a"))
    assert (spec.family, spec.task, spec.prediction) == ("sd1", task, "eps")


@pytest.mark.parametrize("channels", [3, 6, 7, 10])
def test_channels_of_no_task_are_refused(channels: int) -> None:
    first = {f"{P}input_blocks.0.0.weight": tensor(320, channels, 3, 3)}
    assert f"takes {channels} channels" in refusal(changed(published("sd1"), first))


def test_a_header_alone_does_not_tell_the_prediction_of_the_second_family() -> None:
    assert "nothing in it tells whether it predicts eps or v" in refusal(published("sd2"))


def test_a_depth_model_may_come_without_its_depth_network() -> None:
    whole = published("sd2-depth")
    stripped = {name: None for name in whole.tensors if name.startswith("depth_model.")}
    spec = detect(changed(whole, stripped), Path("a"))
    assert (spec.task, spec.depth) == ("depth2img", None)


def test_an_autoencoder_given_as_a_model_has_a_place() -> None:
    with pytest.raises(ModelError) as caught:
        detect(named("encoder.conv_in.weight", "decoder.conv_in.weight"), Path("vae.pt"))
    assert "--vae" in caught.value.hint


def test_an_unknown_file_is_never_guessed_to_be_v1() -> None:
    message = refusal(named("layer.weight", "b\x1bad"))
    assert "no model that Darkroom knows: its first tensor is called layer.weight." in message
    assert refusal(named("b\x1bad")).isprintable()


def test_a_whole_model_with_a_control_inside_is_a_control() -> None:
    with_control = changed(small(), {"control_model.zero_convs.0.0.weight": tensor(2)})
    assert "a ControlNet" in refusal(with_control)


def every_row() -> Iterable[Row]:
    return layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))


@pytest.mark.parametrize("row", every_row(), ids=lambda row: row.published)
def test_a_broken_key_is_named(row: Row) -> None:
    """Every key, taken away and then misshapen: broken, and a key of that name is shown."""
    name = row.published
    missing = refusal(changed(small(), {name: None}))
    wrong = refusal(changed(small(), {name: tensor(*row.published_shape, 1, 3)}))
    for message in (missing, wrong):
        assert "is a Stable Diffusion model, but broken: " in message or "alone" in message
    assert f"{name} is missing." in missing or "alone" in missing
    assert f"{name} has the" in wrong


def test_a_key_too_many_is_named() -> None:
    for name in (f"{P}input_blocks.1.0.adapter.weight", "first_stage_model.post.weight", "extra"):
        assert f"{name} is not part of such a model." in refusal(
            changed(small(), {name: tensor(2)})
        )


def test_parts_that_do_not_fit_together_are_refused() -> None:
    for name, config in (
        ("text of width", dataclasses.replace(UNET, context_width=64)),
        ("channels", dataclasses.replace(UNET, in_channels=5, out_channels=5)),
    ):
        rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=config, autoencoder=AUTOENCODER))
        tensors = {row.published: tensor(*row.published_shape) for row in rows}
        assert name in refusal(Header(container="ckpt", tensors=tensors, metadata={}))


def test_what_training_leaves_is_passed_over() -> None:
    left = {
        "betas": tensor(1000),
        "alphas_cumprod": tensor(1000),
        "posterior_mean_coef2": tensor(1000),
        "scale_factor": tensor(),
        "logvar": tensor(1000),
        "model_ema.decay": tensor(),
        "model_ema.num_updates": tensor(dtype="I32"),
        "model_ema.diffusion_modelinput_blocks00weight": tensor(32, 4, 3, 3),
        "loss.logvar": tensor(),
        "first_stage_model.loss.discriminator.main.0.weight": tensor(64, 3, 4, 4),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": tensor(1, 16),
    }
    plain, with_leftovers = (detect(h, Path("a")) for h in (small(), changed(small(), left)))
    assert not plain.ema
    assert dataclasses.replace(plain, ema=True) == with_leftovers


def test_the_oldest_files_lack_a_part_of_the_names() -> None:
    new, old = layouts.TEXT, layouts.OLD_TEXT
    aged = renamed(small(), lambda name: name.replace(new, old))
    aged = changed(aged, {f"{old}embeddings.position_ids": tensor(1, 16, dtype="F32")})
    assert detect(aged, Path("a")) == detect(small(), Path("a"))


def test_matrices_stand_for_convolutions_in_the_autoencoder() -> None:
    rows = layouts.model_rows(Sizes(text_encoder=TEXT, unet=UNET, autoencoder=AUTOENCODER))
    flat = {row.published: tensor(*row.shape) for row in rows if row.network == "autoencoder"}
    assert detect(changed(small(), flat), Path("a")) == detect(small(), Path("a"))


def test_attention_may_bear_the_names_that_converters_left() -> None:
    kept = {".q.": ".to_q.", ".k.": ".to_k.", ".v.": ".to_v.", ".proj_out.": ".to_out.0."}

    def converted(name: str) -> str:
        for ours, theirs in kept.items() if ".mid.attn_1." in name else ():
            name = name.replace(ours, theirs)
        return name

    header = renamed(small(), converted)
    assert len(header.tensors.keys() - small().tensors.keys()) == 16
    assert detect(header, Path("a")) == detect(small(), Path("a"))
    twice = f"{layouts.AUTOENCODER}encoder.mid.attn_1.to_q.bias"
    assert f"{twice} is not part" in refusal(changed(small(), {twice: tensor(64)}))


def test_heads_follow_the_projection() -> None:
    """A linear proj_in means heads of width 64, as in the models that brought it."""
    rows = layouts.model_rows(
        Sizes(
            text_encoder=TEXT,
            unet=dataclasses.replace(UNET, widths=(64, 128)),
            autoencoder=AUTOENCODER,
        )
    )
    tensors = {
        row.published: tensor(*(row.shape if row.network == "unet" else row.published_shape))
        for row in rows
    }
    spec = detect(Header(container="ckpt", tensors=tensors, metadata={}), Path("a"))
    assert spec.unet.heads == (1, 2)


def test_metadata_tell_what_no_shape_does() -> None:
    spec = detect(
        small(
            **{
                "modelspec.prediction_type": "v",
                "ztsnr": "true",
                "modelspec.resolution": "64x128",
                "darkroom.demonstration": "true",
                "darkroom.unet.norm_groups": "8",
                "darkroom.unet.heads": "4",
                "darkroom.autoencoder.norm_groups": "16",
                "darkroom.text_encoder.heads": "4",
                "darkroom.tokenizer.merges": "a b\nab c</w>",
                "darkroom.words": "cat dog",
                "darkroom.preview": json.dumps([[0, 0.5, 1]] * 5),
                "darkroom.defaults": '{"steps": 24, "guidance": 3, "sampler": "ddim", '
                '"noise_level": 7}',
            }
        ),
        Path("mini.safetensors"),
    )
    assert (spec.prediction, spec.zero_terminal_snr, spec.demonstration) == ("v", True, True)
    assert (spec.native_width, spec.native_height) == (64, 128)
    assert (spec.unet.norm_groups, spec.autoencoder.norm_groups) == (8, 16)
    assert (spec.unet.heads, spec.text_encoder.heads) == ((4, 4), 4)
    assert spec.merges == ("a b", "ab c</w>")
    assert spec.words == ("cat", "dog")
    assert spec.preview == ((0.0, 0.5, 1.0),) * 5
    assert spec.defaults == ModelDefaults(steps=24, guidance=3, sampler="ddim", noise_level=7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("darkroom.unet.norm_groups", "0"),
        ("darkroom.unet.norm_groups", "-8"),
        ("darkroom.unet.norm_groups", "7"),
        ("darkroom.unet.heads", "9999999999"),
        ("darkroom.unet.heads", "8.0"),
        ("darkroom.text_encoder.heads", "3"),
        ("darkroom.autoencoder.norm_groups", "ten"),
        ("darkroom.preview", "[[1, 2, 3]]"),
        ("darkroom.preview", "[[1, 2], [1, 2], [1, 2], [1, 2], [1, 2]]"),
        ("darkroom.preview", json.dumps([[1, 2, float("nan")]] * 5)),
        ("darkroom.preview", "[" * 100_000),
        ("darkroom.defaults", '{"steps": "many"}'),
        ("darkroom.defaults", '{"steps": true}'),
        ("darkroom.defaults", '{"guidance": NaN}'),
        ("darkroom.defaults", '{"prompt": "cat"}'),
        ("darkroom.defaults", "[]"),
        ("darkroom.defaults", '{"guidance": 1' + "0" * 400 + "}"),
        ("darkroom.preview", json.dumps([[10**400, 0, 0]] * 5)),
        ("darkroom.preview", "[" + "[]," * 2**19 + "[]]"),
        ("darkroom.tokenizer.merges", "a\n" * 2**20),
        ("darkroom.words", "a " * 2**20),
    ],
    ids=lambda text: text[:40],
)
def test_metadata_that_cannot_be_meant_are_refused(name: str, value: str) -> None:
    assert "but broken: " in refusal(small(**{name: value}))


@pytest.mark.parametrize("size", ["", "big", "0x0", "63x63", "99999x8", "64", "-8x8"])
def test_a_size_that_cannot_be_meant_is_passed_over(size: str) -> None:
    spec = detect(small(**{"modelspec.resolution": size}), Path("a"))
    assert (spec.native_width, spec.native_height) == (256, 256)


CONFIGS = {
    "model:\n  params:\n    parameterization: v\n": "v",
    "model:\n  params:\n    parameterization: 'v'  # velocity\n": "v",
    '# x\nmodel:\n  target: a.b\n  params:\n    a: 0.1\n    parameterization: "eps"': "eps",
    "model:\n  params:\n    unet_config:\n      params:\n        parameterization: v\n": "eps",
    "model:\n  params:\n    linear_start: 0.00085\n": "eps",
    "data:\n  params:\n    parameterization: v\nmodel:\n  target: a\n": "eps",
    "model:\n    params:\n        inner:\n            x: y\n        parameterization: v": "v",
    "": "eps",
}


@pytest.mark.parametrize(("yaml", "prediction"), CONFIGS.items())
def test_a_yaml_beside_the_file_goes_before_its_metadata(
    yaml: str, prediction: str, tmp_path: Path
) -> None:
    (tmp_path / "model.yaml").write_text(yaml)
    other = "eps" if prediction == "v" else "v"
    header = small(**{"modelspec.prediction_type": other})
    spec = detect(header, tmp_path / "model.ckpt")
    assert spec.prediction == prediction
    assert "model.yaml" in spec.prediction_reason


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(
        b"\xef\xbb\xbfmodel:\n  params:\n    parameterization: v\n"
    )
    assert detect(small(), tmp_path / "model.ckpt").prediction == "v"


def test_endless_space_in_a_yaml_costs_no_time(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("model: x" + " " * 100_000 + "x\n")
    start = time.process_time()
    with pytest.raises(ModelError, match="parameterization"):
        detect(small(), tmp_path / "model.ckpt")
    assert time.process_time() - start < 5


UNCLEAR = [
    b"model:\n  params:\n    parameterization: x0\n",
    b"model: {params: {parameterization: v}}\n",
    b"\xff\xfe",
]


@pytest.mark.parametrize("content", UNCLEAR)
def test_a_yaml_that_means_nothing_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.yaml, the configuration of the model"):
        detect(small(), tmp_path / "model.ckpt")
    assert detect(small(), tmp_path / "model.ckpt", prediction="v").prediction == "v"


@pytest.mark.parametrize("content", ["model: [", "model: {params: {parameterization: v}}"])
def test_a_yaml_of_another_layout_is_told_as_that(content: str, tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text(content)
    with pytest.raises(ModelError, match="is not laid out as such files are") as caught:
        detect(small(), tmp_path / "model.ckpt")
    assert "says parameterization" not in caught.value.message


def test_the_users_word_goes_before_everything(tmp_path: Path) -> None:
    (tmp_path / "model.yaml").write_text("model:\n  params:\n    parameterization: v\n")
    spec = detect(small(), tmp_path / "model.ckpt", prediction="eps")
    assert (spec.prediction, spec.prediction_reason) == ("eps", "as asked for")


def test_marks_among_the_tensors() -> None:
    spec = detect(changed(small(), {"v_pred": tensor(0), "ztsnr": tensor(0)}), Path("a"))
    assert (spec.prediction, spec.zero_terminal_snr) == ("v", True)
    assert "v_pred" in spec.prediction_reason


def test_an_unknown_prediction_is_refused() -> None:
    assert "predicts 'x0'" in refusal(small(**{"modelspec.prediction_type": "x0"}))


def test_lying_names_cost_no_time() -> None:
    """Numbers in names must not make us expect a million blocks."""
    lies = {
        f"{P}input_blocks.999999999.0.weight": tensor(1),
        f"{P}middle_block.1.transformer_blocks.99.attn2.to_k.weight": tensor(1),
        "first_stage_model.encoder.down.99.block.99.conv1.weight": tensor(1),
        "cond_stage_model.transformer.text_model.encoder.layers.99.mlp.fc1.weight": tensor(1),
    }
    for name, info in lies.items():
        assert "but broken" in refusal(changed(small(), {name: info}))


def test_few_names_do_not_stand_for_endlessly_many_blocks() -> None:
    """As many blocks at each of 25 levels as the first has, each 100 deep: a million tensors."""
    lies: dict[str, TensorInfo] = {}
    for number in range(1, 72):
        if number < 24 or number % 2:
            lies[f"{P}input_blocks.{number}.0.in_layers.2.weight"] = tensor(32, 32, 3, 3)
            lies[f"{P}input_blocks.{number}.1.transformer_blocks.99.norm1.bias"] = tensor(32)
        else:
            lies[f"{P}input_blocks.{number}.0.op.bias"] = tensor(32)
    start = time.process_time()
    assert "input_blocks are out of order" in refusal(changed(small(), lies))
    assert time.process_time() - start < 5


def test_all_this_needs_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['pickle'] = None\n"
        "from darkroom.checkpoints import catalog, detect, elsewhere, facts, header, registry"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)

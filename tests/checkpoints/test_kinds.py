"""Every kind of model in the published layout: known, whole, loaded, and the same as others'."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from diffusers import AutoencoderKL, DiffusionPipeline, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_open_clip_checkpoint,
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from darkroom.checkpoints.convert import convert
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.load import Networks, load, parts_of
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError
from tests import tiny
from tests.tiny import KINDS, Kind, TinyCheckpoint

TASKS = {
    "sd1": ("sd1", "txt2img", "eps"),
    "sd1-inpaint": ("sd1", "inpaint", "eps"),
    "pix2pix": ("sd1", "pix2pix", "eps"),
    "sd2": ("sd2", "txt2img", "eps"),
    "sd2-v": ("sd2", "txt2img", "v"),
    "sd2-inpaint": ("sd2", "inpaint", "eps"),
    "sd2-depth": ("sd2", "depth2img", "eps"),
    "x4": ("sd2", "upscale", "v"),
    "unclip-l": ("sd2", "vary", "v"),
    "unclip-h": ("sd2", "vary", "v"),
}
PIPELINES = {
    "sd1-inpaint": "StableDiffusionInpaintPipeline",
    "pix2pix": "StableDiffusionInstructPix2PixPipeline",
    "sd2-v": "StableDiffusionPipeline",
    "sd2-depth": "StableDiffusionDepth2ImgPipeline",
    "x4": "StableDiffusionUpscalePipeline",
    "unclip-l": "StableUnCLIPImg2ImgPipeline",
}
# Pixels a side where the file does not say: those that the published ones were trained on.
SIDES = {"sd2-v": 768, "unclip-l": 768, "unclip-h": 768}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], TinyCheckpoint]:
    """Each kind's files, written once."""
    folder, written = tmp_path_factory.mktemp("kinds"), {}

    def make(kind: Kind) -> TinyCheckpoint:
        if kind not in written:
            written[kind] = tiny.write(folder, kind)
        return written[kind]

    return make


Made = Callable[[Kind], TinyCheckpoint]


def spec_of(path: Path) -> ModelSpec:
    return detect(read_header(path), path)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known(kind: Kind, made: Made) -> None:
    """Without metadata, as the published files are: by structure, at a tenth of their width."""
    spec, said = spec_of(made(kind).ckpt), spec_of(made(kind).safetensors)
    assert (spec.family, spec.task, spec.prediction) == TASKS[kind]
    assert spec.native_width == spec.native_height == SIDES.get(kind, 512)
    networks = tiny.networks(kind=kind)
    for name, network in parts_of(networks).items():
        assert getattr(spec, name) == getattr(said, name) == network.config
    assert (said.native_width, said.prediction) == (64, spec.prediction)
    assert spec.noise_levels == {"upscale": 351, "vary": 1000}.get(spec.task)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_loaded_and_runs(kind: Kind, made: Made) -> None:
    """What was written comes back, out of both kinds of file, and what is unused is not missed."""
    written = tiny.networks(kind=kind)
    state = {name: part.state_dict() for name, part in parts_of(written).items()}
    for path in (made(kind).ckpt, made(kind).safetensors):
        loaded = load(spec_of(path), precision="fp32", device="cpu")
        assert parts_of(loaded).keys() == state.keys()
        for name, part in parts_of(loaded).items():
            for key, tensor in part.state_dict().items():
                assert torch.equal(tensor, state[name][key].half().float()), (name, key)
        assert_statistics(loaded, written)
    out = evaluate(loaded)
    assert out.isfinite().all() and out.std() > 0.01


def assert_statistics(loaded: Networks, written: Networks) -> None:
    if loaded.image_encoder is None:
        assert loaded.embedding_mean is loaded.embedding_std is None
        return
    width = loaded.image_encoder.config.embedding
    mean, std = written.embedding_mean, written.embedding_std
    mean, std = (torch.zeros(1, width), torch.ones(1, width)) if mean is None else (mean, std)
    assert loaded.embedding_mean is not None and loaded.embedding_std is not None
    assert torch.allclose(loaded.embedding_mean, mean, atol=1e-3)
    assert std is not None and torch.allclose(loaded.embedding_std, std, atol=1e-3)


def inputs(networks: Networks) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    generator = torch.Generator().manual_seed(3)
    config = networks.unet.config
    x = torch.randn(2, config.in_channels, 16, 16, generator=generator)
    context = torch.randn(2, 7, config.context_width, generator=generator)
    label = None
    if config.classes is not None:
        label = torch.tensor([20, 300])
    if config.vector_width is not None:
        label = torch.randn(2, config.vector_width, generator=generator)
    return x, torch.tensor([3, 901]), context, label


def evaluate(networks: Networks) -> Tensor:
    with torch.no_grad():
        out: Tensor = networks.unet(*inputs(networks))
    return out


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("kind", ["sd1-inpaint", "sd2-v", "sd2-depth", "x4", "unclip-h"])
def test_the_unet_is_that_of_diffusers(kind: Kind, made: Made) -> None:
    """With the file's weights by diffusers' own conversion.  Recorded: 2e-6 relative."""
    networks = load(spec_of(made(kind).ckpt), precision="fp32", device="cpu")
    config = networks.unet.config
    kinds = ["CrossAttn" if depth else "" for depth in config.depths]
    told = {}
    if config.vector_width is not None:
        told = {
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": config.vector_width,
        }
    theirs = UNet2DConditionModel(
        in_channels=config.in_channels,
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=[f"{kind}DownBlock2D" for kind in kinds],
        up_block_types=[f"{kind}UpBlock2D" for kind in reversed(kinds)],
        cross_attention_dim=config.context_width,
        only_cross_attention=[not inward for inward in config.self_attention],
        attention_head_dim=config.heads,
        use_linear_projection=kind != "sd1-inpaint",
        num_class_embeds=config.classes,
        **told,
    ).eval()
    published = torch.load(made(kind).ckpt, weights_only=True)["state_dict"]
    weights = convert_ldm_unet_checkpoint(dict(published), theirs.config)
    theirs.load_state_dict({name: weight.float() for name, weight in weights.items()})
    x, t, context, label = inputs(networks)
    with torch.no_grad():
        expected = theirs(x, t, context, class_labels=label).sample
    assert relative(evaluate(networks), expected) < 1e-4


def test_the_text_encoder_is_the_last_but_one_of_openclip(made: Made) -> None:
    """Against transformers', by diffusers' own conversion.  Recorded: 1e-6 relative."""
    networks = load(spec_of(made("sd2").ckpt), precision="fp32", device="cpu")
    config = networks.text_encoder.config
    theirs = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.width,
            intermediate_size=config.feed_width,
            num_hidden_layers=config.layers + 1,
            num_attention_heads=config.heads,
            hidden_act="gelu",
            projection_dim=config.width,
        )
    ).eval()
    published = torch.load(made("sd2").ckpt, weights_only=True)["state_dict"]
    weights = convert_open_clip_checkpoint(theirs, dict(published), "cond_stage_model.model.")
    prefix = "" if "embeddings.token_embedding.weight" in theirs.state_dict() else "text_model."
    known = {
        prefix + name.removeprefix("text_model."): weight.float()
        for name, weight in weights.items()
        if not name.startswith("text_projection")
    }
    theirs.load_state_dict(known)
    ids = torch.tensor([[49_406, 320, 2368, 49_407] + [0] * 73])
    with torch.no_grad():
        states = theirs(ids, output_hidden_states=True).hidden_states
        norm = theirs.get_submodule(f"{prefix}final_layer_norm")
        assert relative(networks.text_encoder(ids), norm(states[-2])) < 1e-4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_weights_tell_eps_from_v(dtype: torch.dtype, made: Made, tmp_path: Path) -> None:
    kinds: dict[Kind, str] = {"sd2": "eps", "sd2-v": "v"}
    for kind, prediction in kinds.items():
        state = safetensors.torch.load_file(made(kind).safetensors)
        path = tmp_path / f"{kind}.safetensors"
        safetensors.torch.save_file({name: t.to(dtype) for name, t in state.items()}, path)
        spec = spec_of(path)
        assert spec.prediction == prediction
        assert "its weights show it" in spec.prediction_reason


def test_the_users_word_goes_before_the_weights(made: Made) -> None:
    path = made("sd2-v").ckpt
    spec = detect(read_header(path), path, prediction="eps")
    assert (spec.prediction, spec.native_width) == ("eps", 512)


CONFIG = """model:
  target: ldm.models.diffusion.ddpm.LatentDiffusion
  params:
    {parameterization}
    unet_config:
      target: ldm.modules.diffusionmodules.openaimodel.UNetModel
      params:
        in_channels: {channels}
    cond_stage_config:
      target: ldm.modules.encoders.modules.{encoder}
"""


@pytest.mark.parametrize(
    ("kind", "parameterization", "channels", "encoder", "says"),
    [
        ("sd2", "parameterization: v", 4, "FrozenOpenCLIPEmbedder", "v"),
        ("sd2-v", "", 4, "FrozenOpenCLIPEmbedder", "eps"),
        ("sd2", "", 4, "FrozenCLIPEmbedder", "made for Stable Diffusion 1 models, not for"),
        ("sd2", "", 9, "FrozenOpenCLIPEmbedder", "takes 9 channels, not for a U-Net that takes 4"),
        ("sd1", "", 4, "FrozenOpenCLIPEmbedder", "made for Stable Diffusion 2 models, not for"),
        ("x4", "", 7, "FrozenOpenCLIPEmbedder", "predicts eps, not for a model that predicts v"),
        ("sd2-inpaint", "parameterization: v", 9, "FrozenOpenCLIPEmbedder", "predicts v, not"),
    ],
)
def test_a_yaml_is_obeyed_unless_it_contradicts(
    kind: Kind,
    parameterization: str,
    channels: int,
    encoder: str,
    says: str,
    made: Made,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.ckpt"
    path.symlink_to(made(kind).ckpt)
    text = CONFIG.format(parameterization=parameterization, channels=channels, encoder=encoder)
    (tmp_path / "model.yaml").write_text(text)
    if says in {"eps", "v"}:
        assert spec_of(path).prediction == says
        return
    with pytest.raises(ModelError, match=r"model\.yaml contradicts model\.ckpt") as caught:
        spec_of(path)
    assert says in caught.value.message
    assert detect(read_header(path), path, prediction="eps").prediction == "eps"


def test_parts_of_another_task_are_too_many(made: Made) -> None:
    path = made("sd2").ckpt
    header = read_header(path)
    more = {
        name: info
        for name, info in read_header(made("sd2-depth").ckpt).tensors.items()
        if name.startswith("depth_model.model.pretrained.model.blocks.")
    }
    both = dataclasses.replace(header, tensors={**header.tensors, **more})
    with pytest.raises(ModelError, match="is not part of such a model"):
        detect(both, path)


def test_unclip_without_its_image_encoder_is_broken(made: Made) -> None:
    header = read_header(made("unclip-h").ckpt)
    kept = {name: i for name, i in header.tensors.items() if not name.startswith("embedder.")}
    with pytest.raises(ModelError, match="its image encoder is missing"):
        detect(dataclasses.replace(header, tensors=kept), made("unclip-h").ckpt)


def separate(checkpoint: TinyCheckpoint, folder: Path, form: str) -> tuple[Path, dict[str, Tensor]]:
    """An autoencoder alone, of other weights, and what must come of it."""
    other = tiny.networks(seed=5).autoencoder
    state = {name: tensor.half() for name, tensor in tiny_published(other).items()}
    if form == "prefixed":
        state = {f"first_stage_model.{name}": tensor for name, tensor in state.items()}
    if form == "with its loss":
        state |= {"loss.logvar": torch.zeros(()), "model_ema.decay": torch.zeros(())}
    path = folder / "vae.safetensors"
    if form == "pickled":
        path = folder / "vae.pt"
        torch.save({"state_dict": state}, path)
    elif form == "diffusers":
        path = folder / "vae"
        theirs = AutoencoderKL(
            block_out_channels=tiny.AUTOENCODER.widths,
            down_block_types=["DownEncoderBlock2D"] * 4,
            up_block_types=["UpDecoderBlock2D"] * 4,
            layers_per_block=1,
        )
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

        prefixed = {f"first_stage_model.{name}": tensor for name, tensor in state.items()}
        theirs.load_state_dict(convert_ldm_vae_checkpoint(prefixed, theirs.config))
        theirs.half().save_pretrained(path)
    else:
        safetensors.torch.save_file(state, path)
    return path, {name: tensor.half() for name, tensor in other.state_dict().items()}


def tiny_published(autoencoder: Any) -> dict[str, Tensor]:
    from darkroom.checkpoints.layouts import AUTOENCODER, autoencoder_rows

    state = autoencoder.state_dict()
    return {
        row.published.removeprefix(AUTOENCODER): state[row.ours].reshape(row.published_shape)
        for row in autoencoder_rows(autoencoder.config)
    }


@pytest.mark.parametrize("form", ["bare", "prefixed", "with its loss", "pickled", "diffusers"])
def test_a_separate_autoencoder_takes_the_place_of_the_models(
    form: str, made: Made, tmp_path: Path
) -> None:
    spec = spec_of(made("sd1").safetensors)
    path, expected = separate(made("sd1"), tmp_path, form)
    loaded = load(spec, precision="fp32", device="cpu", vae=path)
    for name, tensor in loaded.autoencoder.state_dict().items():
        assert torch.equal(tensor, expected[name].float()), name


def test_the_autoencoder_of_another_model_is_taken(made: Made) -> None:
    vae = made("sd1-inpaint").ckpt
    loaded = load(spec_of(made("sd2").ckpt), precision="fp32", device="cpu", vae=vae)
    assert loaded.autoencoder.config == tiny.AUTOENCODER


def test_an_autoencoder_that_does_not_fit_is_refused(made: Made, tmp_path: Path) -> None:
    spec = spec_of(made("sd1").safetensors)
    with pytest.raises(ModelError, match="does not fit: its latents have 4 pixels a side"):
        load(spec, precision="fp32", device="cpu", vae=made("x4").ckpt)
    safetensors.torch.save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(ModelError, match="holds no autoencoder"):
        load(spec, precision="fp32", device="cpu", vae=tmp_path / "a.safetensors")


@pytest.fixture(scope="module")
def folders(made: Made, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path]:
    """Each kind as a folder of diffusers, written once."""
    place, written = tmp_path_factory.mktemp("folders"), {}

    def make(kind: Kind) -> Path:
        if kind not in written:
            written[kind] = place / kind
            for _ in convert(made(kind).ckpt, written[kind], precision="fp32"):
                pass
        return written[kind]

    return make


Folders = Callable[[Kind], Path]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_goes_to_a_folder_and_back(
    kind: Kind, made: Made, folders: Folders, tmp_path: Path
) -> None:
    folder = folders(kind)
    known, spec = spec_of(folder), spec_of(made(kind).ckpt)
    changes = {"path", "name", "stored_bytes", "prediction_reason", "parameters"}
    for field in dataclasses.fields(spec):
        if field.name not in changes:
            assert getattr(known, field.name) == getattr(spec, field.name), field.name
    back = tmp_path / "back.safetensors"
    for _ in convert(folder, back, precision="fp16"):
        pass
    state, first = (safetensors.torch.load_file(p) for p in (back, made(kind).safetensors))
    if kind == "unclip-h":  # What the file lacked stands in the folder.
        assert torch.equal(state.pop("noise_augmentor.data_mean"), torch.zeros(1, 48).half())
        assert torch.equal(state.pop("noise_augmentor.data_std"), torch.ones(1, 48).half())
    assert state.keys() == first.keys()
    assert all(torch.equal(state[name], first[name]) for name in state)
    assert spec_of(back).text_encoder == spec.text_encoder
    loaded = load(known, precision="fp32", device="cpu")
    expected = load(spec, precision="fp32", device="cpu")
    for name, part in parts_of(expected).items():
        theirs = parts_of(loaded)[name].state_dict()
        assert all(torch.equal(theirs[key], t) for key, t in part.state_dict().items()), name


@pytest.mark.parametrize("kind", ["sd1-inpaint", "pix2pix", "sd2-v", "sd2-depth", "x4", "unclip-l"])
def test_diffusers_opens_the_folder(kind: Kind, folders: Folders) -> None:
    pipeline = DiffusionPipeline.from_pretrained(folders(kind), local_files_only=True)
    assert type(pipeline).__name__ == PIPELINES[kind]
    networks = load(spec_of(folders(kind)), precision="fp32", device="cpu")
    x, t, context, label = inputs(networks)
    with torch.no_grad():
        expected = pipeline.unet(x, t, context, class_labels=label).sample
        assert relative(evaluate(networks), expected) < 1e-4
        ids = pipeline.tokenizer("a cat", padding="max_length", return_tensors="pt").input_ids
        theirs = pipeline.text_encoder(ids)[0]
        assert relative(networks.text_encoder(ids), theirs) < 1e-4
        if kind == "sd2-depth":
            image = torch.rand(1, 3, 64, 64) * 2 - 1
            depth = pipeline.depth_estimator(image).predicted_depth
            assert networks.depth is not None
            assert relative(networks.depth(image), depth) < 1e-4
        if kind == "unclip-l":
            image = torch.randn(1, 3, 56, 56)
            assert networks.image_encoder is not None
            seen = networks.image_encoder(image)
            assert relative(seen, pipeline.image_encoder(image).image_embeds) < 1e-4
            assert networks.embedding_std is not None
            scaled = (seen - networks.embedding_mean) / networks.embedding_std
            assert relative(scaled, pipeline.image_normalizer.scale(seen)) < 1e-4
    if kind.startswith("sd2"):
        assert ids[0, -1] == 0
    if kind == "x4":
        assert pipeline.config.max_noise_level == 350

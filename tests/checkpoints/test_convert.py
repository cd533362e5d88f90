"""From one layout to another and back: equal tensors, which diffusers loads; never half a model."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from darkroom.checkpoints import catalog, diffusers_files, layouts
from darkroom.checkpoints.convert import Averages, convert
from darkroom.checkpoints.detect import detect
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.load import DTYPES, Networks, Unfilled, load, save_published
from darkroom.checkpoints.rows import PART, Network
from darkroom.contracts import ModelSpec, Precision
from darkroom.errors import DarkroomError, ModelError, OutputError, RequestError
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.text.tokenizer import Tokenizer
from tests import tiny
from tests.checkpoints.test_detect import AUTOENCODER, TEXT, UNET
from tests.checkpoints.test_layouts import TEXT as FULL_TEXT
from tests.checkpoints.test_layouts import networks as on_meta
from tests.checkpoints.test_load import assert_equal
from tests.tiny import TinyCheckpoint

SIZES = {
    "published": (
        FULL_TEXT,
        dataclasses.replace(
            tiny.UNET,
            widths=(320, 640, 1280, 1280),
            blocks=2,
            depths=(1, 1, 1, 0),
            self_attention=(True,) * 4,
            heads=(8,) * 4,
            context_width=768,
        ),
        dataclasses.replace(tiny.AUTOENCODER, widths=(128, 256, 512, 512), blocks=2),
    ),
    "tiny": (tiny.TEXT, tiny.UNET, tiny.AUTOENCODER),
    "odd": (
        dataclasses.replace(TEXT, heads=4, activation="gelu"),
        dataclasses.replace(
            UNET,
            widths=(32, 64, 64),
            blocks=2,
            depths=(0, 2, 1),
            middle_depth=1,
            self_attention=(True, False, True),
            heads=(4, 8, 2),
            norm_groups=16,
        ),
        dataclasses.replace(AUTOENCODER, blocks=2, norm_groups=8),
    ),
}


def converted(source: Path, target: Path, **wishes: Any) -> Path:
    done = [progress.done for progress in convert(source, target, **wishes)]
    assert done == sorted(done) and done[-1] > 0
    return target


def spec_of(path: Path) -> ModelSpec:
    return detect(read_header(path), path)


def state(path: Path) -> dict[str, Tensor]:
    return safetensors.torch.load_file(path)


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype and torch.equal(tensor, other[name]), name


@pytest.fixture(scope="module")
def folder(tiny_checkpoint: TinyCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint, in float32 as diffusers computes on a CPU."""
    path = tmp_path_factory.mktemp("converted") / "tiny"
    return converted(tiny_checkpoint.safetensors, path, precision="fp32")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> Any:
    """What diffusers makes of the folder."""
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)


def test_the_whole_way_round_keeps_every_tensor(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    one = converted(tiny_checkpoint.ckpt, tmp_path / "one.safetensors")
    there = converted(one, tmp_path / "folder")
    two = converted(there, tmp_path / "two.safetensors")
    assert_same(state(one), state(tiny_checkpoint.safetensors))
    assert_same(state(two), state(one))
    again = converted(two, tmp_path / "again")
    for file in there.rglob("*.safetensors"):
        assert_same(state(file), state(again / file.relative_to(there)))


@pytest.mark.parametrize(("text", "unet", "autoencoder"), SIZES.values(), ids=SIZES)
def test_names_shapes_and_settings_are_those_of_diffusers(
    text: Any, unet: Any, autoencoder: Any
) -> None:
    """Networks that diffusers and transformers build from our settings have our table's tensors."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    spec = dataclasses.replace(
        spec_of(catalog.find("mini")), text_encoder=text, unet=unet, autoencoder=autoencoder
    )
    files: dict[str, Any] = diffusers_files.settings(spec, linear=False)
    with torch.device("meta"), Unfilled():
        theirs: dict[Network, Any] = {
            "text_encoder": CLIPTextModel(CLIPTextConfig(**files["text_encoder/config.json"])),
            "unet": UNet2DConditionModel.from_config(files["unet/config.json"]),
            "autoencoder": AutoencoderKL.from_config(files["vae/config.json"]),
        }
    rows = layouts.model_rows(Sizes(text_encoder=text, unet=unet, autoencoder=autoencoder))
    for network, module in theirs.items():
        prefix = "text_encoder/text_model." if network == "text_encoder" else PART[network]
        expected = {
            prefix + name.removeprefix("text_model."): tuple(tensor.shape)
            for name, tensor in module.state_dict().items()
        }
        ours = {
            row.diffusers: row.written("diffusers", row.published_shape)
            for row in rows
            if row.network == network
        }
        assert ours == expected
    assert theirs["text_encoder"].config.hidden_act == text.activation
    assert on_meta(text, unet, autoencoder).keys() == theirs.keys()


def test_diffusers_loads_the_folder_and_computes_the_same(pipeline: Any, folder: Path) -> None:
    ours = load(spec_of(folder), precision="fp32", device="cpu")
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 4, 8, 8, generator=generator)
    context = torch.randn(1, 77, 64, generator=generator)
    timestep = torch.tensor([500])
    words = "a red cat, naïve & 猫!"
    ids = pipeline.tokenizer(words, padding="max_length", max_length=77, return_tensors="pt")
    assert tuple(ids.input_ids[0].tolist()) == Tokenizer.clip().chunk(words).ids
    with torch.no_grad():
        pairs = {
            "text": (pipeline.text_encoder(ids.input_ids)[0], ours.text_encoder(ids.input_ids)),
            "unet": (
                pipeline.unet(latents, timestep, encoder_hidden_states=context).sample,
                ours.unet(latents, timestep, context),
            ),
            "autoencoder": (pipeline.vae.decode(latents).sample, ours.autoencoder.decode(latents)),
        }
    for name, (theirs, mine) in pairs.items():
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-4, msg=name)
    assert pipeline.scheduler.config.prediction_type == "epsilon"


def test_diffusers_loads_the_single_file_as_well(
    pipeline: Any, folder: Path, tmp_path: Path
) -> None:
    """Its settings come from the folder: without them it would ask the network."""
    from diffusers import StableDiffusionPipeline

    file = converted(folder, tmp_path / "single.safetensors")
    single = StableDiffusionPipeline.from_single_file(
        str(file), config=str(folder), local_files_only=True
    )
    for part in ("unet", "vae"):
        expected = getattr(pipeline, part).state_dict()
        assert_same(getattr(single, part).state_dict(), expected)


def test_a_small_model_keeps_its_words_and_its_tokenizer(tmp_path: Path) -> None:
    from transformers import CLIPTokenizer

    mini = catalog.find("mini")
    folder = converted(mini, tmp_path / "mini")
    spec, original = spec_of(folder), spec_of(mini)
    for field in dataclasses.fields(spec):
        if field.name not in {"name", "path", "prediction_reason"}:
            assert getattr(spec, field.name) == getattr(original, field.name), field.name
    scheduler = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    assert (scheduler["prediction_type"], scheduler["rescale_betas_zero_snr"]) == (
        "v_prediction",
        True,
    )
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    length = spec.text_encoder.context_length
    ours = Tokenizer(merges=spec.merges, context_length=length)
    words = "a hamster on a blue background"
    assert tokenizer(words, padding="max_length", max_length=length).input_ids == list(
        ours.chunk(words).ids
    )
    back = converted(folder, tmp_path / "back.safetensors")
    assert_same(state(back), state(mini))
    assert dataclasses.replace(spec_of(back), name="x", path=mini, prediction_reason="") == (
        dataclasses.replace(original, name="x", path=mini, prediction_reason="")
    )


@pytest.mark.parametrize("target", ["folder", "file.safetensors"])
@pytest.mark.parametrize("precision", DTYPES)
def test_precisions(
    precision: Precision, target: str, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    path = converted(tiny_checkpoint.ckpt, tmp_path / target, precision=precision)
    files = path.rglob("*.safetensors") if path.is_dir() else [path]
    dtypes = {tensor.dtype for file in files for tensor in state(file).values()}
    assert dtypes == {DTYPES[precision]}
    one = load(spec_of(path), precision="fp32", device="cpu")
    assert_equal(
        one, rounded(load(spec_of(tiny_checkpoint.ckpt), precision="fp32", device="cpu"), precision)
    )


def rounded(networks: Networks, precision: Precision) -> Networks:
    for network in (networks.text_encoder, networks.unet, networks.autoencoder):
        network.to(DTYPES[precision]).float()
    return networks


def test_eight_bit_floats_stay_what_they_are(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    small = {
        name: tensor.to(torch.float8_e4m3fn)
        for name, tensor in state(tiny_checkpoint.safetensors).items()
    }
    safetensors.torch.save_file(small, tmp_path / "small.safetensors")
    same = converted(tmp_path / "small.safetensors", tmp_path / "same.safetensors")
    assert all(
        torch.equal(tensor.view(torch.uint8), small[name].view(torch.uint8))
        for name, tensor in state(same).items()
    )
    wide = converted(same, tmp_path / "wide.safetensors", precision="fp16")
    assert_same(state(wide), {name: tensor.half() for name, tensor in small.items()})


def test_averages_are_left_out_used_or_kept(averaged_checkpoint: Path, tmp_path: Path) -> None:
    full = state(averaged_checkpoint)
    plain = {name: value for name, value in full.items() if not name.startswith("model_ema.")}
    used = {
        name: full.get(layouts.ema_name(name), value) if name.startswith(layouts.UNET) else value
        for name, value in plain.items()
    }
    expected: dict[Averages, dict[str, Tensor]] = {"drop": plain, "use": used, "keep": full}
    for averages, tensors in expected.items():
        target = tmp_path / f"{averages}.safetensors"
        converted(averaged_checkpoint, target, averages=averages)
        assert_same(state(target), tensors)
        assert spec_of(target).ema == (averages == "keep")
    converted(averaged_checkpoint, tmp_path / "folder", averages="use")
    back = converted(tmp_path / "folder", tmp_path / "back.safetensors")
    assert_same(state(back), used)


def test_the_prediction_is_written_down(tiny_checkpoint: TinyCheckpoint, tmp_path: Path) -> None:
    """It may stand in a file beside the source, which the target does not have."""
    source = tmp_path / "model.ckpt"
    shutil.copy(tiny_checkpoint.ckpt, source)
    source.with_suffix(".yaml").write_text("model:\n  params:\n    parameterization: v\n")
    for target in ("file.safetensors", "folder"):
        assert spec_of(converted(source, tmp_path / target)).prediction == "v"
    overruled = converted(
        tmp_path / "file.safetensors", tmp_path / "eps.safetensors", prediction="eps"
    )
    assert spec_of(overruled).prediction == "eps"
    header = read_header(overruled)
    assert header.metadata["modelspec.prediction_type"] == "epsilon"


def test_metadata_stay_and_hashes_of_another_file_go(
    tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    metadata = {"modelspec.title": "A", "modelspec.hash_sha256": "0x1", "modelspec.license": "MIT"}
    source = tmp_path / "a.safetensors"
    safetensors.torch.save_file(state(tiny_checkpoint.safetensors), source, metadata=metadata)
    folder = converted(source, tmp_path / "b")
    back = converted(folder, tmp_path / "c.safetensors")
    assert read_header(back).metadata == {
        "format": "pt",
        "modelspec.title": "A",
        "modelspec.license": "MIT",
    }


def test_projections_stay_matrices(tmp_path: Path) -> None:
    """Their rank tells how many heads there are, so it must not change on the way."""
    made = Networks(
        text_encoder=TextEncoder(TEXT),
        unet=UNet(dataclasses.replace(UNET, widths=(64, 128), heads=(1, 2))),
        autoencoder=Autoencoder(AUTOENCODER),
    )
    save_published(tmp_path / "a.safetensors", made, metadata={}, dtype=torch.float32)
    tensors = state(tmp_path / "a.safetensors")
    for name, tensor in tensors.items():
        if ".proj_" in name and name.startswith(layouts.UNET) and tensor.ndim == 4:
            tensors[name] = tensor.flatten(1)
    safetensors.torch.save_file(tensors, tmp_path / "linear.safetensors")
    assert spec_of(tmp_path / "linear.safetensors").unet.heads == (1, 2)
    # As a folder, such a U-Net with CLIP's activation is still one of the first family.
    folder = converted(tmp_path / "linear.safetensors", tmp_path / "folder")
    assert json.loads((folder / "unet/config.json").read_text())["use_linear_projection"]
    assert spec_of(folder).unet.heads == (1, 2)
    back = converted(folder, tmp_path / "back.safetensors")
    assert_same(state(back), tensors)


def test_what_is_there_is_never_replaced(
    tiny_checkpoint: TinyCheckpoint, folder: Path, tmp_path: Path
) -> None:
    taken = tmp_path / "taken.safetensors"
    taken.write_bytes(b"precious")
    (tmp_path / "taken").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    for target in (taken, tmp_path / "taken", tmp_path / "dangling"):
        with pytest.raises(OutputError, match="is there already"):
            convert(tiny_checkpoint.ckpt, target)
    with pytest.raises(OutputError, match="is there already"):
        convert(folder, folder)
    assert taken.read_bytes() == b"precious"
    late = tmp_path / "late.safetensors"
    steps = convert(tiny_checkpoint.ckpt, late)
    next(steps)
    late.write_bytes(b"precious too")
    with pytest.raises(OutputError, match="appeared meanwhile"):
        list(steps)
    assert late.read_bytes() == b"precious too"
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["a.ckpt", "a.PT", "a.bin", "a.pth"])
def test_pickles_are_never_written(
    name: str, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match="writes no"):
        convert(tiny_checkpoint.ckpt, tmp_path / name)


def test_averages_that_cannot_be_meant_are_refused(
    tiny_checkpoint: TinyCheckpoint, averaged_checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match="no averaged weights"):
        convert(tiny_checkpoint.ckpt, tmp_path / "a.safetensors", averages="use")
    with pytest.raises(RequestError, match="no place"):
        convert(averaged_checkpoint, tmp_path / "folder", averages="keep")


@pytest.mark.parametrize(
    "change", [{"middle_depth": 2}, {"self_attention": (True, False)}], ids=["deep", "outward"]
)
def test_a_u_net_that_diffusers_cannot_describe_is_refused(
    change: dict[str, Any], tmp_path: Path
) -> None:
    made = Networks(
        text_encoder=TextEncoder(TEXT),
        unet=UNet(dataclasses.replace(UNET, **change)),
        autoencoder=Autoencoder(AUTOENCODER),
    )
    save_published(tmp_path / "a.safetensors", made, metadata={}, dtype=torch.float16)
    with pytest.raises(ModelError, match="cannot be written as a folder"):
        convert(tmp_path / "a.safetensors", tmp_path / "folder")
    converted(tmp_path / "a.safetensors", tmp_path / "b.safetensors")


@pytest.mark.parametrize("target", ["folder", "file.safetensors"])
def test_broken_weights_leave_nothing_behind(
    target: str, tiny_checkpoint: TinyCheckpoint, tmp_path: Path
) -> None:
    tensors = state(tiny_checkpoint.safetensors)
    tensors["first_stage_model.quant_conv.bias"][0] = float("nan")
    source = tmp_path / "source" / "nan.safetensors"
    source.parent.mkdir()
    safetensors.torch.save_file(tensors, source)
    with pytest.raises(ModelError, match=r"quant_conv\.bias holds values that are no numbers"):
        list(convert(source, tmp_path / target))
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("target", ["folder", "file.safetensors"])
def test_a_full_disk_and_a_change_of_mind_leave_nothing_behind(
    target: str,
    tiny_checkpoint: TinyCheckpoint,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = convert(tiny_checkpoint.ckpt, tmp_path / target)
    next(steps)
    assert len(list(tmp_path.iterdir())) == 1
    close(steps)
    assert not list(tmp_path.iterdir())

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            list(convert(tiny_checkpoint.ckpt, tmp_path / target))
    assert not list(tmp_path.iterdir())

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OutputError, match=r"needs 8\.74 MB, and there are 1 kB left"):
        convert(tiny_checkpoint.ckpt, tmp_path / target)


def close(steps: Iterator[object]) -> None:
    getattr(steps, "close")()  # noqa: B009 (an iterator that is a generator)


def test_a_folder_that_is_not_there(tiny_checkpoint: TinyCheckpoint, tmp_path: Path) -> None:
    for name in ("no/where", "no/where.safetensors"):
        with pytest.raises(DarkroomError, match="cannot be written"):
            list(convert(tiny_checkpoint.ckpt, tmp_path / name))


# Converts in a program of its own and says by how much its memory grew at most, in bytes.
GROWTH = """
import re, sys
from pathlib import Path
from darkroom.checkpoints.convert import convert

def said(field):
    return 1024 * int(re.search(field + r":\\s*(\\d+)", Path("/proc/self/status").read_text())[1])

small, large, out = map(Path, sys.argv[1:])
for _ in convert(small, out / "small.safetensors", precision="fp16"):
    pass
before, most = said("RssAnon"), 0
for precision in ("fp32", "fp16"):
    for _ in convert(large, out / f"{precision}.safetensors", precision=precision):
        most = max(most, said("RssAnon"))
print(most - before)
"""


def test_memory_holds_one_tensor(tiny_checkpoint: TinyCheckpoint, tmp_path: Path) -> None:
    """60 MB in tensors of 2 MB at most."""
    text = dataclasses.replace(TEXT, vocabulary=1000, width=512, heads=8, layers=8, feed_width=512)
    made = Networks(
        text_encoder=TextEncoder(text),
        unet=UNet(dataclasses.replace(UNET, context_width=512)),
        autoencoder=Autoencoder(AUTOENCODER),
    )
    source = tmp_path / "large.safetensors"
    save_published(source, made, metadata={}, dtype=torch.float32)
    size = source.stat().st_size
    assert size > 50_000_000
    (tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", GROWTH, tiny_checkpoint.ckpt, source, tmp_path / "out"],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
    )
    assert int(done.stdout) < size / 4

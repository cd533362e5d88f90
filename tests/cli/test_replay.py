"""`darkroom replay`: the same image, what has changed since, and what cannot be."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from darkroom.contracts import Recipe
from darkroom.images import inspection, io, metadata
from tests.cli.conftest import Run, assert_refused
from tests.tiny import TinyCheckpoint


@pytest.fixture
def installed(
    run: Run, tiny_checkpoint: TinyCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder of models in which the checkpoint has another name than in its recipes."""
    folder = tmp_path / "models"
    folder.mkdir()
    shutil.copy(tiny_checkpoint.safetensors, folder / "renamed.safetensors")
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(folder))
    return folder


@pytest.fixture
def file(run: Run, installed: Path) -> Path:
    """An image, and next to it nothing."""
    done = run("txt2img", "a cat", "--seed", 7, "--out", "cat.png")
    assert done.exit_code == 0, done.stderr
    return Path("cat.png")


def rewritten(file: Path, **changes: object) -> Path:
    """The file with another recipe: what a newer machine, or a liar, would find there."""
    found = inspection.inspect_file(file)
    assert found.recipe is not None and found.mark is not None
    recipe = replace(found.recipe, **changes)  # type: ignore[arg-type]
    raster = io.from_array(io.read_file(file).pixels)
    target = file.with_name("other.png")
    target.write_bytes(io.encode(raster, mark=found.mark, recipe=recipe))
    return target


def test_the_same_image(run: Run, file: Path) -> None:
    done = run("replay", file, "--out", "again.png")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "again.png\n"
    assert (io.read_file(Path("again.png")).pixels == io.read_file(file).pixels).all()


def test_it_goes_where_images_go_and_overwrites_nothing(run: Run, file: Path) -> None:
    names = [Path(run("replay", file).stdout.strip()).name for _ in range(2)]
    assert [name[10:] for name in names] == ["-7-001.png", "-7-002.png"]


def test_verifying_writes_nothing(run: Run, file: Path) -> None:
    before = sorted(Path().rglob("*"))
    done = run("replay", file, "--verify", "--quiet")
    assert (done.exit_code, done.stdout) == (0, "The same pixels.\n"), done.stderr
    assert done.stderr == ""
    assert sorted(Path().rglob("*")) == before


def test_verifying_as_json(run: Run, file: Path) -> None:
    said = json.loads(run("replay", file, "--verify", "--json").stdout)
    assert said == {
        "path": None,
        "seed": 7,
        "changes": [],
        "largest": 0,
        "mean": 0.0,
        "tolerance": 1,
    }


def test_other_pixels_are_found(run: Run, file: Path) -> None:
    pixels = io.read_file(file).pixels.copy()
    pixels[3, 5, 1] ^= 2
    found = inspection.inspect_file(file)
    assert found.mark is not None
    changed = io.encode(io.from_array(pixels), mark=found.mark, recipe=found.recipe)
    file.write_bytes(changed)
    done = run("replay", file, "--verify")
    assert done.exit_code == 1
    assert "largest difference 2 of 255, mean 0.0002" in done.stdout
    assert "error: cat.png did not come out again: a pixel differs by 2 levels" in done.stderr
    assert "hint: Nothing known has changed. --tolerance 2 takes it" in done.stderr
    assert run("replay", file, "--verify", "--tolerance", 2).exit_code == 0


@pytest.mark.parametrize("name", ["cat.jpg", "cat.webp"])
def test_a_file_with_losses_cannot_be_exact_and_is_measured(
    run: Run, installed: Path, name: str
) -> None:
    run("txt2img", "a cat", "--seed", 7, "--out", name, "--quality", 60)
    done = run("replay", name, "--verify", "--json")
    assert done.exit_code == 1
    assert 1 < json.loads(done.stdout)["largest"] < 256
    assert "compressed with losses, so it cannot be exact" in done.stderr
    assert run("replay", name, "--verify", "--tolerance", 255).exit_code == 0


def test_a_lossless_webp_is_exact(run: Run, installed: Path) -> None:
    run("txt2img", "a cat", "--seed", 7, "--out", "cat.webp")
    assert run("replay", "cat.webp", "--verify").stdout == "The same pixels.\n"


def test_from_an_image(run: Run, file: Path) -> None:
    done = run("img2img", file, "a dog", "--seed", 3, "--out", "dog.png", "--strength", 0.9)
    assert done.exit_code == 0, done.stderr
    said = assert_refused(run("replay", "dog.png"), 2)
    assert "The input image with which this image was made is needed" in said
    assert run("replay", "dog.png", "--input", file, "--verify").stdout == "The same pixels.\n"
    shutil.copy(rewritten(file, seed=8), "near.png")
    refused = assert_refused(run("replay", "dog.png", "--input", "near.png"), 2)
    assert "is not the file with which" in refused and "--any-input" in refused
    done = run("replay", "dog.png", "--input", "near.png", "--any-input", "--verify")
    assert done.stdout == "The same pixels.\n", "the same pixels in another file"
    assert "Another input image is taken" in done.stderr
    assert "with no input image" in assert_refused(run("replay", file, "--input", file), 2)


def test_what_has_changed_is_said(run: Run, file: Path) -> None:
    old = rewritten(file, device="cuda", precision="fp32", versions={"torch": "1.12.0"})
    done = run("replay", old, "--json")
    assert done.exit_code == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert changes[0] == "Device: cuda then, cpu now."
    assert any(line.startswith("Version of torch: 1.12.0 then, ") for line in changes)
    assert all(line in done.stderr for line in changes)


def test_a_model_is_found_by_its_hash_whatever_its_name(run: Run, file: Path) -> None:
    found = inspection.inspect_file(file)
    assert found.recipe is not None and found.recipe.model == "tiny"
    done = run("replay", file, "--verify")
    assert done.exit_code == 0, done.stderr


def test_a_model_that_is_not_installed(run: Run, file: Path, installed: Path) -> None:
    (installed / "renamed.safetensors").unlink()
    before = sorted(Path().rglob("*"))
    said = assert_refused(run("replay", file), 2)
    found = inspection.inspect_file(file)
    assert found.recipe is not None
    assert f"The model tiny is not installed (its SHA-256 is {found.recipe.model_sha256})" in said
    assert str(installed) in said and "--model FILE" in said
    assert sorted(Path().rglob("*")) == before
    named = run("replay", file, "--verify", "--model", os.environ["DARKROOM_MODEL"])
    assert named.stdout == "The same pixels.\n"


def test_another_model_of_that_name(run: Run, file: Path, installed: Path) -> None:
    (installed / "renamed.safetensors").rename(installed / "tiny.safetensors")
    done = run("replay", rewritten(file, model_sha256="0" * 64), "--verify")
    assert done.exit_code == 0, done.stderr
    assert "The model tiny is another of that name: its checksum is not the 0000000000" in (
        done.stderr
    )
    assert "The model is another one: tiny (0000000000) then" in done.stderr


def test_another_model_predicts_what_it_predicts(run: Run, file: Path) -> None:
    done = run("replay", file, "--model", "mini", "--json")
    assert done.exit_code == 0, done.stderr
    changes = json.loads(done.stdout)["changes"]
    assert changes[0].startswith("The model is another one: tiny (")
    assert "Prediction: eps then, v now." in changes


def test_a_damaged_recipe_is_told_of_and_the_other_text_used(run: Run, file: Path) -> None:
    with Image.open(file) as image:
        chunks = PngImagePlugin.PngInfo()
        chunks.add_itxt(metadata.RECIPE_KEY, "{")
        chunks.add_text("parameters", image.info["parameters"])
        image.save("half.png", pnginfo=chunks)
    done = run("replay", "half.png", "--verify")
    assert done.stdout == "The same pixels.\n", done.stderr
    assert "The recipe is damaged: it is not JSON." in done.stderr
    assert "Only the text for other programs is left" in done.stderr


def test_a_private_image_keeps_its_secret(run: Run, installed: Path) -> None:
    run("txt2img", "a cat", "--private", "--out", "cat.png")
    assert "was made privately" in assert_refused(run("replay", "cat.png"), 2)


def test_an_image_without_a_recipe(run: Run) -> None:
    Image.new("RGB", (64, 64)).save("plain.png")
    assert "plain.png holds no recipe" in assert_refused(run("replay", "plain.png"), 2)
    chunks = PngImagePlugin.PngInfo()
    chunks.add_itxt(metadata.RECIPE_KEY, '{"version": 1, "prompt": "a cat"}')
    Image.new("RGB", (64, 64)).save("damaged.png", pnginfo=chunks)
    said = assert_refused(run("replay", "damaged.png"), 2)
    assert "no recipe that can be read. The recipe is damaged" in said


def test_a_recipe_that_lies_about_the_size(run: Run, file: Path) -> None:
    other = rewritten(file, width=32)
    done = run("replay", other, "--verify")
    assert done.exit_code == 1
    assert "64 x 64 pixels, and its recipe makes 32 x 64" in done.stderr
    vast = rewritten(file, width=2**40)
    assert "Width 1099511627776 is out of range" in assert_refused(run("replay", vast), 2)


def test_the_plan_makes_nothing(run: Run, file: Path) -> None:
    before = sorted(Path().rglob("*"))
    done = run("replay", file, "--plan", "--json")
    assert json.loads(done.stdout)["plans"][0]["seed"] == 7
    assert sorted(Path().rglob("*")) == before


def of_a1111(text: str) -> Path:
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text("parameters", text)
    Image.new("RGB", (64, 64)).save("theirs.png", pnginfo=chunks)
    return Path("theirs.png")


def test_an_image_of_another_program(run: Run, installed: Path) -> None:
    settings = "Steps: 3, Sampler: Euler a, CFG scale: 6, Seed: 4, Size: 64x32, Model: renamed"
    done = run("replay", of_a1111(f"a cat\nNegative prompt: fog\n{settings}"), "--out", "a.png")
    assert done.exit_code == 0, done.stderr
    assert "AUTOMATIC1111 made it" in done.stderr
    made = inspection.inspect_file(Path("a.png")).recipe
    assert made is not None
    assert (made.prompt, made.negative, made.seed, made.steps) == ("a cat", "fog", 4, 3)
    assert (made.sampler, made.schedule, made.guidance) == ("euler_ancestral", "normal", 6)
    assert (made.width, made.height, made.noise) == (64, 32, "nv")


def test_an_image_of_another_program_that_says_too_little(run: Run, installed: Path) -> None:
    said = assert_refused(run("replay", of_a1111("a cat\nSteps: 3, Sampler: Euler, Seed: 4")), 2)
    assert "the recipe of AUTOMATIC1111 lacks guidance, width, height" in said
    assert "--like theirs.png" in said


@pytest.mark.parametrize("tolerance", ["-1", "256", "x"])
def test_a_tolerance_that_is_none(run: Run, file: Path, tolerance: str) -> None:
    assert_refused(run("replay", file, "--verify", "--tolerance", tolerance), 2)


def recipe_of(run: Run, *arguments: object) -> Recipe:
    done = run("txt2img", *arguments, "--out", "made.png", "--overwrite")
    assert done.exit_code == 0, done.stderr
    found = inspection.inspect_file(Path("made.png")).recipe
    assert found is not None
    return found


def test_an_image_like_another_has_its_settings_and_the_flags_win(
    run: Run, file: Path, averaged_checkpoint: Path, installed: Path
) -> None:
    shutil.copy(averaged_checkpoint, installed)
    first = recipe_of(
        run, "a cat", "--seed", 7, "--model", "averaged", "--ema", "--sampler", "ddim"
    )
    shutil.copy("made.png", "first.png")
    same = recipe_of(run, "--like", "first.png")
    assert same == first, "model, averages and all"
    other = recipe_of(run, "a dog", "--like", "first.png", "--sampler", "DPM++ 2M Karras")
    assert (other.prompt, other.seed, other.ema) == ("a dog", 7, True)
    assert (other.sampler, other.schedule) == ("dpmpp_2m", "karras")


def test_an_image_like_one_of_another_program_says_what_is_left_out(
    run: Run, installed: Path
) -> None:
    theirs = of_a1111("a cat\nSteps: 3, Sampler: Euler a, Seed: 4, Size: 64x32, Mask blur: 4")
    done = run("txt2img", "--like", theirs, "--out", "made.png")
    assert "Not taken over: Mask blur: 4" in done.stderr
    assert recipe_of(run, "--like", theirs).seed == 4


@pytest.mark.parametrize("command", [["txt2img", "--plan", "--like"], ["replay", "--out", "a.png"]])
def test_what_an_image_says_has_no_power_over_the_terminal(
    run: Run, installed: Path, command: list[str]
) -> None:
    settings = "Steps: 1, Sampler: Euler a, CFG scale: 1, Seed: 4, Size: 64x32, Model: renamed"
    theirs = of_a1111(f"a \x1b]0;owned\x07 cat\n{settings}, Evil: \x1b]0;owned\x07")
    done = run(*command, theirs)
    assert done.exit_code == 0, done.stderr
    assert r"Not taken over: Evil: \x1b]0;owned\x07" in done.stderr
    assert not {"\x1b", "\x07"} & set(done.stderr + done.stdout)

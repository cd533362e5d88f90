"""What `darkroom txt2img` and `img2img` make, where they put it, and what they say."""

import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.cli import outputs
from darkroom.contracts import Raster
from darkroom.errors import OutputError
from darkroom.images import inspection, io, provenance
from tests.cli.conftest import Run


def pixels(file: Path) -> io.Pixels:
    return io.read_file(file).pixels


def test_results_on_stdout_talk_on_stderr(make: Run) -> None:
    done = make("a cat", "--seed", 7)
    assert done.exit_code == 0, done.stderr
    (line,) = done.stdout.splitlines()
    file = Path(line)
    assert file.parent == Path("outputs")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d-7-001\.png", file.name)
    assert pixels(file).shape == (64, 64, 3)
    assert "seed 7" in done.stderr
    found = inspection.inspect_file(file)
    assert found.mark is not None
    assert found.mark.source == "trainedAlgorithmicMedia"
    assert found.recipe is not None
    assert (found.recipe.prompt, found.recipe.seed, found.recipe.steps) == ("a cat", 7, 2)


def test_what_things_are_is_said_in_words(make: Run, run: Run) -> None:
    shown = run("inspect", make("a cat").stdout.strip()).stdout
    assert "AI mark: made by AI (trainedAlgorithmicMedia), Darkroom\n" in shown
    model = os.environ["DARKROOM_MODEL"]
    assert "Family:     Stable Diffusion 1, " in run("models", "info", model).stdout


@pytest.mark.parametrize(
    ("system", "said"), [("Camera", "digitalCapture, Camera"), ("", "digitalCapture")]
)
def test_a_mark_of_another_source_is_shown_as_it_stands(run: Run, system: str, said: str) -> None:
    mark = dataclasses.replace(provenance.new_mark(""), source="digitalCapture", system=system)
    raster = Raster(width=1, height=1, data=bytes(3))
    Path("other.png").write_bytes(io.encode(raster, "png", mark=mark))
    assert f"AI mark: {said}\n" in run("inspect", "other.png").stdout


def test_default_names_never_overwrite(make: Run) -> None:
    files = {make("a cat", "--seed", 7).stdout for _ in range(3)}
    assert len(files) == 3
    assert len(list(Path("outputs").iterdir())) == 3


def test_the_report_tells_variations_apart_and_the_size_that_was_made(make: Run) -> None:
    said = ("--seed", 1, "--variation-strength", 0.2, "--variation-seed", 5, "--count", 2)
    done = make("a cat", *said, "--width", 32, "--height", 32, "--hires", 2, "--json")
    told = ("seed", "variation_seed", "width", "height")
    images = [[image[name] for name in told] for image in json.loads(done.stdout)["images"]]
    assert images == [[1, 5, 64, 64], [1, 6, 64, 64]]
    assert "32 x 32 enlarged to 64 x 64, seed 1, 0.2 of the way to variation seeds" in done.stderr


def test_one_json_object(make: Run) -> None:
    done = make("a cat", "--seed", 7, "--count", 2, "--grid", "--json")
    report = json.loads(done.stdout)
    assert [image["seed"] for image in report["images"]] == [7, 8]
    assert all(Path(image["path"]).is_file() for image in report["images"])
    assert {(image["width"], image["height"]) for image in report["images"]} == {(64, 64)}
    assert Path(report["grid"]).is_file()
    assert report["seconds"] > 0


def test_a_random_seed_is_printed_and_recorded(make: Run) -> None:
    done = make("a cat")
    found = inspection.inspect_file(Path(done.stdout.strip()))
    assert found.recipe is not None
    assert f"seed {found.recipe.seed}," in done.stderr
    assert str(found.recipe.seed) in Path(done.stdout).name
    again = make("a cat")
    assert again.stdout.split("-")[3] != done.stdout.split("-")[3]


def test_an_image_is_the_same_alone_and_in_a_batch(make: Run) -> None:
    together = make("a cat", "--seed", 5, "--count", 3, "--batch", 3).stdout.split()
    alone = make("a cat", "--seed", 6).stdout.split()
    other = pixels(Path(together[0])).astype(int) - pixels(Path(together[1]))
    assert np.abs(other).max() > 1, "the images of a batch differ from each other"
    same = pixels(Path(together[1])).astype(int) - pixels(Path(alone[0]))
    assert np.abs(same).max() <= 1


@pytest.mark.parametrize(
    ("name", "format_"),
    [("a.png", "png"), ("a.jpg", "jpeg"), ("a.JPEG", "jpeg"), ("a.webp", "webp")],
)
def test_a_name_with_a_suffix_is_a_file(make: Run, name: str, format_: str) -> None:
    done = make("a cat", "--out", f"deep/er/{name}")
    assert done.stdout == f"{Path('deep/er') / name}\n"
    with Image.open(done.stdout.strip()) as image:
        assert (image.format or "").lower() == format_


def test_an_existing_file_is_replaced_only_on_request(make: Run) -> None:
    Path("a.png").write_bytes(b"precious")
    assert make("a cat", "--out", "a.png").exit_code == 1
    assert Path("a.png").read_bytes() == b"precious"
    assert make("a cat", "--out", "a.png", "--overwrite").exit_code == 0
    assert pixels(Path("a.png")).shape == (64, 64, 3)


def test_trying_a_folder_out_leaves_it_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that made the folder and took it away would take it from a run beside it."""
    monkeypatch.chdir(tmp_path)
    write, seen = Path.write_bytes, []

    def watch(file: Path, data: bytes) -> int:
        seen.append([place.name for place in tmp_path.iterdir()])
        return write(file, data)

    monkeypatch.setattr(Path, "write_bytes", watch)
    for folder in ("a/b", "a/../b", "a/../../" + tmp_path.name + "/b"):
        outputs.try_out(Path(folder))
    assert len(seen) == 3
    assert all(len(names) == 1 and names[0].startswith(".darkroom-") for names in seen), seen
    assert list(tmp_path.iterdir()) == []


def test_format_of_a_folder(make: Run) -> None:
    (file,) = make("a cat", "--out", "here", "--format", "webp").stdout.split()
    assert Path(file).suffix == ".webp"
    assert Path(file).parent == Path("here")


def test_the_grid_holds_every_image(make: Run) -> None:
    *files, sheet = make("a cat", "--count", 3, "--grid").stdout.split()
    assert len(files) == 3
    large = pixels(Path(sheet))
    assert large.shape == (2 * 66 + 2, 2 * 66 + 2, 3)
    assert np.array_equal(large[2:66, 68:132], pixels(Path(files[1])))
    found = inspection.inspect_file(Path(sheet))
    assert found.mark is not None
    assert found.recipe is None


def test_prompts_from_a_file(make: Run) -> None:
    Path("prompts.txt").write_text("a cat\na dog\n")
    done = make("--from-file", "prompts.txt", "--seed", 3, "--count", 2, "--json")
    images = json.loads(done.stdout)["images"]
    assert [(image["prompt"], image["seed"]) for image in images] == [
        ("a cat", 3),
        ("a cat", 4),
        ("a dog", 5),
        ("a dog", 6),
    ]


def test_the_preview_is_a_whole_image_at_each_step(
    make: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bytes] = []
    show = outputs.Preview.show

    def watch(preview: outputs.Preview, *arguments: object) -> None:
        show(preview, *arguments)  # type: ignore[arg-type]
        seen.append(preview.file.read_bytes())

    monkeypatch.setattr(outputs.Preview, "show", watch)
    done = make("a cat", "--steps", 4, "--preview", "look.png", "--count", 2)
    assert done.exit_code == 0
    assert len(seen) == 4
    assert len(set(seen)) == 4
    for data in seen:
        assert io.read(data).pixels.shape == (68, 134, 3), "two images, enlarged, side by side"
        mark = inspection.inspect(data).mark
        assert mark is not None
    assert len(done.stdout.split()) == 2


def test_a_preview_that_fails_costs_no_image(make: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OutputError("The disk is full.", "Make room.")

    monkeypatch.setattr(outputs.Preview, "show", fail)
    done = make("a cat", "--preview", "look.png")
    assert done.exit_code == 0
    assert done.stderr.count("The preview stops here. The disk is full.") == 1
    assert len(done.stdout.split()) == 1


def test_the_plan_is_said_and_nothing_is_made(make: Run) -> None:
    done = make("a cat", "--plan", "--count", 4)
    assert done.exit_code == 0, done.stderr
    assert "4 images of 64 x 64 pixels" in done.stdout
    assert "Memory" in done.stdout
    assert "predicts v: as asked for" in make("a cat", "--plan", "--prediction", "v").stdout
    (plan,) = json.loads(make("a cat", "--plan", "--json").stdout)["plans"]
    assert plan["steps"] == 2
    assert plan["seed"] is None
    assert plan["peak_bytes"] > plan["weight_bytes"] > 0
    assert list(Path().iterdir()) == []


def test_private_keeps_the_mark_and_nothing_else(make: Run) -> None:
    (file,) = make("a secret", "--private").stdout.split()
    found = inspection.inspect_file(Path(file))
    assert found.mark is not None
    assert found.recipe is None
    assert found.foreign is None
    assert b"secret" not in Path(file).read_bytes()


def test_quiet_says_nothing_but_results(make: Run) -> None:
    done = make("a cat", "--quiet")
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_averaged_weights(make: Run, run: Run, averaged_checkpoint: Path) -> None:
    assert "--ema uses them" in run("models", "info", averaged_checkpoint).stdout
    said = ("a cat", "--seed", 7, "--model", averaged_checkpoint)
    plain, averaged = (Path(make(*said, *more).stdout.strip()) for more in ([], ["--ema"]))
    assert not np.array_equal(pixels(plain), pixels(averaged))
    assert "ema:" not in run("inspect", plain).stdout
    assert "ema: True" in run("inspect", averaged).stdout


def test_words_over_the_limit_are_named(make: Run) -> None:
    done = make("a cat " * 60 + "hamster", "--prompt-syntax", "plain")
    assert done.exit_code == 0
    assert "hamster" in done.stderr


@pytest.mark.parametrize(("strength", "steps"), [(0, 0), (0.5, 5), (1, 9)])
def test_img2img(run: Run, strength: float, steps: int) -> None:
    start = Path("start.png")
    Image.effect_mandelbrot((90, 70), (-2, -1, 1, 1), 50).convert("RGB").save(start)
    done = run("img2img", start, "a cat", "--strength", strength, "--sampler=ddim", "--steps=10")
    assert done.exit_code == 0, done.stderr
    assert f", {steps} steps of ddim" in done.stderr
    assert ("only encoded and decoded" in done.stderr) == (steps == 0)
    file = Path(done.stdout.strip())
    found = inspection.inspect_file(file)
    assert found.recipe is not None
    assert (found.recipe.strength, found.recipe.steps) == (strength, 10)
    assert found.recipe.input_sha256 is not None
    assert found.mark is not None
    assert found.mark.source == "compositeWithTrainedAlgorithmicMedia"
    assert "AI mark: made by AI from another picture (composite" in run("inspect", file).stdout

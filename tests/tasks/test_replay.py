"""What was made once is made again: fifty wishes of every kind, elsewhere and among others."""

import json
import random
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest

from darkroom import names
from darkroom.contracts import ImageDone, PromptSyntax, Recipe, Request
from darkroom.images import inspection
from darkroom.planning import again
from darkroom.tasks import finish
from darkroom.tasks.engine import Engine
from tests.cli.conftest import environment
from tests.tasks.pictures import distance, done, photograph

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint

IMAGES = 50
START = photograph(48, 32)

# Makes every image of a folder again and prints how far each is from its file.
AGAIN = """
import json, sys
from dataclasses import replace
from pathlib import Path
from darkroom.contracts import ImageDone
from darkroom.images import comparison, io
from darkroom.tasks import recalling
from darkroom.tasks.engine import Engine

folder, model = Path(sys.argv[1]), sys.argv[2]
start = (folder / "start" / "start.png").read_bytes()
engine, apart = Engine.open(model), {}
for file in sorted(folder.glob("*.png")):
    inputs = recalling.Inputs(image=start if file.stem.endswith("img2img") else None)
    found = recalling.replay(file, model=model, inputs=inputs)
    (made,) = (e for e in engine.run(found.request) if isinstance(e, ImageDone))
    pixels = io.read_file(file).pixels
    apart[file.name] = comparison.difference(pixels, io.to_array(made.image)).largest
print(json.dumps(apart))
"""


def wishes(model: str) -> list[Request]:
    """Requests that say nearly everything, each time something else."""
    dice = random.Random(7)
    return [some_wish(dice, model, "txt2img" if i % 2 else "img2img") for i in range(IMAGES)]


def some_wish(dice: random.Random, model: str, task: str) -> Request:
    sampler = dice.choice([*names.SAMPLERS])
    record = names.SAMPLERS[sampler]
    said: dict[str, Any] = {
        "prompt": dice.choice(["a cat", "a (red:1.3) cat, [dog|fox]", "", "a cat\nBREAK sun"]),
        "negative": dice.choice(["", "fog"]),
        "prompt_syntax": dice.choice([None, *get_args(PromptSyntax)]),
        "sampler": sampler,
        "schedule": dice.choice([None, *(record.schedules or names.SCHEDULES)]),
        "steps": dice.choice([2, 3, 7]),
        "guidance": dice.choice([1, 3.5, 7.5]),
        "rescale": dice.choice([None, 0.7]),
        "guidance_start": dice.choice([None, 0.25]),
        "guidance_end": dice.choice([None, 0.75]),
        "eta": dice.choice([None, 0.5]) if record.uses_eta else None,
        "churn": dice.choice([None, 2.0]) if record.churn else None,
        "noise": dice.choice([None, "cpu", "nv"]),
        "seed": dice.randrange(2**40),
        "seed_offset": dice.choice([None, 31337]),
        "tiling": dice.choice([None, "x", "y", "both"]),
        "ema": False,
    }
    if dice.random() < 0.3:
        said |= {"variation_seed": dice.randrange(2**30), "variation_strength": 0.2}
    if task == "img2img":
        said |= {"image": START, "strength": dice.choice([0.4, 0.75, 1.0])}
        said |= {"width": 48, "height": 32}
    else:
        said |= {"width": dice.choice([16, 32, 48]), "height": 32}
        if dice.random() < 0.3:
            enlarger = dice.choice([None, "latent", "lanczos"])
            said |= {"hires": 1.5, "hires_strength": 0.6, "hires_enlarger": enlarger}
    return Request(task=task, model=model, **said)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(tiny_checkpoint: "TinyCheckpoint") -> list[tuple[Request, ImageDone]]:
    model = str(tiny_checkpoint.safetensors)
    engine = Engine.open(model)
    found = [(request, done(engine.run(request))[0]) for request in wishes(model)]
    assert len({image.image.data for _, image in found}) == IMAGES, "each is another picture"
    return found


def test_every_image_comes_out_again_in_another_process(
    made: list[tuple[Request, ImageDone]], tmp_path: Path, tiny_checkpoint: "TinyCheckpoint"
) -> None:
    (tmp_path / "start").mkdir()
    (tmp_path / "start" / "start.png").write_bytes(START)
    for index, (request, image) in enumerate(made):
        finish.write(image, tmp_path / f"{index:02}-{request.task}.png")
    script = [sys.executable, "-W", "error", "-c", AGAIN, str(tmp_path)]
    ran = subprocess.run(
        [*script, str(tiny_checkpoint.safetensors)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    apart = json.loads(ran.stdout)
    assert len(apart) == IMAGES
    assert {name: levels for name, levels in apart.items() if levels} == {}


def test_every_image_comes_out_again_in_a_batch(
    made: list[tuple[Request, ImageDone]], tiny_checkpoint: "TinyCheckpoint"
) -> None:
    engine = Engine.open(str(tiny_checkpoint.safetensors))
    for request, image in made:
        wish = again.request_of(image.recipe, image=request.image)
        wish = replace(wish, model=request.model, count=2, batch=2)
        first, second = done(engine.run(wish))
        assert distance(first.image, image.image) <= 1, image.recipe
        assert distance(second.image, image.image) > 0


def test_a_recipe_says_the_same_after_each_round(
    made: list[tuple[Request, ImageDone]], tiny_checkpoint: "TinyCheckpoint"
) -> None:
    engine = Engine.open(str(tiny_checkpoint.safetensors))
    for request, image in made[:6]:
        wish = again.request_of(image.recipe, image=request.image)
        (round_two,) = done(engine.run(replace(wish, model=request.model)))
        assert round_two.recipe == image.recipe
        file = finish.encode(image, "png")
        assert inspection.inspect(file).recipe == image.recipe


def test_every_field_of_a_request_is_restored_or_known_not_to_matter() -> None:
    recipe = {entry.name for entry in fields(Recipe)}
    for entry in fields(Request):
        translated = entry.name in {"image", "mask", "depth", "images", "steps", "watermark"}
        indifferent = entry.name in again.INDIFFERENT
        assert entry.name in recipe or translated or indifferent, entry.name
    assert {entry.name for entry in fields(Request)} > again.INDIFFERENT

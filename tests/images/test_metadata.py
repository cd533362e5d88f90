"""Recipes there and back, in every format, in hostile hands and under other programs' eyes."""

import io as streams
import json
import re
from dataclasses import MISSING, fields, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom import names
from darkroom.contracts import (
    Enlarger,
    Fill,
    NoiseSource,
    PromptSyntax,
    Raster,
    Recipe,
    Region,
    Task,
    Tiling,
)
from darkroom.errors import ImageError, OutputError
from darkroom.images import inspection, io, metadata, provenance
from darkroom.images.foreign import a1111

RECIPE = Recipe(
    task="txt2img",
    prompt="a hamster on a blue background",
    negative="",
    seed=3,
    steps=20,
    sampler="dpmpp_2m",
    schedule="karras",
    guidance=7.5,
    eta=0.0,
    width=64,
    height=48,
    strength=None,
    input_sha256=None,
    model="mini",
    model_sha256="6ce0161689" + "0" * 54,
    prediction="v",
    precision="fp32",
    engine="torch",
    device="cpu",
    watermark=None,
    software="darkroom 0.1.0",
    versions={"torch": "2.13.0"},
)
PIXEL = Raster(width=1, height=1, data=bytes(3))
MARK = provenance.new_mark("0.1.0")

numbers = st.floats(-1e6, 1e6).map(lambda value: value + 0.0)
shares = st.floats(0, 1).map(lambda value: value + 0.0)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "task": st.sampled_from(get_args(Task)),
    "prompt": st.text(),
    "negative": st.text(),
    "seed": st.integers(0, 2**64 - 1),
    "steps": st.integers(1, 500),
    "sampler": st.sampled_from(["ddim", "euler_ancestral", "one of tomorrow"]),
    "schedule": st.sampled_from(["ldm", "karras"]),
    "guidance": numbers,
    "eta": numbers,
    "width": st.integers(8, 4096),
    "height": st.integers(8, 4096),
    "strength": st.none() | numbers,
    "input_sha256": st.none() | st.just("ab" * 32),
    "model": st.text(),
    "model_sha256": st.just("cd" * 32),
    "prediction": st.sampled_from(["eps", "v"]),
    "precision": st.sampled_from(["fp32", "bf16", "fp16"]),
    "engine": st.just("torch"),
    "device": st.just("cuda:1"),
    "ema": st.booleans(),
    "watermark": st.none() | st.just("SDV2"),
    "software": st.just("darkroom 0.1.0"),
    "versions": st.dictionaries(st.text(), st.text(), max_size=3),
    "requested_steps": st.none() | st.integers(1, 500),
    "rescale": shares,
    "guidance_start": shares,
    "guidance_end": shares,
    "churn": shares,
    "churn_start": shares,
    "churn_end": st.none() | shares,
    "noise_scale": shares,
    "prompt_syntax": st.sampled_from(get_args(PromptSyntax)),
    "clip_skip": st.integers(1, 12),
    "variation_seed": st.none() | st.integers(0, 2**63 - 1),
    "variation_strength": shares,
    "noise": st.sampled_from(get_args(NoiseSource)),
    "seed_offset": st.integers(0, 2**63 - 1),
    "tiling": st.sampled_from(get_args(Tiling)),
    "hires": st.none() | st.floats(1.01, 4),
    "hires_strength": st.none() | shares,
    "hires_steps": st.none() | st.integers(1, 500),
    "hires_enlarger": st.none() | st.sampled_from(get_args(Enlarger)),
    "mask_sha256": st.none() | st.just("ef" * 32),
    "mask_invert": st.booleans(),
    "mask_grow": st.none() | st.integers(0, 99),
    "mask_blur": st.none() | st.integers(0, 99),
    "fill": st.none() | st.sampled_from(get_args(Fill)),
    "region": st.none() | st.sampled_from(get_args(Region)),
    "region_padding": st.none() | st.integers(0, 99),
    "extend": st.none() | st.tuples(*[st.integers(0, 64)] * 4),
    "outside_unchanged": st.booleans(),
    "depth_sha256": st.none() | st.just("01" * 32),
    "noise_level": st.none() | st.integers(0, 999),
    "images_sha256": st.lists(st.just("23" * 32), max_size=3).map(tuple),
    "image_weights": st.lists(shares, max_size=3).map(tuple),
    "image_guidance": st.none() | shares,
    "vae": st.none() | st.text(),
    "vae_sha256": st.none() | st.just("45" * 32),
    "safety": st.sampled_from(["off", "flag", "blur"]),
    "flagged": st.booleans(),
}
recipes = st.builds(Recipe, **VALUES)


def test_every_field_of_a_recipe_is_tried() -> None:
    assert VALUES.keys() | {"version"} == {entry.name for entry in fields(Recipe)}


@given(recipes)
def test_a_recipe_goes_there_and_back(recipe: Recipe) -> None:
    assert metadata.from_json(metadata.to_json(recipe)) == recipe


@given(recipes, st.sampled_from(["png", "jpeg", "webp"]))
def test_a_recipe_travels_in_every_format(recipe: Recipe, file_format: io.Format) -> None:
    seen = inspection.inspect(io.encode(PIXEL, file_format, mark=MARK, recipe=recipe))
    assert seen.recipe == recipe
    assert seen.mark == MARK
    assert seen.foreign is not None
    assert (seen.foreign.seed, seen.foreign.steps) == (recipe.seed, recipe.steps)


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
@pytest.mark.parametrize("prompt", ["naïve café", "🐹 on 蓝色", 'say "hi", <b>&amp;</b>', "שלום"])
def test_prompts_of_every_script_reach_other_programs(prompt: str, file_format: io.Format) -> None:
    recipe = replace(RECIPE, prompt=prompt, negative="dark, 暗い")
    data = io.encode(PIXEL, file_format, mark=MARK, recipe=recipe)
    text = as_a1111_reads(data)
    assert text.startswith(f"{prompt}\nNegative prompt: dark, 暗い\nSteps: 20, Sampler: DPM++ 2M")


def as_a1111_reads(data: bytes) -> str:
    """The text as that program finds it, by Pillow alone."""
    image = Image.open(streams.BytesIO(data))
    image.load()
    if image.format == "PNG":
        return str(image.info["parameters"])
    comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment.startswith(b"UNICODE\0")
    return str(comment[8:].decode("utf-16-be"))


def test_latin_text_is_what_every_png_reader_knows() -> None:
    assert b"tEXtparameters\0" in io.encode(PIXEL, mark=MARK, recipe=RECIPE)
    emoji = replace(RECIPE, prompt="🐹")
    assert b"iTXtparameters\0" in io.encode(PIXEL, mark=MARK, recipe=emoji)


def test_the_parameters_text_letter_by_letter() -> None:
    assert metadata.to_parameters(RECIPE) == (
        "a hamster on a blue background\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7.5, Seed: 3, "
        "Size: 64x48, Model hash: 6ce0161689, Model: mini, RNG: CPU, Prompt syntax: plain, "
        "Version: darkroom 0.1.0"
    )
    edited = replace(
        RECIPE, task="img2img", negative="ugly", guidance=7.0, strength=0.75, model='my "v1, 5'
    )
    assert metadata.to_parameters(edited) == (
        "a hamster on a blue background\n"
        "Negative prompt: ugly\n"
        "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 3, "
        'Size: 64x48, Model hash: 6ce0161689, Model: "my \\"v1, 5", Denoising strength: 0.75, '
        "RNG: CPU, Prompt syntax: plain, Version: darkroom 0.1.0"
    )


@pytest.mark.parametrize("schedule", names.SCHEDULES)
@pytest.mark.parametrize("sampler", names.SAMPLERS)
def test_other_programs_names_of_our_samplers_mean_ours(sampler: str, schedule: str) -> None:
    text = metadata.to_parameters(replace(RECIPE, sampler=sampler, schedule=schedule))
    settings = a1111.split(text).settings
    assert names.sampler_named(str(settings["Sampler"])) == (sampler, None)
    assert names.schedule_named(str(settings["Schedule type"])) == schedule


def test_a_lone_surrogate_becomes_a_question_mark_in_text_and_stays_in_the_recipe() -> None:
    recipe = replace(RECIPE, prompt="a \ud800 b")
    seen = inspection.inspect(io.encode(PIXEL, mark=MARK, recipe=recipe))
    assert seen.recipe == recipe
    assert seen.foreign is not None
    assert seen.foreign.prompt == "a ? b"


# The grammar as that program publishes it: the last line, searched with this pattern.
PUBLISHED = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


@given(recipes.filter(lambda recipe: "\n" not in recipe.model))
def test_the_published_grammar_reads_what_we_write(recipe: Recipe) -> None:
    last = metadata.to_parameters(recipe).rpartition("\n")[2]
    published = {
        key: json.loads(value) if value.startswith('"') and value.endswith('"') else value
        for key, value in PUBLISHED.findall(last)
        if not (value.startswith('"') and value.endswith('"') and len(value) < 3)
    }
    assert published["Steps"] == str(recipe.steps)
    assert published["Size"] == f"{recipe.width}x{recipe.height}"
    assert published["Version"] == recipe.software


@given(recipes)
def test_our_parameters_text_is_read_as_it_was_meant(recipe: Recipe) -> None:
    read = a1111.read(metadata.to_parameters(recipe))
    same = ("steps", "guidance", "width", "height", "seed", "noise", "prompt_syntax")
    assert {n: getattr(read, n) for n in same} == {n: getattr(recipe, n) for n in same}
    assert read.clip_skip == (recipe.clip_skip if recipe.clip_skip > 1 else None)
    assert read.seed_offset == (recipe.seed_offset or None)
    assert read.rescale == (recipe.rescale or None)
    assert read.churn == (recipe.churn or None)
    assert read.tiling == (None if recipe.tiling == "none" else recipe.tiling)
    assert read.variation_seed == recipe.variation_seed
    assert read.hires == recipe.hires
    if recipe.hires is None:
        assert read.strength == (recipe.strength or None)
    else:
        assert read.hires_strength == (recipe.hires_strength or None)
        assert read.hires_steps == (recipe.hires_steps or recipe.steps)
        assert read.hires_enlarger == recipe.hires_enlarger


A1111 = """masterpiece, (cat:1.2)
in two lines
Negative prompt: lowres,
bad hands
Steps: 25, Sampler: Euler a, Schedule type: Automatic, CFG scale: 7, Seed: 965400086, \
Size: 512x768, Model hash: 6ce0161689, Model: v1-5-pruned-emaonly, Lora hashes: "a: 1b, c: 2d", \
Version: v1.9.4"""


def test_a_text_of_a1111_itself() -> None:
    read = a1111.split(A1111)
    assert read.prompt == "masterpiece, (cat:1.2)\nin two lines"
    assert read.negative == "lowres,\nbad hands"
    assert read.settings["Size"] == "512x768"
    assert read.settings["Lora hashes"] == "a: 1b, c: 2d"
    assert read.settings["Version"] == "v1.9.4"


def test_an_image_of_a1111_itself() -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + A1111.encode("utf-16-be")
    buffer = streams.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif.tobytes())
    seen = inspection.inspect(buffer.getvalue())
    assert seen.foreign == a1111.read(A1111)
    assert seen.recipe is None
    assert seen.mark is None


@pytest.mark.parametrize(
    ("text", "prompt", "settings"),
    [
        ("", "", {}),
        ("only a prompt", "only a prompt", {}),
        ("a: b, c: d", "a: b, c: d", {}),
        ("Steps: 1, Seed: 2, Size: 3x4", "", {"Steps": "1", "Seed": "2", "Size": "3x4"}),
        ('Steps: 1, Seed: 2, Model: "x', "", {"Steps": "1", "Seed": "2", "Model": '"x'}),
    ],
)
def test_odd_texts(text: str, prompt: str, settings: dict[str, str]) -> None:
    read = a1111.split(text)
    assert (read.prompt, read.settings) == (prompt, settings)


@pytest.mark.parametrize(
    "unit", ["a", " ", "aa: ", 'a: "', 'aa: "x,', "\\", "a:\\", '"', "\n", ","]
)
def test_a_long_hostile_text_is_read_in_linear_time(unit: str) -> None:
    a1111.split(unit * (2**20 // len(unit)))


@given(st.text())
def test_any_text_can_be_taken_apart(text: str) -> None:
    a1111.split(text)


def changed(**values: object) -> str:
    return json.dumps({**json.loads(metadata.to_json(RECIPE)), **values})


HOSTILE = {
    "empty": "",
    "not json": "{",
    "a list": "[]",
    "a number": "1",
    "nothing in it": "{}",
    "nested deep": "[" * 100_000,
    "50 MB": '"' + "a" * 50_000_000 + '"',
    "twice": metadata.to_json(RECIPE)[:-1] + ', "seed": 4}',
    "nan": changed(guidance=float("nan")),
    "infinity": changed(guidance=float("inf")),
    "beyond every float": changed(guidance=10**400),
    "a number of a million digits": '{"seed": ' + "9" * 1_000_000 + "}",
    "unknown key": changed(command="rm"),
    "missing key": json.dumps({"version": 1, "prompt": "a"}),
    "other version": changed(version=0),
    "text for a number": changed(steps="20"),
    "fraction for a count": changed(steps=20.5),
    "truth for a count": changed(seed=True),
    "count for a truth": changed(ema=1),
    "truth for a version": changed(version=True),
    "number for text": changed(prompt=5),
    "none for text": changed(prompt=None),
    "unknown task": changed(task="rm"),
    "list for a task": changed(task=["txt2img"]),
    "list for versions": changed(versions=[]),
    "numbers in versions": changed(versions={"torch": 2}),
    "text for strength": changed(strength="0.5"),
    "three sides": changed(extend=[1, 2, 3]),
    "a fraction of a side": changed(extend=[1, 2, 3, 0.5]),
    "no list of sides": changed(extend="1234"),
    "numbers for checksums": changed(images_sha256=[1]),
    "text for weights": changed(image_weights=["1"]),
    "one weight, no list": changed(image_weights=1),
}


def test_what_an_older_recipe_does_not_say_it_means_by_default() -> None:
    values = json.loads(metadata.to_json(RECIPE))
    younger = {entry.name for entry in fields(Recipe) if entry.default is not MISSING}
    assert {"ema", "clip_skip", "hires"} < younger
    for name in younger - {"version"}:
        del values[name]
    assert metadata.from_json(json.dumps(values)) == RECIPE


def test_older_recipes_of_euler_ancestral_mean_its_whole_noise() -> None:
    """Its eta could not be said, and was written as 0."""
    values = json.loads(changed(sampler="euler_ancestral", eta=0.0))
    assert metadata.from_json(json.dumps(values)).eta == 0.0
    del values["churn"]
    assert metadata.from_json(json.dumps(values)).eta == 1.0


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_recipe_is_refused(kind: str) -> None:
    with pytest.raises(ImageError) as refused:
        metadata.from_json(HOSTILE[kind])
    assert refused.value.message.startswith("The recipe ")
    assert len(refused.value.message) < 200
    assert refused.value.hint


def test_a_recipe_of_tomorrow_says_so() -> None:
    with pytest.raises(ImageError, match="version 2, which is newer"):
        metadata.from_json(changed(version=2, new_key=1))


def test_whole_numbers_are_numbers() -> None:
    read = metadata.from_json(changed(guidance=7, strength=1))
    assert (read.guidance, read.strength) == (7.0, 1.0)
    assert isinstance(read.guidance, float)
    assert isinstance(read.strength, float)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_json_is_refused(value: object) -> None:
    with pytest.raises(ImageError):
        metadata.from_json(json.dumps(value))


def test_a_recipe_too_long_for_a_jpeg_is_refused_and_never_dropped() -> None:
    long = replace(RECIPE, prompt="word " * 14_000)
    with pytest.raises(OutputError, match="longer than a JPEG can carry"):
        io.encode(PIXEL, "jpeg", mark=MARK, recipe=long)
    for file_format in ("png", "webp"):
        data = io.encode(PIXEL, file_format, mark=MARK, recipe=long)
        assert inspection.inspect(data).recipe == long


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_private_images_say_who_made_them_and_not_what_of(file_format: io.Format) -> None:
    data = io.encode(PIXEL, file_format, mark=MARK)
    for word in (b"parameters", b"darkroom:recipe", b"UNICODE", b"prompt"):
        assert word not in data
    seen = inspection.inspect(data)
    assert seen.mark == MARK
    assert (seen.recipe, seen.foreign) == (None, None)

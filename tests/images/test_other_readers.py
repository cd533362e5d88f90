"""sd-parsers, a reader of other people, understands what we write."""

import io as streams
from dataclasses import replace

import pytest
import sd_parsers
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom import names
from darkroom.contracts import Recipe
from darkroom.images import io
from tests.images.test_metadata import MARK, PIXEL, RECIPE

FORMATS: tuple[io.Format, ...] = ("png", "jpeg", "webp")
EDITED = replace(RECIPE, task="img2img", strength=0.6, input_sha256="ab" * 32, negative="fog")
LARGE = replace(
    RECIPE,
    prompt="a (b:1.2), [c|d]",
    negative="fog, 水",
    hires=2.0,
    hires_strength=0.5,
    hires_steps=7,
    hires_enlarger="latent",
    clip_skip=2,
    variation_seed=5,
    variation_strength=0.1,
    tiling="both",
    noise="nv",
    seed_offset=31337,
)


def assert_understood(recipe: Recipe, file_format: io.Format) -> None:
    data = io.encode(PIXEL, file_format, mark=MARK, recipe=recipe)
    found = sd_parsers.ParserManager().parse(streams.BytesIO(data))
    assert found is not None
    (sampler,) = found.samplers
    said = sampler.parameters
    assert sampler.name == names.SAMPLERS[recipe.sampler].label
    assert said["scheduler"] == names.SCHEDULES[recipe.schedule].label
    assert (int(said["steps"]), int(said["seed"])) == (recipe.steps, recipe.seed)
    assert float(said["cfg_scale"]) == recipe.guidance
    assert found.metadata["Size"] == f"{recipe.width}x{recipe.height}"
    assert found.full_prompt == recipe.prompt
    assert found.full_negative_prompt == recipe.negative
    assert sampler.model is not None
    assert sampler.model.hash == recipe.model_sha256[:10]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("recipe", [RECIPE, EDITED, LARGE], ids=["plain", "edited", "large"])
def test_prompt_sampler_seed_size_steps_and_guidance_arrive(
    recipe: Recipe, file_format: io.Format
) -> None:
    assert_understood(recipe, file_format)


# It takes commas and colons apart whatever stands in quotes, and its prompts have no bare ends.
words = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)


@given(
    words.filter(lambda text: ":" not in text),
    st.integers(0, 2**63 - 1),
    st.integers(1, 500),
    st.floats(-100, 100),
    st.sampled_from([*names.SAMPLERS]),
    st.sampled_from([*names.SCHEDULES]),
    st.sampled_from(FORMATS),
)
@settings(max_examples=40)
def test_so_do_those_of_any_image(
    prompt: str,
    seed: int,
    steps: int,
    guidance: float,
    sampler: str,
    schedule: str,
    file_format: io.Format,
) -> None:
    recipe = replace(
        RECIPE,
        prompt=prompt,
        seed=seed,
        steps=steps,
        guidance=guidance + 0.0,
        sampler=sampler,
        schedule=schedule,
    )
    assert_understood(recipe, file_format)

"""Recipes of other programs, from texts written anew after their documented grammar."""

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.errors import ImageError
from darkroom.images.foreign import comfyui, reading
from darkroom.images.foreign.recipe import ForeignRecipe

DATA = Path(__file__).parents[1] / "data" / "foreign"


def samples() -> Iterator[Any]:
    for file in sorted(DATA.glob("*.json")):
        for sample in json.loads(file.read_text("utf-8")):
            yield pytest.param(sample, id=f"{file.stem}: {sample['name']}")


def read(texts: dict[str, Any]) -> ForeignRecipe | None:
    """JSON among the samples stands there as such, for people to read."""
    as_texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in texts.items()}
    return reading.read(as_texts)


def read_or_refused(texts: dict[str, Any]) -> ForeignRecipe | str | None:
    """The recipe, or the sentence that refuses it."""
    try:
        return read(texts)
    except ImageError as error:
        return error.message


def test_there_are_sixty_of_them() -> None:
    assert len([*samples()]) >= 60


@pytest.mark.parametrize("sample", [*samples()])
def test_a_sample_is_read(sample: dict[str, Any]) -> None:
    recipe = read(sample["texts"])
    assert recipe is not None
    found = {name: getattr(recipe, name) for name in sample["expect"]}
    assert found == sample["expect"]
    assert sorted(recipe.rest) == sorted(sample["rest"])


GRAPH: dict[str, Any] = {
    "1": {"class_type": "KSampler", "inputs": {"seed": 7, "steps": 20, "latent_image": ["2", 0]}},
    "2": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64}},
}
GRAPH["1"]["inputs"] |= {"positive": ["1", 0], "negative": ["9", 0], "model": ["1", 0]}

SAMPLES = {
    sample["name"]: sample
    for file in DATA.glob("*.json")
    for sample in json.loads(file.read_text("utf-8"))
}

DAMAGED = {
    "no JSON": {"prompt": "{"},
    "a list": {"prompt": "[]"},
    "a number": {"invokeai_metadata": "1"},
    "no nodes": {"prompt": "{}"},
    "nodes that are none": {"prompt": '{"1": 2, "3": {"class_type": 4}}'},
    "too many nodes": {"prompt": json.dumps({str(i): {} for i in range(30_000)})},
    "nested deep": {"sd-metadata": "[" * 100_000},
    "nested deep in an object": {"invokeai_metadata": '{"a":' * 100_000},
    "a number of a million digits": {"invokeai_metadata": '{"seed": ' + "9" * 1_000_000 + "}"},
    "50 MB": {"sd-metadata": '"' + "a" * 50_000_000 + '"'},
    "half a command": {"Dream": '"a cat'},
    "no comment": {"Software": "NovelAI", "Comment": "x"},
}


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_recipe_is_one_sentence(kind: str) -> None:
    with pytest.raises(ImageError) as refused:
        reading.read(DAMAGED[kind])
    assert len(refused.value.message) < 200
    assert refused.value.hint


def test_a_ring_of_nodes_ends_where_it_closes() -> None:
    ring: dict[str, Any] = {
        name: {"class_type": "Reroute", "inputs": {"conditioning": [str((int(name) + 1) % 5), 0]}}
        for name in "01234"
    }
    ring["s"] = {"class_type": "KSampler", "inputs": {"seed": 7, "latent_image": ["s", 0]}}
    ring["s"]["inputs"] |= {"positive": ["0", 0], "negative": ["0", 0], "steps": ["0", 0]}
    with pytest.raises(ImageError, match="no node in it samples"):  # it would be its own start
        comfyui.read(json.dumps(ring))
    ring["s"]["inputs"]["latent_image"] = ["0", 0]
    recipe = comfyui.read(json.dumps(ring))
    assert (recipe.seed, recipe.prompt, recipe.steps) == (7, None, None)


def test_a_long_chain_of_nodes_takes_no_long_time() -> None:
    chain: dict[str, Any] = {
        str(i): {"class_type": "Reroute", "inputs": {"conditioning": [str(i + 1), 0]}}
        for i in range(15_000)
    }
    chain["s"] = GRAPH["1"] | {"inputs": GRAPH["1"]["inputs"] | {"positive": ["0", 0]}}
    begin = time.process_time()
    assert comfyui.read(json.dumps(chain)).prompt is None
    assert time.process_time() - begin < 5


def test_chains_that_lead_to_chains_take_no_long_time() -> None:
    graph: dict[str, Any] = {
        str(i): {"class_type": "X", "inputs": {"model": [str(i + 1), 0], "lora_name": ["9000", 0]}}
        for i in range(9000)
    }
    graph |= {
        str(i): {"class_type": "X", "inputs": {"lora_name": [str(i + 1), 0]}}
        for i in range(9000, 18_000)
    }
    graph["s"] = GRAPH["1"] | {"inputs": GRAPH["1"]["inputs"] | {"model": ["0", 0]}}
    begin = time.process_time()
    assert comfyui.read(json.dumps(graph)).seed == 7
    assert time.process_time() - begin < 10


@pytest.mark.parametrize("value", [5e-324, 1e308, -1.0, 0, 2**70, "9" * 4000, 10**300])
def test_extreme_numbers_are_borne(value: object) -> None:
    graph = json.loads(json.dumps(SAMPLES["from an image"]["texts"]["prompt"]))
    for node in graph.values():
        node["inputs"] |= dict.fromkeys(("denoise", "steps", "width", "scale_by"), value)
    assert isinstance(comfyui.read(json.dumps(graph)), ForeignRecipe)
    graph = json.loads(json.dumps(SAMPLES["a latent enlarged and refined"]["texts"]["prompt"]))
    graph["10"]["inputs"] |= {"width": value, "scale_by": value}
    assert isinstance(comfyui.read(json.dumps(graph)), ForeignRecipe)
    said = {"Size": "512x512", "First pass size": "1x1", "Hires upscale": str(value)[:30]}
    line = ", ".join(f"{key}: {text}" for key, text in said.items())
    assert isinstance(reading.read({"parameters": line}), ForeignRecipe)


def test_values_of_wrong_kinds_are_left_over() -> None:
    said: dict[str, Any] = {name: {"a": [1]} for name in ("positive_prompt", "seed", "model_name")}
    said |= {"steps": True, "cfg_scale": "nan", "width": -5, "height": 1e300, "scheduler": 4}
    recipe = read({"invokeai_metadata": said})
    assert recipe is not None
    kept = dataclasses.asdict(recipe)
    for name in ("prompt", "seed", "steps", "guidance", "width", "height", "sampler"):
        assert kept[name] is None, name
    assert recipe.rest["cfg_scale"] == "nan"


def test_what_is_left_over_is_bounded() -> None:
    said = {f"{i}" * 2000: "x" * 5_000 for i in range(300)}
    recipe = read({"invokeai_metadata": {"seed": 1, **said}})
    assert recipe is not None
    assert len(recipe.rest) < 100
    assert all(len(key) + len(text) < 1000 for key, text in recipe.rest.items())


def test_infinities_that_python_writes_are_no_numbers() -> None:
    recipe = read({"invokeai_metadata": '{"cfg_scale": NaN, "strength": Infinity, "seed": 3}'})
    assert recipe is not None
    assert (recipe.guidance, recipe.seed, recipe.rest) == (None, 3, {})


KEYS = ("parameters", "UserComment", "prompt", "invokeai_metadata", "sd-metadata", "Dream")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text() | st.sampled_from([*GRAPH["1"]["inputs"]]), inner, max_size=3)
    ),
    max_leaves=12,
)
texts = st.dictionaries(
    st.sampled_from(KEYS),
    st.text() | json_values.map(json.dumps) | st.sampled_from([json.dumps(GRAPH), "Steps: 1, "]),
)


@given(texts)
def test_any_texts_are_read_or_refused_in_one_sentence(texts: dict[str, str]) -> None:
    outcome = read_or_refused(texts)
    if isinstance(outcome, ForeignRecipe):
        assert len(outcome.rest) < 100
    else:
        assert outcome is None or len(outcome) < 200


@given(st.sampled_from([*samples()]), st.data())
def test_a_sample_with_an_exchanged_value_is_read(sample: Any, data: st.DataObject) -> None:
    """Wherever a value stands in JSON, anything else may stand there."""
    (given_texts,) = [value["texts"] for value in sample.values]
    changed = {key: exchanged(value, data) for key, value in given_texts.items()}
    outcome = read_or_refused(changed)
    if isinstance(outcome, ForeignRecipe):
        assert all(isinstance(text, str) for text in outcome.rest.values())


def exchanged(value: Any, data: st.DataObject) -> Any:
    """`value` with one part of it, or all, replaced."""
    if isinstance(value, dict) and value and data.draw(st.booleans()):
        key = data.draw(st.sampled_from(sorted(value)))
        return {**value, key: exchanged(value[key], data)}
    if isinstance(value, list) and value and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(value) - 1))
        return [*value[:place], exchanged(value[place], data), *value[place + 1 :]]
    return data.draw(json_values)


@pytest.mark.parametrize("unit", ["[", '{"a":', "a: [", 'aa: {"b": 1}, ', "aa: {", '"', "-s 1 "])
@pytest.mark.parametrize("key", KEYS)
def test_a_long_hostile_text_is_read_in_linear_time(key: str, unit: str) -> None:
    begin = time.process_time()
    read_or_refused({key: unit * (2**20 // len(unit))})
    assert time.process_time() - begin < 10

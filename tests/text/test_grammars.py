"""Every prompt syntax against the tool that it comes from, and against all that may be typed.

The values in `data/*_prompts.json` were computed once by A1111's parser (version 1.10, lark 1.3.1),
ComfyUI's and InvokeAI's (compel 2.4, pyparsing 3.3); the prompts are ours.  A1111's parser is
ambiguous where two or more brackets or colons that belong to no pair follow a schedule directly:
it then reads the schedule as text, we do not.
"""

import json
import time
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from darkroom.contracts import PromptSyntax
from darkroom.errors import RequestError
from darkroom.text import a1111, basujindal, comfyui, invokeai, syntax
from darkroom.text.a1111_writing import write
from darkroom.text.parsed import Fragment, Part, Passage, Prompt, Section, Stage, check_weights

DATA = Path(__file__).parent.parent / "data"
SYNTAXES: tuple[PromptSyntax, ...] = get_args(PromptSyntax)
MARKS = st.text(alphabet="()[]:|\\+-.,\"'ab 0135\nANDBREK<>{}_é猫", max_size=60)
PARSERS = {
    "a1111": a1111.parse,
    "comfyui": comfyui.parse,
    "invokeai": invokeai.parse,
    "basujindal": basujindal.parse,
}


def records(name: str) -> Any:
    return json.loads((DATA / f"{name}_prompts.json").read_text("utf-8"))


def pairs(sections: tuple[Section, ...]) -> list[tuple[str, float]]:
    """Fragments in A1111's own form, in which BREAK is a fragment of weight -1."""
    found: list[tuple[str, float]] = []
    for place, section in enumerate(sections):
        if place:
            found.append(("BREAK", -1))
        found += [(fragment.text, fragment.weight) for fragment in section.fragments]
    return found


def only(prompt: Prompt) -> tuple[Section, ...]:
    """The sections of a prompt of one part that says one thing."""
    ((stage,),) = (part.stages for part in prompt.parts)
    (passage,) = stage.blend
    return passage.sections


@pytest.mark.parametrize("case", records("a1111"), ids=lambda case: case["prompt"])
def test_a1111_reads_as_a1111(case: Any) -> None:
    read = a1111.parse(
        case["prompt"], steps=case["steps"], earlier=case["earlier"], negative=case["negative"]
    )
    found = [
        {
            "weight": part.weight,
            "stages": [
                [stage.until, [list(pair) for pair in pairs(stage.blend[0].sections)]]
                for stage in part.stages
            ],
        }
        for part in read.parts
    ]
    assert found == case["parts"]  # to the last bit: neighbours of equal weight become one


@pytest.mark.parametrize("case", records("comfyui"), ids=lambda case: case["prompt"])
def test_comfyui_reads_as_comfyui(case: Any) -> None:
    found = [list(pair) for pair in pairs(only(comfyui.parse(case["prompt"], steps=20)))]
    assert found == (case["fragments"] or [["", 1.0]])


@pytest.mark.parametrize("case", records("invokeai"), ids=lambda case: case["prompt"])
def test_invokeai_reads_as_compel(case: Any) -> None:
    (stage,) = invokeai.parse(case["prompt"], steps=20).parts[0].stages
    found = [
        (passage.share, section.weight, words(section.fragments))
        for passage in stage.blend
        for section in passage.sections
    ]
    wanted = [
        (text["share"], text["weight"], words([Fragment(*pair) for pair in text["fragments"]]))
        for text in case["texts"]
    ]
    assert found == (wanted or [(1.0, 1.0, [])])


def words(fragments: Any) -> list[tuple[str, float]]:
    """Words with weights: how many spaces lie between them means nothing to a tokenizer."""
    return [(word, round(f.weight, 9)) for f in fragments for word in f.text.split()]


@pytest.mark.parametrize(
    ("prompt", "shares"),
    [
        ("a tabby cat:0.25 white duck:0.75", [("a tabby cat", 0.25), ("white duck", 0.75)]),
        ("a:1 b:3", [("a", 0.25), ("b", 0.75)]),
        ("a:2 b", [("a", 2 / 3), ("b", 1 / 3)]),
        ("a: b", [("a", 0.5), ("b", 0.5)]),
        ("a:x b:1", [("a", 0.5), ("b", 0.5)]),
        ("a:0.5", [("a:0.5", 1.0)]),
        ("(a) [b] AND c", [("(a) [b] AND c", 1.0)]),
        ("", [("", 1.0)]),
    ],
)
def test_basujindal_blends(prompt: str, shares: list[tuple[str, float]]) -> None:
    (stage,) = basujindal.parse(prompt, steps=20).parts[0].stages
    assert [(p.sections[0].fragments[0].text, p.share) for p in stage.blend] == shares


def test_plain_is_plain() -> None:
    text = "(a:1.3) [b|c] AND d BREAK {e} <lora:x:1> \\"
    assert pairs(only(syntax.parse(text, "plain"))) == [(text, 1.0)]


def test_marks_without_effect_are_named() -> None:
    (note,) = syntax.parse("a <lora:fox:0.8> b", "a1111").notes
    assert "<lora:fox:0.8>" in note and "not supported" in note
    assert pairs(only(syntax.parse("a <lora:fox:0.8>b", "a1111"))) == [("a b", 1.0)]
    (note,) = syntax.parse("a cat.swap(dog) b withLora(fox, 0.5)", "invokeai").notes[:1]
    assert ".swap(dog)" in note
    assert pairs(only(syntax.parse("a cat.swap(dog, s_start=0.1) b", "invokeai"))) == [
        ("a cat b", 1.0)
    ]
    (note,) = syntax.parse("a withLora(fox, 0.5) b", "invokeai").notes
    assert "withLora(fox, 0.5)" in note
    (note,) = syntax.parse('("a", "b").and() c', "invokeai").notes
    assert note.endswith(": c")


@pytest.mark.parametrize(
    ("chosen", "prompt", "says"),
    [
        ("a1111", "(a:1e9)", "“1e9” is no weight"),
        ("a1111", "(a: nan)", "“nan” is no weight"),
        ("a1111", "(a:-Infinity )", "“-Infinity” is no weight"),
        ("a1111", "(a cat:1000000000)", "The weight 1e+09 of “a cat”"),
        ("a1111", "a cat AND dog :101", "The weight 101 after AND"),
        ("a1111", "(" * 60 + "a", "of “(((((((((("),
        ("comfyui", "(a:nan)", "The weight nan of “a”"),
        ("comfyui", "(a:1e9)", "The weight 1e+09 of “a”"),
        ("comfyui", "(" * 60 + "a" + ")" * 60, "of “a”"),
        ("invokeai", "(a)1000", "The weight 1000 of “a”"),
        ("invokeai", "a" + "+" * 9_999, "The weight 2.24539e+41 of “a”"),
        ("invokeai", '("a", "b").blend(1, -1)', "The weights of the blended prompts add up to 0"),
        ("basujindal", "a:1 b:-1", "The weights of the blended prompts add up to 0"),
        ("basujindal", "a:nan b:1", "The weight nan of a blended prompt"),
    ],
)
def test_weights_that_cannot_be_meant(chosen: PromptSyntax, prompt: str, says: str) -> None:
    with pytest.raises(RequestError) as refused:
        syntax.parse(prompt, chosen)
    assert says in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("name", PARSERS)
@settings(max_examples=120, deadline=None)
@given(text=MARKS | st.text(max_size=40))
@example(text="((a:1.3")
@example(text='("a", "b')
def test_every_text_can_be_read(name: str, text: str) -> None:
    read = PARSERS[name](text, steps=7)
    assert read.parts
    for part in read.parts:
        assert part.stages[-1].until == 7
        assert [part.stages[part.at(step)] for step in range(9)]
        for stage in part.stages:
            assert stage.blend and all(passage.sections for passage in stage.blend)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(0.1, 3).map(lambda weight: round(weight, 2)), min_size=1, max_size=6))
def test_weights_multiply(weights: list[float]) -> None:
    text = "(" * len(weights) + "a" + "".join(f":{weight})" for weight in weights)
    product = 1.0
    for weight in weights:
        product *= weight
    assert pairs(only(a1111.parse(text, steps=5))) == [("a", product)]
    assert pairs(only(comfyui.parse(text, steps=5))) == [("a", weights[0])]
    nested = "(" * len(weights) + "a" + "".join(f"){weight}" for weight in weights)
    ((word, weight),) = pairs(only(invokeai.parse(nested, steps=5)))
    assert word == "a"
    assert weight == pytest.approx(product)


def settled(prompt: Prompt) -> Any:
    """Parts, stages and words, without the spaces at the ends and what is empty."""
    return [
        (
            part.weight,
            [
                (
                    stage.until,
                    [
                        [(f.text.split(), f.weight) for f in section.fragments if f.text.split()]
                        for section in stage.blend[0].sections
                    ],
                )
                for stage in part.stages
            ],
        )
        for part in prompt.parts
    ]


@settings(max_examples=200, deadline=None)
@given(MARKS)
@example("a:b:9 AND [c:d:3]:2")
@example("[a|b:c|(d:1.2)] \\[ BREAK x <lora")
@example("BRE\\AK AN\\D <\\a:b> \\|")
def test_what_is_written_reads_the_same(text: str) -> None:
    read = a1111.parse(text, steps=6)
    assert settled(a1111.parse(write(read), steps=6)) == settled(read)


@settings(max_examples=200, deadline=None)
@given(MARKS)
def test_other_tools_prompts_are_written_for_a1111(text: str) -> None:
    read = comfyui.parse(text, steps=6)
    try:
        check_weights(read)
    except RequestError:
        return
    again = a1111.parse(write(read), steps=6)
    assert not again.notes
    found = [(w, weight) for t, weight in pairs(only(again)) for w in t.split()]
    assert found == [(w, weight) for t, weight in pairs(only(read)) for w in t.split()]


def test_blends_and_joined_prompts_are_written_as_nearly_as_can_be() -> None:
    assert write(basujindal.parse("a cat:1 dog:3", steps=5)) == "a cat :0.25 AND dog :0.75"
    read = invokeai.parse('("a", "(b)1.5 c").and(1, 2)', steps=5)
    assert write(read) == "a BREAK (b:3.0)(c:2.0)"


@pytest.mark.parametrize("name", PARSERS)
@pytest.mark.parametrize(
    "bit",
    ["(", ")", "[", "]", "()", "[]", "(a", "[a:", "[a|", "(a:1.1)", "a)", "((a)", "[a:b:3]", ":",
     "|", "\\", " ", "\n", ": ", ":1.3)", "BREAK ", "AND ", "a AND ", "<a:", "<a:b>", "<", '"',
     '\\"', '"a', "a+", "+", "-", "a.swap(", ".attend(", "(a)1.3", "(a,", "(a = ", "a:1 ",
     "[(", "([(", "[a:[b:", "{", "word "],
)  # fmt: skip
def test_a_long_text_takes_no_longer_a_letter(name: str, bit: str) -> None:
    """A quadratic reader would take minutes; on a busy machine this one takes half a second."""
    half = 10_000 // len(bit)
    started = time.perf_counter()
    PARSERS[name](bit * half * 2, steps=2)
    PARSERS[name](bit * half + bit.translate(str.maketrans("([", ")]")) * half, steps=2)
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", PARSERS)
def test_a_book_of_brackets(name: str) -> None:
    for bits in ("(" * 100_000, ")" * 100_000, "([" * 25_000 + "])" * 25_000, "[a|" * 33_000):
        started = time.perf_counter()
        PARSERS[name](bits, steps=2)
        assert time.perf_counter() - started < 5  # 0.2 s where nothing else runs


def test_stages_hold_until_the_next_begins() -> None:
    stages = tuple(Stage(until, (Passage((Section(()),)),)) for until in (2, 5, 9))
    part = Part(stages)
    assert [part.stages[part.at(step)].until for step in range(12)] == [2] * 3 + [5] * 3 + [9] * 6

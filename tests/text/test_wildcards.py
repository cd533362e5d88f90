"""Prompts that are drawn, and styles from a file."""

import collections
import contextlib
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darkroom.errors import RequestError
from darkroom.text import styles
from darkroom.text.wildcards import expand

NOWHERE = Path("no such folder")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    cards = tmp_path / "cards"
    (cards / "places").mkdir(parents=True)
    (cards / "animal.txt").write_text("\ufeffcat\n# a remark\n\n{brown|black} dog\n", "utf-8")
    (cards / "places" / "city.txt").write_text("Rome\nin __places/land__\n")
    (cards / "places" / "land.txt").write_text("Peru\n")
    (cards / "circle.txt").write_text("a __round__\n")
    (cards / "round.txt").write_text("b __circle__\n")
    (cards / "empty.txt").write_text("# nothing\n")
    (tmp_path / "secret.txt").write_text("secret\n")
    return cards


def drawn(prompt: str, folder: Path = NOWHERE, seeds: int = 400) -> collections.Counter[str]:
    return collections.Counter(expand(prompt, seed=seed, folder=folder) for seed in range(seeds))


def test_the_same_seed_draws_the_same_for_ever() -> None:
    # Written down once: people keep seeds for years.
    prompt = "{red|green|blue} {cat|dog} {1|2|3|4|5|6|7|8|9}"
    assert [expand(prompt, seed=seed, folder=NOWHERE) for seed in (0, 1, 2, 2**63)] == EXPECTED


EXPECTED = ["green cat 6", "green cat 4", "red dog 3", "green dog 6"]


def test_every_choice_comes_up_as_often_as_the_others() -> None:
    found = drawn("{a|b|c|d}")
    assert set(found) == set("abcd")
    assert all(70 < count < 130 for count in found.values())


def test_weights() -> None:
    found = drawn("{3::a|b|0::c}")
    assert set(found) == {"a", "b"}
    assert 250 < found["a"] < 350


def test_several_are_different() -> None:
    assert set(drawn("{2$$a|b|c}")) == {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}
    assert set(drawn("{1-2$$ and $$a|b}")) == {"a", "b", "a and b", "b and a"}
    assert set(drawn("{5$$a|b}")) == {"a, b", "b, a"}
    assert set(drawn("{0$$a|b}")) == {""}


def test_files(folder: Path) -> None:
    assert set(drawn("a __animal__", folder)) == {"a cat", "a brown dog", "a black dog"}
    assert set(drawn("__places/city__!", folder)) == {"Rome!", "in Peru!"}
    assert set(drawn("{__animal__|x {y|z}}", folder)) == {
        "cat", "brown dog", "black dog", "x y", "x z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("{cat}", "{cat}"),
        ("{a} } {", "{a} } {"),
        ("[a|b] a|b", "[a|b] a|b"),
        (r"\{a|b\}", "{a|b}"),
        (r"\(a\) \|", r"\(a\) \|"),
        (r"\__animal__", "__animal__"),
        ("__ a __ ____ _b_", "__ a __ ____ _b_"),
        ("{{a|b", "{{a|b"),
        ("{" * 30_000 + "}" * 30_000, "{" * 30_000 + "}" * 30_000),
    ],
)
def test_what_is_no_choice_is_text(prompt: str, said: str) -> None:
    assert expand(prompt, seed=1, folder=NOWHERE) == said


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("__animl__", r"no wildcard file animl\.txt .*\nDid you mean __animal__\?"),
        ("__city__", r"\nDid you mean __places/city__\?"),
        ("__circle__", "circle contains itself"),
        ("__empty__", "is empty"),
        ("__../secret__", "cannot be called"),
        ("__/etc/passwd__", "cannot be called"),
        ("__a//b__", "cannot be called"),
        ("__c:secret__", "cannot be called"),
        (f"__{'a' * 300}__", "no wildcard file"),  # more than any disk takes
        ("{0::a|" * 21 + "}" * 21, "20 deep"),
        ("{{a|b}|c}" * 20_000, "choices"),
    ],
)
def test_refusals_name_what_is_wrong(prompt: str, says: str, folder: Path) -> None:
    with pytest.raises(RequestError) as refused:
        drawn(prompt, folder)  # some seed goes the whole way down
    assert re.search(says, f"{refused.value.message}\n{refused.value.hint}")


def test_a_link_leads_out_of_the_folder(folder: Path) -> None:
    try:
        (folder / "way.txt").symlink_to(folder.parent / "secret.txt")
    except OSError:  # Windows, where links are a privilege
        return
    with pytest.raises(RequestError, match="no wildcard file"):
        expand("__way__", seed=0, folder=folder)


def test_files_and_results_have_bounds(folder: Path) -> None:
    (folder / "huge.txt").write_bytes(b"a" * 10_000_001)
    with pytest.raises(RequestError, match="larger than 10 MB"):
        expand("__huge__", seed=0, folder=folder)
    (folder / "long.txt").write_text("a" * 60_000)
    with pytest.raises(RequestError, match="longer than 100,000"):
        expand("__long__ __long__", seed=0, folder=folder)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="{}|$_:a1 \\-.", max_size=40), st.integers(0, 2**64))
def test_any_text_can_be_drawn_from(prompt: str, seed: int) -> None:
    with contextlib.suppress(RequestError):
        assert expand(prompt, seed=seed, folder=NOWHERE) == expand(
            prompt, seed=seed, folder=NOWHERE
        )


STYLES = """\ufeffname,prompt,negative_prompt
Oil,"oil painting of {prompt}, thick paint",photo
Neon,"neon, night",
,ignored,
"""


def test_styles(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    file.write_text(STYLES, "utf-8")
    assert styles.apply("a cat", "dog", [], file.with_name("none.csv")) == ("a cat", "dog")
    assert styles.apply("a cat", "dog", ["oil"], file) == (
        "oil painting of a cat, thick paint",
        "dog, photo",
    )
    assert styles.apply("a cat", "", ["Neon", "Oil"], file) == (
        "oil painting of a cat, neon, night, thick paint",
        "photo",
    )
    with pytest.raises(RequestError, match="no style “Oill”") as refused:
        styles.apply("a cat", "", ["Oill"], file)
    assert refused.value.hint == "Did you mean “Oil”?"
    with pytest.raises(RequestError) as refused:
        styles.apply("a cat", "", ["zzz"], file)
    assert refused.value.hint == "Your own: Oil, Neon. See them all: darkroom styles"


def test_files_that_are_no_styles(tmp_path: Path) -> None:
    file = tmp_path / "styles.csv"
    with pytest.raises(RequestError, match="no file of styles"):
        styles.read(file)
    file.write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match="lacks the columns"):
        styles.apply("", "", ["a"], file)
    file.write_text('name,prompt\n"' + "a" * 200_000)
    with pytest.raises(RequestError, match="cannot be read"):
        styles.apply("", "", ["a"], file)

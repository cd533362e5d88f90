"""What becomes of images that the safety checker finds unsafe."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from darkroom import paths
from darkroom.contracts import ImageDone
from darkroom.errors import RequestError
from darkroom.planning import again
from darkroom.tasks.engine import Engine
from tests import tiny_safety
from tests.tasks.conftest import Wish
from tests.tasks.pictures import distance, done, noted

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a checker among the models to which every image is unsafe, or none."""
    monkeypatch.setenv("DARKROOM_MODELS_FOLDER", str(tmp_path))

    def install(*, strict: bool) -> Path:
        checker = tiny_safety.checker()
        checker.concept_embeds_weights.fill_(-2.0 if strict else 2.0)
        checker.special_care_embeds_weights.fill_(2.0)
        checker.save_pretrained(paths.models_folder() / "safety-checker")
        return paths.models_folder() / "safety-checker"

    return install


def one(engine: Engine, wish: Wish, **said: object) -> ImageDone:
    (image,) = done(engine.run(wish(**said)))
    return image


def test_nothing_is_looked_at_where_no_checker_is_installed(
    engine: Engine, wish: Wish, install: Install
) -> None:
    assert one(engine, wish).recipe.safety == "off"
    with pytest.raises(RequestError, match="no safety checker"):
        engine.plan(wish(safety="flag"))


def test_an_unsafe_image_is_blurred_once_a_checker_is_installed(
    engine: Engine, wish: Wish, install: Install
) -> None:
    plain = one(engine, wish, safety="off")
    install(strict=True)
    blurred = one(engine, wish)
    assert (blurred.recipe.safety, blurred.recipe.flagged) == ("blur", True)
    assert distance(plain.image, blurred.image) > 20
    assert any("seed 7 unsafe" in note for note in noted(engine.run(wish())))

    flagged = one(engine, wish, safety="flag")
    assert flagged.recipe.flagged
    assert distance(plain.image, flagged.image) == 0
    assert distance(plain.image, one(engine, wish, safety="off").image) == 0


def test_a_safe_image_stays_as_it_is(engine: Engine, wish: Wish, install: Install) -> None:
    plain = one(engine, wish, safety="off")
    install(strict=False)
    looked_at = one(engine, wish)
    assert (looked_at.recipe.safety, looked_at.recipe.flagged) == ("blur", False)
    assert distance(plain.image, looked_at.image) == 0


@pytest.mark.parametrize("policy", ["flag", "blur"])
def test_a_recipe_makes_the_image_again(
    policy: str, engine: Engine, wish: Wish, install: Install
) -> None:
    install(strict=True)
    first = one(engine, wish, safety=policy)
    wished = replace(again.request_of(first.recipe), model=engine.model)
    (second,) = done(engine.run(wished))
    assert distance(first.image, second.image) == 0


def test_another_policy_is_refused(engine: Engine, wish: Wish, install: Install) -> None:
    install(strict=True)
    with pytest.raises(RequestError, match="safety policy"):
        engine.plan(wish(safety="hide"))

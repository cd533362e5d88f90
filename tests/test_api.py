"""The Python face, and that it opens no socket."""

import inspect
import io
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, get_args

import numpy as np
import PIL.Image
import pytest

import darkroom
from darkroom.api import Source, Wishes
from darkroom.contracts import Event, Finished, ImageDone, Request, Started, Stepped, Task
from darkroom.errors import DarkroomError, ImageError, ModelError, RequestError
from darkroom.planning.suitability import taken_by

if TYPE_CHECKING:
    from tests.tiny import TinyCheckpoint

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model(tiny_checkpoint: "TinyCheckpoint") -> darkroom.Model:
    return darkroom.load(tiny_checkpoint.safetensors, device="cpu", precision="fp32")


def small(
    model: darkroom.Model, prompt: str = "a cat", **wishes: Unpack[Wishes]
) -> darkroom.Generation:
    said: Wishes = {"width": 32, "height": 32, "steps": 2, "seed": 3, **wishes}
    return model.txt2img(prompt, **said)


def test_importing_darkroom_loads_nothing() -> None:
    script = (
        "import sys, darkroom; darkroom.__version__, dir(darkroom); "
        "sys.exit(', '.join({'torch', 'numpy', 'PIL'} & sys.modules.keys()) or 0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT / "src")


def test_the_face_is_whole() -> None:
    for name in darkroom.__all__:
        assert getattr(darkroom, name) is not None
    assert set(dir(darkroom)) == set(darkroom.__all__)
    assert not hasattr(darkroom, "nonsense")


def test_iterating_gives_the_events_of_the_one_run(model: darkroom.Model) -> None:
    made = small(model, count=2, batch=1)
    events: list[Event] = list(made)
    assert [type(event) for event in events] == [
        Started,
        Stepped,
        Stepped,
        ImageDone,
        Stepped,
        Stepped,
        ImageDone,
        Finished,
    ]
    assert [image.seed for image in made.images] == [3, 4]
    assert list(made) == []


def test_images_are_made_when_they_are_asked_for(model: darkroom.Model) -> None:
    made = small(model)
    assert made.seed == made.image.seed == made.recipe.seed == 3
    assert made.image is made.image
    assert made.pil.size == (32, 32)
    assert made.recipe.prompt == "a cat"
    assert made._repr_png_().startswith(b"\x89PNG")


def test_leaving_a_loop_loses_nothing_and_cancel_keeps_what_is_done(model: darkroom.Model) -> None:
    made = small(model, count=3, batch=1)
    for event in made:
        if isinstance(event, ImageDone):
            break
    assert len(made.images) == 3
    cancelled = small(model, count=3, batch=1)
    for event in cancelled:
        if isinstance(event, ImageDone):
            cancelled.cancel()
    assert [image.seed for image in cancelled.images] == [3]


def test_previews_are_shown_where_they_are_asked_for(model: darkroom.Model) -> None:
    def shown(made: darkroom.Generation) -> set[int]:
        return {len(event.previews) for event in made if isinstance(event, Stepped)}

    small_one: Wishes = {"width": 32, "height": 32, "steps": 2, "count": 2, "batch": 2}
    assert shown(model.txt2img("a cat", previews=True, **small_one)) == {2}
    assert shown(model.txt2img("a cat", **small_one)) == {0}


def test_no_image_at_all_is_explained(model: darkroom.Model) -> None:
    made = small(model)
    made.cancel()
    assert made.images == ()
    with pytest.raises(DarkroomError, match="cancelled"):
        _ = made.image


def test_saving(model: darkroom.Model, tmp_path: Path) -> None:
    made = small(model, "a cat & a dog")
    path = made.save(tmp_path / "cat.png")
    assert path == tmp_path / "cat.png"
    assert PIL.Image.open(path).tobytes() == made.pil.tobytes()
    assert b"a cat & a dog" in path.read_bytes()
    private = made.image.save(str(tmp_path / "private.png"), private=True)
    assert b"a cat" not in private.read_bytes()
    with pytest.raises(DarkroomError, match="exists"):
        made.save(path)
    made.save(path, overwrite=True)
    sizes = [made.image.save(tmp_path / f"{q}.jpg", quality=q).stat().st_size for q in (20, 90)]
    assert sizes[0] < sizes[1]


def test_an_image_to_start_from_may_come_from_anywhere(
    model: darkroom.Model, tmp_path: Path
) -> None:
    picture = PIL.Image.linear_gradient("L").convert("RGB").resize((32, 32))
    file = io.BytesIO()
    picture.save(file, "PNG")
    path = tmp_path / "input.png"
    path.write_bytes(file.getvalue())
    sources: list[Source] = [path, str(path), file.getvalue(), picture]
    pictures = [
        model.img2img(source, "a cat", strength=0.5, width=32, height=32, steps=2, seed=1)
        for source in sources
    ]
    assert len({made.pil.tobytes() for made in pictures}) == 1
    assert pictures[0].recipe.strength == 0.5
    with pytest.raises(ImageError):
        model.img2img(tmp_path / "missing.png", "a cat")
    path.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"^input\.png "):
        model.img2img(path, "a cat")
    with pytest.raises(ImageError):
        model.img2img(b"no image", "a cat")
    with pytest.raises(TypeError, match="ndarray"):
        model.img2img(np.zeros((32, 32, 3)), "a cat")  # type: ignore[arg-type]


def test_an_image_of_ours_may_be_developed_further(model: darkroom.Model) -> None:
    first = small(model)
    sources: list[Source] = [first, first.image, first.pil]
    further = [
        model.img2img(source, "a dog", strength=0.5, width=32, height=32, steps=2, seed=1)
        for source in sources
    ]
    assert len({(made.pil.tobytes(), made.recipe.input_sha256) for made in further}) == 1


def test_a_private_request_stays_private(
    model: darkroom.Model, tiny_checkpoint: "TinyCheckpoint", tmp_path: Path
) -> None:
    said = Request(
        model=str(tiny_checkpoint.safetensors),
        prompt="a secret",
        width=32,
        height=32,
        steps=1,
        device="cpu",
        private=True,
    )
    made = model.make(said)
    assert b"a secret" not in made.save(tmp_path / "private.png").read_bytes()


def test_the_hint_is_seen_by_those_who_see_an_exception(model: darkroom.Model) -> None:
    with pytest.raises(RequestError) as caught:
        model.txt2img("a cat", width=500)
    assert "496 and 504" in "".join(traceback.format_exception(caught.value))
    assert "496" not in str(caught.value)


def test_every_wish_of_a_request_can_be_said(model: darkroom.Model) -> None:
    elsewhere = {"task", "prompt", "model", "image", "private", "version"}
    on_load = {"prediction", "precision", "device", "ema", "vae"}
    fields = set(inspect.signature(Request).parameters)
    shared = {name for name in fields if all(taken_by(name, task) for task in get_args(Task))}
    shared |= {name for name in fields if name.startswith("hires")}
    assert shared - elsewhere - on_load == set(Wishes.__annotations__)
    assert on_load < set(inspect.signature(darkroom.load).parameters)
    made = small(model, negative="a dog", guidance=0.0, sampler="DPM++ 2M Karras", batch=1)
    assert made.recipe.guidance == 0.0
    assert (made.recipe.sampler, made.recipe.schedule) == ("dpmpp_2m", "karras")


def test_averaged_weights(model: darkroom.Model, averaged_checkpoint: Path) -> None:
    averaged = darkroom.load(averaged_checkpoint, device="cpu", precision="fp32", ema=True)
    assert small(averaged).recipe.ema
    with pytest.raises(RequestError, match="holds no EMA copies"):
        small(darkroom.load(model._wish.model, ema=True))


def test_a_whole_request(model: darkroom.Model, tiny_checkpoint: "TinyCheckpoint") -> None:
    said = Request(
        model=str(tiny_checkpoint.safetensors),
        prompt="a cat",
        width=32,
        height=32,
        steps=2,
        seed=3,
        device="cpu",
        precision="fp32",
    )
    assert model.make(said).pil.tobytes() == small(model).pil.tobytes()


def test_wishes_are_refused_when_they_are_said(model: darkroom.Model) -> None:
    with pytest.raises(RequestError, match="sampler"):
        small(model, sampler="eulr")
    with pytest.raises(TypeError):
        small(model, colour="red")  # type: ignore[call-arg]
    with pytest.raises(ModelError):
        darkroom.load("no-such-model")


OFFLINE = """
import sys
opened = []
sys.addaudithook(lambda event, what: event.startswith("socket.") and opened.append(event))

import darkroom
model = darkroom.load(sys.argv[1])
made = model.txt2img("a cat", width=32, height=32, steps=2)
model.img2img(made.pil, "a dog", strength=0.5, width=32, height=32, steps=2).save(sys.argv[2])
sys.exit(f"opened: {opened}" if opened else 0)
"""


def run_offline(path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process of its own: some libraries are silent only under a test runner or in CI."""
    silencing = ("CI", "GITHUB", "HF_", "PYTEST")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(silencing)}
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_socket_is_opened(tiny_checkpoint: "TinyCheckpoint", tmp_path: Path) -> None:
    done = run_offline(ROOT / "src", tiny_checkpoint.safetensors, tmp_path / "image.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "image.png").exists()


@pytest.mark.parametrize("call", ["socket()", "gethostbyname('localhost')"])
def test_a_socket_would_be_noticed(tmp_path: Path, call: str) -> None:
    (tmp_path / "darkroom.py").write_text(
        f"import sys, socket\nsocket.{call}\nsys.exit(str(sys.modules['__main__'].opened))\n"
    )
    done = run_offline(tmp_path)
    assert "socket." in done.stderr

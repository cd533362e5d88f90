"""The gallery: pages, search, filters, lineage, and deleting with undo."""

import hashlib
from typing import Any

import pytest

from darkroom.errors import RequestError
from darkroom.store import rows, searching
from darkroom.store.opening import Store, open_store
from darkroom.store.pictures import Filter, Image
from darkroom.store.refusals import UnknownError
from tests.store import samples
from tests.store.samples import make


def prompts(store: Store, **chosen: Any) -> list[str]:
    return [image.prompt for image in store.gallery.page(Filter(**chosen)).images]


@pytest.fixture(params=["with an index of words", "without one"])
def either(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with FTS5 and one without."""
    if request.param == "without one":
        monkeypatch.setattr(searching, "available", lambda _: False)
        with store.database.write() as connection:
            connection.execute("DROP TABLE prompts")
    return store


def test_pages_follow_each_other_without_gaps(store: Store) -> None:
    made = [make(store, prompt=f"number {n}").id for n in range(7)]
    for order, expected in ("new", made[::-1]), ("old", made):
        walked: list[str] = []
        after = None
        while True:
            page = store.gallery.page(order=order, after=after, limit=3)  # type: ignore[arg-type]
            walked += [image.id for image in page.images]
            after = page.next
            if after is None:
                break
        assert walked == expected
    assert store.gallery.count() == 7


def test_a_page_is_not_disturbed_by_new_images(store: Store) -> None:
    made = [make(store).id for _ in range(4)]
    first = store.gallery.page(limit=2)
    make(store)
    second = store.gallery.page(limit=2, after=first.next)
    assert [image.id for image in (*first.images, *second.images)] == made[::-1]


def test_search_finds_words_in_prompts(either: Store) -> None:
    make(either, prompt="A Hamster on a blue background, sci-fi (masterpiece:1.2)")
    make(either, prompt="ein Fuchs im Wald 🦊 黒猫がいる", negative="hamster")
    assert prompts(either, search="hamster")[0].startswith("A Hamster")
    assert len(prompts(either, search="hamster")) == 1
    assert len(prompts(either, search="BLUE ham")) == 1
    assert len(prompts(either, search="sci-fi")) == 1
    assert len(prompts(either, search="(masterpiece:1.2)")) == 1
    assert len(prompts(either, search="🦊")) == 1
    assert len(prompts(either, search="猫")) == 1
    assert len(prompts(either, search="fuchs 猫")) == 1
    assert prompts(either, search="hamster fuchs") == []
    assert len(prompts(either, search="   ")) == 2
    assert either.gallery.count(Filter(search="fuchs")) == 1


HOSTILE = [
    *('"', "'", '""', "*", "a*", "-a", "NOT", "a AND", "OR b", "NEAR(", "prompt:", "^a", "{a b}"),
    *("%", "_", "\\", "a%", "\0", "a\0b", "\ud800", "\u202e", "'; DROP TABLE images; --", ")"),
    *("x" * 100_000, "a " * 5000, '"' * 999, "🦊" * 500, "é", "\u0301", "\n\t", "() OR 1=1"),
]


@pytest.mark.parametrize("search", HOSTILE, ids=range(len(HOSTILE)))
def test_any_text_can_be_searched_for(either: Store, search: str) -> None:
    make(either, prompt=f"an image of {search}")
    make(either, prompt="another one")
    found = prompts(either, search=search)
    assert len(found) == either.gallery.count(Filter(search=search)) <= 2
    for field in ("model", "task", "tag", "job"):
        assert prompts(either, **{field: search}) == []


def test_percent_signs_mean_themselves(either: Store) -> None:
    make(either, prompt="100% wool")
    make(either, prompt="100 sheep")
    assert "100% wool" in prompts(either, search="100%")
    assert prompts(either, search="%") == ["100% wool"]
    assert prompts(either, search="_") == []


def test_filters(store: Store) -> None:
    make(store, prompt="small", model="mini", task="txt2img")
    large = samples.new_image(b"large", width=1024, height=512)
    samples.submit(store)
    claimed = samples.claim(store)
    image = store.queue.image_done(claimed, 0, large)
    assert image is not None
    store.queue.finished(claimed)
    make(store, prompt="other", model="v1", task="upscale")
    store.gallery.favourite(image.id, True)
    store.gallery.tag(image.id, ["sea"])
    wide = "a hamster on a blue background"
    assert prompts(store, model="v1") == ["other"]
    assert prompts(store, task="txt2img") == [wide, "small"]
    assert prompts(store, favourite=True) == [wide]
    assert prompts(store, favourite=False) == ["other", "small"]
    assert prompts(store, tag="sea") == [wide]
    assert prompts(store, min_side=512) == [wide]
    assert prompts(store, min_side=513) == []
    assert prompts(store, max_side=64) == ["other", "small"]
    assert prompts(store, max_side=2**70) == ["other", wide, "small"]
    assert prompts(store, job=image.job) == [wide]
    assert prompts(store, model="v1", favourite=True) == []
    assert store.gallery.models() == (("mini", 2), ("v1", 1))
    assert store.gallery.tags() == (("sea", 1),)


def test_dates(store: Store) -> None:
    times = ["2026-11-18T23:59:59.999Z", "2026-11-19T00:00:00.000Z", "2026-11-20T08:00:00.000Z"]
    for time in times:
        image = make(store, prompt=time)
        with store.database.write() as connection:
            connection.execute("UPDATE images SET created = ? WHERE id = ?", [time, image.id])
    assert prompts(store, since="2026-11-19") == times[:0:-1]
    assert prompts(store, until="2026-11-18") == times[:1]
    assert prompts(store, since="2026-11-19", until="2026-11-19") == times[1:2]
    assert prompts(store, since="2026-11-20T10:00:00+02:00") == times[2:]
    assert prompts(store, until="2026-11-20T08:00:00Z") == times[1::-1]
    for odd in ("yesterday", "", "2026-13-01", "9999-12-31", "\0"):
        with pytest.raises(RequestError):
            store.gallery.page(Filter(until=odd))


def test_pages_have_limits(store: Store) -> None:
    for odd in ({"limit": 0}, {"limit": 501}, {"order": "best"}):
        with pytest.raises(RequestError):
            store.gallery.page(**odd)
    for after in ("x", "", "-1", "1" * 30, "²"):
        with pytest.raises(RequestError):
            store.gallery.page(after=after)


@pytest.mark.parametrize("name", ["", "nobody", "../x", "\0", "\ud800"])
def test_unknown_images_are_unknown(store: Store, name: str) -> None:
    gallery = store.gallery
    calls = (
        *(gallery.get, gallery.path, gallery.recipe, gallery.notes),
        *(gallery.parents, gallery.children),
    )
    for call in calls:
        with pytest.raises(UnknownError):
            call(name)
    with pytest.raises(UnknownError):
        gallery.favourite(name, True)
    assert gallery.trash([name]) == ()
    assert gallery.purge([name]) == ()


def test_tags_are_replaced_as_a_whole(store: Store) -> None:
    image = make(store)
    assert store.gallery.tag(image.id, ["sea ", "beach", "sea"]).tags == ("beach", "sea")
    assert store.gallery.tag(image.id, ["🏖"]).tags == ("🏖",)
    for odd in ([""], ["x" * 101], [str(n) for n in range(101)]):
        with pytest.raises(RequestError):
            store.gallery.tag(image.id, odd)
    assert store.gallery.get(image.id).tags == ("🏖",)


def test_lineage_goes_from_text_to_img2img_to_upscale(store: Store) -> None:
    text = make(store, b"text")
    painted = make(store, b"painted", task="img2img", input_sha256=text.sha256)
    upscaled = make(store, b"upscaled", task="upscale", input_sha256=painted.sha256)
    mixed = make(store, b"mixed", task="vary", images_sha256=(text.sha256, painted.sha256))

    def ids(found: tuple[Image, ...]) -> list[str]:
        return [image.id for image in found]

    assert ids(store.gallery.parents(upscaled.id)) == [painted.id]
    assert ids(store.gallery.parents(painted.id)) == [text.id]
    assert ids(store.gallery.parents(mixed.id)) == [text.id, painted.id]
    assert ids(store.gallery.children(text.id)) == [mixed.id, painted.id]
    assert store.gallery.parents(text.id) == store.gallery.children(mixed.id) == ()


def test_lineage_goes_through_drawings(store: Store) -> None:
    text = make(store, b"text")
    sketch, second = store.inputs.keep(b"sketch over text"), store.inputs.keep(b"more strokes")
    store.gallery.derived(sketch, text.sha256)
    store.gallery.derived(second, sketch)
    store.gallery.derived(sketch, second)  # a circle does not trap it
    painted = make(store, b"painted", input_sha256=second)
    assert [image.id for image in store.gallery.parents(painted.id)] == [text.id]
    assert [image.id for image in store.gallery.children(text.id)] == [painted.id]
    with pytest.raises(UnknownError):
        store.gallery.derived("../x", text.sha256)


def test_deleting_can_be_undone(store: Store) -> None:
    image = make(store, b"kept", prompt="kept")
    store.gallery.tag(image.id, ["sea"])
    assert store.gallery.trash([image.id, image.id, "nobody"]) == (image.id,)
    assert store.gallery.trash([image.id]) == ()
    assert (store.gallery.count(), prompts(store, search="kept")) == (0, [])
    (deleted,) = store.gallery.page(Filter(trashed=True)).images
    assert deleted.trashed is not None
    assert not deleted.missing
    assert list(store.folder.images.rglob("*.png")) == []
    assert store.gallery.restore([image.id]) == (image.id,)
    assert store.gallery.restore([image.id]) == ()
    back = store.gallery.get(image.id)
    assert (back.trashed, back.tags, back.missing) == (None, ("sea",), False)
    assert store.gallery.path(image.id).read_bytes() == b"kept"
    assert list(store.folder.trash.rglob("*.png")) == []


def test_purging_removes_all_files_and_nothing_else(store: Store) -> None:
    image, other = make(store, b"gone", prompt="gone"), make(store, b"stays", prompt="stays")
    thumbnail = store.folder.thumbnail(image.sha256, 256)
    step = store.folder.film_step(str(image.job), 0, 1)
    for file in (thumbnail, step):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"small")
    assert store.gallery.purge([image.id]) == (), "only what is in the trash"
    store.gallery.trash([image.id])
    assert store.gallery.purge(days=1) == ()
    assert store.gallery.purge(days=0) == (image.id,)
    with pytest.raises(UnknownError):
        store.gallery.get(image.id)
    left = [path.read_bytes() for path in store.folder.root.rglob("*.png")]
    assert left == [b"stays"]
    assert not thumbnail.exists()
    assert not step.parent.parent.exists()
    assert prompts(store, search="gone") == []
    assert prompts(store, search="stays") == ["stays"]
    assert store.gallery.get(other.id).id == other.id


def test_files_taken_away_by_hand_break_nothing(store: Store) -> None:
    images = [make(store, prompt=str(n)) for n in range(3)]
    store.gallery.path(images[1].id).unlink()
    assert [one.missing for one in store.gallery.page().images] == [False, True, False]
    with pytest.raises(UnknownError):
        store.gallery.path(images[1].id)
    assert store.gallery.trash([images[1].id]) == (images[1].id,)
    assert store.gallery.restore([images[1].id]) == (images[1].id,)
    store.gallery.trash([images[1].id])
    assert len(store.gallery.purge()) == 1


def test_a_move_that_was_interrupted_heals_itself(store: Store) -> None:
    image = make(store, b"kept")
    there = store.folder.trashed(image.file)
    there.parent.mkdir(parents=True)
    store.gallery.path(image.id).replace(there)
    assert not store.gallery.get(image.id).missing
    assert store.gallery.path(image.id) == there
    store.gallery.trash([image.id])
    assert store.gallery.path(image.id).read_bytes() == b"kept"


@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE prompts",
        "INSERT INTO prompts (prompts) VALUES ('delete-all')",
        "INSERT INTO prompts (rowid, prompt) VALUES (99, 'a ghost')",
        "UPDATE prompts_data SET block = x'00'",
        "DELETE FROM prompts_data",
        "DELETE FROM prompts_docsize",
        "UPDATE prompts_config SET v = 99",
        "DROP TABLE prompts_idx",
    ],
)
def test_an_index_that_is_not_sound_is_made_anew(store: Store, harm: str) -> None:
    make(store, prompt="a fox")
    with store.database.write() as connection:
        connection.execute(harm)
    store.close()
    again = open_store(store.folder.root)
    assert prompts(again, search="fox") == ["a fox"]
    assert prompts(again, search="ghost") == []
    again.close()


def test_a_page_of_ten_thousand_images(store: Store) -> None:
    make(store, prompt="the first")
    with store.database.write() as connection:
        connection.execute(
            "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9998)"
            " INSERT INTO images (id, file, sha256, bytes, width, height, prompt, negative, model,"
            " created) SELECT 'image-' || i, '2026-11/' || i || '.png', printf('%064x', i), 1, 64,"
            " 64, CASE i % 100 WHEN 0 THEN 'a fox' ELSE 'a dog' END || i, '', 'mini', '2026' FROM n"
        )
        searching.ensure(connection, anew=True)
    make(store, prompt="the last")
    page = store.gallery.page(limit=100)
    assert page.images[0].prompt == "the last"
    assert len({image.id for image in page.images}) == 100
    assert store.gallery.count() == 10_000
    assert store.gallery.count(Filter(search="fox")) == 99
    assert store.gallery.count(Filter(search="a the")) == 0
    oldest = store.gallery.page(order="old", limit=2)
    assert [image.prompt for image in oldest.images] == ["the first", "a dog1"]


def test_the_checksum_of_a_row_is_that_of_its_file(store: Store) -> None:
    image: Image = make(store, b"these bytes")
    assert image.sha256 == hashlib.sha256(b"these bytes").hexdigest()


def test_damaged_texts_of_a_row_are_as_if_they_were_not_there(store: Store) -> None:
    image = make(store)
    with store.database.write() as connection:
        connection.execute("UPDATE recipes SET recipe = '{', notes = '{'")
    assert store.gallery.recipe(image.id) is None
    assert store.gallery.notes(image.id) == ()
    assert rows.texts_of('{"a": 1}') == ()
    assert rows.recipe_of('{"a": 1}') is None

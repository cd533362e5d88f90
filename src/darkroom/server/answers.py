"""What the routes of `/api` answer and take, as the documentation of the API shows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, WithJsonSchema

from darkroom.contracts import Request

Id = Annotated[str, StringConstraints(pattern=r"^[0-9a-z][0-9a-z-]{0,79}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


def _wish_schema() -> dict[str, Any]:
    """The schema of a Request on the wire: as the dataclass says, but files are ids of uploads."""
    schema = TypeAdapter(Request).json_schema()
    upload = {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "The id of an upload."}
    for name in ("image", "mask", "depth"):
        schema["properties"][name] = {"anyOf": [upload, {"type": "null"}]}
    schema["properties"]["images"] = {"type": "array", "items": upload}
    schema["description"] = (
        "What to make.  What is left out follows from the sampler, the model and the settings."
    )
    schema["additionalProperties"] = False
    schema["title"] = "Wish"
    schema["examples"] = [EXAMPLE_WISH]
    return schema


EXAMPLE_WISH: dict[str, Any] = {
    "prompt": "a hamster on a blue background",
    "model": "mini",
    "steps": 12,
    "seed": 42,
    "count": 2,
}
_TABLE: dict[str, Any] = {
    "request": {"prompt": "a cat", "steps": 12},
    "grid": {
        "axes": [
            {"field": "guidance", "values": [1, 4, 8]},
            {"field": "seed", "values": [1, 2]},
        ]
    },
}
Wish = Annotated[dict[str, Any], WithJsonSchema(_wish_schema())]
SaidWish = Annotated[dict[str, Any], WithJsonSchema({"type": "object", "title": "Wish"})]


def like(*more: dict[str, Any], **example: Any) -> ConfigDict:
    """How strictly a body is read, and an example of one."""
    examples: list[Any] = [example, *more]
    return ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": examples})


class Said(BaseModel):
    """What a client says: nothing unknown is taken, and nothing is guessed."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Fault(BaseModel):
    """What is wrong, and what to do."""

    message: str
    hint: str


class Problem(BaseModel):
    """The one shape of everything that could not be done."""

    error: Fault


class Axis(Said):
    """One parameter of a comparison.  `label`: its name; `labels`: those of its values."""

    field: Name
    values: list[str | int | float] = Field(min_length=1, max_length=1000)
    label: str | None = Field(None, max_length=200)
    labels: list[str] | None = Field(None, max_length=1000)


class Grid(Said):
    """A comparison: columns, rows, and tables below each other."""

    axes: list[Axis] = Field(min_length=1, max_length=3)


class Submission(Said):
    """A wish, with styles and a comparison if wanted; or several wishes for one job."""

    model_config = like(_TABLE, request=EXAMPLE_WISH, styles=["oil painting"])

    request: Wish | None = None
    requests: list[Wish] | None = Field(None, min_length=1, max_length=1000)
    styles: list[Name] = Field(default_factory=list, max_length=50)
    grid: Grid | None = None


class Wished(Said):
    """A wish and the styles that go into its prompts."""

    model_config = like(request=EXAMPLE_WISH)

    request: Wish
    styles: list[Name] = Field(default_factory=list, max_length=50)


class Forecast(Wished):
    """A wish, its styles, and the comparison that is to be made of it."""

    grid: Grid | None = None


class Words(Said):
    """Prompts whose tokens are to be counted."""

    model_config = like(model="mini", prompt="a hamster on a blue background", negative="rain")

    model: Name = "mini"
    prompt: str = Field("", max_length=100_000)
    negative: str = Field("", max_length=100_000)
    prompt_syntax: str | None = None


class Move(Said):
    """Before which waiting job; null: as the last."""

    model_config = like(before=None)

    before: Id | None


class Pause(Said):
    """Whether no further job begins."""

    model_config = like(paused=True)

    paused: bool


class Clear(Said):
    """All that waits is cancelled, or all that has ended is forgotten."""

    model_config = like(what="finished")

    what: Literal["waiting", "finished"]


class Ids(Said):
    """Images."""

    model_config = like(ids=["4800dd955fce7ff1-0"])

    ids: list[Id] = Field(min_length=1, max_length=1000)


class ImageChange(Said):
    """What a person says of an image; what is left out stays."""

    model_config = like(favourite=True, tags=["sea"])

    favourite: bool | None = None
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=60)]] | None = Field(
        None, max_length=50
    )


class Job(BaseModel):
    """A job.  `position`: how many run before it.  `requests`: the first few of a long one."""

    id: str
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    title: str
    task: str
    images: int
    images_done: int
    position: int | None
    attempts: int
    error: Fault | None
    created: str
    started: str | None
    finished: str | None
    seconds_left: float | None
    index: int | None
    step: int | None
    steps: int | None
    requests: list[SaidWish]
    grid: dict[str, Any] | None
    sheet: str | None
    origin: str | None
    notes: list[str]


class Image(BaseModel):
    """An image of the gallery.  `steps`: previews in its film; `sheet`: it is a comparison."""

    id: str
    job: str | None
    number: int | None
    sheet: bool
    width: int
    height: int
    bytes: int
    seed: int | None
    prompt: str
    negative: str
    model: str | None
    task: str | None
    created: str
    favourite: bool
    tags: list[str]
    steps: int
    flagged: bool
    missing: bool
    trashed: str | None
    file: str
    thumbnail: str


class Happening(BaseModel):
    """One line of a job's history."""

    at: str
    kind: str
    detail: str


class OneJob(BaseModel):
    """A job that was accepted or changed."""

    job: Job


class WholeJob(BaseModel):
    """A job with its history and its images."""

    job: Job
    history: list[Happening]
    images: list[Image]


class Jobs(BaseModel):
    """A page of jobs; `next`: what `after` must be for those that follow."""

    jobs: list[Job]
    next: str | None


class QueueSays(BaseModel):
    """The queue as a whole."""

    paused: bool
    reason: str
    waiting: int
    running: int


class Cleared(BaseModel):
    """How many jobs it was."""

    jobs: int


class Sayings(BaseModel):
    """The same wish in other words."""

    command: str
    python: str
    http: str


class Recalled(BaseModel):
    """The recipe that an image holds; `fields`: of a wish."""

    program: str
    ours: bool
    fields: dict[str, Any]
    text: str
    remarks: list[str]


class Upload(BaseModel):
    """An image that came in.  Wishes name it by its id."""

    id: str
    width: int
    height: int
    format: str
    notes: list[str]
    recipe: Recalled | None


class UploadId(BaseModel):
    """The id under which wishes name an image."""

    id: str


class Images(BaseModel):
    """A page of images; `next`: what `after` must be for those that follow."""

    images: list[Image]
    next: str | None
    total: int


class WholeImage(BaseModel):
    """An image with everything that is known of it."""

    image: Image
    recipe: dict[str, Any] | None
    request: SaidWish | None
    notes: list[str]
    parents: list[Image]
    children: list[Image]
    sayings: Sayings | None
    history: list[Happening]


class Changed(BaseModel):
    """The ids of the images that it was done to."""

    ids: list[str]


class Settled(BaseModel):
    """What a wish means where it leaves something unsaid."""

    width: int
    height: int
    sampler: str
    schedule: str
    steps: int
    guidance: float
    strength: float
    eta: float
    clip_skip: int
    prompt_syntax: str
    rescale: float
    noise_level: int | None
    image_guidance: float | None
    count: int


class Plan(BaseModel):
    """How a wish would be carried out.  Nothing is made."""

    device: str
    device_name: str
    engine: str
    precision: str
    seconds: float
    peak_bytes: int
    weight_bytes: int
    memory_total: int
    memory_free: int
    batch: int
    steps: int
    images: int
    notes: list[str]
    resolved: Settled


class Unknown(BaseModel):
    """A word that a small model does not know, and the nearest that it does."""

    word: str
    nearest: str | None


class Piece(BaseModel):
    """One token: its number in the vocabulary, how it is spelt, and whether a word ends there."""

    id: int
    text: str
    ends_word: bool
    weight: float


class Meter(BaseModel):
    """A prompt as the model reads it: so many tokens, in chunks of `limit`.

    `pieces`: the tokens, the first few hundred.  `beyond`: the words after the first chunk, which
    count for less; `cut`: those never seen.
    """

    tokens: int
    pieces: list[Piece]
    limit: int
    chunks: int
    beyond: list[str]
    cut: list[str]
    unknown: list[Unknown]
    remarks: list[str]


class Meters(BaseModel):
    """Both prompts as the model reads them."""

    prompt: Meter
    negative: Meter

"""What the routes answer that tell what there is: the server, its choices, settings and models."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from darkroom.server.answers import QueueSays

Value = str | int | float | bool | None


class Device(BaseModel):
    """A device and what its worker does.  Memory in bytes, 0 until it is measured."""

    model_config = ConfigDict(extra="allow")

    device: str
    name: str
    cores: int = 0
    memory_total: int = 0
    memory_free: int = 0
    state: Literal["starting", "idle", "loading", "busy", "dead"]
    model: str | None


class Safety(BaseModel):
    """What is done with images that the safety checker flags, and whether there is one."""

    model_config = ConfigDict(extra="allow")

    policy: Literal["off", "flag", "blur"]
    installed: bool


class Usual(BaseModel):
    """What is used where nothing is said."""

    model: str


class Status(BaseModel):
    """The server as a whole.  `offline`: nothing is asked of the network by itself."""

    version: str
    devices: list[Device]
    queue: QueueSays
    offline: bool
    safety: Safety
    defaults: Usual
    notes: list[str]


class Sampler(BaseModel):
    """A sampler.  `schedule`: its own default; `schedules`: those it is defined on, null for all.

    `takes`: which of `eta` and `churn`.
    """

    name: str
    label: str
    help: str
    schedule: str | None
    schedules: list[str] | None
    takes: list[str]
    predictions: list[str]


class Schedule(BaseModel):
    """How the noise levels of a run are spaced."""

    name: str
    label: str
    help: str
    max_steps: int


class TaskChoice(BaseModel):
    """A task, and what it is called on the page."""

    name: str
    label: str


class AxisChoice(BaseModel):
    """What a comparison may vary, and what kind of values it has."""

    field: str
    label: str
    kind: Literal["integer", "number", "text", "choice"]


class Choices(BaseModel):
    """Names that wishes may say."""

    samplers: list[Sampler]
    schedules: list[Schedule]
    tasks: list[TaskChoice]
    formats: list[str]
    prompt_syntaxes: list[str]
    axes: list[AxisChoice]


class Wildcards(BaseModel):
    """The names that may stand between `__` and `__` in a prompt."""

    names: list[str]


class Setting(BaseModel):
    """A setting.  `error`: what is wrong with the value that was set; the default counts then."""

    name: str
    value: Value
    source: Literal["flag", "environment", "file", "default"]
    error: str | None
    default: Value
    help: str
    choices: list[str]
    type: Literal["text", "integer", "number", "boolean"]
    flag: str
    environment: str


class Settings(BaseModel):
    """Every setting."""

    settings: list[Setting]


class Model(BaseModel):
    """An installed model.  What only a usable one has is absent otherwise.

    `why`: by what it was identified; `why_not`: why it cannot be used.  `words`: how many a small
    model knows, 0 where it knows them all.  `factor`: pixels for one place of its latent, across
    and down.  `sha256`: where it is known without reading the file.
    """

    name: str
    title: str | None
    origin: str = Field(alias="from")
    usable: bool
    why_not: str | None
    bytes: int
    container: str | None
    licence: str | None
    sha256: str | None
    removable: bool
    same_as: str | None = None
    family: str | None = None
    task: str | None = None
    why: str | None = None
    parameters: int | None = None
    prediction: str | None = None
    prediction_reason: str | None = None
    native_width: int | None = None
    native_height: int | None = None
    layers: int | None = None
    text_width: int | None = None
    context_length: int | None = None
    factor: int | None = None
    latent_channels: int | None = None
    noise_levels: int | None = None
    depth_network: bool = False
    ema: bool = False
    words: int = 0
    demonstration: bool = False
    defaults: dict[str, Any] | None = None
    precisions: dict[str, int] | None = None
    tensors: int | None = None
    words_known: list[str] | None = None


class Arrival(BaseModel):
    """A model on its way.  `done` of `total` bytes; `message`, `hint`: what is to be said of it."""

    name: str
    kind: Literal["pull", "convert"]
    state: Literal["running", "done", "failed"]
    done: int | None
    total: int | None
    checking: bool
    message: str
    hint: str


class Models(BaseModel):
    """The installed models; `gone`: imported ones that are not where they were."""

    models: list[Model]
    gone: list[str]
    pulls: list[Arrival]


class OneModel(BaseModel):
    """A model with everything that is known of it."""

    model: Model


class FoundModel(BaseModel):
    """A model of another program; `id` is what imports it."""

    id: str
    program: str
    name: str
    imported_as: str | None
    bytes: int
    family: str | None
    task: str | None
    why_not: str | None


class FoundModels(BaseModel):
    """Models of other programs."""

    found: list[FoundModel]


class KnownModel(BaseModel):
    """A model in the catalogue, which can be pulled by its name."""

    name: str
    about: str
    family: str
    repository: str
    bytes: int | None
    sha256: str | None
    licence: str
    licence_link: str
    login: bool
    installed: bool


class KnownModels(BaseModel):
    """The catalogue, and the host that it is pulled from."""

    models: list[KnownModel]
    host: str


class ModelName(BaseModel):
    """What a model is called, or will be."""

    name: str


class Facet(BaseModel):
    """Something that images have in common, and how many they are."""

    name: str
    images: int


class Facets(BaseModel):
    """What the gallery can be filtered by."""

    models: list[Facet]
    tags: list[Facet]

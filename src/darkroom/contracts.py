"""The values that travel between the rooms: frozen, typed, standard library only.

A surface (command line, Python, HTTP) translates what its user said into a `Request`.  Planning
fills in what was not said and yields `Resolved` and a `Plan`.  Tasks yield `Event`s, the last of
which carries the `Result`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Task = Literal["txt2img", "img2img", "inpaint", "depth2img", "upscale", "vary"]
ModelTask = Literal["txt2img", "inpaint", "depth2img", "upscale", "vary", "pix2pix"]
Family = Literal["sd1", "sd2"]
Prediction = Literal["eps", "v"]
Precision = Literal["fp32", "bf16", "fp16"]
PromptSyntax = Literal["a1111", "comfyui", "invokeai", "basujindal", "plain"]
NoiseSource = Literal["cpu", "nv"]
Tiling = Literal["none", "x", "y", "both"]
Enlarger = Literal["latent", "lanczos"]
Fill = Literal["original", "noise", "blank"]
Region = Literal["whole", "masked"]
Safety = Literal["off", "flag", "blur"]
Sides = tuple[int, int, int, int]

REQUEST_VERSION = 1
RECIPE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to make.  `None` means *not said*; zero and the empty prompt are values.

    `image` is the encoded file of the input image (all tasks but txt2img), so that equal wishes
    are equal Requests wherever they came from; `mask`, `depth` and `images` are files too.  `ema`:
    the U-Net's moving averages in place of its weights, where the file holds both.  `vae`: name or
    file of an autoencoder in place of the model's own.

    `rescale`: how far guidance keeps the contrast of the unguided image, 0 … 1.  `guidance_start`,
    `guidance_end`: the part of the schedule in which guidance acts, 0 … 1.  `churn` (with the
    sigmas `churn_start` … `churn_end` between which it acts, and `noise_scale`): fresh noise for
    samplers that take it (Karras et al. 2022, algorithm 2).  `clip_skip`: 1 takes the text
    encoder's last layer, 2 the one before.

    `variation_strength` turns the start noise that far towards that of `variation_seed`; image k
    then has the same `seed` and `variation_seed + k`.  `seed_offset` is added to the seeds of the
    noise of the steps.  `tiling`: directions in which the image continues at its other edge.
    `hires`: the image, made at `width` x `height`, is enlarged by so much and refined: a second
    run of `hires_steps` steps from the noise level that `hires_strength` says.

    inpaint paints where `mask` is white, or without one where `image` is transparent;
    `mask_invert` exchanges the two, then the painted part grows by `mask_grow` pixels and its edge
    is softened over `mask_blur`.  `fill`: what stands there before, which matters below strength
    1.  `region`: what the model sees, the whole image or its masked part and `region_padding`
    pixels around.  `extend`: pixels added left, above, right and below, which are painted as well.

    depth2img keeps the depths of `image`, or those of the map `depth`.  `noise_level`: of the
    noise that upscale and vary put on their input.  vary mixes `image` and `images` in the
    proportions `image_weights`, as many as there are images, or evenly.  `image_guidance`: how
    closely an InstructPix2Pix model keeps to the image of img2img.

    `safety`: what becomes of an image that the safety checker finds unsafe: nothing, for it is
    not looked at (`off`), it is said (`flag`), or it is blurred beyond recognition (`blur`).
    """

    task: Task = "txt2img"
    prompt: str = ""
    negative: str = ""
    model: str = "mini"
    image: bytes | None = field(default=None, repr=False)
    strength: float | None = None
    steps: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    guidance: float | None = None
    eta: float | None = None
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    count: int = 1
    batch: int | None = None
    prediction: Prediction | None = None
    precision: Precision | None = None
    device: str | None = None
    ema: bool = False
    vae: str | None = None
    rescale: float | None = None
    guidance_start: float | None = None
    guidance_end: float | None = None
    churn: float | None = None
    churn_start: float | None = None
    churn_end: float | None = None
    noise_scale: float | None = None
    prompt_syntax: PromptSyntax | None = None
    clip_skip: int | None = None
    variation_seed: int | None = None
    variation_strength: float | None = None
    noise: NoiseSource | None = None
    seed_offset: int | None = None
    tiling: Tiling | None = None
    hires: float | None = None
    hires_strength: float | None = None
    hires_steps: int | None = None
    hires_enlarger: Enlarger | None = None
    mask: bytes | None = field(default=None, repr=False)
    mask_invert: bool = False
    mask_grow: int | None = None
    mask_blur: int | None = None
    fill: Fill | None = None
    region: Region | None = None
    region_padding: int | None = None
    extend: Sides | None = None
    depth: bytes | None = field(default=None, repr=False)
    noise_level: int | None = None
    images: tuple[bytes, ...] = field(default=(), repr=False)
    image_weights: tuple[float, ...] = ()
    image_guidance: float | None = None
    safety: Safety | None = None
    watermark: bool | None = None
    private: bool = False
    version: int = REQUEST_VERSION


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One run of the sampler: the only one, or, of a large image, the first or the second.

    `width` and `height` are the picture's; `canvas_width` and `canvas_height` are what the U-Net
    sees, rounded up to the multiple that it needs.  Sizes in pixels.  `steps` is the count of the
    whole schedule, of which `ldm` may hold more than the `requested_steps`; `runs`: the last of
    them that are run, all where it starts from noise.
    """

    width: int
    height: int
    canvas_width: int
    canvas_height: int
    steps: int
    requested_steps: int
    runs: int


@dataclass(frozen=True, kw_only=True)
class Hires:
    """Between the first pass and the second: enlarged by `factor`, noised as `strength` says."""

    factor: float
    strength: float
    enlarger: Enlarger


@dataclass(frozen=True, kw_only=True)
class Painting:
    """What inpainting paints, and what the model sees.  Everything is in pixels.

    `width`, `height`: of the image, extended.  `box`: left, top, right and bottom of the part of
    it that the model sees.
    """

    invert: bool
    grow: int
    blur: int
    fill: Fill
    region: Region
    padding: int
    extend: Sides
    width: int
    height: int
    box: Sides


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """A Request in which nothing is left unsaid.

    `passes`: one, or two where there is `hires`.  `churn_end` may be infinite.  `from_noise`: the
    first pass starts from noise alone, and not from an image as well.  `variation_seed`:
    that of the first image, None where nothing varies; all images have the same `seed` then.
    `painting`: of inpaint alone; `noise_level`: of upscale and vary; `image_guidance`: of models
    that follow instructions.
    """

    request: Request
    passes: tuple[Pass, ...]
    sampler: str
    schedule: str
    guidance: float
    rescale: float
    guidance_start: float
    guidance_end: float
    eta: float
    churn: float
    churn_start: float
    churn_end: float
    noise_scale: float
    prompt_syntax: PromptSyntax
    clip_skip: int
    strength: float
    from_noise: bool
    seed: int
    variation_seed: int | None
    variation_strength: float
    seed_offset: int
    noise: NoiseSource
    tiling: Tiling
    hires: Hires | None
    painting: Painting | None
    noise_level: int | None
    image_guidance: float | None
    count: int
    batch: int
    prediction: Prediction
    safety: Safety
    watermark: bytes | None

    @property
    def width(self) -> int:
        """Of the finished image, in pixels."""
        return self.passes[-1].width if self.painting is None else self.painting.width

    @property
    def height(self) -> int:
        """Of the finished image, in pixels."""
        return self.passes[-1].height if self.painting is None else self.painting.height


@dataclass(frozen=True, kw_only=True)
class TextEncoderConfig:
    """CLIP text tower: `width / 64` heads in every published model.

    `layers`: those whose output is used; of OpenCLIP's in Stable Diffusion 2 all but the last.
    `tokens`: how text becomes numbers.  `clip` fills up with the end token; `openclip` with 0,
    and mends broken characters and HTML first.
    """

    vocabulary: int
    context_length: int
    width: int
    layers: int
    heads: int
    feed_width: int
    activation: Literal["quick_gelu", "gelu"]
    tokens: Literal["clip", "openclip"] = "clip"

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """KL autoencoder: one width for each resolution, halving the size between two of them."""

    in_channels: int
    latent_channels: int
    widths: tuple[int, ...]
    blocks: int
    norm_groups: int = 32

    def __post_init__(self) -> None:
        for width in self.widths:
            if width % self.norm_groups:
                raise ValueError(f"width {width} is not a multiple of {self.norm_groups} groups")

    @property
    def factor(self) -> int:
        """Pixels per latent, along one side."""
        return int(2 ** (len(self.widths) - 1))


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """Text-conditioned U-Net.  One entry of each tuple for a resolution, finest first.

    `depths`: transformer blocks in each attention layer, 0 for no attention.
    `self_attention`: False where the first attention of a block looks at the text as well.
    `heads`: attention heads at each resolution (the last also serves the middle).
    `classes`: of a number that the U-Net is told beside the timestep (the noise level of the x4
    upscaler).  `vector_width`: of a vector that it is told (the image embedding of unCLIP).
    """

    in_channels: int
    out_channels: int
    widths: tuple[int, ...]
    blocks: int
    depths: tuple[int, ...]
    middle_depth: int
    self_attention: tuple[bool, ...]
    heads: tuple[int, ...]
    context_width: int
    norm_groups: int = 32
    classes: int | None = None
    vector_width: int | None = None

    def __post_init__(self) -> None:
        levels = len(self.widths)
        for name in ("depths", "self_attention", "heads"):
            given = len(getattr(self, name))
            if given != levels:
                raise ValueError(f"{name} has {given} entries, expected {levels}")
        for width, heads in zip(self.widths, self.heads, strict=True):
            if heads < 1 or width % heads or width % self.norm_groups:
                groups = self.norm_groups
                raise ValueError(
                    f"width {width} is not a multiple of {heads} heads and {groups} groups"
                )

    @property
    def multiple(self) -> int:
        """Latent sizes must be a multiple of this."""
        return int(2 ** (len(self.widths) - 1))

    @property
    def time_width(self) -> int:
        return 4 * self.widths[0]


@dataclass(frozen=True, kw_only=True)
class DepthConfig:
    """DPT-hybrid (Ranftl et al. 2021): a residual network, a transformer over it, a decoder.

    `stem`: width of the first convolution.  `stages`: (blocks, width) of the residual network, at
    a quarter, an eighth and a sixteenth of the size.  `grid`: positions along a side that the
    transformer was trained on.  `taps`: the transformer's blocks (from 0) that the decoder reads.
    `features`, `head`: widths of the decoder and of its last two convolutions.
    """

    stem: int
    stages: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    grid: int
    width: int
    layers: int
    heads: int
    feed_width: int
    taps: tuple[int, int]
    features: int
    head: tuple[int, int]
    norm_groups: int = 32

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")
        for width in (self.stem, *(width // 4 for _, width in self.stages)):
            if width % self.norm_groups:
                raise ValueError(f"width {width} is not a multiple of {self.norm_groups} groups")


@dataclass(frozen=True, kw_only=True)
class ImageEncoderConfig:
    """CLIP image tower (Radford et al. 2021): square images of `grid` × `patch` pixels a side.

    `embedding`: width of the one vector that an image becomes.
    """

    patch: int
    grid: int
    width: int
    layers: int
    heads: int
    feed_width: int
    embedding: int
    activation: Literal["quick_gelu", "gelu"]

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of {self.heads} heads")


@dataclass(frozen=True, kw_only=True)
class ModelDefaults:
    """What a model's own metadata says should be used where the user says nothing."""

    steps: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    guidance: float | None = None
    width: int | None = None
    height: int | None = None
    noise_level: int | None = None


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """What a checkpoint is, read from its header (and, of some, one tensor).

    `task`: what the model was made for, by which its U-Net's input differs.  `vary` is unCLIP,
    `pix2pix` is InstructPix2Pix.
    `prediction_reason` is the sentence shown to the user.  `native_width/height`: pixels of the
    images that it makes; an upscaler's input has one latent's size of them, `1 / factor`.
    `betas`: the first and the last of the training schedule, whose roots are evenly spaced.
    `depth`: the depth network, None also where a depth model comes without its own.
    `image_encoder`: that of `vary`.  `noise_levels`: how many may be told to `upscale` and `vary`,
    0 … `noise_levels - 1`.
    `merges` is the model's own pruned tokenizer vocabulary, empty for CLIP's; `words` the words
    that a small model knows, empty where it knows them all.  `preview` maps latents to colours:
    one row (red, green, blue) a latent channel, then a row of offsets, in [-1, 1].
    `ema`: whether the file holds moving averages of the U-Net's weights as well.
    """

    name: str
    path: Path
    family: Family
    task: ModelTask
    text_encoder: TextEncoderConfig
    autoencoder: AutoencoderConfig
    unet: UNetConfig
    prediction: Prediction
    prediction_reason: str
    zero_terminal_snr: bool
    latent_scale: float
    native_width: int
    native_height: int
    parameters: int
    stored_bytes: int
    betas: tuple[float, float] = (0.00085, 0.012)
    depth: DepthConfig | None = None
    image_encoder: ImageEncoderConfig | None = None
    noise_levels: int | None = None
    ema: bool = False
    demonstration: bool = False
    defaults: ModelDefaults = field(default_factory=ModelDefaults)
    merges: tuple[str, ...] = field(default=(), repr=False)
    words: tuple[str, ...] = field(default=(), repr=False)
    preview: tuple[tuple[float, float, float], ...] = field(default=(), repr=False)

    @property
    def multiple(self) -> int:
        """Sizes in pixels that the U-Net can take without padding are multiples of this."""
        return self.autoencoder.factor * self.unet.multiple


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One device, as measured: memory in bytes, `speed` in FLOP/s for each precision."""

    device: str
    name: str
    cores: int
    memory_total: int
    memory_free: int
    speed: Mapping[Precision, float]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How a Request will be carried out, stated before anything runs.  Bytes and seconds.

    `batch`: images at once.  `rows`: of the U-Net's batch at once, twice as many where guidance
    weighs two prompts, but 1 where memory is short.  `steps`: those that run for each image.
    `evaluations`: rows that the U-Net computes for all images.  `threads`: of the CPU; a small
    network is quickest on one.
    """

    device: str
    device_name: str
    engine: str
    precision: Precision
    batch: int
    rows: int
    steps: int
    evaluations: int
    threads: int
    weight_bytes: int
    peak_bytes: int
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Raster:
    """RGB pixels, 8 bits a channel, row after row: `len(data) == width * height * 3`."""

    width: int
    height: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything needed to make one image again.  No local path stands in it.

    `seed` is that of this very image, `variation_seed` too; `sha256` values are lower-case hex.
    `steps`: of the whole schedule, whatever part of it `strength` left; `requested_steps`: those
    asked for, where the `ldm` grid holds another count, else None.  `ema`: made with the file's
    moving averages.  `width`, `height`: of the first pass, which `hires` enlarged.  `churn_end`:
    None for no end.

    `mask_sha256`: None where the mask is the image's alpha channel.  `outside_unchanged`: it was
    found that outside the mask every pixel is that of the input image.  `flagged`: the safety
    checker found the image unsafe, and `safety` says what became of it.  `images_sha256`: of those
    that vary mixes with the first.  `vae`: the name of an autoencoder that is not the model's own.

    A field with a default is absent in recipes older than itself; its default is what they meant.
    """

    task: Task
    prompt: str
    negative: str
    seed: int
    steps: int
    sampler: str
    schedule: str
    guidance: float
    eta: float
    width: int
    height: int
    strength: float | None
    input_sha256: str | None
    model: str
    model_sha256: str
    prediction: Prediction
    precision: Precision
    engine: str
    device: str
    watermark: str | None
    software: str
    versions: Mapping[str, str]
    requested_steps: int | None = None
    ema: bool = False
    rescale: float = 0.0
    guidance_start: float = 0.0
    guidance_end: float = 1.0
    churn: float = 0.0
    churn_start: float = 0.0
    churn_end: float | None = None
    noise_scale: float = 1.0
    prompt_syntax: PromptSyntax = "plain"
    clip_skip: int = 1
    variation_seed: int | None = None
    variation_strength: float = 0.0
    noise: NoiseSource = "cpu"
    seed_offset: int = 0
    tiling: Tiling = "none"
    hires: float | None = None
    hires_strength: float | None = None
    hires_steps: int | None = None
    hires_enlarger: Enlarger | None = None
    mask_sha256: str | None = None
    mask_invert: bool = False
    mask_grow: int | None = None
    mask_blur: int | None = None
    fill: Fill | None = None
    region: Region | None = None
    region_padding: int | None = None
    extend: Sides | None = None
    outside_unchanged: bool = False
    depth_sha256: str | None = None
    noise_level: int | None = None
    images_sha256: tuple[str, ...] = ()
    image_weights: tuple[float, ...] = ()
    image_guidance: float | None = None
    vae: str | None = None
    vae_sha256: str | None = None
    safety: Safety = "off"
    flagged: bool = False
    version: int = RECIPE_VERSION


@dataclass(frozen=True, kw_only=True)
class Started:
    """The first event: what will be made, and how."""

    resolved: Resolved
    plan: Plan


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """One denoising step of the images `first … first + images - 1` is done.

    `step` counts from 1 to `steps`.  `previews` is empty unless previews were asked for.
    """

    first: int
    images: int
    step: int
    steps: int
    previews: tuple[Raster, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Noted:
    """One line that the user should know: cut words, a step down the memory ladder, …"""

    message: str


@dataclass(frozen=True, kw_only=True)
class DepthMapped:
    """The depths that depth2img keeps, a PNG file of 16 bits of grey: what is nearer is brighter.

    As a map for another image of depth2img they do what they did here.
    """

    file: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class ImageDone:
    """Image `index` of the request is finished: marked, with its recipe, not yet a file.

    `private`: the file shall not hold the recipe.
    """

    index: int
    seed: int
    image: Raster
    recipe: Recipe
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class Finished:
    """The last event of a run that was not cancelled."""

    images: int
    seconds: float


Event = Started | Stepped | Noted | DepthMapped | ImageDone | Finished

"""Names of weights: as published, in folders of diffusers, and ours, with their shapes.  No torch.

A layout is a table: one `Row` for every tensor that the networks need, made from the networks'
sizes.  What a model must hold, how it is checked, loaded, written and converted all follow from it.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from darkroom.checkpoints.tensors import WEIGHT_DTYPES, Layout, TensorInfo, shown
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.errors import ModelError

Network = Literal["text_encoder", "unet", "autoencoder"]
Shape = tuple[int, ...]

UNET = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
OLD_TEXT = "cond_stage_model.transformer."

# Folders of diffusers: the part, then the name in its file.
PART: Mapping[Network, str] = {
    "text_encoder": "text_encoder/",
    "unet": "unet/",
    "autoencoder": "vae/",
}
FOLDER_TEXT = "text_encoder/text_model."

# What training left beside the weights; no network has it.
_BUFFERS = frozenset(
    {
        "alphas_cumprod",
        "alphas_cumprod_prev",
        "betas",
        "ddim_alphas",
        "ddim_alphas_prev",
        "ddim_sigmas",
        "ddim_sqrt_one_minus_alphas",
        "log_one_minus_alphas_cumprod",
        "logvar",
        "lvlb_weights",
        "posterior_log_variance_clipped",
        "posterior_mean_coef1",
        "posterior_mean_coef2",
        "posterior_variance",
        "scale_factor",
        "sqrt_alphas_cumprod",
        "sqrt_one_minus_alphas_cumprod",
        "sqrt_recip_alphas_cumprod",
        "sqrt_recipm1_alphas_cumprod",
        "v_pred",
        "ztsnr",
        f"{OLD_TEXT}embeddings.position_ids",
        f"{OLD_TEXT}logit_scale",
        f"{OLD_TEXT}text_projection.weight",
        f"{TEXT}embeddings.position_ids",
        "cond_stage_model.logit_scale",
        "cond_stage_model.text_projection",
        "text_encoder/embeddings.position_ids",
        "text_encoder/text_projection.weight",
        f"{FOLDER_TEXT}embeddings.position_ids",
    }
)
_LEFTOVERS = (
    "model_ema.",
    "loss.",
    "first_stage_model.loss.",
    "first_stage_model.model_ema.",
    "embedding_manager.",
    f"{OLD_TEXT}vision_model.",
    f"{OLD_TEXT}visual_projection.",
)

# Other names of the autoencoder's attention: files that an older script converted from diffusers
# 0.17 and later kept its names, and folders from before it have names of their own.
_ALIASES = {
    f"{prefix}{side}.{attention}.{name}.{kind}": f"{prefix}{side}.{attention}.{other}.{kind}"
    for prefix, attention, names in (
        (
            AUTOENCODER,
            "mid.attn_1",
            (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")),
        ),
        (
            PART["autoencoder"],
            "mid_block.attentions.0",
            (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")),
        ),
    )
    for side in ("encoder", "decoder")
    for name, other in names
    for kind in ("weight", "bias")
}


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor: its name in published files, in folders of diffusers and in our network.

    The shapes differ where a file stores a 1 × 1 convolution and ours is the same `Linear`.
    """

    network: Network
    published: str
    diffusers: str
    ours: str
    published_shape: Shape
    shape: Shape

    def name(self, layout: Layout) -> str:
        return self.published if layout == "published" else self.diffusers

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape in a file is this row's: as published, or as ours."""
        return shape in {self.published_shape, self.shape}

    def written(self, layout: Layout, stored: Shape) -> Shape:
        """The shape in which a tensor that is stored in that shape is written in another layout.

        A U-Net's projections stay what they are: their rank tells how many heads there are.
        """
        if self.network != "autoencoder":
            return stored
        return self.published_shape if layout == "published" else self.shape


class _Place(NamedTuple):
    """A module's three names."""

    published: str
    diffusers: str
    ours: str

    def at(self, published: str, diffusers: str, ours: str) -> "_Place":
        """A module inside."""
        names = zip(self, (published, diffusers, ours), strict=True)
        return _Place(*(f"{outer}.{inner}" if outer else inner for outer, inner in names))

    def all(self, name: str) -> "_Place":
        """A module inside that has one name everywhere."""
        return self.at(name, name, name)


_TOP = _Place("", "", "")


class _Table:
    """Collects rows of one network."""

    def __init__(self, network: Network, prefix: str, part: str) -> None:
        self.rows: list[Row] = []
        self._network = network
        self._prefix = prefix
        self._part = part

    def add(self, place: _Place, published_shape: Shape, shape: Shape) -> None:
        names = self._prefix + place.published, self._part + place.diffusers, place.ours
        self.rows.append(Row(self._network, *names, published_shape, shape))

    def plain(self, place: _Place, *shape: int) -> None:
        self.add(place, shape, shape)

    def norm(self, place: _Place, width: int) -> None:
        self.plain(place.all("weight"), width)
        self.plain(place.all("bias"), width)

    def linear(self, place: _Place, out: int, into: int, *, bias: bool = True) -> None:
        self.plain(place.all("weight"), out, into)
        if bias:
            self.plain(place.all("bias"), out)

    def conv(self, place: _Place, out: int, into: int, size: int = 3) -> None:
        self.plain(place.all("weight"), out, into, size, size)
        self.plain(place.all("bias"), out)

    def pointwise(self, place: _Place, width: int) -> None:
        """A 1 × 1 convolution in the file, a `Linear` in our network."""
        self.add(place.all("weight"), (width, width, 1, 1), (width, width))
        self.plain(place.all("bias"), width)


def sd1_rows(
    text_encoder: TextEncoderConfig,
    unet: UNetConfig,
    autoencoder: AutoencoderConfig,
    *,
    names: Container[str] = (),
) -> tuple[Row, ...]:
    """The layouts of Stable Diffusion 1 for networks of these sizes.

    `names`: those of a file's tensors, by which the oldest files and the newest folders are known,
    both of which lack `text_model.` in the names of the text encoder.
    """
    return (
        *_unet_rows(unet),
        *_autoencoder_rows(autoencoder),
        *_clip_rows(text_encoder, text_prefix(names, "published"), text_prefix(names, "diffusers")),
    )


def text_prefix(names: Container[str], layout: Layout) -> str:
    """The prefix of the text encoder's names, with `text_model.` unless `names` lack it."""
    long, short = {
        "published": (TEXT, OLD_TEXT),
        "diffusers": (FOLDER_TEXT, PART["text_encoder"]),
    }[layout]
    return short if f"{short}embeddings.token_embedding.weight" in names else long


def is_leftover(name: str) -> bool:
    """Whether a tensor is one that training leaves in files and that no network has."""
    return name in _BUFFERS or name.startswith(_LEFTOVERS)


def ema_name(published: str) -> str:
    """The name of a U-Net tensor's moving average: ldm drops all dots behind the prefix."""
    return "model_ema." + published.removeprefix("model.").replace(".", "")


def has_averages(rows: Iterable[Row], names: Container[str]) -> bool:
    """Whether a file holds moving averages of the U-Net; that all are there, `match` checks."""
    return any(row.network == "unet" and ema_name(row.published) in names for row in rows)


def match(
    rows: Iterable[Row],
    tensors: Mapping[str, TensorInfo],
    source: str,
    *,
    layout: Layout = "published",
    ema: bool = False,
) -> dict[Row, TensorInfo]:
    """Each row's tensor in a model; with `ema` the U-Net's moving averages.

    Raises ModelError that names the first key that is missing, misshapen, unexpected or of a type
    that no weights have; what training leaves in files (buffers, moving averages, losses) is not
    unexpected.  `source` is the file's name.
    """
    found: dict[Row, TensorInfo] = {}
    expected = set()
    for row in rows:
        name = row.name(layout)
        if name not in tensors and _ALIASES.get(name) in tensors:
            name = _ALIASES[name]
        expected.add(name)
        if ema and row.network == "unet":
            name = ema_name(row.published)
        info = tensors.get(name)
        if info is None:
            raise broken(source, f"{name} is missing")
        if not row.fits(info.shape):
            want = list(row.published_shape)
            raise broken(source, f"{name} has the shape {list(info.shape)}, expected {want}")
        if info.dtype not in WEIGHT_DTYPES:
            raise ModelError(
                f"{source} cannot be used: {name} is stored as {info.dtype}.",
                "Get a copy of this model in fp16, bf16 or fp32.",
            )
        found[row] = info
    for name in tensors:
        if name not in expected and not is_leftover(name):
            raise broken(source, f"{name} is not part of such a model")
    return found


def broken(source: str, reason: str) -> ModelError:
    """The error for a file of the right family that cannot be used."""
    return ModelError(
        f"{source} is a Stable Diffusion 1 model, but broken: {shown(reason)}.",
        "Download the model again, or get another copy of it.",
    )


def _clip_rows(config: TextEncoderConfig, prefix: str, part: str) -> list[Row]:
    table = _Table("text_encoder", prefix, part)
    width, feed = config.width, config.feed_width
    for kind, count in (("token", config.vocabulary), ("position", config.context_length)):
        theirs, ours = f"embeddings.{kind}_embedding", f"{kind}_embedding"
        table.plain(_Place(theirs, theirs, ours).all("weight"), count, width)
    for i in range(config.layers):
        theirs = f"encoder.layers.{i}"
        layer = _Place(theirs, theirs, f"blocks.{i}")

        def inside(theirs: str, ours: str, layer: _Place = layer) -> _Place:
            return layer.at(theirs, theirs, ours)

        for letter in "qkv":
            attention = inside(f"self_attn.{letter}_proj", f"attention.to_{letter}")
            table.linear(attention, width, width)
        table.linear(inside("self_attn.out_proj", "attention.to_out"), width, width)
        table.norm(inside("layer_norm1", "norm_1"), width)
        table.linear(inside("mlp.fc1", "feed_in"), feed, width)
        table.linear(inside("mlp.fc2", "feed_out"), width, feed)
        table.norm(inside("layer_norm2", "norm_2"), width)
    table.norm(_Place("final_layer_norm", "final_layer_norm", "norm_out"), width)
    return table.rows


def _unet_rows(config: UNetConfig) -> list[Row]:
    table = _Table("unet", UNET, PART["unet"])
    widths, levels = config.widths, range(len(config.widths))
    time = config.time_width
    table.linear(_Place("time_embed.0", "time_embedding.linear_1", "time_in"), time, widths[0])
    table.linear(_Place("time_embed.2", "time_embedding.linear_2", "time_out"), time, time)
    table.conv(_Place("input_blocks.0.0", "conv_in", "conv_in"), widths[0], config.in_channels)

    # The file counts all blocks and halvings on the way down in one list, we by resolution.
    skips = [widths[0]]
    number, width = 1, widths[0]
    for level in levels:
        down = _Place("", f"down_blocks.{level}", f"down.{level}")
        for i in range(config.blocks):
            _unet_block(table, config, level, down, f"input_blocks.{number}", i, width)
            width = widths[level]
            skips.append(width)
            number += 1
        if level != levels[-1]:
            halving = down.at(f"input_blocks.{number}.0.op", "downsamplers.0.conv", "downsample")
            table.conv(halving, width, width)
            skips.append(width)
            number += 1

    middle = _Place("middle_block", "mid_block", "middle")
    _unet_residual(table, config, middle.at("0", "resnets.0", "residual_1"), width, width)
    attention = middle.at("1", "attentions.0", "attention")
    _transformer(table, config, levels[-1], attention, config.middle_depth)
    _unet_residual(table, config, middle.at("2", "resnets.1", "residual_2"), width, width)

    number = 0
    for ours_level, level in enumerate(reversed(levels)):
        up = _Place("", f"up_blocks.{ours_level}", f"up.{ours_level}")
        for i in range(config.blocks + 1):
            before = width + skips.pop()
            _unet_block(table, config, level, up, f"output_blocks.{number}", i, before)
            width = widths[level]
            number += 1
        if level != 0:
            # It stands behind the block's attention, if there is one.
            place = 2 if config.depths[level] else 1
            theirs = f"output_blocks.{number - 1}.{place}.conv"
            table.conv(up.at(theirs, "upsamplers.0.conv", "upsample"), width, width)

    table.norm(_Place("out.0", "conv_norm_out", "norm_out"), widths[0])
    table.conv(_Place("out.2", "conv_out", "conv_out"), config.out_channels, widths[0])
    return table.rows


def _unet_block(
    table: _Table, config: UNetConfig, level: int, side: _Place, theirs: str, i: int, before: int
) -> None:
    residual = side.at(f"{theirs}.0", f"resnets.{i}", f"blocks.{i}.residual")
    _unet_residual(table, config, residual, before, config.widths[level])
    if depth := config.depths[level]:
        attention = side.at(f"{theirs}.1", f"attentions.{i}", f"blocks.{i}.attention")
        _transformer(table, config, level, attention, depth)


def _unet_residual(
    table: _Table, config: UNetConfig, place: _Place, before: int, width: int
) -> None:
    table.norm(place.at("in_layers.0", "norm1", "norm_1"), before)
    table.conv(place.at("in_layers.2", "conv1", "conv_1"), width, before)
    table.linear(place.at("emb_layers.1", "time_emb_proj", "time"), width, config.time_width)
    table.norm(place.at("out_layers.0", "norm2", "norm_2"), width)
    table.conv(place.at("out_layers.3", "conv2", "conv_2"), width, width)
    if before != width:
        table.conv(place.at("skip_connection", "conv_shortcut", "skip"), width, before, 1)


def _transformer(table: _Table, config: UNetConfig, level: int, place: _Place, depth: int) -> None:
    width, context = config.widths[level], config.context_width
    table.norm(place.all("norm"), width)
    table.pointwise(place.all("proj_in"), width)
    for i in range(depth):
        block = place.at(f"transformer_blocks.{i}", f"transformer_blocks.{i}", f"blocks.{i}")
        for n, seen in ((1, width if config.self_attention[level] else context), (2, context)):
            attention = block.at(f"attn{n}", f"attn{n}", f"attention_{n}")
            table.linear(attention.all("to_q"), width, width, bias=False)
            table.linear(attention.all("to_k"), width, seen, bias=False)
            table.linear(attention.all("to_v"), width, seen, bias=False)
            table.linear(attention.at("to_out.0", "to_out.0", "to_out"), width, width)
        table.linear(block.at("ff.net.0.proj", "ff.net.0.proj", "feed_in"), 8 * width, width)
        table.linear(block.at("ff.net.2", "ff.net.2", "feed_out"), width, 4 * width)
        for n in (1, 2, 3):
            table.norm(block.at(f"norm{n}", f"norm{n}", f"norm_{n}"), width)
    table.pointwise(place.all("proj_out"), width)


def _autoencoder_rows(config: AutoencoderConfig) -> list[Row]:
    table = _Table("autoencoder", AUTOENCODER, PART["autoencoder"])
    widths, last = config.widths, len(config.widths) - 1
    moments = 2 * config.latent_channels
    encoder, decoder = _TOP.all("encoder"), _TOP.all("decoder")

    table.conv(encoder.all("conv_in"), widths[0], config.in_channels)
    for level, width in enumerate(widths):
        place = encoder.at(f"down.{level}", f"down_blocks.{level}", f"down.{level}")
        before = widths[max(level - 1, 0)]
        _autoencoder_level(table, place, before, width, config.blocks)
        if level != last:
            halving = place.at("downsample.conv", "downsamplers.0.conv", "downsample")
            table.conv(halving, width, width)
    _autoencoder_ends(table, encoder, widths[-1], widths[-1], moments)

    table.conv(decoder.all("conv_in"), widths[-1], config.latent_channels)
    for level, width in enumerate(widths):
        # The file counts from the finest level, diffusers and our decoder in the order of the work.
        place = decoder.at(f"up.{level}", f"up_blocks.{last - level}", f"up.{last - level}")
        before = widths[min(level + 1, last)]
        _autoencoder_level(table, place, before, width, config.blocks + 1)
        if level != 0:
            table.conv(place.at("upsample.conv", "upsamplers.0.conv", "upsample"), width, width)
    _autoencoder_ends(table, decoder, widths[-1], widths[0], config.in_channels)

    table.conv(_TOP.all("quant_conv"), moments, moments, 1)
    latents = config.latent_channels
    table.conv(_TOP.all("post_quant_conv"), latents, latents, 1)
    return table.rows


def _autoencoder_level(table: _Table, place: _Place, before: int, width: int, blocks: int) -> None:
    for i in range(blocks):
        block = place.at(f"block.{i}", f"resnets.{i}", f"blocks.{i}")
        _autoencoder_residual(table, block, before if i == 0 else width, width)


def _autoencoder_residual(table: _Table, place: _Place, before: int, width: int) -> None:
    table.norm(place.at("norm1", "norm1", "norm_1"), before)
    table.conv(place.at("conv1", "conv1", "conv_1"), width, before)
    table.norm(place.at("norm2", "norm2", "norm_2"), width)
    table.conv(place.at("conv2", "conv2", "conv_2"), width, width)
    if before != width:
        table.conv(place.at("nin_shortcut", "conv_shortcut", "skip"), width, before, 1)


def _autoencoder_ends(table: _Table, side: _Place, middle: int, width: int, out: int) -> None:
    """What the encoder and the decoder share: the coarsest level's middle, and the way out."""
    place = side.at("mid", "mid_block", "middle")
    attention = place.at("attn_1", "attentions.0", "attention")
    _autoencoder_residual(table, place.at("block_1", "resnets.0", "block_1"), middle, middle)
    table.norm(attention.at("norm", "group_norm", "norm"), middle)
    for letter in "qkv":
        table.pointwise(attention.at(letter, f"to_{letter}", f"to_{letter}"), middle)
    table.pointwise(attention.at("proj_out", "to_out.0", "to_out"), middle)
    _autoencoder_residual(table, place.at("block_2", "resnets.1", "block_2"), middle, middle)
    table.norm(side.at("norm_out", "conv_norm_out", "norm_out"), width)
    table.conv(side.all("conv_out"), out, width)

"""Published names of weights and ours, both ways, with their shapes.  No torch.

A layout is a table: one `Row` for every tensor that the networks need, made from the networks'
sizes.  What a file must hold, how a file is checked, loaded and written all follow from it.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from darkroom.checkpoints.tensors import TensorInfo, shown
from darkroom.contracts import AutoencoderConfig, TextEncoderConfig, UNetConfig
from darkroom.errors import ModelError

Network = Literal["text_encoder", "unet", "autoencoder"]
Shape = tuple[int, ...]

UNET = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
OLD_TEXT = "cond_stage_model.transformer."

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

# Files that were converted from diffusers 0.17 and later by an older script kept these names.
_CONVERTED = {
    f"{AUTOENCODER}{side}.mid.attn_1.{name}.{kind}": f"{AUTOENCODER}{side}.mid.attn_1.{kept}.{kind}"
    for side in ("encoder", "decoder")
    for name, kept in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0"))
    for kind in ("weight", "bias")
}


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor: its name in published files and in our network, and its shape in each.

    The shapes differ where a file stores a 1 × 1 convolution and ours is the same `Linear`.
    """

    network: Network
    published: str
    ours: str
    published_shape: Shape
    shape: Shape

    def fits(self, shape: Shape) -> bool:
        """Whether a tensor of this shape in a file is this row's: as published, or as ours."""
        return shape in {self.published_shape, self.shape}


class _Table:
    """Collects rows; `published` and `ours` of each call are extended by the parameter's name."""

    def __init__(self, network: Network, prefix: str) -> None:
        self.rows: list[Row] = []
        self._network = network
        self._prefix = prefix

    def add(self, published: str, ours: str, published_shape: Shape, shape: Shape) -> None:
        row = Row(self._network, self._prefix + published, ours, published_shape, shape)
        self.rows.append(row)

    def plain(self, published: str, ours: str, *shape: int) -> None:
        self.add(published, ours, shape, shape)

    def norm(self, published: str, ours: str, width: int) -> None:
        self.plain(f"{published}.weight", f"{ours}.weight", width)
        self.plain(f"{published}.bias", f"{ours}.bias", width)

    def linear(self, published: str, ours: str, out: int, into: int, *, bias: bool = True) -> None:
        self.plain(f"{published}.weight", f"{ours}.weight", out, into)
        if bias:
            self.plain(f"{published}.bias", f"{ours}.bias", out)

    def conv(self, published: str, ours: str, out: int, into: int, size: int = 3) -> None:
        self.plain(f"{published}.weight", f"{ours}.weight", out, into, size, size)
        self.plain(f"{published}.bias", f"{ours}.bias", out)

    def pointwise(self, published: str, ours: str, width: int) -> None:
        """A 1 × 1 convolution in the file, a `Linear` in our network."""
        weight = f"{published}.weight", f"{ours}.weight"
        self.add(*weight, (width, width, 1, 1), (width, width))
        self.plain(f"{published}.bias", f"{ours}.bias", width)


def sd1_rows(
    text_encoder: TextEncoderConfig,
    unet: UNetConfig,
    autoencoder: AutoencoderConfig,
    *,
    text_prefix: str = TEXT,
) -> tuple[Row, ...]:
    """The published layout of Stable Diffusion 1 for networks of these sizes.

    The oldest files lack `text_model.` in the text encoder's names: `text_prefix` = `OLD_TEXT`.
    """
    return (
        *_unet_rows(unet),
        *_autoencoder_rows(autoencoder),
        *_clip_rows(text_encoder, text_prefix),
    )


def text_prefix(names: Container[str]) -> str:
    """The prefix of the text encoder's names in a file, new or old."""
    old = f"{OLD_TEXT}embeddings.token_embedding.weight"
    return OLD_TEXT if old in names else TEXT


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
    rows: Iterable[Row], tensors: Mapping[str, TensorInfo], source: str, *, ema: bool = False
) -> dict[Row, TensorInfo]:
    """Each row's tensor in a file; with `ema` the U-Net's moving averages.

    Raises ModelError that names the first key that is missing, misshapen or unexpected; what
    training leaves in files (buffers, moving averages, losses) is not unexpected.  `source` is
    the file's name.
    """
    found: dict[Row, TensorInfo] = {}
    expected = set()
    for row in rows:
        published = row.published
        if published not in tensors and _CONVERTED.get(published) in tensors:
            published = _CONVERTED[published]
        expected.add(published)
        name = ema_name(published) if ema and row.network == "unet" else published
        info = tensors.get(name)
        if info is None:
            raise broken(source, f"{name} is missing")
        if not row.fits(info.shape):
            want = list(row.published_shape)
            raise broken(source, f"{name} has the shape {list(info.shape)}, expected {want}")
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


def _clip_rows(config: TextEncoderConfig, prefix: str) -> list[Row]:
    table = _Table("text_encoder", prefix)
    width, feed = config.width, config.feed_width
    for name, count in (("token", config.vocabulary), ("position", config.context_length)):
        table.plain(f"embeddings.{name}_embedding.weight", f"{name}_embedding.weight", count, width)
    for i in range(config.layers):
        theirs, ours = f"encoder.layers.{i}", f"blocks.{i}"
        for letter in "qkv":
            table.linear(
                f"{theirs}.self_attn.{letter}_proj", f"{ours}.attention.to_{letter}", width, width
            )
        table.linear(f"{theirs}.self_attn.out_proj", f"{ours}.attention.to_out", width, width)
        table.norm(f"{theirs}.layer_norm1", f"{ours}.norm_1", width)
        table.linear(f"{theirs}.mlp.fc1", f"{ours}.feed_in", feed, width)
        table.linear(f"{theirs}.mlp.fc2", f"{ours}.feed_out", width, feed)
        table.norm(f"{theirs}.layer_norm2", f"{ours}.norm_2", width)
    table.norm("final_layer_norm", "norm_out", width)
    return table.rows


def _unet_rows(config: UNetConfig) -> list[Row]:
    table = _Table("unet", UNET)
    widths, levels = config.widths, range(len(config.widths))
    table.linear("time_embed.0", "time_in", config.time_width, widths[0])
    table.linear("time_embed.2", "time_out", config.time_width, config.time_width)
    table.conv("input_blocks.0.0", "conv_in", widths[0], config.in_channels)

    # The file counts all blocks and halvings on the way down in one list, we by resolution.
    skips = [widths[0]]
    number, width = 1, widths[0]
    for level in levels:
        for i in range(config.blocks):
            theirs, ours = f"input_blocks.{number}", f"down.{level}.blocks.{i}"
            _unet_block(table, config, level, theirs, ours, width)
            width = widths[level]
            skips.append(width)
            number += 1
        if level != levels[-1]:
            table.conv(f"input_blocks.{number}.0.op", f"down.{level}.downsample", width, width)
            skips.append(width)
            number += 1

    _unet_residual(table, config, "middle_block.0", "middle.residual_1", width, width)
    _transformer(
        table, config, levels[-1], "middle_block.1", "middle.attention", config.middle_depth
    )
    _unet_residual(table, config, "middle_block.2", "middle.residual_2", width, width)

    number = 0
    for ours_level, level in enumerate(reversed(levels)):
        for i in range(config.blocks + 1):
            theirs, ours = f"output_blocks.{number}", f"up.{ours_level}.blocks.{i}"
            _unet_block(table, config, level, theirs, ours, width + skips.pop())
            width = widths[level]
            number += 1
        if level != 0:
            # It stands behind the block's attention, if there is one.
            place = 2 if config.depths[level] else 1
            theirs = f"output_blocks.{number - 1}.{place}.conv"
            table.conv(theirs, f"up.{ours_level}.upsample", width, width)

    table.norm("out.0", "norm_out", widths[0])
    table.conv("out.2", "conv_out", config.out_channels, widths[0])
    return table.rows


def _unet_block(
    table: _Table, config: UNetConfig, level: int, theirs: str, ours: str, before: int
) -> None:
    _unet_residual(table, config, f"{theirs}.0", f"{ours}.residual", before, config.widths[level])
    if depth := config.depths[level]:
        _transformer(table, config, level, f"{theirs}.1", f"{ours}.attention", depth)


def _unet_residual(
    table: _Table, config: UNetConfig, theirs: str, ours: str, before: int, width: int
) -> None:
    table.norm(f"{theirs}.in_layers.0", f"{ours}.norm_1", before)
    table.conv(f"{theirs}.in_layers.2", f"{ours}.conv_1", width, before)
    table.linear(f"{theirs}.emb_layers.1", f"{ours}.time", width, config.time_width)
    table.norm(f"{theirs}.out_layers.0", f"{ours}.norm_2", width)
    table.conv(f"{theirs}.out_layers.3", f"{ours}.conv_2", width, width)
    if before != width:
        table.conv(f"{theirs}.skip_connection", f"{ours}.skip", width, before, 1)


def _transformer(
    table: _Table, config: UNetConfig, level: int, theirs: str, ours: str, depth: int
) -> None:
    width, context = config.widths[level], config.context_width
    table.norm(f"{theirs}.norm", f"{ours}.norm", width)
    table.pointwise(f"{theirs}.proj_in", f"{ours}.proj_in", width)
    for i in range(depth):
        block, mine = f"{theirs}.transformer_blocks.{i}", f"{ours}.blocks.{i}"
        for n, seen in ((1, width if config.self_attention[level] else context), (2, context)):
            attn, attention = f"{block}.attn{n}", f"{mine}.attention_{n}"
            table.linear(f"{attn}.to_q", f"{attention}.to_q", width, width, bias=False)
            table.linear(f"{attn}.to_k", f"{attention}.to_k", width, seen, bias=False)
            table.linear(f"{attn}.to_v", f"{attention}.to_v", width, seen, bias=False)
            table.linear(f"{attn}.to_out.0", f"{attention}.to_out", width, width)
        table.linear(f"{block}.ff.net.0.proj", f"{mine}.feed_in", 8 * width, width)
        table.linear(f"{block}.ff.net.2", f"{mine}.feed_out", width, 4 * width)
        for n in (1, 2, 3):
            table.norm(f"{block}.norm{n}", f"{mine}.norm_{n}", width)
    table.pointwise(f"{theirs}.proj_out", f"{ours}.proj_out", width)


def _autoencoder_rows(config: AutoencoderConfig) -> list[Row]:
    table = _Table("autoencoder", AUTOENCODER)
    widths, last = config.widths, len(config.widths) - 1
    moments = 2 * config.latent_channels

    table.conv("encoder.conv_in", "encoder.conv_in", widths[0], config.in_channels)
    for level, width in enumerate(widths):
        theirs, ours = f"encoder.down.{level}", f"encoder.down.{level}"
        before = widths[max(level - 1, 0)]
        _autoencoder_level(table, theirs, ours, before, width, config.blocks)
        if level != last:
            table.conv(f"{theirs}.downsample.conv", f"{ours}.downsample", width, width)
    _autoencoder_ends(table, "encoder", widths[-1], widths[-1], moments)

    table.conv("decoder.conv_in", "decoder.conv_in", widths[-1], config.latent_channels)
    for level, width in enumerate(widths):
        # The file counts from the finest level, our decoder in the order of the work.
        theirs, ours = f"decoder.up.{level}", f"decoder.up.{last - level}"
        before = widths[min(level + 1, last)]
        _autoencoder_level(table, theirs, ours, before, width, config.blocks + 1)
        if level != 0:
            table.conv(f"{theirs}.upsample.conv", f"{ours}.upsample", width, width)
    _autoencoder_ends(table, "decoder", widths[-1], widths[0], config.in_channels)

    table.conv("quant_conv", "quant_conv", moments, moments, 1)
    latents = config.latent_channels
    table.conv("post_quant_conv", "post_quant_conv", latents, latents, 1)
    return table.rows


def _autoencoder_level(
    table: _Table, theirs: str, ours: str, before: int, width: int, blocks: int
) -> None:
    for i in range(blocks):
        into = before if i == 0 else width
        _autoencoder_residual(table, f"{theirs}.block.{i}", f"{ours}.blocks.{i}", into, width)


def _autoencoder_residual(table: _Table, theirs: str, ours: str, before: int, width: int) -> None:
    table.norm(f"{theirs}.norm1", f"{ours}.norm_1", before)
    table.conv(f"{theirs}.conv1", f"{ours}.conv_1", width, before)
    table.norm(f"{theirs}.norm2", f"{ours}.norm_2", width)
    table.conv(f"{theirs}.conv2", f"{ours}.conv_2", width, width)
    if before != width:
        table.conv(f"{theirs}.nin_shortcut", f"{ours}.skip", width, before, 1)


def _autoencoder_ends(table: _Table, side: str, middle: int, width: int, out: int) -> None:
    """What the encoder and the decoder share: the coarsest level's middle, and the way out."""
    attention: Sequence[tuple[str, str]] = (
        ("q", "to_q"),
        ("k", "to_k"),
        ("v", "to_v"),
        ("proj_out", "to_out"),
    )
    theirs, ours = f"{side}.mid", f"{side}.middle"
    _autoencoder_residual(table, f"{theirs}.block_1", f"{ours}.block_1", middle, middle)
    table.norm(f"{theirs}.attn_1.norm", f"{ours}.attention.norm", middle)
    for name, mine in attention:
        table.pointwise(f"{theirs}.attn_1.{name}", f"{ours}.attention.{mine}", middle)
    _autoencoder_residual(table, f"{theirs}.block_2", f"{ours}.block_2", middle, middle)
    table.norm(f"{side}.norm_out", f"{side}.norm_out", width)
    table.conv(f"{side}.conv_out", f"{side}.conv_out", out, width)

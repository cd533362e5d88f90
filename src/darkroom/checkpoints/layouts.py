"""Names of weights: as published, in folders of diffusers, and ours, with their shapes.  No torch.

A layout is a table: one `Row` for every tensor that the networks need, made from the networks'
sizes.  What a model must hold, how it is checked, loaded, written and converted all follow from it.
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from darkroom.checkpoints.rows import PART, TOP, Place, Row, Table
from darkroom.checkpoints.tensors import WEIGHT_DTYPES, Header, Layout, TensorInfo, shown
from darkroom.checkpoints.towers import (
    DEPTH,
    OPENCLIP,
    clip_rows,
    depth_rows,
    image_rows,
    openclip_rows,
)
from darkroom.contracts import (
    AutoencoderConfig,
    DepthConfig,
    Family,
    ImageEncoderConfig,
    ModelSpec,
    TextEncoderConfig,
    UNetConfig,
)
from darkroom.errors import ModelError

UNET = "model.diffusion_model."
AUTOENCODER = "first_stage_model."
TEXT = "cond_stage_model.transformer.text_model."
OLD_TEXT = "cond_stage_model.transformer."

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
        f"{OPENCLIP}attn_mask",
        f"{OPENCLIP}logit_scale",
        f"{OPENCLIP}text_projection",
        "embedder.mean",
        "embedder.model.ln_final.bias",
        "embedder.model.ln_final.weight",
        "embedder.model.logit_scale",
        "embedder.model.positional_embedding",
        "embedder.model.text_projection",
        "embedder.model.token_embedding.weight",
        "embedder.std",
        "image_encoder/vision_model.embeddings.position_ids",
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
    # The schedules of the noise on what is given beside the text.
    "low_scale_model.",
    "noise_augmentor.",
    # CLIP's own text tower, beside the image tower that is used.
    "embedder.model.transformer.",
    # Of the depth network what nothing looks at: the classifier, and a unit with nothing to join.
    f"{DEPTH}pretrained.model.head.",
    f"{DEPTH}pretrained.model.norm.",
    f"{DEPTH}scratch.refinenet4.resConfUnit1.",
    f"{PART['depth']}dpt.layernorm.",
    f"{PART['depth']}dpt.pooler.",
    f"{PART['depth']}neck.fusion_stage.layers.0.residual_layer1.",
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


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """The sizes of a model's networks, from which its layout follows."""

    text_encoder: TextEncoderConfig
    unet: UNetConfig
    autoencoder: AutoencoderConfig
    depth: DepthConfig | None = None
    image_encoder: ImageEncoderConfig | None = None

    @classmethod
    def of(cls, spec: ModelSpec) -> "Sizes":
        return cls(
            text_encoder=spec.text_encoder,
            unet=spec.unet,
            autoencoder=spec.autoencoder,
            depth=spec.depth,
            image_encoder=spec.image_encoder,
        )

    @property
    def family(self) -> Family:
        return "sd2" if self.text_encoder.tokens == "openclip" else "sd1"


def model_rows(sizes: Sizes, *, names: Container[str] = ()) -> tuple[Row, ...]:
    """The layouts of Stable Diffusion 1 or 2 for networks of these sizes.

    `names`: those of a file's tensors, by which the oldest files and the newest folders are known,
    both of which lack `text_model.` in the names of the text encoder.
    """
    part = text_prefix(names, "diffusers")
    if sizes.family == "sd2":
        text = openclip_rows(sizes.text_encoder, part)
    else:
        text = clip_rows(sizes.text_encoder, text_prefix(names, "published"), part)
    return (
        *_unet_rows(sizes.unet, linear=sizes.family == "sd2"),
        *autoencoder_rows(sizes.autoencoder),
        *text,
        *(depth_rows(sizes.depth) if sizes.depth else ()),
        *(image_rows(sizes.image_encoder) if sizes.image_encoder else ()),
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


def match_model(
    sizes: Sizes, header: Header, source: str, *, ema: bool = False
) -> dict[Row, TensorInfo]:
    """Each row's tensor in a whole model, as `match` finds them."""
    # Stable Diffusion 2 was trained on what the last block but one says; files hold the last, too.
    unused = f"{OPENCLIP}transformer.resblocks.{sizes.text_encoder.layers}."
    rows = model_rows(sizes, names=header.tensors)
    return match(rows, header.tensors, source, layout=header.layout, ema=ema, unused=(unused,))


def match(
    rows: Iterable[Row],
    tensors: Mapping[str, TensorInfo],
    source: str,
    *,
    layout: Layout = "published",
    ema: bool = False,
    unused: tuple[str, ...] = (),
) -> dict[Row, TensorInfo]:
    """Each row's tensor in a model, without those that may be absent and are.

    With `ema` the U-Net's moving averages.  `unused`: what tensors may begin with that are not.

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
        if info is None and row.absent is not None:
            continue
        if info is None:
            raise broken(source, f"{name} is missing")
        if not row.fits(info.shape, layout):
            want = list(row.stored(layout))
            raise broken(source, f"{name} has the shape {list(info.shape)}, expected {want}")
        if info.dtype not in WEIGHT_DTYPES:
            raise ModelError(
                f"{source} cannot be used: {name} is stored as {info.dtype}.",
                "Get a copy of this model in fp16, bf16 or fp32.",
            )
        found[row] = info
    for name in tensors:
        if name not in expected and not is_leftover(name) and not name.startswith(unused):
            raise broken(source, f"{name} is not part of such a model")
    return found


def broken(source: str, reason: str) -> ModelError:
    """The error for a file of the right family that cannot be used."""
    return ModelError(
        f"{source} is a Stable Diffusion model, but broken: {shown(reason)}.",
        "Download the model again, or get another copy of it.",
    )


def _unet_rows(config: UNetConfig, *, linear: bool) -> list[Row]:
    table = Table("unet", UNET, linear=linear)
    widths, levels = config.widths, range(len(config.widths))
    time = config.time_width
    table.linear(Place("time_embed.0", "time_embedding.linear_1", "time_in"), time, widths[0])
    table.linear(Place("time_embed.2", "time_embedding.linear_2", "time_out"), time, time)
    _label(table, config)
    table.conv(Place("input_blocks.0.0", "conv_in", "conv_in"), widths[0], config.in_channels)

    # The file counts all blocks and halvings on the way down in one list, we by resolution.
    skips = [widths[0]]
    number, width = 1, widths[0]
    for level in levels:
        down = Place("", f"down_blocks.{level}", f"down.{level}")
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

    middle = Place("middle_block", "mid_block", "middle")
    _unet_residual(table, config, middle.at("0", "resnets.0", "residual_1"), width, width)
    attention = middle.at("1", "attentions.0", "attention")
    _transformer(table, config, levels[-1], attention, config.middle_depth)
    _unet_residual(table, config, middle.at("2", "resnets.1", "residual_2"), width, width)

    number = 0
    for ours_level, level in enumerate(reversed(levels)):
        up = Place("", f"up_blocks.{ours_level}", f"up.{ours_level}")
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

    table.norm(Place("out.0", "conv_norm_out", "norm_out"), widths[0])
    table.conv(Place("out.2", "conv_out", "conv_out"), config.out_channels, widths[0])
    return table.rows


def _label(table: Table, config: UNetConfig) -> None:
    """What the U-Net is told beside the time."""
    time = config.time_width
    if config.classes is not None:
        number = Place("label_emb", "class_embedding", "label")
        table.plain(number.all("weight"), config.classes, time)
    if config.vector_width is not None:
        vector = Place("label_emb.0.0", "class_embedding.linear_1", "label_in")
        table.linear(vector, time, config.vector_width)
        table.linear(Place("label_emb.0.2", "class_embedding.linear_2", "label_out"), time, time)


def _unet_block(
    table: Table, config: UNetConfig, level: int, side: Place, theirs: str, i: int, before: int
) -> None:
    residual = side.at(f"{theirs}.0", f"resnets.{i}", f"blocks.{i}.residual")
    _unet_residual(table, config, residual, before, config.widths[level])
    if depth := config.depths[level]:
        attention = side.at(f"{theirs}.1", f"attentions.{i}", f"blocks.{i}.attention")
        _transformer(table, config, level, attention, depth)


def _unet_residual(table: Table, config: UNetConfig, place: Place, before: int, width: int) -> None:
    table.norm(place.at("in_layers.0", "norm1", "norm_1"), before)
    table.conv(place.at("in_layers.2", "conv1", "conv_1"), width, before)
    table.linear(place.at("emb_layers.1", "time_emb_proj", "time"), width, config.time_width)
    table.norm(place.at("out_layers.0", "norm2", "norm_2"), width)
    table.conv(place.at("out_layers.3", "conv2", "conv_2"), width, width)
    if before != width:
        table.conv(place.at("skip_connection", "conv_shortcut", "skip"), width, before, 1)


def _transformer(table: Table, config: UNetConfig, level: int, place: Place, depth: int) -> None:
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


def autoencoder_rows(config: AutoencoderConfig) -> list[Row]:
    """The layouts of an autoencoder of these sizes."""
    table = Table("autoencoder", AUTOENCODER)
    widths, last = config.widths, len(config.widths) - 1
    moments = 2 * config.latent_channels
    encoder, decoder = TOP.all("encoder"), TOP.all("decoder")

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

    table.conv(TOP.all("quant_conv"), moments, moments, 1)
    latents = config.latent_channels
    table.conv(TOP.all("post_quant_conv"), latents, latents, 1)
    return table.rows


def _autoencoder_level(table: Table, place: Place, before: int, width: int, blocks: int) -> None:
    for i in range(blocks):
        block = place.at(f"block.{i}", f"resnets.{i}", f"blocks.{i}")
        _autoencoder_residual(table, block, before if i == 0 else width, width)


def _autoencoder_residual(table: Table, place: Place, before: int, width: int) -> None:
    table.norm(place.at("norm1", "norm1", "norm_1"), before)
    table.conv(place.at("conv1", "conv1", "conv_1"), width, before)
    table.norm(place.at("norm2", "norm2", "norm_2"), width)
    table.conv(place.at("conv2", "conv2", "conv_2"), width, width)
    if before != width:
        table.conv(place.at("nin_shortcut", "conv_shortcut", "skip"), width, before, 1)


def _autoencoder_ends(table: Table, side: Place, middle: int, width: int, out: int) -> None:
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

"""Layouts of the transformers beside the U-Net: text towers, image tower, depth.  No torch."""

from darkroom.checkpoints.rows import Place, Row, Table
from darkroom.contracts import DepthConfig, ImageEncoderConfig, TextEncoderConfig

OPENCLIP = "cond_stage_model.model."
IMAGE = "embedder.model.visual."
STATISTICS = "noise_augmentor.data_"
DEPTH = "depth_model.model."

_QKV = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj")


def clip_rows(config: TextEncoderConfig, prefix: str, part: str) -> list[Row]:
    """CLIP's text tower, with transformers' names in files and folders alike."""
    table = Table("text_encoder", prefix, part)
    width, feed = config.width, config.feed_width
    for kind, count in (("token", config.vocabulary), ("position", config.context_length)):
        theirs, ours = f"embeddings.{kind}_embedding", f"{kind}_embedding"
        table.plain(Place(theirs, theirs, ours).all("weight"), count, width)
    for i in range(config.layers):
        theirs = f"encoder.layers.{i}"
        layer = Place(theirs, theirs, f"blocks.{i}")

        def inside(theirs: str, ours: str, layer: Place = layer) -> Place:
            return layer.at(theirs, theirs, ours)

        for letter in "qkv":
            attention = inside(f"self_attn.{letter}_proj", f"attention.to_{letter}")
            table.linear(attention, width, width)
        table.linear(inside("self_attn.out_proj", "attention.to_out"), width, width)
        table.norm(inside("layer_norm1", "norm_1"), width)
        table.linear(inside("mlp.fc1", "feed_in"), feed, width)
        table.linear(inside("mlp.fc2", "feed_out"), width, feed)
        table.norm(inside("layer_norm2", "norm_2"), width)
    table.norm(Place("final_layer_norm", "final_layer_norm", "norm_out"), width)
    return table.rows


def openclip_rows(config: TextEncoderConfig, part: str) -> list[Row]:
    """OpenCLIP's text tower: its own names in files, transformers' in folders."""
    table = Table("text_encoder", OPENCLIP, part)
    token = Place("token_embedding", "embeddings.token_embedding", "token_embedding")
    table.plain(token.all("weight"), config.vocabulary, config.width)
    position = Place(
        "positional_embedding",
        "embeddings.position_embedding.weight",
        "position_embedding.weight",
    )
    table.plain(position, config.context_length, config.width)
    for i in range(config.layers):
        layer = Place(f"transformer.resblocks.{i}", f"encoder.layers.{i}", f"blocks.{i}")
        ours = tuple(f"attention.to_{letter}" for letter in "qkv")
        table.attention(layer, "attn.in_proj_{}", _QKV, ours, config.width)
        _openclip_block(table, layer, config.width, config.feed_width)
    table.norm(Place("ln_final", "final_layer_norm", "norm_out"), config.width)
    return table.rows


def image_rows(config: ImageEncoderConfig) -> list[Row]:
    """CLIP's image tower, and the mean and the deviation of the embeddings that it makes."""
    table, width = Table("image_encoder", IMAGE), config.width
    patches = Place("conv1", "vision_model.embeddings.patch_embedding", "patches")
    table.conv(patches, width, 3, config.patch, bias=False)
    theirs = "vision_model.embeddings.class_embedding"
    table.plain(Place("class_embedding", theirs, "class_token"), width)
    theirs = "vision_model.embeddings.position_embedding.weight"
    table.plain(Place("positional_embedding", theirs, "positions"), 1 + config.grid**2, width)
    # `layrnorm` is transformers' own spelling.
    table.norm(Place("ln_pre", "vision_model.pre_layrnorm", "norm_in"), width)
    for i in range(config.layers):
        theirs = f"vision_model.encoder.layers.{i}"
        layer = Place(f"transformer.resblocks.{i}", theirs, f"blocks.{i}")
        table.attention(layer, "attn.in_proj_{}", _QKV, ("attention.to_qkv",), width)
        _openclip_block(table, layer, width, config.feed_width)
    table.norm(Place("ln_post", "vision_model.post_layernorm", "norm_out"), width)
    shape = width, config.embedding
    projection = Place("proj", "visual_projection.weight", "projection")
    table.add(projection, shape, shape, turned=True)

    statistics = Table("statistics", STATISTICS)
    for name, usual in (("mean", 0.0), ("std", 1.0)):
        shape = 1, config.embedding
        statistics.add(Place(name, name, f"embedding_{name}"), shape, shape, absent=usual)
    return table.rows + statistics.rows


def _openclip_block(table: Table, layer: Place, width: int, feed: int) -> None:
    """What follows the queries, keys and values of a block."""
    table.linear(layer.at("attn.out_proj", "self_attn.out_proj", "attention.to_out"), width, width)
    table.norm(layer.at("ln_1", "layer_norm1", "norm_1"), width)
    table.linear(layer.at("mlp.c_fc", "mlp.fc1", "feed_in"), feed, width)
    table.linear(layer.at("mlp.c_proj", "mlp.fc2", "feed_out"), width, feed)
    table.norm(layer.at("ln_2", "layer_norm2", "norm_2"), width)


def depth_rows(config: DepthConfig) -> list[Row]:
    """MiDaS's DPT-hybrid: timm's and MiDaS's names in files, transformers' in folders."""
    table = Table("depth", DEPTH)
    _depth_backbone(table, config)
    _depth_transformer(table, config)

    width, features = config.width, config.features
    for i in range(2):
        # The first two of four readouts would be the residual network's, which needs none.
        theirs = f"pretrained.act_postprocess{i + 3}"
        neck = "neck.reassemble_stage"
        readout = Place(theirs, neck, f"readouts.{i}")
        join = readout.at("0.project.0", f"readout_projects.{i + 2}.0", "join")
        table.linear(join, width, 2 * width)
        table.conv(readout.at("3", f"layers.{i + 2}.projection", "out"), width, width, 1)
    halving = Place(
        "pretrained.act_postprocess4.4", "neck.reassemble_stage.layers.3.resize", "halve"
    )
    table.conv(halving, width, width)

    (_, quarter), (_, eighth), _ = config.stages
    for i, seen in enumerate((quarter, eighth, width, width)):
        reduce = Place(f"scratch.layer{i + 1}_rn", f"neck.convs.{i}", f"reduce.{i}")
        table.conv(reduce, features, seen, bias=False)
    for i in range(4):
        # transformers counts from the coarsest, which has nothing to join.
        theirs = f"neck.fusion_stage.layers.{3 - i}"
        fusion = Place(f"scratch.refinenet{i + 1}", theirs, f"fusions.{i}")
        table.conv(fusion.at("out_conv", "projection", "out"), features, features, 1)
        for unit, ours in enumerate(("joined", "refine") if i < 3 else ("", "refine"), 1):
            for n in (1, 2) if ours else ():
                names = f"resConfUnit{unit}.conv{n}", f"residual_layer{unit}.convolution{n}"
                table.conv(fusion.at(*names, f"{ours}.conv_{n}"), features, features)
    for n, (out, into, size) in enumerate(
        ((config.head[0], features, 3), (config.head[1], config.head[0], 3), (1, config.head[1], 1))
    ):
        head = Place(f"scratch.output_conv.{2 * n}", f"head.head.{2 * n}", f"head_{n + 1}")
        table.conv(head, out, into, size)
    return table.rows


def _depth_backbone(table: Table, config: DepthConfig) -> None:
    """The residual network."""
    theirs = "dpt.embeddings.backbone.bit"
    backbone = Place("pretrained.model.patch_embed.backbone", theirs, "backbone")
    stem = backbone.at("stem.conv", "embedder.convolution", "stem")
    table.conv(stem, config.stem, 3, 7, bias=False)
    table.norm(backbone.at("stem.norm", "embedder.norm", "norm"), config.stem)
    before = config.stem
    for stage, (count, width) in enumerate(config.stages):
        for i in range(count):
            block = backbone.at(
                f"stages.{stage}.blocks.{i}",
                f"encoder.stages.{stage}.layers.{i}",
                f"stages.{stage}.{i}",
            )
            narrow = width // 4
            sizes = ((narrow, before, 1), (narrow, narrow, 3), (width, narrow, 1))
            for n, (out, into, size) in enumerate(sizes, 1):
                table.conv(
                    block.at(f"conv{n}", f"conv{n}", f"conv_{n}"), out, into, size, bias=False
                )
                table.norm(block.at(f"norm{n}", f"norm{n}", f"norm_{n}"), out)
            # As the network has it: where the width changes or the block strides.
            if i == 0 and (before != width or stage > 0):
                skip = block.at("downsample.conv", "downsample.conv", "skip")
                table.conv(skip, width, before, 1, bias=False)
                table.norm(block.at("downsample.norm", "downsample.norm", "norm_skip"), width)
            before = width


def _depth_transformer(table: Table, config: DepthConfig) -> None:
    """The vision transformer, as far as it is looked at."""
    width = config.width
    model = Place("pretrained.model", "dpt", "")
    table.conv(
        model.at("patch_embed.proj", "embeddings.projection", "patches"),
        width,
        config.stages[-1][1],
        1,
    )
    table.plain(model.at("cls_token", "embeddings.cls_token", "class_token"), 1, 1, width)
    positions = model.at("pos_embed", "embeddings.position_embeddings", "positions")
    table.plain(positions, 1, 1 + config.grid**2, width)
    names = tuple(f"attention.attention.{name}" for name in ("query", "key", "value"))
    for i in range(max(config.taps) + 1):
        layer = model.at(f"blocks.{i}", f"encoder.layer.{i}", f"blocks.{i}")
        table.attention(layer, "attn.qkv.{}", names, ("attention.to_qkv",), width)
        out = layer.at("attn.proj", "attention.output.dense", "attention.to_out")
        table.linear(out, width, width)
        table.norm(layer.at("norm1", "layernorm_before", "norm_1"), width)
        table.linear(layer.at("mlp.fc1", "intermediate.dense", "feed_in"), config.feed_width, width)
        table.linear(layer.at("mlp.fc2", "output.dense", "feed_out"), width, config.feed_width)
        table.norm(layer.at("norm2", "layernorm_after", "norm_2"), width)

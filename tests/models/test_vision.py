"""The networks that look at images, against transformers' with the same weights."""

import re

import pytest
import torch
from torch import Tensor
from transformers import (
    BitConfig,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    DPTConfig,
    DPTForDepthEstimation,
)

from darkroom.contracts import DepthConfig, ImageEncoderConfig
from darkroom.models.depth import DepthEstimator
from darkroom.models.vision import ImageEncoder

DEPTH = DepthConfig(
    stem=8,
    stages=((2, 32), (3, 64), (2, 96)),
    grid=4,
    width=32,
    layers=6,
    heads=4,
    feed_width=64,
    taps=(4, 5),
    features=16,
    head=(8, 32),
    norm_groups=4,
)


def randomize(network: torch.nn.Module) -> None:
    """Weights that leave no layer without effect, norms included."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            flat = parameter.ndim == 1
            spread = 0.3 if flat else parameter[0].numel() ** -0.5
            parameter.copy_(noise * spread + (1.0 if flat else 0.0))


DEPTH_NAMES = (
    (r"backbone\.stem\.weight", "dpt.embeddings.backbone.bit.embedder.convolution.weight"),
    (r"backbone\.norm\.(\w+)", r"dpt.embeddings.backbone.bit.embedder.norm.\1"),
    (
        r"backbone\.stages\.(\d)\.(\d)\.skip\.weight",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.\2.downsample.conv.weight",
    ),
    (
        r"backbone\.stages\.(\d)\.(\d)\.norm_skip\.(\w+)",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.\2.downsample.norm.\3",
    ),
    (
        r"backbone\.stages\.(\d)\.(\d)\.(conv|norm)_(\d)\.(\w+)",
        r"dpt.embeddings.backbone.bit.encoder.stages.\1.layers.\2.\3\4.\5",
    ),
    (r"patches\.(\w+)", r"dpt.embeddings.projection.\1"),
    (r"class_token", "dpt.embeddings.cls_token"),
    (r"positions", "dpt.embeddings.position_embeddings"),
    (r"blocks\.(\d+)\.norm_1\.(\w+)", r"dpt.encoder.layer.\1.layernorm_before.\2"),
    (r"blocks\.(\d+)\.norm_2\.(\w+)", r"dpt.encoder.layer.\1.layernorm_after.\2"),
    (r"blocks\.(\d+)\.attention\.to_out\.(\w+)", r"dpt.encoder.layer.\1.attention.output.dense.\2"),
    (r"blocks\.(\d+)\.feed_in\.(\w+)", r"dpt.encoder.layer.\1.intermediate.dense.\2"),
    (r"blocks\.(\d+)\.feed_out\.(\w+)", r"dpt.encoder.layer.\1.output.dense.\2"),
    (r"head_1\.(\w+)", r"head.head.0.\1"),
    (r"head_2\.(\w+)", r"head.head.2.\1"),
    (r"head_3\.(\w+)", r"head.head.4.\1"),
    (r"reduce\.(\d)\.weight", r"neck.convs.\1.weight"),
    (r"halve\.(\w+)", r"neck.reassemble_stage.layers.3.resize.\1"),
)


def depth_name(ours: str) -> str:
    """transformers' name of one of our parameters."""
    for pattern, theirs in DEPTH_NAMES:
        if match := re.fullmatch(pattern, ours):
            return match.expand(theirs)
    if match := re.fullmatch(r"readouts\.(\d)\.(join|out)\.(\w+)", ours):
        place = int(match[1]) + 2
        if match[2] == "join":
            return f"neck.reassemble_stage.readout_projects.{place}.0.{match[3]}"
        return f"neck.reassemble_stage.layers.{place}.projection.{match[3]}"
    match = re.fullmatch(r"fusions\.(\d)\.(joined\.|refine\.)?(conv_\d|out)\.(\w+)", ours)
    assert match, ours
    layer = f"neck.fusion_stage.layers.{3 - int(match[1])}."  # coarsest first
    if match[3] == "out":
        return f"{layer}projection.{match[4]}"
    unit = "residual_layer1" if match[2] == "joined." else "residual_layer2"
    return f"{layer}{unit}.{match[3].replace('conv_', 'convolution')}.{match[4]}"


def depth_oracle(ours: DepthEstimator) -> DPTForDepthEstimation:
    config = ours.config
    bit = BitConfig(
        embedding_size=config.stem,
        depths=[blocks for blocks, _ in config.stages],
        hidden_sizes=[width for _, width in config.stages],
        num_groups=config.norm_groups,
        layer_type="bottleneck",
        global_padding="SAME",
        embedding_dynamic_padding=True,
        out_features=["stage1", "stage2", "stage3"],
    )
    model = DPTForDepthEstimation(
        DPTConfig(
            is_hybrid=True,
            backbone_config=bit,
            backbone_featmap_shape=[1, config.stages[-1][1], config.grid, config.grid],
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.feed_width,
            layer_norm_eps=1e-6,
            backbone_out_indices=[0, 1, *config.taps],
            neck_hidden_sizes=[
                config.stages[0][1],
                config.stages[1][1],
                config.width,
                config.width,
            ],
            fusion_hidden_size=config.features,
            image_size=config.grid * 16,
            readout_type="project",
        )
    )
    state = model.state_dict()
    used = set()
    for name, tensor in ours.state_dict().items():
        if match := re.fullmatch(r"blocks\.(\d+)\.attention\.to_qkv\.(\w+)", name):
            for part, piece in zip(("query", "key", "value"), tensor.chunk(3), strict=True):
                theirs = f"dpt.encoder.layer.{match[1]}.attention.attention.{part}.{match[2]}"
                state[theirs] = piece
                used.add(theirs)
            continue
        theirs = depth_name(name)
        assert state[theirs].shape == tensor.shape, name
        state[theirs] = tensor
        used.add(theirs)
    # The coarsest level has nothing to join, and the last norm's output nobody reads.
    unused = {name for name in state if name not in used}
    assert {re.sub(r"\..*", "", name) for name in unused} <= {"dpt", "neck"}
    assert all("layers.0.residual_layer1" in name or "dpt.layernorm" in name for name in unused)
    model.load_state_dict(state)
    return model.eval()


def relative(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


@pytest.mark.parametrize("size", [(64, 64), (96, 64), (64, 160)])
def test_depth_is_that_of_transformers(size: tuple[int, int]) -> None:
    """Recorded: 2e-6 relative; also where the grid is not the trained one."""
    torch.manual_seed(0)
    ours = DepthEstimator(DEPTH).eval()
    randomize(ours)
    oracle = depth_oracle(ours)
    x = torch.rand(2, 3, *size) * 2 - 1
    with torch.no_grad():
        seen = ours(x)
        expected = _any_size(oracle, x)
    assert seen.shape == (2, *size)
    assert float(seen.min()) >= 0
    assert float(seen.std()) > 0.01
    assert relative(seen, expected) < 1e-4


def _any_size(oracle: DPTForDepthEstimation, x: Tensor) -> Tensor:
    """transformers refuses other sizes unless they are said to be the model's own."""
    embeddings = oracle.dpt.embeddings
    embeddings.image_size = x.shape[2:]
    hidden = embeddings(x)
    tokens, states = hidden.last_hidden_states, list(hidden.intermediate_activations)
    for index, layer in enumerate(oracle.dpt.encoder.layer):
        tokens = layer(tokens)
        if index in DEPTH.taps:
            states.append(tokens)
    out: Tensor = oracle.head(oracle.neck(states, x.shape[2] // 16, x.shape[3] // 16))
    return out


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_image_tower_is_that_of_transformers(activation: str) -> None:
    """Recorded: 1e-6 relative."""
    torch.manual_seed(0)
    config = ImageEncoderConfig(
        patch=7,
        grid=3,
        width=32,
        layers=3,
        heads=2,
        feed_width=64,
        embedding=24,
        activation="gelu" if activation == "gelu" else "quick_gelu",
    )
    ours = ImageEncoder(config).eval()
    randomize(ours)
    theirs = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            projection_dim=24,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=21,
            patch_size=7,
            hidden_act=activation,
        )
    ).eval()
    state = {
        "vision_model.embeddings.class_embedding": ours.class_token,
        "vision_model.embeddings.patch_embedding.weight": ours.patches.weight,
        "vision_model.embeddings.position_embedding.weight": ours.positions,
        "vision_model.pre_layrnorm.weight": ours.norm_in.weight,
        "vision_model.pre_layrnorm.bias": ours.norm_in.bias,
        "vision_model.post_layernorm.weight": ours.norm_out.weight,
        "vision_model.post_layernorm.bias": ours.norm_out.bias,
        "visual_projection.weight": ours.projection.T,
    }
    parts = {
        "norm_1": "layer_norm1",
        "norm_2": "layer_norm2",
        "feed_in": "mlp.fc1",
        "feed_out": "mlp.fc2",
        "attention.to_out": "self_attn.out_proj",
    }
    for index, block in enumerate(ours.blocks):
        layer = f"vision_model.encoder.layers.{index}."
        weights = block.state_dict()
        for part, name in parts.items():
            for kind in ("weight", "bias"):
                state[f"{layer}{name}.{kind}"] = weights[f"{part}.{kind}"]
        for kind in ("weight", "bias"):
            pieces = weights[f"attention.to_qkv.{kind}"].chunk(3)
            for name, piece in zip("qkv", pieces, strict=True):
                state[f"{layer}self_attn.{name}_proj.{kind}"] = piece
    theirs.load_state_dict(state, strict=True)
    x = torch.randn(2, 3, 21, 21)
    with torch.no_grad():
        assert relative(ours(x), theirs(x).image_embeds) < 1e-4

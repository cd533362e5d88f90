"""The same weights in diffusers' and transformers' networks, by their own conversion."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import (
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
)
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from darkroom.checkpoints.load import Networks, published_state


def published(networks: Networks) -> dict[str, Tensor]:
    """All weights under the names, and in the shapes, of published files."""
    return published_state(networks)


def unet(networks: Networks) -> UNet2DConditionModel:
    """diffusers' U-Net with these weights."""
    config = networks.unet.config
    attention = [depth > 0 for depth in config.depths]
    # The middle takes the last level's depth, which counts nowhere else if that has no attention.
    depths = [*config.depths[:-1], config.middle_depth]
    weights = published(networks)
    projection = weights["model.diffusion_model.middle_block.1.proj_in.weight"]
    told: dict[str, str | int] = {}
    if config.vector_width is not None:
        told["class_embed_type"] = "projection"
        told["projection_class_embeddings_input_dim"] = config.vector_width
    model = UNet2DConditionModel(
        in_channels=config.in_channels,
        out_channels=config.out_channels,
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=["CrossAttnDownBlock2D" if a else "DownBlock2D" for a in attention],
        up_block_types=["CrossAttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attention)],
        cross_attention_dim=config.context_width,
        transformer_layers_per_block=[max(depth, 1) for depth in depths],
        only_cross_attention=[not inward for inward in config.self_attention],
        mid_block_only_cross_attention=not config.self_attention[-1],
        attention_head_dim=config.heads,  # in this class the old name for the number of heads
        norm_num_groups=config.norm_groups,
        use_linear_projection=projection.ndim == 2,
        num_class_embeds=config.classes,
        **told,
    )
    model.load_state_dict(convert_ldm_unet_checkpoint(weights, model.config))
    return model.eval()


def autoencoder(networks: Networks) -> AutoencoderKL:
    """diffusers' autoencoder with these weights."""
    config = networks.autoencoder.config
    model = AutoencoderKL(
        block_out_channels=config.widths,
        layers_per_block=config.blocks,
        down_block_types=["DownEncoderBlock2D"] * len(config.widths),
        up_block_types=["UpDecoderBlock2D"] * len(config.widths),
        latent_channels=config.latent_channels,
        norm_num_groups=config.norm_groups,
    )
    model.load_state_dict(convert_ldm_vae_checkpoint(published(networks), model.config))
    return model.eval()


def text_encoder(networks: Networks) -> CLIPTextModel:
    """transformers' CLIP text tower with these weights."""
    config = networks.text_encoder.config
    model = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=config.vocabulary,
            max_position_embeddings=config.context_length,
            hidden_size=config.width,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.feed_width,
            hidden_act=config.activation,
        )
    )
    prefix = "cond_stage_model.transformer."
    weights = {
        name.removeprefix(prefix): weight
        for name, weight in published(networks).items()
        if name.startswith(prefix)
    }
    ours = set(model.state_dict())
    if not any(name.startswith("text_model.") for name in ours):
        weights = {name.removeprefix("text_model."): w for name, w in weights.items()}
    model.load_state_dict({name: weights[name] for name in ours if "position_ids" not in name})
    return model.eval()


def error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, in parts of the oracle's largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max())


@torch.no_grad()
def random_inputs(networks: Networks, side: int) -> tuple[Tensor, Tensor, Tensor]:
    """For the U-Net: x [2, C, side, side], timesteps [2] (one fractional), context [2, 7, X]."""
    config = networks.unet.config
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(2, config.in_channels, side, side, generator=generator)
    context = torch.randn(2, 7, config.context_width, generator=generator)
    return x, torch.tensor([1.0, 980.5]), context

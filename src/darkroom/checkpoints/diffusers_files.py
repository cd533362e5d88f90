"""What stands beside the weights in a folder of diffusers: settings and the tokenizer's files.

Names and values are those of diffusers' and transformers' own configurations.  No torch.
"""

from collections.abc import Mapping, Sequence

from darkroom.checkpoints.folder import INDEX
from darkroom.contracts import ModelSpec
from darkroom.errors import ModelError
from darkroom.text.tokenizer import clip_merges, vocabulary

_VERSION = "0.35.0"  # of diffusers, whose meaning of the settings this is
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"


def settings(spec: ModelSpec, *, linear: bool) -> dict[str, Mapping[str, object]]:
    """JSON files by their place in the folder.

    `linear`: the U-Net's projections are matrices in the files, not convolutions.
    Raises ModelError for a model that these settings cannot describe.
    """
    return {
        INDEX: _index(),
        "scheduler/scheduler_config.json": _scheduler(spec),
        "text_encoder/config.json": _text_encoder(spec),
        "tokenizer/tokenizer_config.json": _tokenizer(spec),
        "tokenizer/special_tokens_map.json": _special_tokens(),
        "tokenizer/vocab.json": {
            symbol: place for place, symbol in enumerate(vocabulary(_merges(spec)))
        },
        "unet/config.json": _unet(spec, linear=linear),
        "vae/config.json": _autoencoder(spec),
    }


def merges_text(spec: ModelSpec) -> str:
    """`tokenizer/merges.txt`."""
    return "\n".join(["#version: 0.2", *_merges(spec), ""])


def _merges(spec: ModelSpec) -> list[str]:
    return list(spec.merges) or clip_merges()


def _index() -> dict[str, object]:
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": _VERSION,
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _scheduler(spec: ModelSpec) -> dict[str, object]:
    return {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": _VERSION,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "clip_sample": False,
        "num_train_timesteps": 1000,
        "prediction_type": "v_prediction" if spec.prediction == "v" else "epsilon",
        "rescale_betas_zero_snr": spec.zero_terminal_snr,
        "set_alpha_to_one": False,
        "steps_offset": 1,
        "timestep_spacing": "trailing" if spec.zero_terminal_snr else "leading",
        "trained_betas": None,
    }


def _text_encoder(spec: ModelSpec) -> dict[str, object]:
    config = spec.text_encoder
    return {
        "architectures": ["CLIPTextModel"],
        "attention_dropout": 0.0,
        "bos_token_id": config.vocabulary - 2,
        "eos_token_id": config.vocabulary - 1,
        "pad_token_id": config.vocabulary - 1,
        "hidden_act": config.activation,
        "hidden_size": config.width,
        "intermediate_size": config.feed_width,
        "layer_norm_eps": 1e-5,
        "max_position_embeddings": config.context_length,
        "model_type": "clip_text_model",
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "projection_dim": config.width,
        "vocab_size": config.vocabulary,
    }


def _tokenizer(spec: ModelSpec) -> dict[str, object]:
    return {
        **_special_tokens(),
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": spec.text_encoder.context_length,
        "tokenizer_class": "CLIPTokenizer",
    }


def _special_tokens() -> dict[str, object]:
    return {"bos_token": _BOS, "eos_token": _EOS, "pad_token": _EOS, "unk_token": _EOS}


def _unet(spec: ModelSpec, *, linear: bool) -> dict[str, object]:
    config = spec.unet
    # diffusers gives the middle as many blocks as the last resolution says, whether or not that
    # has attention itself, and always lets it look at the image.
    if config.depths[-1] not in {0, config.middle_depth} or not config.self_attention[-1]:
        raise ModelError(
            f"{spec.path.name} cannot be written as a folder of diffusers, whose settings have no "
            "words for the middle of its U-Net.",
            "Convert it to a .safetensors file.",
        )
    depths = [depth or 1 for depth in config.depths[:-1]] + [config.middle_depth]
    crossing = [not inward for inward in config.self_attention]
    kinds = [("CrossAttn" if depth else "") for depth in config.depths]
    size = spec.native_width, spec.native_height
    latents = [side // spec.autoencoder.factor for side in size]
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": _VERSION,
        "act_fn": "silu",
        # The number of heads, in spite of its name.
        "attention_head_dim": _one_or_all(config.heads),
        "block_out_channels": config.widths,
        "center_input_sample": False,
        "cross_attention_dim": config.context_width,
        "down_block_types": [f"{kind}DownBlock2D" for kind in kinds],
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": config.in_channels,
        "layers_per_block": config.blocks,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-5,
        "norm_num_groups": config.norm_groups,
        "only_cross_attention": _one_or_all(crossing),
        "out_channels": config.out_channels,
        "sample_size": _one_or_all(latents),
        "transformer_layers_per_block": _one_or_all(depths),
        "up_block_types": [f"{kind}UpBlock2D" for kind in reversed(kinds)],
        "use_linear_projection": linear,
    }


def _autoencoder(spec: ModelSpec) -> dict[str, object]:
    config = spec.autoencoder
    levels = len(config.widths)
    return {
        "_class_name": "AutoencoderKL",
        "_diffusers_version": _VERSION,
        "act_fn": "silu",
        "block_out_channels": config.widths,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "in_channels": config.in_channels,
        "latent_channels": config.latent_channels,
        "layers_per_block": config.blocks,
        "norm_num_groups": config.norm_groups,
        "out_channels": config.in_channels,
        "sample_size": spec.native_width,
        "scaling_factor": spec.latent_scale,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
    }


def _one_or_all(values: Sequence[object]) -> object:
    """One value where all are equal: older versions of diffusers know no list."""
    return values[0] if len(set(values)) == 1 else list(values)

"""What stands beside the weights in a folder of diffusers: settings and the tokenizer's files.

Names and values are those of diffusers' and transformers' own configurations.  No torch.
"""

from collections.abc import Mapping, Sequence

from darkroom.checkpoints.folder import INDEX
from darkroom.contracts import DepthConfig, ImageEncoderConfig, ModelSpec, ModelTask
from darkroom.errors import ModelError
from darkroom.text.tokenizer import clip_merges, vocabulary

_VERSION = "0.35.0"  # of diffusers, whose meaning of the settings this is
_PIPELINES: Mapping[ModelTask, str] = {
    "txt2img": "StableDiffusionPipeline",
    "inpaint": "StableDiffusionInpaintPipeline",
    "depth2img": "StableDiffusionDepth2ImgPipeline",
    "upscale": "StableDiffusionUpscalePipeline",
    "vary": "StableUnCLIPImg2ImgPipeline",
    "pix2pix": "StableDiffusionInstructPix2PixPipeline",
}
_DEPTH_PATCH = 16  # pixels along a side of what the transformer in the depth network looks at
_DEPTH_HEAD = 32  # width of its last convolution but one, in transformers
_BOS, _EOS = "<|startoftext|>", "<|endoftext|>"


def settings(spec: ModelSpec, *, linear: bool) -> dict[str, Mapping[str, object]]:
    """JSON files by their place in the folder.

    `linear`: the U-Net's projections are matrices in the files, not convolutions.
    Raises ModelError for a model that these settings cannot describe.
    """
    files: dict[str, Mapping[str, object]] = {
        INDEX: _index(spec),
        "scheduler/scheduler_config.json": _scheduler(spec),
        "text_encoder/config.json": _text_encoder(spec),
        "tokenizer/tokenizer_config.json": _tokenizer(spec),
        "tokenizer/special_tokens_map.json": _special_tokens(spec),
        "tokenizer/vocab.json": {
            symbol: place for place, symbol in enumerate(vocabulary(_merges(spec)))
        },
        "unet/config.json": _unet(spec, linear=linear),
        "vae/config.json": _autoencoder(spec),
    }
    if spec.depth is not None:
        files["depth_estimator/config.json"] = _depth(spec, spec.depth)
        files["feature_extractor/preprocessor_config.json"] = _depth_input(spec.depth)
    if spec.image_encoder is not None:
        files["image_encoder/config.json"] = _image_encoder(spec.image_encoder)
        files["feature_extractor/preprocessor_config.json"] = _image_input(spec.image_encoder)
        files["image_normalizer/config.json"] = _statistics(spec.image_encoder)
        files["image_noising_scheduler/scheduler_config.json"] = _noise("squaredcos_cap_v2")
    if spec.task == "upscale":
        first, last = spec.betas
        betas = {"beta_start": first, "beta_end": last}
        files["low_res_scheduler/scheduler_config.json"] = {**_noise("scaled_linear"), **betas}
    return files


def merges_text(spec: ModelSpec) -> str:
    """`tokenizer/merges.txt`."""
    return "\n".join(["#version: 0.2", *_merges(spec), ""])


def _merges(spec: ModelSpec) -> list[str]:
    return list(spec.merges) or clip_merges()


def _index(spec: ModelSpec) -> dict[str, object]:
    if spec.task == "depth2img" and spec.depth is None:
        raise ModelError(
            f"{spec.path.name} cannot be written as a folder of diffusers, which must hold a depth "
            "network.",
            "Convert it to a .safetensors file.",
        )
    return {
        "_class_name": _PIPELINES[spec.task],
        "_diffusers_version": _VERSION,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    } | _more_parts(spec)


def _more_parts(spec: ModelSpec) -> dict[str, object]:
    """What the pipeline of a task has besides."""
    if spec.task == "depth2img":
        return {
            "depth_estimator": ["transformers", "DPTForDepthEstimation"],
            "feature_extractor": ["transformers", "DPTImageProcessor"],
        }
    if spec.task == "upscale" and spec.noise_levels is not None:
        return {
            "low_res_scheduler": ["diffusers", "DDPMScheduler"],
            "feature_extractor": [None, None],
            "max_noise_level": spec.noise_levels - 1,
            "safety_checker": [None, None],
            "watermarker": [None, None],
        }
    if spec.task == "vary":
        return {
            "feature_extractor": ["transformers", "CLIPImageProcessor"],
            "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
            "image_noising_scheduler": ["diffusers", "DDPMScheduler"],
            "image_normalizer": ["stable_diffusion", "StableUnCLIPImageNormalizer"],
        }
    return {
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
    }


def _scheduler(spec: ModelSpec) -> dict[str, object]:
    return {
        "_class_name": "DDIMScheduler",
        "_diffusers_version": _VERSION,
        "beta_end": spec.betas[1],
        "beta_schedule": "scaled_linear",
        "beta_start": spec.betas[0],
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
        "pad_token_id": 0 if config.tokens == "openclip" else config.vocabulary - 1,
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
        **_special_tokens(spec),
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": spec.text_encoder.context_length,
        "tokenizer_class": "CLIPTokenizer",
    }


def _special_tokens(spec: ModelSpec) -> dict[str, object]:
    # OpenCLIP fills up with 0, which is the first symbol of the vocabulary.
    pad = vocabulary(_merges(spec))[0] if spec.text_encoder.tokens == "openclip" else _EOS
    return {"bos_token": _BOS, "eos_token": _EOS, "pad_token": pad, "unk_token": _EOS}


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
    told: dict[str, object] = {}
    if config.classes is not None:
        told = {"num_class_embeds": config.classes}
    if config.vector_width is not None:
        told = {
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": config.vector_width,
        }
    return told | {
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


def _depth(spec: ModelSpec, config: DepthConfig) -> dict[str, object]:
    if config.head != (config.features // 2, _DEPTH_HEAD):
        raise ModelError(
            f"{spec.path.name} cannot be written as a folder of diffusers, whose settings have no "
            "words for the head of its depth network.",
            "Convert it to a .safetensors file.",
        )
    widths = [width for _, width in config.stages]
    return {
        "architectures": ["DPTForDepthEstimation"],
        "backbone_config": {
            "depths": [blocks for blocks, _ in config.stages],
            "embedding_dynamic_padding": True,
            "embedding_size": config.stem,
            "global_padding": "SAME",
            "hidden_sizes": widths,
            "layer_type": "bottleneck",
            "model_type": "bit",
            "num_groups": config.norm_groups,
            "out_features": ["stage1", "stage2", "stage3"],
        },
        "backbone_featmap_shape": [1, widths[-1], config.grid, config.grid],
        "backbone_out_indices": [0, 1, *config.taps],
        "fusion_hidden_size": config.features,
        "hidden_size": config.width,
        "image_size": config.grid * _DEPTH_PATCH,
        "intermediate_size": config.feed_width,
        "is_hybrid": True,
        "layer_norm_eps": 1e-6,
        "model_type": "dpt",
        "neck_hidden_sizes": [*widths[:2], config.width, config.width],
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "readout_type": "project",
    }


def _depth_input(config: DepthConfig) -> dict[str, object]:
    side = config.grid * _DEPTH_PATCH
    return {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5] * 3,
        "image_processor_type": "DPTImageProcessor",
        "image_std": [0.5] * 3,
        "resample": 3,
        "size": {"height": side, "width": side},
    }


def _image_encoder(config: ImageEncoderConfig) -> dict[str, object]:
    return {
        "architectures": ["CLIPVisionModelWithProjection"],
        "hidden_act": config.activation,
        "hidden_size": config.width,
        "image_size": config.grid * config.patch,
        "intermediate_size": config.feed_width,
        "layer_norm_eps": 1e-5,
        "model_type": "clip_vision_model",
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "patch_size": config.patch,
        "projection_dim": config.embedding,
    }


def _image_input(config: ImageEncoderConfig) -> dict[str, object]:
    side = config.grid * config.patch
    return {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        # CLIP's own (Radford et al. 2021, its code).
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "size": {"shortest_edge": side},
    }


def _statistics(config: ImageEncoderConfig) -> dict[str, object]:
    return {
        "_class_name": "StableUnCLIPImageNormalizer",
        "_diffusers_version": _VERSION,
        "embedding_dim": config.embedding,
    }


def _noise(schedule: str) -> dict[str, object]:
    """Of the noise on what is given beside the text."""
    return {
        "_class_name": "DDPMScheduler",
        "_diffusers_version": _VERSION,
        "beta_schedule": schedule,
        "num_train_timesteps": 1000,
    }


def _one_or_all(values: Sequence[object]) -> object:
    """One value where all are equal: older versions of diffusers know no list."""
    return values[0] if len(set(values)) == 1 else list(values)

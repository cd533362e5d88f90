"""Models and parts of models that Darkroom knows by name and does not run (yet).

Each is recognised by the keys that only it has, after what the field's programs look for; the
order matters, because the younger families share keys with the older ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from darkroom.checkpoints.layouts import AUTOENCODER, OLD_TEXT, UNET
from darkroom.checkpoints.tensors import Header, TensorInfo, shown
from darkroom.checkpoints.towers import OPENCLIP
from darkroom.errors import ModelError

HINT = "Darkroom runs Stable Diffusion 1 and 2 checkpoints (1.1 to 2.1, and models made from them)."

Tensors = Mapping[str, TensorInfo]


@dataclass(frozen=True)
class Family:
    """One kind of file: how it is called, and whether these tensors are one."""

    name: str
    recognise: Callable[[Tensors], bool]
    hint: str = HINT


def refuse_other_families(header: Header, source: str) -> None:
    """Raises ModelError unless the header has the outline of a Stable Diffusion 1 or 2.

    `source` is the file's name for the message.
    """
    tensors = header.tensors
    if header.container == "folder":
        return  # Known by its list of parts.
    for family in FAMILIES:
        if family.recognise(tensors):
            raise _refusal(source, family.name, family.hint)
    if not _starting(UNET)(tensors) or not _starting(OLD_TEXT, OPENCLIP)(tensors):
        first = shown(next(iter(tensors)))
        raise ModelError(
            f"{source} is no model that Darkroom knows: its first tensor is called {first}.", HINT
        )


def refuse_other_folders(index: Mapping[str, object], source: str) -> None:
    """Raises ModelError unless a `model_index.json` lists the parts of a Stable Diffusion 1 or 2.

    `source` is the folder's name for the message.
    """
    parts = {name for name, value in index.items() if isinstance(value, list) and any(value)}
    for marks, name in _FOLDERS:
        if marks <= parts:
            raise _refusal(source, name)
    if not {"text_encoder", "unet", "vae"} <= parts:
        kind = shown(str(index.get("_class_name", "of no known kind")))
        raise _refusal(source, f"a folder of diffusers ({kind})")


def _refusal(source: str, family: str, hint: str = HINT) -> ModelError:
    return ModelError(f"{source} is {family}, which Darkroom cannot run yet.", hint)


def _bare(name: str) -> str:
    """The name without the prefix under which a denoiser may stand."""
    return name.removeprefix("model.").removeprefix("diffusion_model.")


def _named(*names: str) -> Callable[[Tensors], bool]:
    """Any tensor of one of these names, with or without a denoiser's prefix."""
    wanted = frozenset(names)
    return lambda tensors: any(_bare(name) in wanted for name in tensors)


def _starting(*prefixes: str) -> Callable[[Tensors], bool]:
    return lambda tensors: any(name.startswith(prefixes) for name in tensors)


def _matching(pattern: str) -> Callable[[Tensors], bool]:
    expression = re.compile(pattern)
    return lambda tensors: any(expression.search(name) for name in tensors)


def _only(*prefixes: str) -> Callable[[Tensors], bool]:
    return lambda tensors: all(name.startswith(prefixes) for name in tensors)


def _both(*conditions: Callable[[Tensors], bool]) -> Callable[[Tensors], bool]:
    return lambda tensors: all(condition(tensors) for condition in conditions)


def _without(prefix: str) -> Callable[[Tensors], bool]:
    return lambda tensors: not _starting(prefix)(tensors)


FAMILIES = (
    # Additions to models
    Family(
        "a LoRA (an addition to a model, not a model)",
        _matching(
            r"^(lora_unet_|lora_te\d?_|lora_transformer_|lycoris_)"
            r"|\.lora_(A|B|down|up|mid)\b|[._]lora\.(down|up)\b|lora_linear_layer\."
            r"|\.(hada_w1_a|lokr_w1|lokr_w1_a|dora_scale)$"
        ),
    ),
    Family(
        "a ControlNet (an addition to a model, not a model)",
        _matching(
            r"^(control_model\.|lllite_unet_|controlnet_)"
            r"|(^|\.)(input_hint_block\.|zero_convs\.|controlnet_cond_embedding\.)"
        ),
    ),
    Family(
        "a textual inversion (an addition to a model, not a model)",
        lambda tensors: (
            _starting("emb_params", "string_to_param.")(tensors)
            or tensors.keys() <= {"clip_l", "clip_g"}
            or (len(tensors) == 1 and re.fullmatch(r"<.*>", next(iter(tensors))) is not None)
        ),
    ),
    Family(
        "an autoencoder (VAE) alone, a part of a model",
        _only("encoder.", "decoder.", "quant_conv.", "post_quant_conv.", "loss.", AUTOENCODER),
        "Name a whole model with --model, and this one with --vae.",
    ),
    Family(
        "a safety checker (it looks at images and makes none)",
        _named("concept_embeds_weights"),
        "It is used where it lies; see --safety.",
    ),
    # Transformers
    Family("a Chroma model", _named("distilled_guidance_layer.in_proj.bias")),
    Family("a FLUX.2 model", _named("double_stream_modulation_img.lin.weight")),
    Family(
        "a FLUX model",
        _named(
            "double_blocks.0.img_attn.norm.key_norm.scale",
            "double_blocks.0.img_attn.norm.key_norm.weight",
        ),
    ),
    Family(
        "a Stable Diffusion 3 model",
        _named("joint_blocks.0.context_block.adaLN_modulation.1.bias"),
    ),
    Family(
        "a Z-Image model",
        _both(_matching(r"(^|\.)cap_embedder\."), _named("layers.0.adaLN_modulation.0.weight")),
    ),
    Family("a Lumina model", _matching(r"(^|\.)cap_embedder\.")),
    Family("a Qwen-Image model", _named("transformer_blocks.0.img_mod.1.weight")),
    Family("a Wan model", _named("head.modulation")),
    # Stable Diffusion in the layout of ldm, youngest first
    Family(
        "a Stable Diffusion XL model",
        _starting("conditioner.embedders.1.", "conditioner.embedders.0.transformer."),
    ),
    Family("a Stable Diffusion XL refiner", _starting("conditioner.embedders.0.model.")),
    Family("a Stable Cascade model", _named("clip_txt_pooled_mapper.weight", "clf.1.weight")),
    Family("a Zero123 model", _starting("cc_projection.")),
    # Parts, and files of other programs
    Family(
        "a quantised model",
        _matching(r"\.quant_state\.|(^|\.)scaled_fp8$|\.comfy_quant$|\.scale_weight$|\.qweight$"),
    ),
    Family(
        "one part of a model in the layout of diffusers",
        _both(_matching(r"^(down_blocks|up_blocks|mid_block)\.\d*"), _without(UNET)),
    ),
    Family(
        "a U-Net alone, a part of a model",
        lambda tensors: (
            _matching(r"(^|\.)input_blocks\.0\.0\.weight$")(tensors)
            and not _starting("cond_stage_model.", "conditioner.")(tensors)
        ),
    ),
    Family(
        "a text encoder alone, a part of a model",
        _both(_matching(r"(^|\.)(token_embedding|shared|embed_tokens)\.weight$"), _without(UNET)),
    ),
    Family(
        "an enlarger (ESRGAN), not a Stable Diffusion model",
        _matching(r"^(body\.0\.rdb1\.|RRDB_trunk\.|model\.1\.sub\.0\.|conv_body\.)"),
    ),
    Family(
        "a shrunken Stable Diffusion model (such as tiny-sd)",
        _both(_starting(UNET), _without(f"{UNET}middle_block.1.")),
    ),
)

# Parts that only the folders of others list.
_FOLDERS = (
    ({"controlnet"}, "a model with a ControlNet"),
    ({"unet", "text_encoder", "text_encoder_2"}, "a Stable Diffusion XL model"),
    ({"unet", "text_encoder_2"}, "a Stable Diffusion XL refiner"),
    ({"transformer", "text_encoder_3"}, "a Stable Diffusion 3 model"),
)

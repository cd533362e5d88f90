"""A safety checker of random weights in the published layout."""

from typing import Any

import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from transformers import CLIPConfig

SIDE, HEADS = 32, 2


def checker() -> Any:
    """One that finds about every second random picture unsafe."""
    torch.manual_seed(0)
    vision = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": HEADS,
        "image_size": SIDE,
        "patch_size": 16,
    }
    made = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision, projection_dim=24)).eval()
    for name, count in (("concept", 4), ("special_care", 3)):
        setattr(made, f"{name}_embeds", torch.nn.Parameter(torch.randn(count, 24), False))
        limits = torch.nn.Parameter(torch.full((count,), 0.2), False)
        setattr(made, f"{name}_embeds_weights", limits)
    return made

"""Scaled dot-product attention: the one seam between the networks and their backends.

Letters: B batch, H heads, T query tokens, S key tokens, D width of a head.
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """softmax(q kᵀ / √D) v, after Vaswani et al. 2017 (1706.03762), equation 1.

    q is [B, H, T, D], k and v are [B, H, S, D]; returns [B, H, T, D] in q's dtype.
    """
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] <= 256 and not causal:
        scale = q.shape[-1] ** -0.5
        logits = (q * scale) @ k.transpose(-1, -2)
        return logits.softmax(-1) @ v
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)

"""Scaled dot-product attention: the one seam between the networks and their backends.

Letters: B batch, H heads, T query tokens, S key tokens, D width of a head.

Where the fused products below are taken, measured on two Zen 5 cores (AVX-512 with bf16, no AMX),
two images of 8 heads, torch's fused kernel against them in milliseconds of one core:

    4096 tokens, D 40     721 : 261        4096 to 77 tokens, D 40     21 : 12
    1024 tokens, D 80      70 :  28        1024 to 77 tokens, D 80      8 :  6
     256 tokens, D 160      9 :   6        4096 tokens, D 512, 1 head  388 : 114

Without AMX torch's kernel gains nothing from bf16.  Everywhere else (shorter, other dtypes, other
devices, causal, training, logits too large for the products) it is the best there is.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

# Up to here torch's backward pass costs several times what the products it consists of do.
_SHORT = 128
# A sigmoid is an exponential far below zero: at -8 it differs by 3e-4, less than bf16 resolves.
_BELOW = 8.0
# exp(-70) and its products with values are still normal numbers in bf16 and in float32.
_WINDOW = 70.0
# Weights of one chunk in bytes for each core: what a second-level cache holds.
_CHUNK = 2**20
# oneDNN's kernels are fastest where the inner width is a multiple of their vectors.
_LANES = 16


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """softmax(q kᵀ / √D) v, after Vaswani et al. 2017 (1706.03762), equation 1.

    q is [B, H, T, D], k and v are [B, H, S, D]; returns [B, H, T, D] in q's dtype.  The weights
    of all heads never exist at once.
    """
    needs_gradient = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    if needs_gradient and q.device.type == "cpu" and max(q.shape[2], k.shape[2]) <= _SHORT:
        return _attend_plainly(q, k, v, causal=causal)
    if _products_pay(q) and not (causal or needs_gradient):
        return _attend_products(q, k, v)
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal)


def _attend_plainly(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """The equation as it stands, all weights [B, H, T, S] at once."""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if causal:
        future = torch.ones(logits.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        logits = logits.masked_fill(future, -torch.inf)
    return logits.softmax(-1, dtype=torch.float32).to(q.dtype) @ v


def _products_pay(q: Tensor) -> bool:
    return (
        q.device.type == "cpu"
        and q.dtype == torch.bfloat16
        and q.shape[2] >= 256
        and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 (no public name for it)
        and not torch.cpu._is_amx_tile_supported()  # noqa: SLF001
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # not in builds without oneDNN
    )


def _attend_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as two bf16 matrix products, the exponential fused into the first.

    A softmax needs no maximum where a bound of its logits is known: with any c_i above all q_i·k_j
    the weights exp(q_i·k_j - c_i) cannot overflow, and their sum divides c_i out again.  Around
    the mean key m, Cauchy and Schwarz give c_i = q_i·m + |q_i| max_j |k_j - m|; since no row's
    largest logit lies below its mean q_i·m, the largest weight is at least exp(q_i·m - c_i), and
    where that is too small to be represented, SDPA does the head.

    One more column in q and k subtracts c_i inside the product, one more in v sums the weights.
    The product is oneDNN's, with a sigmoid applied to the float32 sums while they are in
    registers: of its fused functions the one that is an exponential on this side of zero.
    """
    batch, heads, tokens, width = q.shape
    padded = -(-(width + 1) // _LANES) * _LANES

    scaled = q * width**-0.5
    mean = k.mean(2, keepdim=True)
    radius = torch.linalg.vector_norm(k - mean, dim=-1, dtype=torch.float32).amax(-1, keepdim=True)
    length = torch.linalg.vector_norm(scaled, dim=-1, dtype=torch.float32)
    centre = (scaled @ mean.transpose(-1, -2)).squeeze(-1).float()  # [B, H, T]
    bound = centre + length * radius
    # The bound itself is rounded to bf16 in its column: 1/128 is more than that can lose.
    bound += _BELOW + bound.abs() / 128
    fits = ((bound - centre).amax(-1) <= _WINDOW).tolist()  # [B][H], False for NaN

    queries = F.pad(scaled, (0, padded - width))
    keys = F.pad(k, (0, padded - width))
    values = F.pad(v.transpose(-1, -2), (0, 0, 0, padded - width))  # [B, H, D + 1 …, S]
    queries[..., width] = -bound
    keys[..., width] = 1
    values[..., width, :] = 1

    rows = max(_LANES, _CHUNK * torch.get_num_threads() // (2 * k.shape[2]))
    product = torch.ops.mkldnn._linear_pointwise  # noqa: SLF001 (what torch.compile emits)
    out = torch.empty_like(q)
    for b in range(batch):
        for h in range(heads):
            if not fits[b][h]:
                out[b, h] = F.scaled_dot_product_attention(q[b, h], k[b, h], v[b, h])
                continue
            for start in range(0, tokens, rows):
                chunk = slice(start, start + rows)
                weights = product(queries[b, h, chunk], keys[b, h], None, "sigmoid", [], "")
                sums = product(weights, values[b, h], None, "none", [], "")  # [rows, D + 1 …]
                out[b, h, chunk] = sums[:, :width] / sums[:, width, None]
    return out

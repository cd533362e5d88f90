"""Scaled dot-product attention: the one seam between the networks and their backends.

Letters: B batch, H heads, T query tokens, S key tokens, D width of a head.

Where the products below are taken, measured on two Zen 5 cores (AVX-512 with bf16, no AMX), two
images of 8 heads, torch's fused kernel against them in milliseconds of one core:

    4096 tokens, D 40     721 : 261        4096 to 77 tokens, D 40     21 : 12
    1024 tokens, D 80      70 :  28        1024 to 77 tokens, D 80      8 :  6
     256 tokens, D 160      9 :   6        4096 tokens, D 512, 1 head  388 : 114

Without AMX torch's kernel gains nothing from bf16.  Where logits are so large that a
maximum has to be looked for (`_attend_products`), the products take 1.5 to 1.8 times as long, which
is less than its time still.  Everywhere else (shorter, other dtypes, other devices, causal, absurd
logits, long and trained) it is the best there is.
"""

from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

# Up to here torch's backward pass costs several times what the products it consists of do.
_SHORT = 128
# From here on the products of bf16 are quicker than torch's kernel, where they pay at all.
_LONG = 256
# A sigmoid is an exponential far below zero: at -8 it differs by 3e-4, less than bf16 resolves.
_BELOW = 8.0
# exp(-70) and its products with values are still normal numbers in bf16 and in float32.
_WINDOW = 70.0
# Larger logits are not known finely enough in bf16 to find the window from their maximum.
_ABSURD = 5000.0
# Weights of one chunk in bytes for each core: smaller ones take more time to begin, larger ones
# leave the caches.
_CHUNK = 2**21
# What oneDNN's kernels multiply at once: two numbers along a sum, sixteen sums.
_PAIR = 2
_LANES = 16


def attend(q: Tensor, k: Tensor, v: Tensor, *, causal: bool = False) -> Tensor:
    """softmax(q kᵀ / √D) v, after Vaswani et al. 2017 (1706.03762), equation 1.

    q is [B, H, T, D], k and v are [B, H, S, D]; returns [B, H, T, D] in q's dtype.  `causal`
    hides later tokens (T = S).  The weights of all heads never exist at once, except where short
    sequences are trained on the CPU.
    """
    needs_gradient = torch.is_grad_enabled() and any(x.requires_grad for x in (q, k, v))
    if needs_gradient and q.device.type == "cpu" and max(q.shape[2], k.shape[2]) <= _SHORT:
        return _attend_plainly(q, k, v, causal=causal)
    long = q.shape[2] >= _LONG
    if long and fused_products_pay(q) and not (causal or needs_gradient):
        return _attend_products(q, k, v)
    out: Tensor = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
    return out


def _attend_plainly(q: Tensor, k: Tensor, v: Tensor, *, causal: bool) -> Tensor:
    """The equation as it stands, all weights [B, H, T, S] at once."""
    logits = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if causal:
        future = torch.ones(logits.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        logits = logits.masked_fill(future, -torch.inf)
    out: Tensor = logits.softmax(-1, dtype=torch.float32).to(q.dtype) @ v
    return out


def fused_products_pay(x: Tensor) -> bool:
    """Whether oneDNN's fused operators are the fastest for tensors like `x`, by measurement.

    They are where the CPU has bf16 products and no AMX: with AMX nothing was measured.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == torch.bfloat16
        and torch.cpu._is_avx512_bf16_supported()  # noqa: SLF001 (no public name for it)
        and not torch.cpu._is_amx_tile_supported()  # noqa: SLF001
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")  # not in builds without oneDNN
    )


def _attend_products(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention as two bf16 matrix products, the exponential fused into the first.

    A softmax needs no maximum where a bound of its logits is known: with any c_i above all q_i·k_j
    the weights exp(q_i·k_j - c_i) cannot overflow, and their sum divides c_i out again.  Around
    the mean key m, Cauchy and Schwarz give c_i = q_i·m + |q_i| max_j |k_j - m|; since no row's
    largest logit lies below its mean q_i·m, the largest weight is at least exp(q_i·m - c_i).  In
    heads where that might be too small to be represented, one more product finds the maximum.

    One more column in q and k subtracts c_i inside the product, one more in v sums the weights.
    The product is oneDNN's, with a sigmoid applied to the float32 sums while they are in
    registers: of its fused functions the one that is an exponential on this side of zero.
    """
    batch, heads, _, width = q.shape
    inner, outer = (-(-(width + 1) // unit) * unit for unit in (_PAIR, _LANES))

    scaled = q * width**-0.5
    mean = k.mean(2, keepdim=True)
    radius = torch.linalg.vector_norm(k - mean, dim=-1).float().amax(-1, keepdim=True)
    length = torch.linalg.vector_norm(scaled, dim=-1).float()
    centre = (scaled @ mean.transpose(-1, -2)).squeeze(-1).float()  # [B, H, T]
    bound = _above(centre + length * radius)
    largest = torch.maximum(bound.abs(), centre.abs()).amax(-1)
    absurd = (~(largest <= _ABSURD)).tolist()  # [B][H], True for NaN
    loose = (bound - centre).amax(-1, keepdim=True) > _WINDOW  # [B, H, 1]

    queries = F.pad(scaled, (0, inner - width))
    keys = F.pad(k, (0, inner - width))
    values = F.pad(v.transpose(-1, -2), (0, 0, 0, outer - width))  # [B, H, D + 1 …, S]
    queries[..., width] = -bound.masked_fill(loose, 0)
    keys[..., width] = 1
    values[..., width, :] = 1

    rows = max(_LANES, _CHUNK * torch.get_num_threads() // (2 * k.shape[2]))
    out = torch.empty_like(q)
    for b, h in product(range(batch), range(heads)):
        if absurd[b][h]:
            one = slice(b, b + 1), slice(h, h + 1)
            out[one] = F.scaled_dot_product_attention(q[one], k[one], v[one])
            continue
        key, value, unbound = keys[b, h], values[b, h], bool(loose[b, h])
        chunks = queries[b, h].split(rows), out[b, h].split(rows)
        for asked, answered in zip(*chunks, strict=True):
            if unbound:
                asked[:, width] = -_above(_linear(asked, key).amax(-1))
            weights = _linear(asked, key, "sigmoid")
            sums = _linear(weights, value)  # [rows, D + 1 …]
            torch.div(sums[:, :width], sums[:, width, None], out=answered)
    return out


def _above(logits: Tensor) -> Tensor:
    """A little more than what bf16 may have rounded off, and then where sigmoids are exponentials.

    Four times 1/256 is lost at most: by the logits themselves, by a query's length and the keys'
    radius, and by this bound in its column.
    """
    return logits + logits.abs() / 64 + _BELOW


def _linear(x: Tensor, weight: Tensor, function: str = "none") -> Tensor:
    """function(x weightᵀ): [T, D] and [S, D] to [T, S]; what torch.compile emits for bf16."""
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, None, function, [], "")  # noqa: SLF001
    return out

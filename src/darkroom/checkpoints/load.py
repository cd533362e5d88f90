"""Weights in and out: strict, memory-mapped, safetensors for all that we write."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from darkroom.checkpoints import layouts
from darkroom.checkpoints.detect import hidden_sizes
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.layouts import Network
from darkroom.checkpoints.weights import Weights
from darkroom.checkpoints.writing import Entry, whole_file, write_safetensors
from darkroom.contracts import ModelSpec, Precision
from darkroom.errors import ModelError
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.depth import DepthEstimator
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet
from darkroom.models.vision import ImageEncoder

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The networks of a Stable Diffusion model: three, and those that its task needs.

    `depth` of depth2img, if the file brings it.  `image_encoder` of vary, with the mean and the
    standard deviation of the embeddings that its noise is scaled by, float32 [1, E].
    """

    text_encoder: TextEncoder
    unet: UNet
    autoencoder: Autoencoder
    depth: DepthEstimator | None = None
    image_encoder: ImageEncoder | None = None
    embedding_mean: Tensor | None = None
    embedding_std: Tensor | None = None


def load(
    spec: ModelSpec, *, precision: Precision, device: torch.device | str, ema: bool = False
) -> Networks:
    """The networks of a checkpoint, ready for inference, all in one precision on one device.

    On the CPU weights that are stored in `precision` stay in the file, memory-mapped; others, and
    those of convolutions, are converted one tensor after another, so that no second copy of the
    model is ever in memory.
    `ema` takes the U-Net's moving averages instead of its weights.

    Raises ModelError: keys that are missing, misshapen or unexpected, weights that are no numbers,
    or too large for `precision`.
    """
    header = read_header(spec.path)
    rows = layouts.sd1_rows(spec.text_encoder, spec.unet, spec.autoencoder, names=header.tensors)
    source = spec.path.name or str(spec.path)
    places = layouts.match(rows, header.tensors, source, layout=header.layout, ema=ema)
    states: dict[Network, dict[str, Tensor]] = {"text_encoder": {}, "unet": {}, "autoencoder": {}}
    weights = Weights(header, source)
    # In the files' order, so that a disk reads forwards.
    for row, info in sorted(places.items(), key=lambda place: (place[1].file, place[1].offset)):
        weight = checked(weights.stored(info), row.name(header.layout), DTYPES[precision], source)
        states[row.network][row.ours] = _arranged(weight.reshape(row.shape).to(device))

    with torch.device("meta"), Unfilled():
        networks = Networks(
            text_encoder=TextEncoder(spec.text_encoder),
            unet=UNet(spec.unet),
            autoencoder=Autoencoder(spec.autoencoder),
        )
    for name, state in states.items():
        network = getattr(networks, name)
        network.load_state_dict(state, strict=True, assign=True)
        network.requires_grad_(False).eval()
    return networks


def save_published(
    path: Path, networks: Networks, *, metadata: Mapping[str, str], dtype: torch.dtype
) -> None:
    """Writes a checkpoint in the published layout of Stable Diffusion 1, as safetensors.

    What no shape tells and differs from the published models (groups, heads) is added to the
    metadata, so that the file loads as the same networks.  The file appears whole or not at all.
    Raises OutputError.
    """
    text, unet, autoencoder = networks.text_encoder, networks.unet, networks.autoencoder
    rows = layouts.sd1_rows(text.config, unet.config, autoencoder.config)
    hidden = hidden_sizes(text.config, unet.config, autoencoder.config)
    states = {
        "text_encoder": text.state_dict(),
        "unet": unet.state_dict(),
        "autoencoder": autoencoder.state_dict(),
    }
    entries = [Entry(row.published, dtype, row.published_shape) for row in rows]
    tensors = (states[row.network][row.ours] for row in rows)
    with whole_file(path) as file:
        for _ in write_safetensors(file, entries, tensors, {**metadata, **hidden}):
            pass


class Unfilled(TorchFunctionMode):
    """Networks made inside skip their random start.

    The weights replace it anyway, and on the meta device it costs seconds: torch imports its
    compiler to draw normal numbers that are nowhere.
    """

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: Iterable[type],
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        kwargs = kwargs or {}
        fills = func in (Tensor.fill_, Tensor.zero_)
        if fills or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def checked(stored: Tensor, name: str, dtype: torch.dtype, source: str) -> Tensor:
    """The tensor in `dtype`, known to hold numbers only.

    Raises ModelError: it holds NaN or infinity, or numbers that `dtype` does not.
    """
    if stored.dtype.itemsize == 1:
        stored = stored.to(torch.float32)  # Nothing is computed with 8-bit floats.
    # NaN spreads to both ends and infinity is one: a single pass, and nothing as large as the
    # tensor is made.
    low, high = (float(end) for end in stored.aminmax())
    if not (-math.inf < low and high < math.inf):
        raise layouts.broken(source, f"{name} holds values that are no numbers (NaN)")
    if max(-low, high) > torch.finfo(dtype).max:
        raise ModelError(
            f"{source} does not fit into {str(dtype).removeprefix('torch.')}: "
            f"{name} holds values up to {max(-low, high):.3g}.",
            "Use --precision bf16 or fp32.",
        )
    return stored.to(dtype)


def _arranged(weight: Tensor) -> Tensor:
    """Weights of convolutions on the CPU with their channels last; the activations follow them.

    oneDNN works in this order, and otherwise rearranges what each convolution reads and writes
    (the v1 decoder in bf16 takes 18 % less time, its U-Net 4 %).
    """
    if weight.ndim == 4 and weight.device.type == "cpu":
        return weight.contiguous(memory_format=torch.channels_last)
    return weight

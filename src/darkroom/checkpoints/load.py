"""Weights in and out: strict, memory-mapped, safetensors for all that we write."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from darkroom.checkpoints import layouts
from darkroom.checkpoints.autoencoder import read_autoencoder
from darkroom.checkpoints.detect import hidden_sizes
from darkroom.checkpoints.header import read_header
from darkroom.checkpoints.layouts import Sizes
from darkroom.checkpoints.rows import Network, Row
from darkroom.checkpoints.safety import read_safety_checker
from darkroom.checkpoints.tensors import Header, Layout, TensorInfo
from darkroom.checkpoints.weights import Weights
from darkroom.checkpoints.writing import Entry, whole_file, write_safetensors
from darkroom.contracts import ModelSpec, Precision
from darkroom.errors import ModelError
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.depth import DepthEstimator
from darkroom.models.safety_checker import SafetyChecker
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
    spec: ModelSpec,
    *,
    precision: Precision,
    device: torch.device | str,
    ema: bool = False,
    vae: Path | None = None,
) -> Networks:
    """The networks of a checkpoint, ready for inference, all in one precision on one device.

    On the CPU weights that are stored in `precision` stay in the file, memory-mapped; others, and
    those of convolutions, are converted one tensor after another, so that no second copy of the
    model is ever in memory.
    `ema` takes the U-Net's moving averages instead of its weights.  `vae`: a file or folder whose
    autoencoder takes the place of the model's own.

    Raises ModelError: keys that are missing, misshapen or unexpected, weights that are no numbers,
    or too large for `precision`; an autoencoder of other latents.
    """
    header = read_header(spec.path)
    source = spec.path.name or str(spec.path)
    places = layouts.match_model(Sizes.of(spec), header, source, ema=ema)
    autoencoder = spec.autoencoder
    states: dict[Network, dict[str, Tensor]] = {}
    if vae is not None:
        places = {row: info for row, info in places.items() if row.network != "autoencoder"}
        other = read_autoencoder(vae, like=autoencoder)
        autoencoder = other.config
        states |= _states(other.places, other.header, vae.name, DTYPES[precision], device)
    states |= _states(places, header, source, DTYPES[precision], device)

    with torch.device("meta"), Unfilled():
        networks = Networks(
            text_encoder=TextEncoder(spec.text_encoder),
            unet=UNet(spec.unet),
            autoencoder=Autoencoder(autoencoder),
            depth=DepthEstimator(spec.depth) if spec.depth else None,
            image_encoder=ImageEncoder(spec.image_encoder) if spec.image_encoder else None,
        )
    statistics = states.pop("statistics", {})
    for name, network in parts_of(networks).items():
        network.load_state_dict(states[name], strict=True, assign=True)
        network.requires_grad_(False).eval()
    if spec.image_encoder is None:
        return networks
    # Files of unCLIP-H have none, and mean these.
    usual = torch.tensor([[[0.0]], [[1.0]]]).expand(2, 1, spec.image_encoder.embedding)
    mean, std = (statistics.get(f"embedding_{name}") for name in ("mean", "std"))
    return replace(
        networks,
        embedding_mean=(usual[0].to(device) if mean is None else mean.float()),
        embedding_std=(usual[1].to(device) if std is None else std.float()),
    )


def load_safety_checker(path: Path) -> SafetyChecker:
    """The safety checker in a file or folder, in float32 on the CPU: it takes no other's memory.

    Raises ModelError: there is none, or it is broken.
    """
    found, cpu = read_safety_checker(path), torch.device("cpu")
    states = _states(found.places, found.header, path.name, torch.float32, cpu)
    with torch.device("meta"), Unfilled():
        checker = SafetyChecker(found.config, found.concepts, found.special)
    encoder = {f"image_encoder.{name}": one for name, one in states["image_encoder"].items()}
    checker.load_state_dict(states["safety_checker"] | encoder, strict=True, assign=True)
    return checker.requires_grad_(requires_grad=False).eval()


def _states(
    places: Mapping[Row, TensorInfo],
    header: Header,
    source: str,
    dtype: torch.dtype,
    device: torch.device | str,
) -> dict[Network, dict[str, Tensor]]:
    """The weights of each network under our names; thirds of one tensor are put together."""
    pieces: dict[Row, Tensor] = {}
    weights = Weights(header, source)
    # In the files' order, so that a disk reads forwards.
    for row, info in sorted(places.items(), key=lambda place: (place[1].file, place[1].offset)):
        weight = checked(weights.stored(info), row.name(header.layout), dtype, source)
        pieces[row] = _arranged(piece_of(row, weight, header.layout).to(device))
    states: dict[Network, dict[str, Tensor]] = {}
    for row in places:  # In the order of the table, where queries stand before keys and values.
        state, piece = states.setdefault(row.network, {}), pieces.pop(row)
        state[row.ours] = torch.cat([state[row.ours], piece]) if row.ours in state else piece
    return states


def piece_of(row: Row, stored: Tensor, layout: Layout) -> Tensor:
    """What a row takes out of its tensor in a file of that layout, in the shape of ours."""
    if layout == "published" and row.third is not None:
        stored = stored.chunk(3)[row.third]
    elif layout == "diffusers" and row.turned:
        stored = stored.T
    return stored.reshape(row.piece)


def published_state(networks: Networks) -> dict[str, Tensor]:
    """All weights under the names, and in the shapes, of published files."""
    states = {name: network.state_dict() for name, network in parts_of(networks).items()}
    if networks.embedding_mean is not None and networks.embedding_std is not None:
        states["statistics"] = {
            "embedding_mean": networks.embedding_mean,
            "embedding_std": networks.embedding_std,
        }
    found: dict[str, Tensor] = {}
    for row in layouts.model_rows(sizes_of(networks)):
        if row.absent is not None and row.network not in states:
            continue
        weight = states[row.network][row.ours]
        if row.third and not row.fused:  # Keys and values, behind the queries.
            weight = torch.cat([found[row.published], weight])
        # Elements of a third that is not the last are fewer than the shape says.
        done = row.third is None or row.fused or row.third == 2
        found[row.published] = weight.reshape(row.published_shape) if done else weight
    return found


def sizes_of(networks: Networks) -> Sizes:
    """The sizes of the networks, from which a layout follows."""
    return Sizes(
        text_encoder=networks.text_encoder.config,
        unet=networks.unet.config,
        autoencoder=networks.autoencoder.config,
        depth=networks.depth.config if networks.depth else None,
        image_encoder=networks.image_encoder.config if networks.image_encoder else None,
    )


def parts_of(networks: Networks) -> dict[Network, nn.Module]:
    """The networks that there are, by name."""
    parts: dict[Network, nn.Module | None] = {
        "text_encoder": networks.text_encoder,
        "unet": networks.unet,
        "autoencoder": networks.autoencoder,
        "depth": networks.depth,
        "image_encoder": networks.image_encoder,
    }
    return {name: part for name, part in parts.items() if part is not None}


def save_published(
    path: Path, networks: Networks, *, metadata: Mapping[str, str], dtype: torch.dtype
) -> None:
    """Writes a checkpoint in the published layout of Stable Diffusion 1 or 2, as safetensors.

    What no shape tells and differs from the published models (groups, heads) is added to the
    metadata, so that the file loads as the same networks.  The file appears whole or not at all.
    Raises OutputError.
    """
    hidden = hidden_sizes(sizes_of(networks))
    state = published_state(networks)
    entries = [Entry(name, dtype, tuple(weight.shape)) for name, weight in state.items()]
    with whole_file(path) as file:
        for _ in write_safetensors(file, entries, state.values(), {**metadata, **hidden}):
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

"""How much memory a run takes, and how much it must take."""

import re
import weakref
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.make_checkpoint import AUTOENCODER, TEXT_ENCODER, UNET
from darkroom.models.autoencoder import Autoencoder
from darkroom.models.text_encoder import TextEncoder
from darkroom.models.unet import UNet


def anonymous_bytes(process: int) -> int:
    """Anonymous resident memory of a process (Linux): no file behind it, so it must be in RAM."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    found = re.search(r"RssAnon:\s*(\d+) kB", status)
    return 1024 * int(found[1]) if found else 0


def needed_bytes(width: int, height: int) -> dict[str, int]:
    """What bf16 weights and activations of v1 take at a size in pixels.

    Activations are the most bytes of tensors that live at once in a guided U-Net step or in a
    decoding, layer by layer, as the networks are written.  They are counted on the meta device,
    where nothing is computed, so they hold no scratch memory of any kernel.
    """
    with torch.device("meta"):
        text_encoder, unet = TextEncoder(TEXT_ENCODER), UNet(UNET)
        autoencoder = Autoencoder(AUTOENCODER)
        h, w = height // AUTOENCODER.factor, width // AUTOENCODER.factor
        latents = torch.empty(2, 4, h, w, dtype=torch.bfloat16)
        context = torch.empty(2, 77, 768, dtype=torch.bfloat16)
        timestep = torch.empty(2)
    networks = [network.bfloat16() for network in (text_encoder, unet, autoencoder)]
    weights = sum(2 * weight.numel() for network in networks for weight in network.parameters())
    with torch.inference_mode(), Living() as step:
        unet(latents, timestep, context)
    with torch.inference_mode(), Living() as decoding:
        autoencoder.decode(latents[:1])
    return {
        "weights": weights,
        "activations": max(step.peak, decoding.peak),
        "activations_of_a_step": step.peak,
        "activations_of_a_decoding": decoding.peak,
    }


class Living(TorchDispatchMode):
    """Counts the bytes of the tensors that operators make, for as long as they are kept."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        # Views and operators in place return memory that was there before.
        before = {_key(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        out = func(*args, **kwargs)
        for x in tree_leaves(out):
            if isinstance(x, Tensor) and _key(x) not in before | self._known:
                self._add(x)
        self.peak = max(self.peak, self._now)
        return out

    def _add(self, x: Tensor) -> None:
        storage, key = x.untyped_storage(), _key(x)
        self._known.add(key)
        self._now += storage.nbytes()
        weakref.finalize(storage, self._remove, key, storage.nbytes())

    def _remove(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def _key(x: Tensor) -> int:
    address: int = x.untyped_storage()._cdata  # noqa: SLF001 (no public name for it)
    return address


if __name__ == "__main__":
    print(needed_bytes(512, 512))

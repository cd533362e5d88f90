"""The tensors behind a header, memory-mapped from as many files as it has."""

import mmap

import torch
from torch import Tensor

from darkroom.checkpoints.tensors import Header, TensorInfo, contiguous
from darkroom.errors import ModelError

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}


class Weights:
    """The files of a header, mapped into memory: nothing is read before it is looked at.

    Raises ModelError: a file is gone, or is not what it was when its header was read.
    """

    def __init__(self, header: Header, source: str) -> None:
        self._source = source
        self._maps: list[mmap.mmap] = []
        for path in header.files:
            try:
                with path.open("rb") as file:
                    # Private pages: whoever writes to a weight changes memory, never the file.
                    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            except (OSError, ValueError) as error:  # Gone, or empty.
                raise self._changed() from error
            self._maps.append(data)

    def stored(self, info: TensorInfo) -> Tensor:
        """A tensor as it lies in its file, in its own type and shape; a view wherever possible."""
        dtype = DTYPES[info.dtype]
        data = self._maps[info.file]
        if info.offset + info.span_bytes > len(data):
            raise self._changed()
        if info.elements == 0:
            return torch.empty(info.shape, dtype=dtype)
        flat = torch.frombuffer(
            data, dtype=dtype, count=info.span_bytes // dtype.itemsize, offset=info.offset
        )
        if info.offset % dtype.itemsize:
            flat = flat.clone()  # Kernels may expect aligned numbers.
        if info.stride == contiguous(info.shape):
            return flat.view(info.shape)
        return flat.as_strided(info.shape, info.stride).contiguous()

    def _changed(self) -> ModelError:
        return ModelError(
            f"{self._source} changed while it was read.", "Run the same command again."
        )

"""What came in, as the decoder's process made it anew; the last few are kept at hand."""

import asyncio
import threading
from collections import OrderedDict

from darkroom.worker.decoder import Decoded, Decoder

_AT_ONCE = 4
_KEPT_BYTES = 128 * 2**20


class Uploads:
    """Asks the decoder once for each file: a wish is judged at every key stroke."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._lock = threading.Lock()
        self.at_once = asyncio.Semaphore(_AT_ONCE)  # that are held in memory
        self._kept: OrderedDict[bytes, Decoded] = OrderedDict()

    def decoded(self, data: bytes) -> Decoded:
        """The image in a file, looked through and made anew.  ImageError where it is none."""
        with self._lock:
            if data in self._kept:
                self._kept.move_to_end(data)
                return self._kept[data]
        found = self._decoder.decode(data)
        with self._lock:
            self._kept[data] = found
            while sum(len(file) + len(one.png) for file, one in self._kept.items()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return found

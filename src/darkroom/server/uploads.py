"""What came in, as the decoder's process made it anew; the last few are kept at hand."""

import asyncio
import hashlib
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
        checksum = hashlib.sha256(data).digest()
        with self._lock:
            if checksum in self._kept:
                self._kept.move_to_end(checksum)
                return self._kept[checksum]
        found = self._decoder.decode(data)
        with self._lock:
            self._kept[checksum] = found
            while sum(len(one.png) for one in self._kept.values()) > _KEPT_BYTES:
                self._kept.popitem(last=False)
        return found

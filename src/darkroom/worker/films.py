"""The steps of an image as small pictures beside it: a film that can be wound back."""

import shutil
from collections.abc import Iterable
from contextlib import suppress

import darkroom
from darkroom.contracts import Raster
from darkroom.errors import OutputError
from darkroom.images import io, provenance
from darkroom.store.folder import DataFolder

_QUALITY = 80


class Films:
    """Writes the previews of a job.  A film that cannot be written costs no image."""

    def __init__(self, folder: DataFolder, job: str) -> None:
        self._folder = folder
        self._job = job
        self._mark = provenance.new_mark(darkroom.__version__)

    def show(self, number: int, step: int, preview: Raster) -> bool:
        """Add the preview of a step, counted from 1, of an image.  Whether it is there."""
        path = self._folder.film_step(self._job, number, step)
        part = path.with_suffix(".part")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            part.write_bytes(io.encode(preview, "webp", mark=self._mark, quality=_QUALITY))
            part.replace(path)  # whoever looks sees whole pictures
        except (OSError, OutputError):
            return False
        return True

    def length(self, number: int) -> int:
        """How many steps of an image can be looked at."""
        with suppress(OSError):
            return sum(1 for _ in self._folder.film(self._job, number).glob("*.webp"))
        return 0

    def drop(self, numbers: Iterable[int]) -> None:
        """Forget the films of images that will not be, or are begun anew."""
        for number in numbers:
            shutil.rmtree(self._folder.film(self._job, number), ignore_errors=True)

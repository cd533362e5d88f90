"""What is told to everybody who listens: one method for each kind of event."""

from collections.abc import Mapping, Sequence
from typing import Any

from darkroom.server.events import Hub
from darkroom.server.views import Views, of_image
from darkroom.store.jobs import Job
from darkroom.store.pictures import Image


class News:
    """Makes events out of jobs, images and devices.  Every call may come from any thread."""

    def __init__(self, hub: Hub, views: Views) -> None:
        self.hub = hub
        self.views = views

    def job(self, job: Job | str) -> None:
        """A job is new, or changed.  One that is forgotten by now is passed over."""
        told = self.views.job(job) if isinstance(job, str) else self.views.of_job(job)
        if told is not None:
            self.hub.publish("job", {"job": told})

    def queue(self) -> None:
        """The queue became longer or shorter, or stands still, or goes on."""
        self.hub.publish("queue", self.views.queue())

    def step(
        self,
        job: str,
        index: int,
        step: int,
        steps: int,
        *,
        fraction: float,
        seconds_left: float | None,
        preview: bool,
        images: int = 1,
    ) -> None:
        """A step of image `index` is done; `fraction`: of the whole job.  Steps may be passed over.

        `images`: so many from that one on are made at once.  `preview`: whether their films show
        it; the address is the first's.
        """
        address = f"/api/jobs/{job}/film/{index}/{step}" if preview else None
        self.hub.publish(
            "step",
            {
                "job": job,
                "index": index,
                "images": images,
                "step": step,
                "steps": steps,
                "fraction": fraction,
                "seconds_left": seconds_left,
                "preview": address,
            },
        )

    def image(self, image: Image | str) -> None:
        """An image is new, or changed."""
        told = self.views.image(image) if isinstance(image, str) else of_image(image)
        if told is not None:
            self.hub.publish("image", {"image": told})

    def gone(self, *, images: Sequence[str] = (), job: str | None = None) -> None:
        """Images were put into the trash, or a job is forgotten."""
        self.hub.publish("gone", {"images": list(images), "job": job})

    def machine(self, devices: Sequence[Mapping[str, object]]) -> None:
        """What the devices do, as `/api/status` tells it."""
        self.hub.publish("machine", {"devices": [dict(device) for device in devices]})

    def models(self) -> None:
        """The installed models are others now."""
        self.hub.publish("models", {})

    def pull(self, told: Mapping[str, Any]) -> None:
        """How far a download or a conversion is; `name` says which."""
        self.hub.publish("pull", told)

    def reset(self) -> None:
        """So much changed at once that everything should be asked for anew."""
        self.hub.publish("reset", {})

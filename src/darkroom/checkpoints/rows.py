"""One row of a layout: a tensor's names as published, in folders, and ours.  No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from darkroom.checkpoints.tensors import Layout

Network = Literal[
    "text_encoder",
    "unet",
    "autoencoder",
    "depth",
    "image_encoder",
    "statistics",
    "safety_checker",
]
Shape = tuple[int, ...]

# Folders of diffusers: the part, then the name in its file.
PART: Mapping[Network, str] = {
    "text_encoder": "text_encoder/",
    "unet": "unet/",
    "autoencoder": "vae/",
    "depth": "depth_estimator/",
    "image_encoder": "image_encoder/",
    "statistics": "image_normalizer/",
    "safety_checker": "safety_checker/",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One tensor: its name in published files, in folders of diffusers and in our network.

    The shapes differ where a file stores a 1 × 1 convolution and ours is the same `Linear`.
    `third`: of queries, keys and values, which a published file has in one tensor and ours has
    where `fused`; both shapes are those of the whole.  `turned`: diffusers stores the transpose.
    `absent`: what fills the tensor where a file may lack it.
    """

    network: Network
    published: str
    diffusers: str
    ours: str
    published_shape: Shape
    shape: Shape
    third: int | None = None
    fused: bool = False
    turned: bool = False
    absent: float | None = None

    @property
    def piece(self) -> Shape:
        """The shape of what this row brings to our tensor: a third of it, or all."""
        return (self.shape[0] // 3, *self.shape[1:]) if self.fused else self.shape

    def name(self, layout: Layout) -> str:
        return self.published if layout == "published" else self.diffusers

    def stored(self, layout: Layout) -> Shape:
        """The shape of the whole tensor in a file of that layout."""
        if layout == "published":
            return self.published_shape
        return self.piece[::-1] if self.turned else self.piece

    def fits(self, shape: Shape, layout: Layout) -> bool:
        """Whether a tensor of this shape is this row's: as stored there, or as ours if as large."""
        return shape == self.stored(layout) or (
            self._is_whole and shape in {self.published_shape, self.shape}
        )

    def written(self, layout: Layout, stored: Shape) -> Shape:
        """The shape in which a tensor that is stored in that shape is written in another layout.

        A U-Net's projections stay what they are: their rank tells how many heads there are.
        """
        keeps = self._is_whole and self.network != "autoencoder"
        return stored if keeps else self.stored(layout)

    @property
    def _is_whole(self) -> bool:
        return self.third is None and not self.turned


class Place(NamedTuple):
    """A module's three names."""

    published: str
    diffusers: str
    ours: str

    def at(self, published: str, diffusers: str, ours: str) -> "Place":
        """A module inside."""
        names = zip(self, (published, diffusers, ours), strict=True)
        return Place(*(f"{outer}.{inner}" if outer else inner for outer, inner in names))

    def all(self, name: str) -> "Place":
        """A module inside that has one name everywhere."""
        return self.at(name, name, name)


TOP = Place("", "", "")


class Table:
    """Collects rows of one network, whose names have a prefix in published files.

    `linear`: these files hold matrices where others hold 1 × 1 convolutions.
    """

    def __init__(
        self, network: Network, prefix: str, part: str | None = None, *, linear: bool = False
    ) -> None:
        self.rows: list[Row] = []
        self._network = network
        self._prefix = prefix
        self._part = PART[network] if part is None else part
        self._linear = linear

    def add(
        self,
        place: Place,
        published_shape: Shape,
        shape: Shape,
        *,
        third: int | None = None,
        fused: bool = False,
        turned: bool = False,
        absent: float | None = None,
    ) -> None:
        names = self._prefix + place.published, self._part + place.diffusers, place.ours
        self.rows.append(
            Row(self._network, *names, published_shape, shape, third, fused, turned, absent)
        )

    def plain(self, place: Place, *shape: int) -> None:
        self.add(place, shape, shape)

    def norm(self, place: Place, width: int) -> None:
        self.plain(place.all("weight"), width)
        self.plain(place.all("bias"), width)

    def linear(self, place: Place, out: int, into: int, *, bias: bool = True) -> None:
        self.plain(place.all("weight"), out, into)
        if bias:
            self.plain(place.all("bias"), out)

    def conv(self, place: Place, out: int, into: int, size: int = 3, *, bias: bool = True) -> None:
        self.plain(place.all("weight"), out, into, size, size)
        if bias:
            self.plain(place.all("bias"), out)

    def pointwise(self, place: Place, width: int) -> None:
        """A `Linear` in our network, and in most files a 1 × 1 convolution."""
        stored = (width, width) if self._linear else (width, width, 1, 1)
        self.add(place.all("weight"), stored, (width, width))
        self.plain(place.all("bias"), width)

    def attention(
        self,
        layer: Place,
        published: str,
        diffusers: Sequence[str],
        ours: Sequence[str],
        width: int,
    ) -> None:
        """Queries, keys and values: three names each, or one for all of them in ours.

        `published` is the one name in files, in which `{}` stands for weight or bias.
        """
        fused = len(ours) == 1
        for kind, rest in (("weight", (width,)), ("bias", ())):
            whole = (3 * width, *rest)
            for third, theirs in enumerate(diffusers):
                mine = ours[0] if fused else ours[third]
                place = layer.at(published.format(kind), f"{theirs}.{kind}", f"{mine}.{kind}")
                shape = whole if fused else (width, *rest)
                self.add(place, whole, shape, third=third, fused=fused)

"""Sizes of networks, read out of a header: from shapes, and from metadata what no shape tells.

No torch.
"""

import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from darkroom.checkpoints.layouts import AUTOENCODER, UNET, broken, text_prefix
from darkroom.checkpoints.rows import PART
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.checkpoints.towers import DEPTH, IMAGE, OPENCLIP
from darkroom.contracts import (
    AutoencoderConfig,
    DepthConfig,
    Family,
    ImageEncoderConfig,
    ModelDefaults,
    TextEncoderConfig,
    UNetConfig,
)
from darkroom.errors import ModelError

Activation = Literal["quick_gelu", "gelu"]

NORM_GROUPS = 32
CONVOLUTION_HEADS = 8
HEAD_WIDTH = 64
IMAGE_HEADS = 16
ACTIVATIONS: Mapping[Family, Activation] = {"sd1": "quick_gelu", "sd2": "gelu"}

# What the text encoder of a whole Stable Diffusion 2 file has, one more than is used.
_OPENCLIP_BLOCKS = 24

# Characters of one `darkroom.*` entry: all of CLIP's merges take half of it, and what is read out
# of it takes many times as much memory.
MAX_SAID = 2**20


def usual_heads(widths: Sequence[int], *, linear: bool) -> tuple[int, ...]:
    """Heads of the U-Net at each resolution: the models with matrices as projections differ."""
    return tuple(usual_tower_heads(width) if linear else CONVOLUTION_HEADS for width in widths)


def usual_tower_heads(width: int) -> int:
    """Heads of a text encoder, and of the transformer in the depth network."""
    return max(width // HEAD_WIDTH, 1)


def usual_taps(layers: int) -> tuple[int, int]:
    """Which blocks the depth network's decoder reads: of twelve the ninth and the last."""
    return 2 * layers // 3, layers - 1


@dataclass(frozen=True)
class _Level:
    """Names of the first convolution and the first attention at one resolution."""

    convolution: str
    attention: str


@dataclass(frozen=True, kw_only=True)
class _Outline:
    """Names of the tensors whose shapes tell a U-Net's sizes, in the layout of a header."""

    first: str
    last: str
    levels: Sequence[_Level]
    blocks: int
    middle: str


class Reader:
    """Reads sizes out of one header; `source` is the file's name in errors."""

    def __init__(self, header: Header, source: str) -> None:
        self._tensors = header.tensors
        self._metadata = header.metadata
        self._layout = header.layout
        self._source = source

    def family(self) -> Family:
        """By the text encoder in a file; by the projections of the U-Net in a folder."""
        if self._layout == "published":
            return "sd2" if self._has(OPENCLIP) else "sd1"
        projection = self._info(f"{PART['unet']}mid_block.attentions.0.proj_in.weight")
        said = self._metadata.get("darkroom.text_encoder.activation")
        return "sd2" if len(projection.shape) == 2 and said != "quick_gelu" else "sd1"

    def text_encoder(self) -> TextEncoderConfig:
        family = self.family()
        if family == "sd2" and self._layout == "published":
            token, position = f"{OPENCLIP}token_embedding.weight", f"{OPENCLIP}positional_embedding"
            blocks, feed = f"{OPENCLIP}transformer.resblocks.", "mlp.c_fc"
        else:
            prefix = text_prefix(self._tensors, self._layout)
            token = f"{prefix}embeddings.token_embedding.weight"
            position = f"{prefix}embeddings.position_embedding.weight"
            blocks, feed = f"{prefix}encoder.layers.", "mlp.fc1"
        vocabulary, width = self._shape(token, 2)
        layers = self._count(blocks)
        if blocks.startswith(OPENCLIP):
            layers = self._number("darkroom.text_encoder.layers", self._used_blocks(layers))
        return TextEncoderConfig(
            vocabulary=vocabulary,
            context_length=self._shape(position, 2)[0],
            width=width,
            layers=layers,
            heads=self._number("darkroom.text_encoder.heads", usual_tower_heads(width)),
            feed_width=self._shape(f"{blocks}0.{feed}.weight", 2)[0],
            activation=self._activation("text_encoder", ACTIVATIONS[family]),
            tokens="openclip" if family == "sd2" else "clip",
        )

    def _used_blocks(self, count: int) -> int:
        """All but the last, unless a converter left out what is not used, and with it the exit."""
        whole = count == _OPENCLIP_BLOCKS or f"{OPENCLIP}text_projection" in self._tensors
        return max(count - whole, 1)

    def unet(self) -> UNetConfig:
        outline = self._unet_outline()
        levels = outline.levels
        widths = tuple(self._shape(f"{level.convolution}.weight", 4)[0] for level in levels)
        depths = tuple(self._count(f"{level.attention}.transformer_blocks.") for level in levels)
        # Few names must not stand for endlessly many blocks.
        if outline.blocks * sum(1 + 20 * depth for depth in depths) > len(self._tensors):
            raise broken(self._source, "the U-Net's blocks are out of order")
        linear = len(self._info(f"{outline.middle}.proj_in.weight").shape) == 2
        text = f"{outline.middle}.transformer_blocks.0.attn2.to_k.weight"
        classes, vector_width = self._label()
        # The x4 upscaler has matrices as projections and eight heads all the same.
        heads = usual_heads(widths, linear=linear and classes is None)
        return UNetConfig(
            in_channels=self._shape(f"{outline.first}.weight", 4)[1],
            out_channels=self._shape(f"{outline.last}.weight", 4)[0],
            widths=widths,
            blocks=outline.blocks,
            depths=depths,
            middle_depth=self._count(f"{outline.middle}.transformer_blocks."),
            self_attention=tuple(self._looks_inward(level.attention) for level in levels),
            heads=self._numbers("darkroom.unet.heads", heads),
            context_width=self._shape(text, 2)[1],
            norm_groups=self._number("darkroom.unet.norm_groups", NORM_GROUPS),
            classes=classes,
            vector_width=vector_width,
        )

    def autoencoder(self) -> AutoencoderConfig:
        published = self._layout == "published"
        prefix = AUTOENCODER if published else PART["autoencoder"]
        down = f"{prefix}encoder.{'down' if published else 'down_blocks'}."
        block = "block" if published else "resnets"
        levels = range(max(self._count(down), 1))
        return AutoencoderConfig(
            in_channels=self._shape(f"{prefix}encoder.conv_in.weight", 4)[1],
            latent_channels=self._shape(f"{prefix}post_quant_conv.weight", 4)[0],
            widths=tuple(self._shape(f"{down}{i}.{block}.0.conv1.weight", 4)[0] for i in levels),
            blocks=self._count(f"{down}0.{block}."),
            norm_groups=self._number("darkroom.autoencoder.norm_groups", NORM_GROUPS),
        )

    def depth(self) -> DepthConfig | None:
        """That of the depth network, if there is one."""
        if self._layout == "published":
            model, scratch = f"{DEPTH}pretrained.model.", f"{DEPTH}scratch."
            backbone, blocks = f"{model}patch_embed.backbone.", f"{model}blocks."
            stem, stages, inner = f"{backbone}stem.conv", f"{backbone}stages.", "blocks"
            positions, feed = f"{model}pos_embed", "mlp.fc1"
            reduce, head = f"{scratch}layer1_rn", f"{scratch}output_conv."
        else:
            part = PART["depth"]
            backbone, blocks = f"{part}dpt.embeddings.backbone.bit.", f"{part}dpt.encoder.layer."
            stem, stages = f"{backbone}embedder.convolution", f"{backbone}encoder.stages."
            inner, positions = "layers", f"{part}dpt.embeddings.position_embeddings"
            feed, reduce, head = "intermediate.dense", f"{part}neck.convs.0", f"{part}head.head."
        if not self._has(PART["depth"] if self._layout == "diffusers" else DEPTH):
            return None

        def stage(index: int) -> tuple[int, int]:
            at = f"{stages}{index}.{inner}."
            return self._count(at), self._shape(f"{at}0.conv3.weight", 4)[0]

        layers = self._count(blocks)
        _, places, width = self._shape(positions, 3)
        return DepthConfig(
            stem=self._shape(f"{stem}.weight", 4)[0],
            stages=(stage(0), stage(1), stage(2)),
            grid=self._side(positions, places),
            width=width,
            layers=layers,
            heads=self._number("darkroom.depth.heads", usual_tower_heads(width)),
            feed_width=self._shape(f"{blocks}0.{feed}.weight", 2)[0],
            taps=self._taps(layers),
            features=self._shape(f"{reduce}.weight", 4)[0],
            head=(self._shape(f"{head}0.weight", 4)[0], self._shape(f"{head}2.weight", 4)[0]),
            norm_groups=self._number("darkroom.depth.norm_groups", NORM_GROUPS),
        )

    def image_encoder(self) -> ImageEncoderConfig | None:
        """That of CLIP's image tower, if there is one."""
        published = self._layout == "published"
        part = IMAGE if published else PART["image_encoder"]
        if not self._has(part):
            return None
        if published:
            patches, positions = f"{part}conv1.weight", f"{part}positional_embedding"
            blocks, feed = f"{part}transformer.resblocks.", "mlp.c_fc"
        else:
            embeddings = f"{part}vision_model.embeddings."
            patches = f"{embeddings}patch_embedding.weight"
            positions = f"{embeddings}position_embedding.weight"
            blocks, feed = f"{part}vision_model.encoder.layers.", "mlp.fc1"
        width, _, patch, _ = self._shape(patches, 4)
        projection = self._shape(f"{part}{'proj' if published else 'visual_projection.weight'}", 2)
        # OpenAI's tower comes with its text tower beside it, OpenCLIP's without.
        usual: Activation = "quick_gelu" if self._has("embedder.model.transformer.") else "gelu"
        return ImageEncoderConfig(
            patch=patch,
            grid=self._side(positions, self._shape(positions, 2)[0]),
            width=width,
            layers=self._count(blocks),
            heads=self._number("darkroom.image_encoder.heads", IMAGE_HEADS),
            feed_width=self._shape(f"{blocks}0.{feed}.weight", 2)[0],
            embedding=projection[1 if published else 0],
            activation=self._activation("image_encoder", usual),
        )

    def latent_scale(self, usual: float) -> float:
        """`darkroom.latent_scale`: what latents are multiplied with after they are encoded."""
        return self._positive("darkroom.latent_scale", usual)

    def betas(self, usual: tuple[float, float]) -> tuple[float, float]:
        """`darkroom.beta_start` and `darkroom.beta_end` of the schedule of the training."""
        first = self._positive("darkroom.beta_start", usual[0])
        last = self._positive("darkroom.beta_end", usual[1])
        if not first <= last < 1:
            raise self._metadata_error("darkroom.beta_end")
        return first, last

    def noise_levels(self, usual: int) -> int:
        """`darkroom.noise_levels`: how many of them the model was trained for."""
        return self._number("darkroom.noise_levels", usual)

    def said(self, name: str) -> str:
        """One of our own entries in the metadata, empty where there is none."""
        text = self._metadata.get(name, "")
        if len(text) > MAX_SAID:
            raise self._metadata_error(name)
        return text

    def defaults(self) -> ModelDefaults:
        """`darkroom.defaults`: a JSON object with any of the fields of ModelDefaults."""
        said = self._json("darkroom.defaults", {})
        kinds: dict[str, type] = dict.fromkeys(("steps", "width", "height", "noise_level"), int)
        kinds |= {"sampler": str, "schedule": str}
        if not isinstance(said, dict) or not said.keys() <= {*kinds, "guidance"}:
            raise self._metadata_error("darkroom.defaults")
        if not _is_real(said.get("guidance", 0.0)):
            raise self._metadata_error("darkroom.defaults")
        if any(name in said and type(said[name]) is not kind for name, kind in kinds.items()):
            raise self._metadata_error("darkroom.defaults")
        return ModelDefaults(**said)

    def preview(self, latent_channels: int) -> tuple[tuple[float, float, float], ...]:
        """`darkroom.preview`: a JSON list of rows, one a latent channel and one of offsets."""
        rows = self._json("darkroom.preview", [])
        if not isinstance(rows, list) or len(rows) not in (0, latent_channels + 1):
            raise self._metadata_error("darkroom.preview")
        colours = []
        for row in rows:
            if not isinstance(row, list) or len(row) != 3 or not all(map(_is_real, row)):
                raise self._metadata_error("darkroom.preview")
            colours.append((float(row[0]), float(row[1]), float(row[2])))
        return tuple(colours)

    def _unet_outline(self) -> _Outline:
        if self._layout == "diffusers":
            unet = PART["unet"]
            starts = [f"{unet}down_blocks.{i}" for i in range(self._count(f"{unet}down_blocks."))]
            return _Outline(
                first=f"{unet}conv_in",
                last=f"{unet}conv_out",
                levels=[_Level(f"{at}.resnets.0.conv1", f"{at}.attentions.0") for at in starts],
                blocks=self._count(f"{unet}down_blocks.0.resnets."),
                middle=f"{unet}mid_block.attentions.0",
            )
        numbers = self._unet_levels()
        starts = [f"{UNET}input_blocks.{level[0]}" for level in numbers]
        return _Outline(
            first=f"{UNET}input_blocks.0.0",
            last=f"{UNET}out.2",
            levels=[_Level(f"{at}.0.in_layers.2", f"{at}.1") for at in starts],
            blocks=len(numbers[0]),
            middle=f"{UNET}middle_block.1",
        )

    def _unet_levels(self) -> list[list[int]]:
        """Numbers of the input blocks at each resolution; halvings stand between them."""
        levels: list[list[int]] = [[]]
        for number in range(1, self._count(f"{UNET}input_blocks.")):
            if self._has(f"{UNET}input_blocks.{number}.0.op."):
                levels.append([])
            else:
                levels[-1].append(number)
        # Unequal levels also would make few names stand for endlessly many blocks.
        if len({len(level) for level in levels}) != 1 or not levels[0]:
            raise broken(self._source, f"{UNET}input_blocks are out of order")
        return levels

    def _looks_inward(self, attention: str) -> bool:
        """Whether the first attention of a block looks at the image, not at the text."""
        attn1 = f"{attention}.transformer_blocks.0.attn1"
        if f"{attn1}.to_k.weight" not in self._tensors:
            return True
        return (
            self._shape(f"{attn1}.to_k.weight", 2)[1] == self._shape(f"{attn1}.to_q.weight", 2)[1]
        )

    def _label(self) -> tuple[int | None, int | None]:
        """How many numbers, or how wide a vector, the U-Net is told beside the time."""
        published = self._layout == "published"
        at = f"{UNET}label_emb." if published else f"{PART['unet']}class_embedding."
        if f"{at}weight" in self._tensors:
            return self._shape(f"{at}weight", 2)[0], None
        if self._has(at):
            return None, self._shape(f"{at}{'0.0' if published else 'linear_1'}.weight", 2)[1]
        return None, None

    def _side(self, name: str, places: int) -> int:
        """Of a square of so many places and one for the class."""
        side = math.isqrt(places - 1)
        if not side or side**2 + 1 != places:
            raise broken(self._source, f"{name} is of no square")
        return side

    def _taps(self, layers: int) -> tuple[int, int]:
        """`darkroom.depth.taps`: the last two are those of the transformer."""
        said = self._metadata.get("darkroom.depth.taps")
        if said is None:
            return usual_taps(layers)
        if not re.fullmatch(r"\d{1,2}(,\d{1,2}){1,3}", said):
            raise self._metadata_error("darkroom.depth.taps")
        first, second = map(int, said.split(",")[-2:])
        if not first < second < layers:
            raise self._metadata_error("darkroom.depth.taps")
        return first, second

    def _activation(self, network: str, usual: Activation) -> Activation:
        said = self._metadata.get(f"darkroom.{network}.activation", usual)
        if said not in {"quick_gelu", "gelu"}:
            raise self._metadata_error(f"darkroom.{network}.activation")
        return "gelu" if said == "gelu" else "quick_gelu"

    def _info(self, name: str) -> TensorInfo:
        info = self._tensors.get(name)
        if info is None:
            raise broken(self._source, f"{name} is missing")
        return info

    def _shape(self, name: str, rank: int) -> tuple[int, ...]:
        shape = self._info(name).shape
        if len(shape) != rank or 0 in shape:
            raise broken(self._source, f"{name} has the impossible shape {list(shape)}")
        return shape

    def _has(self, prefix: str) -> bool:
        return any(name.startswith(prefix) for name in self._tensors)

    def _count(self, prefix: str) -> int:
        """One more than the highest number that follows `prefix`; a gap is found by the layout."""
        # Two digits: a lying name must not make us expect a million blocks.
        number = re.compile(re.escape(prefix) + r"(\d{1,2})\.")
        return 1 + max((int(m[1]) for m in map(number.match, self._tensors) if m), default=-1)

    def _number(self, name: str, usual: int) -> int:
        said = self._metadata.get(name, str(usual))
        if not re.fullmatch(r"[1-9]\d{0,3}", said):
            raise self._metadata_error(name)
        return int(said)

    def _numbers(self, name: str, usual: tuple[int, ...]) -> tuple[int, ...]:
        """As many numbers as `usual` has, or one that stands for all of them."""
        said = self._metadata.get(name)
        if said is None:
            return usual
        if not re.fullmatch(r"[1-9]\d{0,3}(,[1-9]\d{0,3}){0,99}", said):
            raise self._metadata_error(name)
        numbers = tuple(map(int, said.split(",")))
        if len(numbers) not in {1, len(usual)}:
            raise self._metadata_error(name)
        return numbers * len(usual) if len(numbers) == 1 else numbers

    def _positive(self, name: str, usual: float) -> float:
        value = self._json(name, usual)
        if not _is_real(value) or not float(value) > 0:
            raise self._metadata_error(name)
        return float(value)

    def _json(self, name: str, usual: object) -> object:
        if name not in self._metadata:
            return usual
        try:
            value: object = json.loads(self.said(name))
        except (ValueError, RecursionError) as error:
            raise self._metadata_error(name) from error
        return value

    def _metadata_error(self, name: str) -> ModelError:
        return broken(self._source, f"its metadata {name} cannot be understood")


def _is_real(value: object) -> TypeGuard[int | float]:
    """Whether JSON's value is a number that a float can hold (its integers have no bounds)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max

"""From a header to a ModelSpec: what a checkpoint is, by structure, or why it cannot be used.

Three verdicts: a ModelSpec; *not mine* (another family, refused by its name); *mine but broken*
(the first key that is missing, misshapen or too many is named).  No torch.
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from darkroom.checkpoints import layouts
from darkroom.checkpoints.families import refuse_other_families
from darkroom.checkpoints.layouts import AUTOENCODER, UNET, broken, text_prefix
from darkroom.checkpoints.prediction import prediction_of
from darkroom.checkpoints.tensors import Header, TensorInfo
from darkroom.contracts import (
    AutoencoderConfig,
    ModelDefaults,
    ModelSpec,
    Prediction,
    TextEncoderConfig,
    UNetConfig,
)
from darkroom.errors import ModelError

LATENT_SCALE = 0.18215
NATIVE_LATENTS = 64  # Stable Diffusion 1 was trained on latents of 64 × 64.
NORM_GROUPS = 32
CONVOLUTION_HEADS = 8
HEAD_WIDTH = 64

MAX_PIXELS = 8192
# Characters of one `darkroom.*` entry: all of CLIP's merges take half of it, and what is read out
# of it takes many times as much memory.
MAX_SAID = 2**20

_RESOLUTION = re.compile(r"\s*(\d{1,5})\s*x\s*(\d{1,5})\s*")


def detect(header: Header, path: Path, *, prediction: Prediction | None = None) -> ModelSpec:
    """What the checkpoint at `path` with this header is.

    Every size comes from the tensors' shapes; what no shape tells (groups of the norms, heads that
    differ from the published ones) may stand in the file's metadata as `darkroom.*`.
    `prediction` is the user's word on eps or v, which goes before everything the file says.

    Raises ModelError: another family of models, by name, or a broken one, naming the first key.
    """
    refuse_other_families(header, path.name)
    reader = _Reader(header, path.name)
    try:
        text_encoder = reader.text_encoder()
        unet = reader.unet()
        autoencoder = reader.autoencoder()
    except ValueError as error:  # Sizes that no network can have.
        raise broken(path.name, str(error)) from error
    rows = layouts.sd1_rows(
        text_encoder, unet, autoencoder, text_prefix=text_prefix(header.tensors)
    )
    tensors = layouts.match(rows, header.tensors, path.name).values()
    _check_fit(text_encoder, unet, autoencoder, path.name)
    said, reason = prediction_of(header, path, prediction)
    width, height = _native_size(header.metadata, unet, autoencoder)
    return ModelSpec(
        name=path.stem,
        path=path,
        family="sd1",
        task="txt2img",
        text_encoder=text_encoder,
        autoencoder=autoencoder,
        unet=unet,
        prediction=said,
        prediction_reason=reason,
        zero_terminal_snr="ztsnr" in header.tensors or header.metadata.get("ztsnr") == "true",
        latent_scale=LATENT_SCALE,
        native_width=width,
        native_height=height,
        parameters=sum(info.elements for info in tensors),
        stored_bytes=sum(info.stored_bytes for info in tensors),
        ema=layouts.has_averages(rows, header.tensors),
        demonstration=header.metadata.get("darkroom.demonstration") == "true",
        defaults=reader.defaults(),
        merges=tuple(reader.said("darkroom.tokenizer.merges").splitlines()),
        words=tuple(reader.said("darkroom.words").split()),
        preview=reader.preview(autoencoder.latent_channels),
    )


def hidden_sizes(
    text_encoder: TextEncoderConfig, unet: UNetConfig, autoencoder: AutoencoderConfig
) -> dict[str, str]:
    """Metadata that tells `detect` what no shape does, where it is not as published."""
    said = {
        "darkroom.unet.norm_groups": (unet.norm_groups, NORM_GROUPS),
        "darkroom.autoencoder.norm_groups": (autoencoder.norm_groups, NORM_GROUPS),
        "darkroom.text_encoder.heads": (text_encoder.heads, text_encoder.width // HEAD_WIDTH),
        "darkroom.unet.heads": (unet.heads[0], CONVOLUTION_HEADS),
    }
    if len(set(unet.heads)) != 1:
        raise ValueError(f"the published layout has as many heads everywhere, not {unet.heads}")
    return {name: str(value) for name, (value, usual) in said.items() if value != usual}


class _Reader:
    """Reads sizes out of one header; `source` is the file's name in errors."""

    def __init__(self, header: Header, source: str) -> None:
        self._tensors = header.tensors
        self._metadata = header.metadata
        self._source = source

    def text_encoder(self) -> TextEncoderConfig:
        prefix = text_prefix(self._tensors)
        vocabulary, width = self._shape(f"{prefix}embeddings.token_embedding.weight", 2)
        length, _ = self._shape(f"{prefix}embeddings.position_embedding.weight", 2)
        feed_width, _ = self._shape(f"{prefix}encoder.layers.0.mlp.fc1.weight", 2)
        return TextEncoderConfig(
            vocabulary=vocabulary,
            context_length=length,
            width=width,
            layers=self._count(f"{prefix}encoder.layers."),
            heads=self._number("darkroom.text_encoder.heads", width // HEAD_WIDTH),
            feed_width=feed_width,
            activation="quick_gelu",
        )

    def unet(self) -> UNetConfig:
        levels = self._unet_levels()
        starts = [f"{UNET}input_blocks.{level[0]}" for level in levels]
        widths = tuple(self._shape(f"{at}.0.in_layers.2.weight", 4)[0] for at in starts)
        middle = f"{UNET}middle_block.1"
        linear = len(self._info(f"{middle}.proj_in.weight").shape) == 2
        _, context_width = self._shape(f"{middle}.transformer_blocks.0.attn2.to_k.weight", 2)
        usual = [width // HEAD_WIDTH if linear else CONVOLUTION_HEADS for width in widths]
        return UNetConfig(
            in_channels=self._shape(f"{UNET}input_blocks.0.0.weight", 4)[1],
            out_channels=self._shape(f"{UNET}out.2.weight", 4)[0],
            widths=widths,
            blocks=len(levels[0]),
            depths=tuple(self._count(f"{at}.1.transformer_blocks.") for at in starts),
            middle_depth=self._count(f"{middle}.transformer_blocks."),
            self_attention=tuple(self._looks_inward(f"{at}.1") for at in starts),
            heads=tuple(self._number("darkroom.unet.heads", heads) for heads in usual),
            context_width=context_width,
            norm_groups=self._number("darkroom.unet.norm_groups", NORM_GROUPS),
        )

    def autoencoder(self) -> AutoencoderConfig:
        down = f"{AUTOENCODER}encoder.down."
        levels = range(max(self._count(down), 1))
        return AutoencoderConfig(
            in_channels=self._shape(f"{AUTOENCODER}encoder.conv_in.weight", 4)[1],
            latent_channels=self._shape(f"{AUTOENCODER}post_quant_conv.weight", 4)[0],
            widths=tuple(self._shape(f"{down}{i}.block.0.conv1.weight", 4)[0] for i in levels),
            blocks=self._count(f"{down}0.block."),
            norm_groups=self._number("darkroom.autoencoder.norm_groups", NORM_GROUPS),
        )

    def said(self, name: str) -> str:
        """One of our own entries in the metadata, empty where there is none."""
        text = self._metadata.get(name, "")
        if len(text) > MAX_SAID:
            raise self._metadata_error(name)
        return text

    def defaults(self) -> ModelDefaults:
        """`darkroom.defaults`: a JSON object with any of the fields of ModelDefaults."""
        said = self._json("darkroom.defaults", {})
        kinds = {"steps": int, "width": int, "height": int, "sampler": str, "schedule": str}
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


def _is_real(value: object) -> bool:
    """Whether JSON's value is a number that a float can hold (its integers have no bounds)."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max


def _check_fit(
    text_encoder: TextEncoderConfig, unet: UNetConfig, autoencoder: AutoencoderConfig, source: str
) -> None:
    """The three networks must speak of the same things."""
    if unet.context_width != text_encoder.width:
        raise broken(
            source,
            f"its U-Net expects text of width {unet.context_width}, "
            f"its text encoder gives {text_encoder.width}",
        )
    if {unet.in_channels, unet.out_channels} != {autoencoder.latent_channels}:
        raise broken(
            source,
            f"its U-Net has {unet.in_channels} channels, "
            f"its autoencoder {autoencoder.latent_channels}",
        )
    if autoencoder.in_channels != 3:
        raise broken(source, f"its images have {autoencoder.in_channels} colours")


def _native_size(
    metadata: Mapping[str, str], unet: UNetConfig, autoencoder: AutoencoderConfig
) -> tuple[int, int]:
    """Pixels the model was trained on: its own word if it can be meant, else 64 × 64 latents."""
    said = _RESOLUTION.fullmatch(metadata.get("modelspec.resolution", ""))
    if said:
        width, height = int(said[1]), int(said[2])
        multiple = autoencoder.factor * unet.multiple
        if all(0 < n <= MAX_PIXELS and n % multiple == 0 for n in (width, height)):
            return width, height
    side = NATIVE_LATENTS * autoencoder.factor
    return side, side

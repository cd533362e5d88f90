"""What one evaluation of each network costs, computed from its configuration alone.

A network is walked as its `forward` runs, counting what takes the time (convolutions, products of
matrices, attention) and remembering the moment at which most values are alive.  Letters: area =
positions, height times width; C width of a level.
"""

from dataclasses import dataclass

from darkroom.contracts import (
    AutoencoderConfig,
    DepthConfig,
    ImageEncoderConfig,
    TextEncoderConfig,
    UNetConfig,
)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One evaluation on one row of a batch.

    `flops`: multiplications and additions.  `values`: numbers alive at the fullest moment,
    weights not counted.  `largest`: numbers in the largest weight.  `kernels`: calls of the kind
    that is counted, for what each call costs beyond its arithmetic.
    """

    flops: int
    values: int
    largest: int
    kernels: int


def text_cost(config: TextEncoderConfig) -> Cost:
    """The text tower on one prompt."""
    tally, tokens, width = _Tally(), config.context_length, config.width
    for _ in range(config.layers):
        tally.attention(width, width, tokens, tokens)
        tally.linear(width, config.feed_width, tokens)
        tally.linear(config.feed_width, width, tokens)
    tally.moment((2 * width + 3 * config.feed_width) * tokens)
    return tally.cost()


def unet_cost(config: UNetConfig, height: int, width: int, tokens: int) -> Cost:
    """The U-Net on one latent of this height and width, with so many text tokens."""
    tally, area, widths = _Tally(), height * width, config.widths
    tally.linear(widths[0], config.time_width, 1)
    tally.linear(config.time_width, config.time_width, 1)
    tally.conv(config.in_channels, widths[0], area)
    skips = [widths[0] * area]
    tally.held = skips[0]
    before = widths[0]
    for index, level_width in enumerate(widths):
        for _ in range(config.blocks):
            _resblock(tally, before, level_width, area, config.time_width)
            _attention(tally, config, index, area, tokens)
            before = level_width
            skips.append(before * area)
            tally.held += skips[-1]
        if index < len(widths) - 1:
            area //= 4
            tally.conv(before, before, area)
            skips.append(before * area)
            tally.held += skips[-1]
    _resblock(tally, before, before, area, config.time_width)
    _transformer(tally, config, len(widths) - 1, config.middle_depth, area, tokens)
    _resblock(tally, before, before, area, config.time_width)
    for index in reversed(range(len(widths))):
        for _ in range(config.blocks + 1):
            skip = skips.pop()
            tally.held += before * area - skip
            joined = before + skip // area
            _resblock(tally, joined, widths[index], area, config.time_width)
            tally.held += joined * area  # what a call was given stays until it returns
            _attention(tally, config, index, area, tokens)
            tally.held -= (before + joined) * area
            before = widths[index]
        if index > 0:
            area *= 4
            tally.conv(before, before, area)
            tally.moment(2 * before * area + before * area // 4)
    tally.conv(widths[0], config.out_channels, area)
    return tally.cost()


def encoder_cost(config: AutoencoderConfig, height: int, width: int) -> Cost:
    """The autoencoder's way from pixels of this height and width to their latent."""
    tally, area, widths = _Tally(), height * width, config.widths
    tally.conv(config.in_channels, widths[0], area)
    before = widths[0]
    for index, level_width in enumerate(widths):
        entered = before * area
        for _ in range(config.blocks):
            _resblock(tally, before, level_width, area)
            before = level_width
            tally.held = entered  # by the loop over the levels, to the end of this one
        if index < len(widths) - 1:
            tally.moment(2 * before * area)  # padded by hand
            area //= 4
            tally.conv(before, before, area)
        tally.held = 0
    _autoencoder_middle(tally, before, area)
    moments = 2 * config.latent_channels
    tally.conv(before, moments, area)
    tally.conv(moments, moments, area, kernel=1)
    return tally.cost()


def decoder_cost(config: AutoencoderConfig, height: int, width: int) -> Cost:
    """The autoencoder's way from a latent to pixels of this height and width."""
    tally, widths = _Tally(), config.widths[::-1]
    area = height * width // config.factor**2
    tally.conv(config.latent_channels, config.latent_channels, area, kernel=1)
    before = widths[0]
    tally.conv(config.latent_channels, before, area)
    _autoencoder_middle(tally, before, area)
    for index, level_width in enumerate(widths):
        for _ in range(config.blocks + 1):
            _resblock(tally, before, level_width, area)
            before = level_width
        if index < len(widths) - 1:
            area *= 4
            tally.conv(before, before, area)
            tally.moment(2 * before * area + before * area // 4)
    tally.moment(3 * before * area)
    tally.conv(before, config.in_channels, area)
    return tally.cost()


def image_cost(config: ImageEncoderConfig) -> Cost:
    """The image tower on one picture."""
    tally, patches = _Tally(), config.grid**2
    tally.linear(3 * config.patch**2, config.width, patches)
    _vision_blocks(tally, config.layers, config.width, config.feed_width, patches + 1)
    tally.linear(config.width, config.embedding, 1)
    return tally.cost()


def depth_cost(config: DepthConfig, height: int, width: int) -> Cost:
    """The depth network on a picture of this height and width in pixels."""
    tally, area = _Tally(), height * width
    tally.conv(3, config.stem, area // 4, kernel=7)
    tally.moment(3 * config.stem * area // 4)
    before, at = config.stem, area // 16
    for index, (blocks, stage_width) in enumerate(config.stages):
        at = at if index == 0 else at // 4
        narrow = stage_width // 4
        for block in range(blocks):
            tally.conv(before, narrow, at, kernel=1)
            tally.conv(narrow, narrow, at)
            tally.conv(narrow, stage_width, at, kernel=1)
            if block == 0:
                tally.conv(before, stage_width, at, kernel=1)
            tally.moment(4 * stage_width * at)
            before = stage_width
    tally.conv(before, config.width, at, kernel=1)
    _vision_blocks(tally, max(config.taps) + 1, config.width, config.feed_width, at + 1)
    for _ in config.taps:
        tally.linear(2 * config.width, config.width, at)
        tally.conv(config.width, config.width, at, kernel=1)
    tally.conv(config.width, config.width, at // 4)
    features, (first, second) = config.features, config.head
    widths = (config.stages[0][1], config.stages[1][1], config.width, config.width)
    for level, level_width in enumerate(widths):
        at = area // 16 // 4**level
        tally.conv(level_width, features, at)
        for _ in range(2 if level == len(widths) - 1 else 4):
            tally.conv(features, features, at)
        tally.conv(features, features, 4 * at, kernel=1)
        tally.moment(9 * features * at)
    tally.conv(features, first, area // 4)
    tally.conv(first, second, area)
    tally.conv(second, 1, area, kernel=1)
    tally.moment((first + 2 * second) * area)
    return tally.cost()


class _Tally:
    """Sums and the maximum, while a network is walked; `held` outlives the layer at hand."""

    def __init__(self) -> None:
        self.flops = self.kernels = self.largest = self.held = self.values = 0

    def linear(self, before: int, width: int, rows: int) -> None:
        self.flops += 2 * before * width * rows
        self.kernels += 1
        self.largest = max(self.largest, before * width)

    def conv(self, before: int, width: int, area: int, kernel: int = 3) -> None:
        self.linear(before * kernel**2, width, area)

    def attention(self, width: int, context_width: int, queries: int, keys: int) -> None:
        """Projections of queries, keys, values and output, and the two products."""
        self.linear(width, width, queries)
        self.linear(context_width, 2 * width, keys)
        self.linear(width, width, queries)
        self.flops += 4 * queries * keys * width
        self.kernels += 1

    def moment(self, values: int) -> None:
        self.values = max(self.values, self.held + values)

    def cost(self) -> Cost:
        return Cost(
            flops=self.flops, values=self.values, largest=self.largest, kernels=self.kernels
        )


def _resblock(tally: _Tally, before: int, width: int, area: int, time_width: int = 0) -> None:
    tally.conv(before, width, area)
    tally.conv(width, width, area)
    if time_width:
        tally.linear(time_width, width, 1)
    if before != width:
        tally.conv(before, width, area, kernel=1)
    # Input, normalised and activated; or input, first result, normalised and activated.
    tally.moment(max(3 * before, before + 3 * width) * area)


def _vision_blocks(tally: _Tally, layers: int, width: int, feed_width: int, tokens: int) -> None:
    for _ in range(layers):
        tally.attention(width, width, tokens, tokens)
        tally.linear(width, feed_width, tokens)
        tally.linear(feed_width, width, tokens)
    tally.moment((2 * width + 3 * feed_width) * tokens)


def _attention(tally: _Tally, config: UNetConfig, index: int, area: int, tokens: int) -> None:
    if config.depths[index]:
        _transformer(tally, config, index, config.depths[index], area, tokens)


def _transformer(
    tally: _Tally, config: UNetConfig, index: int, depth: int, area: int, tokens: int
) -> None:
    width = config.widths[index]
    tally.linear(width, width, area)
    for _ in range(depth):
        if config.self_attention[index]:
            tally.attention(width, width, area, area)
        else:
            tally.attention(width, config.context_width, area, tokens)
        tally.attention(width, config.context_width, area, tokens)
        tally.linear(width, 8 * width, area)
        tally.linear(4 * width, width, area)
    tally.linear(width, width, area)
    # The gated feed-forward: 8 C of value and gate, 4 C activated, 4 C multiplied; and 4 C of the
    # layer's and the block's input, its residual and what its first attention saw.
    tally.moment(20 * width * area)


def _autoencoder_middle(tally: _Tally, width: int, area: int) -> None:
    _resblock(tally, width, width, area)
    tally.attention(width, width, area, area)
    tally.moment(6 * width * area)
    _resblock(tally, width, width, area)

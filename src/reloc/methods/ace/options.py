"""What a user may choose about mapping, and the presets."""

import math
from dataclasses import dataclass, replace
from typing import Literal

from reloc.errors import OptionError
from reloc.maps.head_limits import check_mlp_options
from reloc.maps.scene_map import LEAST_VIEWS, MAX_REGIONS, MAX_VIEWS
from reloc.methods.until import Until

Preset = Literal["draft", "standard", "full"]

# Of one head alone: with 10,000 landmarks the map is not larger than one whose head is as wide as
# that of ACE (512, section 3.2) without.
FULL_WIDTH = 480
# A narrower head no longer holds even a small part of a place: with very many heads the map grows.
LEAST_WIDTH = 112
# A time limit below this leaves nothing to train in.
LEAST_SECONDS = 5.0
# Of what the frames look like a map keeps so many samples, or LEAST_VIEWS for each head.
VIEWS_OF_MAP = 256


@dataclass(frozen=True)
class MappingOptions:
    """How to map a scene.

    Attributes:
        heads: the place is parted among so many; None lets what is seen of it decide.
        views: views (plain or augmented) that the buffer takes of all frames together, at most: in
            a short training fewer. One of each frame at least.
        steps: training steps of each head, at most: it ends earlier where more of them do not make
            the map better, or ``until`` is reached. With ``time_limit`` that is the bound.
        batch: features per step.
        time_limit: seconds from the first image to the finished map, at most, shared by all heads;
            plans buffer and steps.
        until: what mapping frames that are held back have to reach, see ``methods.until``; by
            default mapping goes on as long as they gain by it.
        width: of the heads' hidden layers; None keeps the map at about 4 MB, see ``head_width``.
        blocks: residual blocks of a head.
        short_side: images are resampled to this short side in pixels.
        cells_per_view: features drawn from one view.
        buffer_gb: memory for the feature buffer, in GB.
        seed: of everything random; the same seed gives the same map on a CPU.
    """

    heads: int | None = None
    views: int = 2400
    steps: int = 3000
    batch: int = 3072
    time_limit: float | None = None
    until: str | None = None
    width: int | None = None
    blocks: int = 2
    short_side: int = 480
    cells_per_view: int = 1024
    buffer_gb: float = 2.0
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("views", "steps", "batch", "cells_per_view", "buffer_gb")
        for name in positive:
            if not getattr(self, name) > 0:
                raise OptionError(f"{name.replace('_', '-')} must be positive")
        if self.heads is not None and not 1 <= self.heads <= MAX_REGIONS:
            raise OptionError(f"heads must be 1 to {MAX_REGIONS}, or auto")
        if self.seed < 0:
            raise OptionError("seed must not be negative")
        if self.time_limit is not None and not LEAST_SECONDS <= self.time_limit <= 7 * 86400:
            raise OptionError("time-limit must be between 5 seconds and a week")
        if self.until is not None:
            Until.parsed(self.until)
        check_mlp_options(
            width=FULL_WIDTH if self.width is None else self.width,
            blocks=self.blocks,
            short_side=self.short_side,
            least_side=64,
        )


PRESETS: dict[Preset, MappingOptions] = {
    "draft": MappingOptions(views=500, steps=600),
    "standard": MappingOptions(views=2400, steps=3000),
    "full": MappingOptions(views=8000, steps=25000, batch=5120, buffer_gb=8.0),
}


def preset_options(preset: Preset, **changes: object) -> MappingOptions:
    """A preset with some options changed.

    Raises:
        OptionError: unknown preset or impossible value.
    """
    if preset not in PRESETS:
        raise OptionError(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    return replace(PRESETS[preset], **changes)  # type: ignore[arg-type]


def head_width(heads: int, *, channels: int, blocks: int) -> int:
    """Width at which so many heads together have the weights of a single one of full width.

    Narrow heads that know a part of the place each are more accurate than one that knows all of it,
    at the same size and after the same time: docs/large-places.md.

    Args:
        heads: how many.
        channels: length of a feature.
        blocks: residual blocks, three layers each, beside the first and the last hidden layer.
    """
    square = 3 * blocks + 1
    share = FULL_WIDTH * (channels + square * FULL_WIDTH) / heads
    width = (math.sqrt(channels**2 + 4 * square * share) - channels) / (2 * square)
    # Matrix products like multiples of eight.
    return max(LEAST_WIDTH, 8 * math.floor(width / 8))


def views_of_head(heads: int) -> int:
    """How many views a map of so many heads keeps of the region of each, at most."""
    return min(MAX_VIEWS, max(LEAST_VIEWS, VIEWS_OF_MAP // heads))

"""What a user may choose about training a whole network on one scene."""

from dataclasses import dataclass
from typing import Literal

from reloc.errors import OptionError
from reloc.maps.head_limits import check_mlp_options

Supervision = Literal["rgb", "depth", "rgbd"]


@dataclass(frozen=True)
class DsacStarOptions:
    """How a network is trained; the defaults are those of the paper (DSAC*, section 4.1).

    Attributes:
        supervision: ``rgb`` needs poses alone; ``depth`` has depth images, or the points of a
            COLMAP model, teach the first stage; ``rgbd`` learns from depth images only, for queries
            with depth.
        steps: one image each, of both stages together, unless ``time_limit`` is given.
        time_limit: seconds from the first image to the map.
        end_to_end: share of the steps, or of the time, that trains for the pose.
        learning_rate: of Adam in the first stage.
        pose_learning_rate: of Adam in the second.
        hypotheses: poses per step of the second stage.
        cells: of an image that take part in the second stage, at most.
        threshold: of a soft inlier, in pixels of a view with a short side of 480.
        depth_threshold: the same with ``rgbd``, as a share of the measured depth.
        width: of the head's hidden layers.
        blocks: residual blocks of the head.
        short_side: images are resampled to this short side in pixels.
        seed: of everything random.
    """

    supervision: Supervision = "rgb"
    steps: int = 1_100_000
    time_limit: float | None = None
    end_to_end: float = 1 / 11
    learning_rate: float = 1e-4
    pose_learning_rate: float = 1e-6
    hypotheses: int = 64
    cells: int = 4800
    threshold: float = 10.0
    depth_threshold: float = 0.04
    width: int = 512
    blocks: int = 2
    short_side: int = 480
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "learning_rate",
            "pose_learning_rate",
            "hypotheses",
            "threshold",
            "depth_threshold",
        ):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name.replace('_', '-')} must be positive")
        if self.supervision not in ("rgb", "depth", "rgbd"):
            raise OptionError("supervision is rgb, depth or rgbd")
        if not 0 <= self.end_to_end <= 1:
            raise OptionError("end-to-end is a share, from 0 to 1")
        if self.cells < 16:
            raise OptionError("cells must be at least 16")
        if self.seed < 0:
            raise OptionError("seed must not be negative")
        check_mlp_options(
            width=self.width, blocks=self.blocks, short_side=self.short_side, least_side=32
        )
        if self.time_limit is not None and not 5 <= self.time_limit <= 30 * 86400:
            raise OptionError("time-limit must be between 5 seconds and 30 days")

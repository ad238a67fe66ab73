"""What a user may choose about refining a map for the pose."""

from dataclasses import dataclass

from reloc.errors import OptionError


@dataclass(frozen=True)
class RefineMapOptions:
    """How a map is refined end to end.

    Attributes:
        steps: training steps, unless ``time_limit`` is given.
        time_limit: seconds from the first image to the refined map.
        views: views whose features are kept to train on.
        cells: of each view.
        batch: views per step.
        hypotheses: poses per view and step.
        learning_rate: of Adam, for heads; it falls as a cosine.
        train_backbone: train a copy of the backbone along with all heads, which the map then holds.
            Views are then read anew for every step.
        backbone_learning_rate: of that copy, likewise.
        threshold: of a soft inlier, in pixels of a view with a short side of 480.
        reprojection: weight of the bounded reprojection error in pixels beside the pose loss. It
            keeps the head from fitting the poses of its mapping views by cells that are wrong.
        seed: of everything random.
    """

    steps: int = 150
    time_limit: float | None = None
    views: int = 500
    cells: int = 1000
    batch: int = 4
    hypotheses: int = 16
    learning_rate: float = 1e-4
    train_backbone: bool = False
    backbone_learning_rate: float = 1e-5
    threshold: float = 10.0
    reprojection: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "views",
            "batch",
            "hypotheses",
            "learning_rate",
            "backbone_learning_rate",
            "threshold",
        ):
            if not getattr(self, name) > 0:
                raise OptionError(f"{name.replace('_', '-')} must be positive")
        if self.cells < 16:
            raise OptionError("cells must be at least 16")
        if self.seed < 0 or not self.reprojection >= 0:
            raise OptionError("seed and reprojection must not be negative")
        if self.time_limit is not None and not 5 <= self.time_limit <= 7 * 86400:
            raise OptionError("time-limit must be between 5 seconds and a week")

"""What is decided of a mapping before it begins: its frames, its landmarks, and its time."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from reloc.landmarks.building import LandmarkOptions
from reloc.methods.ace.options import LEAST_SECONDS, MappingOptions
from reloc.methods.ace.training import TrainingSnapshot
from reloc.methods.dsacstar.options import DsacStarOptions
from reloc.methods.held_back import PartedScene, part
from reloc.methods.landmarks import (
    MadeLandmarks,
    landmark_seconds,
    make_landmarks,
)
from reloc.methods.ridge.options import RidgeOptions
from reloc.progress import Progress, silent
from reloc.reconstruct.preview import preview_seconds, preview_views
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, Scene, posed

# The method goes by the type: heads trained on features (ACE), fitted in closed form, or a whole
# network trained on the scene (DSAC*).
MethodOptions: TypeAlias = MappingOptions | RidgeOptions | DsacStarOptions

# Frames that a finished map is measured on, at most; and a cautious guess for two cores, by which
# a time limit is planned.
CHECKED = 24
SECONDS_PER_CHECKED = 0.4
SHARE_OF_LIMIT = 0.06


@dataclass(frozen=True)
class MappingPlan:
    """What a map is made from, and where the time for it goes.

    Attributes:
        frames: all mapping frames of the scene.
        parted: the scene, in frames to learn from and frames that are held back.
        options: of the method, for the whole mapping.
        landmarks: how many, and how they are made.
    """

    frames: tuple[Frame, ...]
    parted: PartedScene
    options: MethodOptions
    landmarks: LandmarkOptions

    @property
    def time_limit(self) -> float | None:
        """Of the whole mapping, in seconds; None if there is none."""
        return _time_limit(self.options)

    @property
    def training_options(self) -> MethodOptions:
        """The options, with the time for all but landmarks, preview points and measuring."""
        if isinstance(self.options, RidgeOptions) or self.options.time_limit is None:
            return self.options
        limit = self.options.time_limit
        after = preview_seconds(limit) + SECONDS_PER_CHECKED * self._checked
        if self.landmarks.count:
            after += landmark_seconds(self.frames, limit)
        return replace(self.options, time_limit=max(limit - after, min(limit, LEAST_SECONDS)))

    @property
    def preview_views(self) -> int:
        """How many views the preview points are taken from."""
        return preview_views(self.time_limit)

    @property
    def measured(self) -> tuple[Frame, ...]:
        """Frames to measure the finished map on: those held back or, without any, some others."""
        # Of those that heads learned from a few tell enough.
        few = -(-self._checked // 2)
        return evenly(self.parted.held_back, self._checked) or evenly(
            posed(self.parted.learned.mapping), few
        )

    @property
    def _checked(self) -> int:
        if self.time_limit is None:
            return CHECKED
        return min(CHECKED, max(1, int(SHARE_OF_LIMIT * self.time_limit / SECONDS_PER_CHECKED)))

    def made_landmarks(self, depth: float, *, progress: Progress = silent) -> MadeLandmarks:
        """The landmarks of the map.

        Args:
            depth: typical depth of the scene, in scene units.
            progress: told of views and pairs.
        """
        return make_landmarks(
            self.frames,
            depth=depth,
            options=self.landmarks,
            held_back=self.parted.held_back,
            time_limit=self.time_limit,
            progress=progress,
        )

    def of_all_frames(
        self, callback: Callable[[TrainingSnapshot], None]
    ) -> Callable[[TrainingSnapshot], None]:
        """A callback whose learners have rows of all posed frames; those held back go with them."""

        def told(snapshot: TrainingSnapshot) -> None:
            learners = tuple(
                replace(learner, frames=self.parted.with_held_back(learner.frames))
                for learner in snapshot.learners
            )
            callback(replace(snapshot, learners=learners))

        return told


def plan_mapping(
    scene: Scene,
    options: MethodOptions,
    landmarks: LandmarkOptions,
) -> MappingPlan:
    """Plans the mapping of a scene.

    Args:
        scene: its ``mapping`` frames are used.
        options: of the method.
        landmarks: how many, and how they are made.
    """
    return MappingPlan(scene.mapping, part(scene), options, landmarks)


def _time_limit(options: MethodOptions) -> float | None:
    return None if isinstance(options, RidgeOptions) else options.time_limit

"""The landmarks of a map that is made: from which frames, within a time limit."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from reloc.landmarks.building import (
    LandmarkOptions,
    ObservedLandmarks,
    landmarks_of,
    matched_frames,
)
from reloc.landmarks.keypoints import searched_scale
from reloc.landmarks.landmarks import Landmarks
from reloc.mapping.result import MappingResult
from reloc.maps import SceneMap
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, posed

# A cautious guess for two cores, by which a time limit is planned: of a frame, and of a million of
# its pixels. No clock has a say: how many frames are looked at is the same on all machines.
SECONDS_PER_FRAME, SECONDS_PER_MEGAPIXEL = 0.04, 0.1
SHARE_OF_LIMIT = 0.25
# Fewer views confirm no match.
LEAST_FRAMES = 3
# A landmark is made of so many views at least, and of so many others where one is left out.
OTHER_VIEWS = 2


def landmark_frames(frames: Sequence[Frame], time_limit: float | None) -> tuple[Frame, ...]:
    """The frames to make landmarks from: all, or as many as a time limit leaves time for.

    Args:
        frames: the mapping frames.
        time_limit: of the whole mapping, in seconds; None if there is none.
    """
    usable = posed(frames)
    if time_limit is None or not usable:
        return usable
    most = int(len(usable) * SHARE_OF_LIMIT * time_limit / _seconds(usable))
    return evenly(usable, most) if most >= LEAST_FRAMES else ()


def landmark_seconds(frames: Sequence[Frame], time_limit: float) -> float:
    """How much of a time limit, in seconds, to leave for landmarks of the mapping frames."""
    return _seconds(landmark_frames(frames, time_limit))


@dataclass(frozen=True)
class MadeLandmarks:
    """Landmarks for a map.

    Attributes:
        landmarks: that there are; None where there are none.
        told: what the map tells of them; None where none were wanted.
        seconds: that they took.
        observed: them with the frames that show them.
        held_back: names of the frames by which the map is measured.
        measuring: landmarks made without these frames.
    """

    landmarks: Landmarks | None = None
    told: Mapping[str, Any] | None = None
    seconds: float | None = None
    observed: ObservedLandmarks | None = None
    held_back: frozenset[str] = frozenset()
    measuring: Landmarks | None = None

    def added_to(self, scene_map: SceneMap) -> SceneMap:
        """The map with them; as it is where none were wanted."""
        if self.told is None:
            return scene_map
        info = {**scene_map.info, "landmarks": self.told}
        if self.seconds is not None:
            info["seconds"] = {**info.get("seconds", {}), "landmarks": self.seconds}
        return replace(scene_map, landmarks=self.landmarks, info=info)

    def without(self, frame: Frame) -> Landmarks | None:
        """Landmarks by which a mapping frame may be localized to measure what a map does.

        Those made without the frames that are held back, if it is one of them; else those that so
        many others show, which are not quite without it: their points and descriptors are means.
        """
        if frame.name in self.held_back:
            return self.measuring
        if self.observed is None:
            return None
        return _or_none(self.observed.without(frame.name, views=OTHER_VIEWS))

    def given_to(self, result: MappingResult) -> "LandmarkedResult":
        """A mapping with them."""
        scene_map = self.added_to(result.scene_map)
        return LandmarkedResult(scene_map, result.skipped, result.seconds, self)


@dataclass(frozen=True)
class LandmarkedResult(MappingResult):
    """A mapping whose map has its landmarks.

    Attributes:
        made: them, and how they were made.
    """

    made: MadeLandmarks = MadeLandmarks()


def make_landmarks(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    held_back: Sequence[Frame] = (),
    time_limit: float | None = None,
    progress: Progress = silent,
) -> MadeLandmarks:
    """Landmarks of a place, of all of its frames.

    Args:
        frames: the mapping frames; those with poses are used.
        depth: typical depth of the scene, in scene units.
        options: how many, and how they are made.
        held_back: those of the frames by which the map is measured: landmarks are made a second
            time without them, from the same keypoints and matches.
        time_limit: of the whole mapping, in seconds; where it is short, fewer frames are used.
        progress: told of views and pairs.
    """
    if not options.count:
        return MadeLandmarks()
    began = time.monotonic()
    used = landmark_frames(frames, time_limit)
    matched = matched_frames(used, depth=depth, options=options, progress=progress)
    names = frozenset(frame.name for frame in held_back)
    measuring = landmarks_of(matched.without(names), options=options).landmarks if names else None
    made = landmarks_of(matched, options=options)
    return MadeLandmarks(
        _or_none(made.landmarks),
        {"frames": len(used), **asdict(made.counts)},
        round(time.monotonic() - began, 2),
        made,
        names,
        _or_none(measuring),
    )


def _or_none(landmarks: Landmarks | None) -> Landmarks | None:
    return landmarks if landmarks is not None and len(landmarks) else None


def _seconds(frames: Sequence[Frame]) -> float:
    return sum(SECONDS_PER_FRAME + SECONDS_PER_MEGAPIXEL * _megapixels(f) for f in frames)


def _megapixels(frame: Frame) -> float:
    """Of the image in which keypoints are looked for."""
    width, height = frame.camera.width, frame.camera.height
    return 1e-6 * width * height * searched_scale(width, height) ** 2

"""The landmarks of a map that is made: from which frames, within a time limit."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from reloc.landmarks.building import LandmarkOptions, ObservedLandmarks, observed_landmarks
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
# Of making them; another one where the same photos give other landmarks.
WAY = 2
# Fewer views confirm no match.
LEAST_FRAMES = 3


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


def has_landmarks_of(
    scene_map: SceneMap,
    frames: Sequence[Frame],
    options: LandmarkOptions,
    *,
    time_limit: float | None,
) -> bool:
    """Whether a map has the landmarks that would be made, or those of more of the frames.

    Args:
        scene_map: of any place, as it was made.
        frames: the mapping frames.
        options: how landmarks would be made.
        time_limit: see ``landmark_frames``.
    """
    told, known = scene_map.info.get("landmarks"), scene_map.landmarks
    if known is None or not isinstance(told, dict) or told.get("kept") != len(known):
        return False
    if "bits" in scene_map.info:
        return False  # compressed, and the landmarks with all else
    choices = (posed(frames), landmark_frames(frames, time_limit))
    return any(told.get("source") == _source(chosen, options) for chosen in choices)


@dataclass(frozen=True)
class MadeLandmarks:
    """Landmarks for a map.

    Attributes:
        landmarks: that there are; None where there are none.
        told: what the map tells of them; None where none were wanted.
        seconds: that they took.
        observed: them with the frames that show them, where they were made.
    """

    landmarks: Landmarks | None = None
    told: Mapping[str, Any] | None = None
    seconds: float | None = None
    observed: ObservedLandmarks | None = None

    def added_to(self, scene_map: SceneMap) -> SceneMap:
        """The map with them; as it is where none were wanted."""
        if self.told is None:
            return scene_map
        info = {**scene_map.info, "landmarks": self.told}
        if self.seconds is not None:
            info["seconds"] = {**info.get("seconds", {}), "landmarks": self.seconds}
        return replace(scene_map, landmarks=self.landmarks, info=info)

    def given_to(self, result: MappingResult) -> "LandmarkedResult":
        """A mapping with them."""
        scene_map = self.added_to(result.scene_map)
        return LandmarkedResult(scene_map, result.skipped, result.seconds, self.observed)


@dataclass(frozen=True)
class LandmarkedResult(MappingResult):
    """A mapping whose map has its landmarks.

    Attributes:
        observed: them with the frames that show them, where they were made for it.
    """

    observed: ObservedLandmarks | None = None


def make_landmarks(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    time_limit: float | None = None,
    earlier: SceneMap | None = None,
    progress: Progress = silent,
) -> MadeLandmarks:
    """Landmarks of a place.

    Args:
        frames: the mapping frames; those with poses are used.
        depth: typical depth of the scene, in scene units.
        options: how many, and how they are made.
        time_limit: of the whole mapping, in seconds; where it is short, fewer frames are used.
        earlier: a map whose landmarks are taken, if they are of the same frames and options.
        progress: told of views and pairs.
    """
    if not options.count:
        return MadeLandmarks()
    if earlier and has_landmarks_of(earlier, frames, options, time_limit=time_limit):
        return MadeLandmarks(earlier.landmarks, {**earlier.info["landmarks"], "taken_over": True})
    began = time.monotonic()
    used = landmark_frames(frames, time_limit)
    made = observed_landmarks(used, depth=depth, options=options, progress=progress)
    told = {"frames": len(used), **asdict(made.counts), "source": _source(used, options)}
    return MadeLandmarks(
        made.landmarks if len(made.landmarks) else None,
        told,
        round(time.monotonic() - began, 2),
        made,
    )


def _source(frames: Sequence[Frame], options: LandmarkOptions) -> str:
    """A fingerprint of all that decides about landmarks."""
    told = hashlib.sha256(repr((WAY, asdict(options))).encode())
    for frame in frames:
        size = frame.image.stat().st_size if frame.image.is_file() else None
        told.update(repr((frame.name, size, frame.camera)).encode())
        told.update(np.asarray(frame.world_from_cam, np.float64).tobytes())
    return told.hexdigest()[:16]


def _seconds(frames: Sequence[Frame]) -> float:
    return sum(SECONDS_PER_FRAME + SECONDS_PER_MEGAPIXEL * _megapixels(f) for f in frames)


def _megapixels(frame: Frame) -> float:
    """Of the image in which keypoints are looked for."""
    width, height = frame.camera.width, frame.camera.height
    return 1e-6 * width * height * searched_scale(width, height) ** 2

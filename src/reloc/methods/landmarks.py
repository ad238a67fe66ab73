"""The landmarks of a map that is made: from which frames, within a time limit."""

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from reloc.landmarks.building import LandmarkOptions, build_landmarks
from reloc.landmarks.keypoints import searched_scale
from reloc.maps import SceneMap
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, Scene, posed

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


def with_landmarks(
    scene_map: SceneMap,
    scene: Scene,
    *,
    options: LandmarkOptions,
    time_limit: float | None = None,
    earlier: SceneMap | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The map with landmarks of the scene; as it is where none are wanted.

    Args:
        scene_map: of the scene.
        scene: its mapping frames with poses are used.
        options: how many, and how they are made.
        time_limit: of the whole mapping, in seconds; where it is short, fewer frames are used.
        earlier: a map whose landmarks are taken, if they are of the same frames and options.
        progress: told of views and pairs.
    """
    if not options.count:
        return scene_map
    if earlier and has_landmarks_of(earlier, scene.mapping, options, time_limit=time_limit):
        taken = {**earlier.info["landmarks"], "taken_over": True}
        info = {**scene_map.info, "landmarks": taken}
        return replace(scene_map, landmarks=earlier.landmarks, info=info)
    began = time.monotonic()
    frames = landmark_frames(scene.mapping, time_limit)
    found, counts = build_landmarks(
        frames, depth=scene_map.scale, options=options, progress=progress
    )
    spent = round(time.monotonic() - began, 2)
    seconds = {**scene_map.info.get("seconds", {}), "landmarks": spent}
    source = _source(frames, options)
    told = {"frames": len(frames), **asdict(counts), "source": source}
    info = {**scene_map.info, "seconds": seconds, "landmarks": told}
    return replace(scene_map, landmarks=found if len(found) else None, info=info)


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

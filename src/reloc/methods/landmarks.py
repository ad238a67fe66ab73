"""The landmarks of a map that is made: from which frames, within a time limit."""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace

from reloc.landmarks.building import LandmarkOptions, build_landmarks
from reloc.landmarks.keypoints import MAX_SIDE
from reloc.maps import SceneMap
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, Scene, posed

# A cautious guess for two cores, by which a time limit is planned: of a frame, and of a million of
# its pixels. No clock has a say: how many frames are looked at is the same on all machines.
SECONDS_PER_FRAME, SECONDS_PER_MEGAPIXEL = 0.04, 0.1
SHARE_OF_LIMIT = 0.25
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


def with_landmarks(
    scene_map: SceneMap,
    scene: Scene,
    *,
    options: LandmarkOptions,
    time_limit: float | None = None,
    progress: Progress = silent,
) -> SceneMap:
    """The map with landmarks of the scene; as it is where none are wanted.

    Args:
        scene_map: of the scene.
        scene: its mapping frames with poses are used.
        options: how many, and how they are made.
        time_limit: of the whole mapping, in seconds; where it is short, fewer frames are used.
        progress: told of views and pairs.
    """
    if not options.count:
        return scene_map
    began = time.monotonic()
    frames = landmark_frames(scene.mapping, time_limit)
    found, counts = build_landmarks(
        frames, depth=scene_map.scale, options=options, progress=progress
    )
    spent = round(time.monotonic() - began, 2)
    seconds = {**scene_map.info.get("seconds", {}), "landmarks": spent}
    told = {"frames": len(frames), **asdict(counts)}
    info = {**scene_map.info, "seconds": seconds, "landmarks": told}
    return replace(scene_map, landmarks=found if len(found) else None, info=info)


def _seconds(frames: Sequence[Frame]) -> float:
    return sum(SECONDS_PER_FRAME + SECONDS_PER_MEGAPIXEL * _megapixels(f) for f in frames)


def _megapixels(frame: Frame) -> float:
    """Of the image in which keypoints are looked for."""
    width, height = frame.camera.width, frame.camera.height
    return 1e-6 * width * height * min(1.0, MAX_SIDE / max(width, height)) ** 2

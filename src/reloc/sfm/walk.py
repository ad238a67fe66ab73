"""Which frames of a video to take: evenly by how far the picture moves, the sharpest of each step.

By time they would pile up where the camera rests and thin out where it hurries, which is where
neighbours have to overlap.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.capture.photos import blur
from reloc.errors import SceneError
from reloc.images.videos import video_frames, video_length
from reloc.progress import Progress, silent

Gray = NDArray[np.uint8]
Array = NDArray[np.float64]

# How far the picture moves from one frame that is taken to the next, in shares of its longer side.
STEP = 0.025
# So many frames are taken of a video that moves enough, and not more however long it is.
LEAST, MOST = 60, 300
# Frames that are looked at in a second; the others look like their neighbours.
LOOKED_AT = 15
# Pixels along the longer side of the picture in which motion is followed, and blur is judged.
FOLLOWED, JUDGED = 320, 640
# A picture that moves by less than this, in shares of its longer side, all in all stands still; of
# two frames by less than the second, too: what is left is noise.
STANDS_STILL, NOISE = 0.05, 0.002
CORNERS = 200
# What is followed less often than that is another picture.
FOLLOWED_SHARE = 0.3
# A corner is followed if the way back leads where it came from, to so many pixels.
SAME = 1.0
# The reference of what moves is renewed when the picture has moved by this much of it.
RENEWED = 0.1


@dataclass(frozen=True)
class Looked:
    """A frame of a video that was looked at.

    Attributes:
        number: counted from zero.
        time: in seconds.
        moved: how far the picture moved from the first frame to this one, in shares of its side.
        blur: 0 (sharp) to 1.
    """

    number: int
    time: float
    moved: float
    blur: float


def looked_over(path: Path, *, progress: Progress = silent) -> list[Looked]:
    """How the picture of a video moves, and how sharp it is.

    Raises:
        ImageError: the video cannot be decoded.
    """
    rate, frames = video_length(path)
    every = max(1, round(rate / LOOKED_AT))
    motion, looked = Motion(), list[Looked]()
    for frame in video_frames(path, every=every):
        moved = motion.after(_shrunk(frame.gray, FOLLOWED))
        looked.append(Looked(frame.number, frame.time, moved, blur(_shrunk(frame.gray, JUDGED))))
        progress("looking over the video", min(frame.number + 1, frames), max(frames, 1))
    progress("looking over the video", max(frames, 1), max(frames, 1))
    return looked


def chosen_frames(looked: Sequence[Looked], *, name: str) -> list[Looked]:
    """Frames to take, in order.

    Args:
        looked: all frames that were looked at.
        name: of the video, for messages.

    Raises:
        SceneError: the camera stands still.
    """
    moved = np.array([frame.moved for frame in looked])
    if len(looked) < 2 or moved[-1] < STANDS_STILL:
        raise SceneError(
            f"{name}: the picture stands still in all {len(looked)} frames that were looked at; "
            "film while you walk, sideways past what is to be mapped"
        )
    count = int(np.clip(round(moved[-1] / STEP), LEAST, MOST))
    # Each frame belongs to the nearest of evenly spaced points of the way; of few, all that differ
    # are taken.
    steps = np.rint(moved / moved[-1] * (count - 1)).astype(int)
    if len(looked) <= LEAST:
        steps = np.cumsum(np.diff(moved, prepend=0.0) > NOISE)
    sharpest: dict[int, Looked] = {}
    for step, frame in zip(steps.tolist(), looked, strict=True):
        if step not in sharpest or frame.blur < sharpest[step].blur:
            sharpest[step] = frame
    return list(sharpest.values())


class Motion:
    """How far the picture of a film moves: the median way of corners that are followed.

    Pyramidal Lucas-Kanade from a reference, renewed once the picture has moved on: the way is that
    of the camera and not the sum of its trembling.
    """

    def __init__(self) -> None:
        self._reference: Gray | None = None
        self._corners = np.zeros((0, 1, 2), np.float32)
        self._until_reference = 0.0
        self._last = 0.0

    def after(self, image: Gray) -> float:
        """The way so far, in shares of the longer side, of a picture (H, W) that comes next."""
        if self._reference is None:
            self._renew(image, 0.0)
            return 0.0
        way = self._way(image)
        if way is None:
            # Nothing is found again: another picture, a step or more away.
            self._renew(image, self._last + STEP)
            return self._last
        self._last = max(self._last, self._until_reference + (way if way > NOISE else 0.0))
        if way > RENEWED:
            self._renew(image, self._until_reference + way)
        return self._last

    def _renew(self, image: Gray, way: float) -> None:
        self._reference, self._until_reference = image, way
        self._last = max(self._last, way)
        found = cv2.goodFeaturesToTrack(image, CORNERS, 0.01, 8)
        self._corners = np.zeros((0, 1, 2), np.float32) if found is None else found

    def _way(self, image: Gray) -> float | None:
        if self._reference is None or not len(self._corners):
            return None
        found = _followed(self._reference, image, self._corners)
        back = _followed(image, self._reference, found)
        good = np.linalg.norm((back - self._corners)[:, 0], axis=1) < SAME
        if good.mean() < FOLLOWED_SHARE:
            return None
        ways = np.linalg.norm((found - self._corners)[good, 0], axis=1)
        return float(np.median(ways)) / max(image.shape)


def _followed(before: Gray, after: Gray, corners: NDArray[np.float32]) -> NDArray[np.float32]:
    found, _, _ = cv2.calcOpticalFlowPyrLK(
        before, after, corners, np.empty_like(corners), winSize=(21, 21), maxLevel=4
    )
    return np.asarray(found, np.float32)


def _shrunk(image: Gray, longer: int) -> Gray:
    scale = min(1.0, longer / max(image.shape))
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)

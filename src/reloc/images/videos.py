"""Frames of videos, with the times at which they are shown."""

import math
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.ascii_names import ascii_name
from reloc.errors import ImageError

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")

# OpenCV with a new FFmpeg does not convert interlaced frames: each comes out as whatever its memory
# held, the same every time. No camera takes so many equal frames.
MOST_EQUAL = 250


@dataclass(frozen=True)
class VideoFrame:
    """A frame of a video.

    Attributes:
        number: counted from zero.
        time: seconds at which it is shown, from the start of the video; rises from frame to frame.
        gray: (H, W) uint8, turned upright where the video says how.
    """

    number: int
    time: float
    gray: NDArray[np.uint8]


def check_video(path: Path) -> None:
    """Decodes the beginning of a video, to refuse before work begins what cannot be used.

    Raises:
        ImageError: it is no video that can be decoded, or its frames are all the same.
    """
    first: VideoFrame | None = None
    for frame in _decoded(path, every=1):
        if first is not None and not np.array_equal(frame.gray, first.gray):
            return
        first = first or frame
        if frame.number >= MOST_EQUAL:
            break
    if first is not None and frame.number:
        raise ImageError(
            f"{path}: decodes to the same picture again and again, as interlaced video does here; "
            "convert it first: ffmpeg -i IN -vf yadif OUT.mp4"
        )


def video_frames(path: Path, *, every: int = 1) -> Iterator[VideoFrame]:
    """The frames of a video that can be decoded, every so many.

    Raises:
        ImageError: as ``check_video``, or it holds no frame.
    """
    check_video(path)
    yield from _decoded(path, every=every)


def video_pictures(path: Path, numbers: Collection[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Some frames of a video in colour, by their number: each with its pixels (H, W, 3) RGB.

    Raises:
        ImageError: it is no video that can be decoded.
    """
    last = max(numbers, default=-1)
    for number, _, pixels in _pictures(path, lambda number: number in numbers):
        yield number, np.ascontiguousarray(pixels[:, :, ::-1])
        if number >= last:
            return


def video_length(path: Path) -> tuple[float, int]:
    """Frames per second and number of frames, as the container tells; 30 and 0 if it does not.

    Raises:
        ImageError: it is no video that can be opened.
    """
    with _opened(path) as video:
        rate, count = _rate(video), video.get(cv2.CAP_PROP_FRAME_COUNT)
        return rate, int(count) if math.isfinite(count) and 0 < count < 1e9 else 0


def _decoded(path: Path, *, every: int) -> Iterator[VideoFrame]:
    for number, time, pixels in _pictures(path, lambda number: number % every == 0):
        gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
        yield VideoFrame(number, time, np.asarray(gray, np.uint8))


def _pictures(
    path: Path, wanted: Callable[[int], bool]
) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """The wanted frames that can be decoded: number, time and pixels (H, W, 3) BGR."""
    with _opened(path) as video:
        step = 1 / _rate(video)
        number, time = 0, -step
        while video.grab():
            time = _shown(video, number, before=time, step=step)
            if wanted(number):
                good, pixels = video.retrieve()
                if good:
                    yield number, time, np.asarray(pixels, np.uint8)
            number += 1
        if number == 0:
            raise ImageError(f"{path}: the video holds no frame that can be decoded")


def _rate(video: cv2.VideoCapture) -> float:
    rate = video.get(cv2.CAP_PROP_FPS)
    return rate if math.isfinite(rate) and 0 < rate <= 1000 else 30.0


def _shown(video: cv2.VideoCapture, number: int, *, before: float, step: float) -> float:
    """When the frame that was grabbed is shown; phones do not take them at an even rate.

    Where a container does not tell, or not sensibly, one step of the mean rate after the last.
    """
    told = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
    sensible = math.isfinite(told) and told >= 0 and (number == 0 or told > before)
    return told if sensible else before + step


def show_frames(
    path: Path, look: Callable[[int, NDArray[np.uint8]], None], wanted: Collection[int]
) -> int:
    """Shows frames of a video as they are stored, without turning them, and counts all.

    Poses and intrinsics of phones belong to the stored pixels, whatever way up players show them.

    Args:
        path: the video.
        look: called with the number of each wanted frame, from zero, and its pixels (H, W, 3) RGB.
        wanted: numbers of frames; the others are not converted.

    Returns:
        How many frames can be decoded.

    Raises:
        ImageError: it is no video that can be decoded.
    """
    number = 0
    with _opened(path, upright=False) as video:
        while video.grab():
            if number in wanted:
                good, pixels = video.retrieve()
                if good:
                    look(number, np.asarray(pixels[:, :, ::-1], np.uint8))
            number += 1
    return number


@contextmanager
def _opened(path: Path, *, upright: bool = True) -> Iterator[cv2.VideoCapture]:
    # FFmpeg would write pages about a damaged file to standard error; read when OpenCV loads it.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "8")
    try:
        if not path.exists():
            raise ImageError(f"{path}: no such image, folder or video")
        if not path.is_file():  # to open a pipe would wait for a writer
            raise ImageError(f"{path}: no such video; this is a pipe or device")
        with path.open("rb"), ascii_name(path) as name:
            video = cv2.VideoCapture(name)
            try:
                if not video.isOpened():
                    raise ImageError(
                        f"{path}: cannot be read as a video; convert it to MP4 (H.264)"
                    )
                # Turned as players show it: what the video says of that is often all that tells
                # upright from lying, and frames cut out of it by other tools are turned as well.
                video.set(cv2.CAP_PROP_ORIENTATION_AUTO, int(upright))
                yield video
            finally:
                video.release()
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be decoded; convert it to MP4 (H.264)") from error
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror})") from error

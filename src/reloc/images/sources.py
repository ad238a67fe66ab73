"""Images that a user names: files, folders of images, videos."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, OptionError
from reloc.images.files import IMAGE_SUFFIXES, is_litter

VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v")


@dataclass(frozen=True)
class NamedImage:
    """An image with a name.

    Attributes:
        name: the file's path as given, or ``video.mp4#000042`` for a frame of a video.
        image: a file, or the pixels (H, W) grey uint8 of a video frame.
        time: seconds into the video, else None.
    """

    name: str
    image: Path | NDArray[np.uint8]
    time: float | None = None


def named_images(paths: Sequence[Path], *, every: int = 1) -> Iterator[NamedImage]:
    """All images of some files, folders and videos, in order.

    Args:
        paths: image files, folders (searched below, sorted by name) and videos.
        every: take only every so many frames of a video.

    Raises:
        ImageError: a path does not exist, is of no known kind, or a folder holds no image.
        OptionError: ``every`` is below one.
    """
    if every < 1:
        raise OptionError("every must be at least 1")
    for path in paths:
        suffix = path.suffix.lower()
        if path.is_dir():
            found = sorted(
                p
                for p in path.rglob("*")
                if p.suffix.lower() in IMAGE_SUFFIXES
                and p.is_file()
                and not any(is_litter(Path(part)) for part in p.relative_to(path).parts)
            )
            if not found:
                raise ImageError(f"{path}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
            yield from (NamedImage(p.as_posix(), p) for p in found)
        elif not path.exists():
            raise ImageError(f"{path}: no such image, folder or video")
        elif suffix in VIDEO_SUFFIXES:
            yield from _video_frames(path, every)
        elif suffix in IMAGE_SUFFIXES:
            yield NamedImage(path.as_posix(), path)
        else:
            raise ImageError(f"{path}: neither an image nor a video by its suffix")


def _video_frames(path: Path, every: int) -> Iterator[NamedImage]:
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise ImageError(f"{path}: cannot be read as a video; convert it to MP4 (H.264)")
        rate = video.get(cv2.CAP_PROP_FPS) or 30.0
        index = 0
        while video.grab():
            if index % every == 0:
                good, frame = video.retrieve()
                if good:
                    grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
                    name = f"{path.as_posix()}#{index:06d}"
                    yield NamedImage(name, np.asarray(grey, np.uint8), index / rate)
            index += 1
        if index == 0:
            raise ImageError(f"{path}: the video holds no frame that can be decoded")
    finally:
        video.release()

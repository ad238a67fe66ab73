"""Images that a user names: files, folders of images, videos."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, OptionError
from reloc.images.files import IMAGE_SUFFIXES, is_litter
from reloc.images.videos import VIDEO_SUFFIXES, check_video, video_frames


@dataclass(frozen=True)
class NamedImage:
    """An image with a name.

    Attributes:
        name: the file's path as given, or ``video.mp4#000042`` for a frame of a video.
        image: a file, or the pixels (H, W) grey uint8 of a video frame.
        time: seconds at which a frame of a video is shown, from its start, else None.
    """

    name: str
    image: Path | NDArray[np.uint8]
    time: float | None = None


def is_video(path: Path) -> bool:
    """Whether a path that a user names is taken for a video: by its suffix."""
    return path.suffix.lower() in VIDEO_SUFFIXES and not path.is_dir()


def check_sources(paths: Sequence[Path]) -> list[Path]:
    """Looks at all that was named before work begins: at folders, and the start of each video.

    Returns the image files.

    Raises:
        ImageError: as ``named_images``, or a video is black.
    """
    found: list[Path] = []
    for path in paths:
        if is_video(path):
            check_video(path)
        else:
            found += _files_of(path)
    return found


def named_images(paths: Sequence[Path], *, every: int = 1) -> Iterator[NamedImage]:
    """All images of some files, folders and videos, in order.

    What is called like an image is one, though it may turn out to be damaged, a pipe or a link to
    nothing when it is read.

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
        if is_video(path):
            for frame in video_frames(path, every=every):
                name = f"{path.as_posix()}#{frame.number:06d}"
                yield NamedImage(name, frame.gray, frame.time)
        else:
            yield from (NamedImage(file.as_posix(), file) for file in _files_of(path))


def _files_of(path: Path) -> list[Path]:
    """The image files that a path names, itself or those below it."""
    image = path.suffix.lower() in IMAGE_SUFFIXES
    if path.is_dir():
        found = _below(path)
        if not found and not image:
            raise ImageError(f"{path}: holds no images ({', '.join(IMAGE_SUFFIXES)})")
        return found or [path]
    if not path.exists() and not path.is_symlink():
        raise ImageError(f"{path}: no such image, folder or video")
    if not image:
        raise ImageError(f"{path}: neither an image nor a video by its suffix")
    return [path]


def _below(folder: Path) -> list[Path]:
    """What is called like an image below a folder, and folders that cannot be listed."""
    found: list[Path] = []

    def unlisted(error: OSError) -> None:
        found.append(Path(error.filename))

    # Links to folders are neither followed nor images, whatever they are called.
    for parent, folders, names in os.walk(folder, onerror=unlisted):
        folders[:] = [name for name in folders if not is_litter(Path(name))]
        found += [
            Path(parent, name)
            for name in names
            if Path(name).suffix.lower() in IMAGE_SUFFIXES and not is_litter(Path(name))
        ]
    return sorted(found)

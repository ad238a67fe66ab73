"""The images of a capture, laid out for structure from motion: frames of a video, or photos."""

from contextlib import suppress

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, SceneError
from reloc.files import atomic_folder
from reloc.images.files import image_size, write_image
from reloc.images.videos import video_pictures
from reloc.progress import Progress
from reloc.scenes.checks import MIN_MAPPING_FRAMES
from reloc.sfm.captures import Capture
from reloc.sfm.folder import PosesFolder, Taken
from reloc.sfm.walk import chosen_frames, looked_over

# Pixels along the longer side of the frames that are kept: more is seen by nothing here.
LONGEST = 1920


def video_frames_taken(capture: Capture, folder: PosesFolder, *, progress: Progress) -> Taken:
    """Chooses frames of a video and writes them to the folder of images.

    Raises:
        ImageError: the video cannot be decoded.
        SceneError: the camera stands still, or there are too few frames.
    """
    chosen = chosen_frames(looked_over(capture.path, progress=progress), name=str(capture.path))
    if len(chosen) < MIN_MAPPING_FRAMES:
        raise SceneError(
            f"{capture.path}: {len(chosen)} frames can be used, poses take {MIN_MAPPING_FRAMES} at "
            "least; film for some 20 seconds, while you walk"
        )
    time_of = {frame.number: frame.time for frame in chosen}
    times = []
    with atomic_folder(folder.images) as images:
        for number, pixels in video_pictures(capture.path, time_of.keys()):
            write_image(images / f"{number:06d}.jpg", _within(pixels))
            times.append((f"{number:06d}.jpg", time_of[number]))
            progress("taking frames", len(times), len(chosen))
    taken = Taken(tuple(name for name, _ in times), tuple(time for _, time in times))
    folder.keep_taken(taken)
    return taken


def photo_frames(capture: Capture, folder: PosesFolder, *, progress: Progress) -> Taken:
    """Links to the photos and lists those whose headers can be read.

    Raises:
        SceneError: too few can be read.
    """
    names, damaged = list[str](), list[str]()
    for path in capture.photos:
        name = path.relative_to(capture.path).as_posix()
        try:
            image_size(path)
        except ImageError:
            damaged.append(name)
        else:
            names.append(name)
        progress("reading headers", len(names) + len(damaged), len(capture.photos))
    if len(names) < MIN_MAPPING_FRAMES:
        raise SceneError(
            f"{capture.path}: only {len(names)} of {len(capture.photos)} photos can be read; copy "
            "them again from the camera"
        )
    with suppress(OSError):  # a system without links: the photos stay where they are
        folder.link.symlink_to(capture.path.absolute())
    taken = Taken(tuple(names), None, tuple(damaged))
    folder.keep_taken(taken)
    return taken


def _within(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(1.0, LONGEST / max(pixels.shape))
    if scale == 1:
        return pixels
    size = (round(pixels.shape[1] * scale), round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)

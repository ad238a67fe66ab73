"""Small photos of frames, as an ideal pinhole would have taken them."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.geometry import Camera
from reloc.images.files import read_image
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.view.exhibit import ShownFrame
from reloc.view.page import jpeg

SIDE = 320  # pixels of the longer side
QUALITY = 80


def photos_of(
    frames: Sequence[ShownFrame], count: int, *, progress: Progress = silent
) -> dict[str, bytes]:
    """Photos of some frames by name, rectified, as small JPEG files.

    Args:
        frames: what is shown; those without an image, or whose image is damaged, are left out.
        count: how many at most: of queries first, worst first, then of mapping frames
            spaced.
        progress: told after every photo.
    """

    def error(frame: ShownFrame) -> float:
        known = frame.result.translation_error if frame.result else None
        return -1.0 if known is None else known

    at_hand = [frame for frame in frames if frame.image is not None]
    queries = sorted((f for f in at_hand if f.query), key=error, reverse=True)[:count]
    mapping = evenly([f for f in at_hand if not f.query], count - len(queries))
    photos = {}
    for done, frame in enumerate([*queries, *mapping], start=1):
        assert frame.image is not None
        try:
            photo = rectified(read_image(frame.image), frame.camera, side=SIDE)
        except ImageError:
            continue
        photos[frame.name] = jpeg(photo, side=SIDE, quality=QUALITY)
        progress("photos", done, len(queries) + len(mapping))
    return photos


def small_size(width: int, height: int, *, side: int = SIDE) -> tuple[int, int]:
    """Width and height of a photo made small."""
    factor = min(1.0, side / max(width, height))
    return max(1, round(width * factor)), max(1, round(height * factor))


def rectified(image: NDArray[np.uint8], camera: Camera, *, side: int) -> NDArray[np.uint8]:
    """A photo (H, W, 3) as an ideal pinhole of the camera's focal length would have taken it.

    What the lens did not see is black.

    Args:
        image: (H, W, 3) uint8 of the camera's shape.
        camera: its intrinsics.
        side: pixels of the longer side of the result, where the photo is not smaller.
    """
    size = small_size(image.shape[1], image.shape[0], side=side)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    if not any(camera.distortion):
        return np.asarray(small, np.uint8)
    x, y = np.meshgrid(np.arange(size[0]) + 0.5, np.arange(size[1]) + 0.5)
    scale = np.array([camera.width / size[0], camera.height / size[1]])
    wanted = np.stack([x.ravel(), y.ravel()], axis=1) * scale
    rays = (wanted - (camera.cx, camera.cy)) / (camera.fx, camera.fy)
    sources = (camera.pixels(rays) / scale - 0.5).astype(np.float32).reshape(size[1], size[0], 2)
    return np.asarray(cv2.remap(small, sources, None, cv2.INTER_LINEAR), np.uint8)

"""Drawing a map's points on the images that ``reloc localize`` is given."""

from collections import Counter, deque
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, RelocError
from reloc.files import atomic_file
from reloc.geometry import Camera
from reloc.images.files import encoded_image, read_image
from reloc.images.sources import NamedImage
from reloc.localize import Estimate
from reloc.view.overlay import Overlay


class Overlays:
    """A folder of pictures, one for each image, in the order in which the estimates come.

    Args:
        folder: where to; made if missing.
        overlay: what the map draws.

    Attributes:
        failed: images that could not be drawn, with the reason.
    """

    def __init__(self, folder: Path, overlay: Overlay) -> None:
        self._folder, self._proof = folder, overlay
        self._taken: Counter[str] = Counter()
        self._waiting: deque[NamedImage] = deque()
        self.failed: list[str] = []

    def expect(self, item: NamedImage) -> None:
        """Notes an image that an estimate will come for."""
        self._waiting.append(item)

    def draw(self, estimate: Estimate) -> None:
        """Writes the picture of the next image; none if the image cannot be read.

        One that cannot be drawn or written is noted in ``failed``: it takes nothing from the pose.
        """
        item, camera = self._waiting.popleft(), estimate.camera
        try:
            photo = item.image if isinstance(item.image, np.ndarray) else read_image(item.image)
        except ImageError:
            return
        try:
            self._write(item, photo, camera, estimate)
        except (RelocError, cv2.error, MemoryError, OSError) as error:
            self.failed.append(" ".join(f"{item.name}: {error}".split()))

    def _write(
        self, item: NamedImage, photo: NDArray[np.uint8], camera: Camera | None, estimate: Estimate
    ) -> None:
        if photo.ndim == 2:
            photo = np.repeat(photo[..., None], 3, axis=2)
        if camera is None:
            height, width = photo.shape[:2]
            camera = Camera.pinhole(width=width, height=height, fx=float(width))
        picture = self._proof.drawn(photo, camera, estimate)
        path = self._free_path(Path(item.name).name)
        with atomic_file(path) as file:
            file.write(encoded_image(picture, path.suffix, quality=90))

    def _free_path(self, name: str) -> Path:
        """Images of several folders may share a name; later ones get a number."""
        self._taken[name] += 1
        number = "" if self._taken[name] == 1 else f"-{self._taken[name]}"
        return self._folder / f"{name}{number}.jpg"

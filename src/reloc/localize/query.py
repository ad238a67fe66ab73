"""Queries: what is to be localized, read and brought to the size that the networks want."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from os import PathLike
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from reloc.devices import is_out_of_memory
from reloc.errors import CameraError, ImageError
from reloc.files import StrPath
from reloc.geometry import Camera
from reloc.geometry.turns import original_from_turned
from reloc.images.augment import (
    View,
    apply_homography,
    cell_pixels,
    enlarged_side,
    plain_view,
)
from reloc.images.files import image_size, read_image
from reloc.images.lens import Lens, read_lens
from reloc.landmarks.keypoints import Keypoints, detect_keypoints, no_keypoints
from reloc.localize.cameras import CameraChoice, QueryPhoto, fitting_camera
from reloc.localize.pixels import Image, array_of
from reloc.scenes.depth import DepthMap, read_depth_map
from reloc.scenes.scene import Depth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class DepthFile:
    """Measured depth in a file, of the view of a photo whose camera may not be known yet.

    Attributes:
        path: a single-channel image.
        unit: scene units per stored step.
        camera: at the size of the file; None for that of the photo.
    """

    path: StrPath
    unit: float
    camera: Camera | None = None

    def seen_by(self, camera: Camera) -> Depth:
        """The depth, if the photo was taken with a camera.

        Raises:
            CameraError: it has another shape than the photo, and no camera of its own.
            ImageError: the file is no image.
        """
        own = self.camera
        if own is None:
            width, height = image_size(Path(self.path))
            own = fitting_camera(camera, width=width, height=height, name=str(self.path))
        return Depth(Path(self.path), own, self.unit)


@dataclass(frozen=True)
class Query:
    """An image to localize.

    Attributes:
        name: what the estimate will be called.
        image: a file; pixels (H, W) grey or (H, W, 3) RGB, uint8; or a tensor (H, W), (1, H, W) or
            (3, H, W), uint8 or from 0 to 1. Only a file can say anything of its lens and of how
            the camera was held.
        camera: intrinsics of the stored pixels; those of the upright picture are turned where the
            shape tells. None to go by the map and by what the file says of its lens: see
            ``localize.cameras``.
        depth: measured depth of the same view, if there is any: a file or values, in the map's
            unit. For a library in metres; those of its maps that are not in metres do without.
        fault: why the image cannot be localized, where that is known before it is read.
    """

    name: str
    image: Image
    camera: Camera | None = None
    depth: Depth | DepthFile | DepthMap | None = None
    fault: ImageError | CameraError | None = None


@dataclass(frozen=True)
class PreparedQuery:
    """A query ready for the backbone, with one of the cameras that may have taken it.

    Attributes:
        name: of the query.
        view: the plain view, turned to lie as the mapping photos do.
        camera: of the stored pixels, at the size of the image.
        depth: measured, if there is any.
        seconds: that reading took, what this query shares with one before it left out.
        camera_source: where the camera comes from, see ``CameraChoice``.
        turn: quarter turns clockwise from the stored image to the view.
        keypoints: finds those of the stored image, once for all cameras and maps that ask.
    """

    name: str
    view: View
    camera: Camera
    depth: DepthMap | None
    seconds: float
    camera_source: str = "given"
    turn: int = 0
    keypoints: Callable[[], Keypoints] = no_keypoints

    @property
    def focal(self) -> float:
        """Pixels of the view per unit at z = 1."""
        return self.camera.focal * self.view.scale

    @property
    def short_side(self) -> int:
        """Pixels of the view."""
        return min(self.view.image.shape)

    def turned(self, quarters: int) -> "PreparedQuery":
        """The query in a view that is turned clockwise once more, made in no time."""
        height, width = self.view.image.shape
        view = replace(
            self.view,
            image=np.ascontiguousarray(np.rot90(self.view.image, -quarters)),
            original_from_view=self.view.original_from_view
            @ original_from_turned(width, height, quarters),
        )
        return replace(self, view=view, seconds=0.0, turn=(self.turn + quarters) % 4)

    def cells(self, stride: int) -> tuple[Array, Array]:
        """Pixels of the image and viewing rays at z = 1 of all cells, both (N, 2).

        Rays are NaN where there is none.
        """
        homography = tuple(self.view.original_from_view.ravel())
        return _cells(self.camera, *self.view.image.shape, stride, homography)


@dataclass(frozen=True)
class ReadQuery:
    """A query whose image was read.

    Attributes:
        query: what was read.
        image: (H, W) grey, as stored.
        lens: what the file says of its lens.
        seconds: that reading took.
    """

    query: Query
    image: NDArray[np.uint8]
    lens: Lens
    seconds: float
    _views: dict[tuple[int, int], View] = field(default_factory=dict)
    _depths: dict[Depth, DepthMap] = field(default_factory=dict)
    _keypoints: list[Keypoints] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    @property
    def photo(self) -> QueryPhoto:
        """What is known of it before anything is seen in it."""
        height, width = self.image.shape
        return QueryPhoto(self.query.name, width, height, self.lens)

    def view(self, turn: int, *, short_side: int) -> View:
        """The view after quarter turns clockwise, see ``turned_view``; made but once."""
        if (turn, short_side) not in self._views:
            with memory_for(self.query):
                self._views[turn, short_side] = turned_view(self.image, turn, short_side=short_side)
        return self._views[turn, short_side]

    def keypoints(self) -> Keypoints:
        """Keypoints of the stored image; found but once, by the first thread that asks."""
        with self._lock:
            if not self._keypoints:
                self._keypoints.append(detect_keypoints(self.image))
            return self._keypoints[0]

    def prepared(
        self, choices: Sequence[CameraChoice], *, short_side: int, with_depth: bool = True
    ) -> list[list[PreparedQuery]]:
        """The query with each of the cameras that may have taken it, those with one view together.

        Args:
            choices: from ``QueryCameras``.
            short_side: of the map's views, in pixels.
            with_depth: use the depth of the query, if it has any.

        Raises:
            ImageError: the depth is no image, or the view would be enormous.
            CameraError: the depth has another shape and no camera of its own.
        """
        groups: list[list[PreparedQuery]] = []
        began = time.perf_counter() - self.seconds
        height, width = self.image.shape
        ways: dict[tuple[int, int], list[CameraChoice]] = {}
        for choice in choices:
            side = enlarged_side(short_side, choice.enlarged, width, height)
            ways.setdefault((choice.turn, side), []).append(choice)
        for (turn, side), alike in ways.items():
            view = self.view(turn, short_side=side)
            groups.append([])
            for choice in alike:
                depth = self._depth(choice.camera) if with_depth else None
                now = time.perf_counter()
                groups[-1].append(
                    PreparedQuery(
                        self.query.name,
                        view,
                        choice.camera,
                        depth,
                        now - began,
                        choice.source,
                        turn,
                        self.keypoints,
                    )
                )
                began = now
        return groups

    def _depth(self, camera: Camera) -> DepthMap | None:
        """The depth that goes with a camera; each file is read but once."""
        depth = self.query.depth
        if isinstance(depth, DepthFile):
            depth = depth.seen_by(camera)
        if not isinstance(depth, Depth):
            return depth
        if depth not in self._depths:
            self._depths[depth] = read_depth_map(depth)
        return self._depths[depth]


def read_query(query: Query) -> ReadQuery:
    """Reads the image of a query and what it says of its lens.

    Raises:
        ImageError: no image, or a damaged one.
    """
    began = time.perf_counter()
    if query.fault is not None:
        raise query.fault
    with memory_for(query):
        if isinstance(query.image, str | PathLike):
            path = Path(query.image)
            image, lens = read_image(path, gray=True), read_lens(path)
        else:
            given = query.image
            array = array_of(given) if isinstance(given, Tensor) else given
            image, lens = as_gray(array), Lens()
    return ReadQuery(query, image, lens, time.perf_counter() - began)


@contextmanager
def memory_for(query: Query) -> Iterator[None]:
    """Raises ImageError where a query takes more memory than there is."""
    try:
        yield
    except (cv2.error, MemoryError, RuntimeError) as error:
        if not isinstance(error, cv2.error) and not is_out_of_memory(error):
            raise
        raise ImageError(
            f"{query.name}: too large to be localized here; make it smaller"
        ) from error


def turned_view(image: NDArray[np.uint8], turn: int, *, short_side: int) -> View:
    """The plain view of an image after quarter turns clockwise; its original is the stored image.

    So rays, poses and depth stay those of the stored pixels: the view alone is turned.

    Raises:
        ImageError: the image is so long and thin that the view would be enormous.
    """
    if turn == 0:
        return plain_view(image, short_side=short_side)
    height, width = image.shape
    view = plain_view(np.ascontiguousarray(np.rot90(image, -turn)), short_side=short_side)
    stored_from_turned = original_from_turned(width, height, turn)
    return replace(view, original_from_view=stored_from_turned @ view.original_from_view)


def as_gray(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey pixels (H, W) of an image (H, W) or (H, W, 3) RGB; ImageError for anything else."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.size == 0:
        raise ImageError("an image is a non-empty uint8 array (H, W) or (H, W, 3)")
    if image.ndim == 2:
        # PyTorch takes neither flipped nor read-only arrays.
        return np.require(image, requirements=["C", "W"])
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    raise ImageError(f"an image has the shape (H, W) or (H, W, 3), not {image.shape}")


@lru_cache(maxsize=64)
def _cells(
    camera: Camera, height: int, width: int, stride: int, original_from_view: tuple[float, ...]
) -> tuple[Array, Array]:
    """See ``PreparedQuery.cells``.

    Queries mostly share a camera, and removing its distortion costs more than solving for a pose.
    """
    homography = np.array(original_from_view).reshape(3, 3)
    pixels = apply_homography(homography, cell_pixels(height, width, stride=stride))
    outside = ((pixels <= 0) | (pixels >= (camera.width, camera.height))).any(axis=1)
    rays = camera.rays(np.clip(pixels, 0, (camera.width, camera.height)))
    rays[outside] = np.nan
    return pixels, rays

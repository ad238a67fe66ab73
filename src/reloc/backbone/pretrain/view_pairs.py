"""Pairs of views with known correspondences: what the backbone learns from.

A source is seeded by the number of the pair, so that training can go on after a kill with the
very pairs it would have seen.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, SceneError
from reloc.images.augment import apply_homography
from reloc.images.files import IMAGE_SUFFIXES, is_litter, read_image
from reloc.images.photometric import retaken
from reloc.progress import Progress, silent

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Pair:
    """Two grey views (S, S) uint8 and where cells of the first lie in the second.

    Attributes:
        first: the first view.
        second: the second view.
        pixels_first: (N, 2) positions in the first, pixel centres at +0.5.
        pixels_second: (N, 2) the same surface points in the second.
    """

    first: Gray
    second: Gray
    pixels_first: Array
    pixels_second: Array


class PairSource(Protocol):
    """Makes pair number ``seed``; the same number gives the same pair."""

    def pair(self, seed: int) -> Pair:
        """Makes the pair of that number."""


def cell_centers(size: int, stride: int) -> Array:
    """Pixels (N, 2) at the centres of the cells of a square image."""
    ticks = (np.arange(size // stride) + 0.5) * stride
    x, y = np.meshgrid(ticks, ticks)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def random_homography(
    rng: np.random.Generator, *, center: Array, reach: float, size: int, tilt: float
) -> Array:
    """Homography (3, 3) from image to crop pixels.

    The crop shows a square of half side ``reach`` around ``center``, turned, sheared and seen at a
    slant by up to ``tilt`` (0 none, 0.3 strong).
    """
    angle = np.radians(rng.uniform(-25, 25))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], np.float64)
    corners = corners + rng.uniform(-tilt, tilt, (4, 2))
    source = center + reach * (corners @ turn.T)
    target = np.array([[0, 0], [size, 0], [size, size], [0, size]], np.float64)
    return cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))


def warped(image: Gray, homography: Array, *, size: int) -> Gray:
    """The crop (size, size) under a homography of pixels whose centres are at +0.5."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    shifted = np.linalg.inv(half) @ homography @ half  # OpenCV counts from pixel centres
    # Area-like filtering when the crop shrinks the image, against aliasing.
    shrink = np.sqrt(abs(np.linalg.det(homography[:2, :2])))
    if shrink < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / shrink)
    return cv2.warpPerspective(
        image, shifted, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def with_blocks(image: Gray, rng: np.random.Generator) -> tuple[Gray, NDArray[np.bool_]]:
    """Covers part of a view by a textured block; returns the view and what is still visible."""
    size = len(image)
    visible = np.ones(image.shape, bool)
    side = rng.integers(size // 8, size // 3, 2)
    y, x = rng.integers(0, size - side)
    noise = rng.integers(0, 256, (rng.integers(1, 6), rng.integers(1, 6)), dtype=np.uint8)
    covered = image.copy()
    covered[y : y + side[0], x : x + side[1]] = cv2.resize(noise, (int(side[1]), int(side[0])))
    visible[y : y + side[0], x : x + side[1]] = False
    return covered, visible


def inside_image(pixels: Array, size: int, *, margin: float = 2.0) -> NDArray[np.bool_]:
    """Which pixels (N, 2) lie in a square image, away from its border by a margin."""
    return np.all((pixels > margin) & (pixels < size - margin), axis=1)


def cropped_pair(
    images: tuple[Gray, Gray],
    matches: tuple[Array, Array],
    rng: np.random.Generator,
    *,
    size: int,
) -> Pair:
    """Crops of two pictures with known matches, each turned, zoomed and taken again.

    Args:
        images: two pictures (H, W).
        matches: pixels (N, 2) in the first and in the second.
        rng: where chance comes from.
        size: side of the crops.
    """

    def crop(image: Gray, around: Array) -> Array:
        # Centred on what both views see, so that little of the overlap is cut away.
        side, whole = min(image.shape), np.array(image.shape[::-1])
        reach = side * rng.uniform(0.3, 0.5)
        middle = around.mean(axis=0) if len(around) else whole / 2
        center = np.clip(middle, reach, whole - reach) + rng.uniform(-0.06, 0.06, 2) * side
        return random_homography(rng, center=center, reach=reach, size=size, tilt=0.05)

    crops = [crop(image, around) for image, around in zip(images, matches, strict=True)]
    before, after = (apply_homography(to, at) for to, at in zip(crops, matches, strict=True))
    keep = inside_image(before, size) & inside_image(after, size)
    first, second = (
        retaken(warped(image, to, size=size), rng) for image, to in zip(images, crops, strict=True)
    )
    return Pair(first, second, before[keep], after[keep])


def with_passer_by(pair: Pair, texture: Gray, rng: np.random.Generator) -> Pair:
    """The pair with something before its second view that the first does not show.

    Args:
        pair: as it would be if nothing moved.
        texture: picture that the passer-by, an upright ellipse, is cut from.
        rng: where chance comes from.
    """
    size = len(pair.second)
    across, up = rng.uniform(0.08, 0.2) * size, rng.uniform(0.15, 0.4) * size
    center = rng.uniform(0.1, 0.9, 2) * size
    y, x = np.mgrid[0:size, 0:size] + 0.5
    hidden = ((x - center[0]) / across) ** 2 + ((y - center[1]) / up) ** 2 < 1
    cut = cv2.resize(texture, (size, size), interpolation=cv2.INTER_AREA)
    at = pair.pixels_second.astype(int)
    seen = ~hidden[at[:, 1], at[:, 0]]
    second = np.where(hidden, cut, pair.second)
    return Pair(pair.first, second, pair.pixels_first[seen], pair.pixels_second[seen])


class PhotoPairs:
    """Two crops of one photo under random homographies, each taken again its own way."""

    def __init__(self, photos: list[Gray], *, size: int, stride: int = 8) -> None:
        self.photos = photos
        self.size = size
        self.stride = stride

    @classmethod
    def from_folder(
        cls, folder: Path, *, size: int, stride: int = 8, progress: Progress = silent
    ) -> "PhotoPairs":
        """Reads every photo below a folder into memory, shrunk to a short side of at most 512.

        Raises:
            SceneError: the folder holds no readable photo.
        """
        paths = sorted(
            p
            for p in Path(folder).rglob("*")
            if p.suffix.lower() in IMAGE_SUFFIXES and not is_litter(p)
        )
        photos = []
        for done, path in enumerate(paths, start=1):
            try:
                photo = read_image(path, gray=True)
            except ImageError:
                continue
            scale = 512 / min(photo.shape)
            if scale < 1:
                photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            if min(photo.shape) >= 128:
                photos.append(photo)
            progress("photos", done, len(paths))
        if not photos:
            raise SceneError(f"{folder}: no readable photos of at least 128 pixels a side in it")
        return cls(photos, size=size, stride=stride)

    def pair(self, seed: int) -> Pair:
        """Crops one photo twice, by two random homographies."""
        rng = np.random.default_rng([seed, 1])
        photo = self.photos[rng.integers(len(self.photos))]
        height, width = photo.shape
        short = min(height, width)
        # The first crop takes a third to all of the photo's short side; the second is centred
        # nearby and up to 1.9 times larger or smaller.
        reach = short * np.exp(rng.uniform(np.log(0.3), np.log(1.0))) / 2
        room = np.maximum(np.array([width, height]) / 2 - reach, 0)
        center = np.array([width, height]) / 2 + rng.uniform(-room, room)
        other = np.clip(reach * np.exp(rng.uniform(-0.64, 0.64)), 0.12 * short, 0.55 * short)
        shift = rng.uniform(-0.4, 0.4, 2) * reach
        tilt = rng.uniform(0, 0.25)
        first = random_homography(rng, center=center, reach=reach, size=self.size, tilt=tilt)
        second = random_homography(
            rng, center=center + shift, reach=float(other), size=self.size, tilt=tilt
        )
        cells = cell_centers(self.size, self.stride)
        on_photo = apply_homography(np.linalg.inv(first).astype(np.float64), cells)
        matches = apply_homography(second, on_photo)
        keep = inside_image(matches, self.size)
        keep &= ((on_photo > 0) & (on_photo < (width, height))).all(axis=1)
        view_first = retaken(warped(photo, first, size=self.size), rng)
        view_second = retaken(warped(photo, second, size=self.size), rng)
        if rng.random() < 0.3:
            view_second, visible = with_blocks(view_second, rng)
            at = matches[keep].astype(int)
            keep[keep] = visible[at[:, 1], at[:, 0]]
        return Pair(view_first, view_second, cells[keep], matches[keep])

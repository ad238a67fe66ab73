"""What an image says for and against a pose, in numbers that can be compared between places."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.maps.held_back import HeldBack

Array = NDArray[np.float64]

# A cell agrees with a pose when its scene coordinate reprojects this close, for views of a short
# side of 480 pixels.
AGREEMENT_PX = 10.0
# Parts of an image, along its width and its height, by which it is told how spread points are.
PARTS = (8, 6)
# Share of the landmarks in view that agree with a pose by chance, about.
CHANCE_OF_LANDMARKS = 0.007
# Parts where no more than so many times as many agree, and one, show nothing.
BEYOND_CHANCE = 3


@dataclass(frozen=True)
class CellEvidence:
    """What heads say of a pose.

    Attributes:
        share: of all cells of the view, those that agree with the pose.
        spread: share of the parts of the image that agreeing ones are in, 0 to 1.
    """

    share: float
    spread: float


@dataclass(frozen=True)
class LandmarkEvidence:
    """What landmarks say of a pose.

    Attributes:
        agreeing: landmarks that agree with the pose.
        visible: landmarks in view if nothing stood before them.
        spread: share of the parts of the image that agreeing ones are in, 0 to 1.
        error: root mean square of their errors in pixels of a short side of 480.
        enclosed: share of those in view that agreeing ones surround, 0 to 1. A poster shows the
            place within its edges, and landmarks that should be beside it are missing.
    """

    agreeing: int
    visible: int
    spread: float = 0.0
    error: float = 0.0
    enclosed: float = 1.0


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that an image says of a pose, before anything is concluded from it.

    Attributes:
        cells: what heads say; None where they were not asked.
        landmarks: what landmarks say; None where the map has none.
        by_landmarks: the pose is that of landmarks, else that of heads.
        contradicted: heads and landmarks agree with a pose each, and these are not one.
        covariance: (6, 6) of the pose as its own correspondences have it, see
            ``pose.covariance``; None if they do not determine it.
        depth: median depth of these, scene units.
        remoteness: distance of the pose from the nearest mapping camera that looks much the same
            way, in that depth. The pose by a picture of the place is behind where it was taken.
        closed_form: heads were fitted and not trained; such err more than it looks.
        reliability: of the map, 0 to 1.
        held_back: what the map was measured to do; None where it was not.
    """

    cells: CellEvidence | None
    landmarks: LandmarkEvidence | None
    by_landmarks: bool
    contradicted: bool
    covariance: Array | None
    depth: float
    remoteness: float = 0.0
    closed_form: bool = False
    reliability: float = 1.0
    held_back: HeldBack | None = None


def cell_evidence(
    errors: Array,
    pixels: Array,
    *,
    camera: Camera,
    short_side: int,
) -> CellEvidence:
    """What all cells of a view say of a pose.

    Chance makes some agree with the best pose for any image: their share grows with the area of the
    agreement disc, so that the disc is measured in shares of the view.

    Args:
        errors: (N,) reprojection errors in pixels of the view, infinity behind the camera.
        pixels: (N, 2) of the image.
        camera: of the image.
        short_side: of the view, in pixels.
    """
    if not len(errors):
        return CellEvidence(share=0.0, spread=0.0)
    agreeing = errors < AGREEMENT_PX * short_side / 480
    return CellEvidence(share=float(agreeing.mean()), spread=occupied(pixels[agreeing], camera))


def occupied(pixels: Array, camera: Camera) -> float:
    """Share of the parts of an image that points (N, 2) are in."""
    return len(np.unique(_parts(pixels, camera))) / (PARTS[0] * PARTS[1])


def enclosed(agreeing: Array, visible: Array, camera: Camera) -> float:
    """Share of the landmarks in view that lie in the convex hull of those that agree.

    Where no more agree than by chance, none count.

    Args:
        agreeing: (N, 2) pixels of keypoints.
        visible: (V, 2) pixels of landmarks in view.
        camera: of the image.
    """
    part, there = _parts(agreeing, camera), _parts(visible, camera)
    count = PARTS[0] * PARTS[1]
    found = np.bincount(part, minlength=count)
    chance = CHANCE_OF_LANDMARKS * np.bincount(there, minlength=count)
    telling = agreeing[(found > BEYOND_CHANCE * chance + 1)[part]]
    if len(telling) < 3 or not len(visible):
        return 0.0
    hull = cv2.convexHull(telling.astype(np.float32), clockwise=False)[:, 0].astype(np.float64)
    edges = np.roll(hull, -1, axis=0) - hull
    # Along an edge in the image the inside is on one side.
    offsets = visible[:, None] - hull
    inside = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0]
    return float(((inside >= 0).all(axis=1) | (inside <= 0).all(axis=1)).mean())


def _parts(pixels: Array, camera: Camera) -> NDArray[np.int64]:
    """The part of an image that each point (N, 2) is in."""
    columns, rows = PARTS
    parts = np.floor(pixels * (columns / camera.width, rows / camera.height)).astype(np.int64)
    return np.asarray(np.clip(parts, 0, (columns - 1, rows - 1)) @ (1, columns))

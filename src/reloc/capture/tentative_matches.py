"""Tentative matches between neighbouring photos, to hold poses and intrinsics against."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera
from reloc.images.sift import sift

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]

FEATURES = 1200
RATIO = 0.8  # of Lowe's test
SEARCHED_PIXELS = 180_000  # features are looked for in a photo of this size, for speed
MIN_MATCHES = 25
MIN_INLIER_SHARE = 0.4
INLIER_PX = 1.5
# The pair that tells most turns by about this angle and moves by about this share of the extent.
TELLING_ANGLE_DEG = 12.0
TELLING_STEP = 0.06


@dataclass(frozen=True)
class Features:
    """Features of one photo.

    Attributes:
        rays: (N, 2) viewing rays.
        descriptors: (N, D) float32.
        focal: pixels per unit of ray.
    """

    rays: Array
    descriptors: NDArray[np.float32]
    focal: float


@dataclass(frozen=True)
class MatchedPair:
    """Two photos and the points that both show, as far as geometry without any pose can tell.

    Attributes:
        first: index of the first frame.
        second: index of the second frame.
        rays_first: (N, 2) viewing rays in the first.
        rays_second: (N, 2) viewing rays of the same points in the second.
        focal: pixels per unit of ray, both photos together.
    """

    first: int
    second: int
    rays_first: Array
    rays_second: Array
    focal: float


def choose_pairs(world_from_cam: Array, *, anchors: int) -> list[tuple[int, int]]:
    """Pairs (first, second) of frames that should see the same things, spread over the capture.

    For each anchor the two frames that turn and move by a telling amount, and the next one in order
    of capture, which also works where the poses are wrong.

    Args:
        world_from_cam: (F, 4, 4) poses.
        anchors: how many frames to look at from.
    """
    count = len(world_from_cam)
    if count < 2:
        return []
    centers, axes = world_from_cam[:, :3, 3], world_from_cam[:, :3, 2]
    step = TELLING_STEP * float(np.ptp(centers, axis=0).max())
    chosen: dict[tuple[int, int], None] = {}
    for anchor in np.unique(np.linspace(0, count - 1, min(anchors, count)).astype(int)):
        angles = np.degrees(np.arccos(np.clip(axes @ axes[anchor], -1, 1)))
        unlike = np.abs(np.log((angles + 2) / (TELLING_ANGLE_DEG + 2)))
        if step > 0:
            distance = np.linalg.norm(centers - centers[anchor], axis=1)
            unlike = unlike + np.abs(np.log((distance + step / 4) / (step + step / 4)))
        unlike[anchor] = np.inf
        unlike[angles > 40] += 10
        following = anchor + 1 if anchor + 1 < count else anchor - 1
        for other in (*np.argsort(unlike, kind="stable")[:2], following):
            chosen.setdefault((min(anchor, other), max(anchor, other)))
    return [(int(i), int(j)) for i, j in chosen]


def find_features(image: Gray, camera: Camera) -> Features:
    """Features of a photo (H, W) whose camera has its size."""
    height, width = image.shape
    scale = min(1.0, (SEARCHED_PIXELS / (height * width)) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    # OpenCV's own contrast threshold.
    pixels, _, descriptors = sift(small, most=FEATURES, contrast=0.04)
    rays = camera.resized(*size).rays(pixels)
    good = np.isfinite(rays).all(axis=1)
    return Features(rays[good], descriptors[good], camera.focal)


def match(
    pairs: Sequence[tuple[int, int]], features_of: Callable[[int], Features | None]
) -> list[MatchedPair]:
    """The pairs that can be matched. Features are asked for frame by frame, by index."""
    matched = []
    for first, second in pairs:
        a, b = features_of(first), features_of(second)
        if a is None or b is None:
            continue
        if (pair := _matched(first, second, a, b)) is not None:
            matched.append(pair)
    return matched


def _matched(first: int, second: int, a: Features, b: Features) -> MatchedPair | None:
    """Mutual matches that agree on some epipolar geometry, which takes neither pose nor focal."""
    if min(len(a.rays), len(b.rays)) < MIN_MATCHES:
        return None
    kept = _mutual(a.descriptors, b.descriptors)
    if len(kept) < MIN_MATCHES:
        return None
    rays_a, rays_b = a.rays[kept[:, 0]], b.rays[kept[:, 1]]
    focal = float(np.sqrt(a.focal * b.focal))
    cv2.setRNGSeed(first * 7919 + second)
    try:
        _, inliers = cv2.findFundamentalMat(
            rays_a * focal, rays_b * focal, cv2.USAC_MAGSAC, INLIER_PX, 0.999, 2000
        )
    except cv2.error:
        return None  # what OpenCV does when every sample is degenerate
    if inliers is None:
        return None
    keep = inliers.ravel().astype(bool)
    if keep.sum() < MIN_MATCHES or keep.mean() < MIN_INLIER_SHARE:
        return None
    return MatchedPair(first, second, rays_a[keep], rays_b[keep], focal)


def _mutual(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.intp]:
    """Rows (M, 2) of descriptors (N, D) that are each other's nearest and pass the ratio test."""
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * (a @ b.T)
    rows, nearest = np.arange(len(a)), squared.argmin(axis=1)
    mutual = squared.argmin(axis=0)[nearest] == rows
    best = squared[rows, nearest]
    squared[rows, nearest] = np.inf
    good = mutual & (best < RATIO**2 * squared.min(axis=1))
    return np.stack([rows[good], nearest[good]], axis=1)

"""Which landmarks a photo shows: among all of them, or near where a first pose says they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.landmarks.keypoints import Keypoints, unit_descriptors
from reloc.landmarks.landmarks import Landmarks

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Rows that are compared at a time.
BLOCK = 256
# Ratios of the distances to the best and the second best candidate: few of very many are right by
# chance, of the few in a window even fewer.
RATIO_OF_ALL, RATIO_IN_WINDOW = 0.85, 0.9
# Of the distance of two random descriptors of a place, as the root of its mean square: farther
# apart two are not of one thing. Of photos of other places some ten landmarks agree with a pose at
# this limit, and forty at 0.9.
FARTHEST = 0.6
# Seen from so far off the views that a landmark is known from it looks otherwise.
TURN_DEG = 40.0
# A keypoint is described at so many times the size that the landmark has there, or one over it.
SIZE_RATIO = 2.0


@dataclass(frozen=True)
class SeenKeypoints:
    """Keypoints of a query with what matching needs.

    Attributes:
        pixels: (K, 2) float64.
        rays: (K, 2) at z = 1.
        sizes: (K,) diameters in pixels.
        coordinates: (K, D) float32 of the descriptors along the basis of the landmarks.
    """

    pixels: Array
    rays: Array
    sizes: NDArray[np.float32]
    coordinates: NDArray[np.float32]


def seen_keypoints(keypoints: Keypoints, camera: Camera, landmarks: Landmarks) -> SeenKeypoints:
    """The keypoints of a query that the lens gives a ray, for the landmarks of a map."""
    rays = camera.rays(keypoints.pixels)
    usable = np.isfinite(rays).all(axis=1)
    units = unit_descriptors(keypoints.descriptors[usable])
    return SeenKeypoints(
        keypoints.pixels[usable].astype(np.float64),
        rays[usable],
        keypoints.sizes[usable],
        landmarks.basis.coordinates(units),
    )


class LandmarkMatcher:
    """Finds the landmarks of a map in photos. Safe to use from several threads.

    Args:
        landmarks: of the map.
    """

    def __init__(self, landmarks: Landmarks) -> None:
        self.landmarks = landmarks
        self._codes = landmarks.descriptors.astype(np.float32)
        self._squares = (self._codes**2).sum(axis=1)
        # The squared distance of descriptors above which two are not of one thing.
        variance = self._codes.var(axis=0).sum() if len(landmarks) else 0.0
        self._farthest = float(2 * FARTHEST**2 * variance)

    def among_all(self, seen: SeenKeypoints) -> tuple[Indices, Indices]:
        """Mutual best matches (M,) of keypoints and landmarks, by what they look like alone."""
        if not len(seen.pixels) or not len(self._codes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        rows = np.arange(len(seen.pixels))
        best = np.full((2, len(rows)), np.inf, np.float32)
        match = np.zeros(len(rows), np.int64)
        nearest = np.zeros(len(self._codes), np.int64)
        squares = (seen.coordinates**2).sum(axis=1)
        for begin in range(0, len(self._codes), 4 * BLOCK):
            part = slice(begin, begin + 4 * BLOCK)
            far = seen.coordinates @ (-2 * self._codes[part].T)
            far += squares[:, None]
            far += self._squares[part]
            nearest[part] = far.argmin(axis=0)
            top = far.argmin(axis=1)
            first = far[rows, top]
            far[rows, top] = np.inf
            second = np.minimum(far.min(axis=1), np.maximum(best[0], first))
            match = np.where(first < best[0], begin + top, match)
            best = np.stack([np.minimum(best[0], first), np.minimum(best[1], second)])
        good = (best[0] < RATIO_OF_ALL**2 * best[1]) & (best[0] < self._farthest)
        good &= nearest[match] == rows
        found = np.flatnonzero(good)
        return found, match[found]

    def visible(self, world_from_cam: Array, camera: Camera) -> tuple[Indices, Array, Array]:
        """Landmarks that a camera sees if nothing stands before them.

        Returns:
            Rows (V,) of the landmarks, pixels (V, 2) and depths (V,).
        """
        own = self.landmarks
        local = transformed(inverted(world_from_cam), own.points)
        toward = world_from_cam[:3, 3] - own.points
        cosines = (toward * own.directions).sum(axis=1) / np.maximum(
            np.linalg.norm(toward, axis=1), 1e-12
        )
        reach = np.minimum(own.spreads + np.radians(TURN_DEG), np.pi)
        low, high = camera.ray_bounds()
        with np.errstate(divide="ignore", invalid="ignore"):
            rays = local[:, :2] / local[:, 2:]
            fit = (local[:, 2] > 0) & (rays > low).all(axis=1) & (rays < high).all(axis=1)
        rows = np.flatnonzero(fit & (cosines > np.cos(reach)))
        pixels = camera.pixels(rays[rows])
        inside = ((pixels > 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        return rows[inside], pixels[inside], local[rows[inside], 2]

    def in_windows(
        self, seen: SeenKeypoints, world_from_cam: Array, camera: Camera, *, window: float
    ) -> tuple[Indices, Indices]:
        """Mutual best matches (M,) of keypoints and landmarks near where a pose projects these.

        Args:
            seen: of the query.
            world_from_cam: (4, 4) first pose.
            camera: of the query.
            window: pixels along either axis between a landmark and its keypoint, at most.
        """
        rows, pixels, depths = self.visible(world_from_cam, camera)
        order = np.argsort(pixels[:, 0], kind="stable")
        rows, pixels = rows[order], pixels[order]
        sizes = self.landmarks.sizes[rows] * camera.focal / depths[order]
        sorted_keys = np.argsort(seen.pixels[:, 0], kind="stable")
        across = seen.pixels[sorted_keys, 0]
        of_landmark = np.full(len(rows), -1, np.int64)
        least = np.full(len(rows), np.inf, np.float32)
        least_of_key = np.full(len(seen.pixels), np.inf, np.float32)
        for begin in range(0, len(rows), BLOCK):
            part = slice(begin, begin + BLOCK)
            low, high = np.searchsorted(
                across, (pixels[part][0, 0] - window, pixels[part][-1, 0] + window)
            )
            keys = sorted_keys[low:high]
            if not len(keys):
                continue
            off = np.abs(seen.pixels[keys] - pixels[part][:, None])
            ratio = seen.sizes[keys] / sizes[part][:, None]
            fit = (off < window).all(axis=2) & (ratio < SIZE_RATIO) & (ratio > 1 / SIZE_RATIO)
            coordinates, codes = seen.coordinates[keys], self._codes[rows[part]]
            far = self._squares[rows[part]][:, None] + (coordinates**2).sum(axis=1)
            far -= 2 * codes @ coordinates.T
            far[~fit] = np.inf
            np.minimum.at(least_of_key, keys, far.min(axis=0))
            line, top = np.arange(len(far)), far.argmin(axis=1)
            best = far[line, top]
            far[line, top] = np.inf
            good = (best < RATIO_IN_WINDOW**2 * far.min(axis=1)) & (best < self._farthest)
            least[part] = best
            of_landmark[part] = np.where(good, keys[top], -1)
        found = np.flatnonzero(of_landmark >= 0)
        found = found[least[found] <= least_of_key[of_landmark[found]]]
        return of_landmark[found], rows[found]

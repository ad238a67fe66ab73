"""Which landmarks a photo shows: among all of them, or near where a first pose says they are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.landmarks.keypoints import Keypoints, unit_descriptors
from reloc.landmarks.landmarks import Landmarks

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# Keypoints and landmarks that are compared at a time; their distances fit a processor's cache.
BLOCK = (256, 1024)
# Pairs in windows that are compared at a time.
PAIRS = 1 << 17
# Ratios of the distances to the best and the second best candidate: few of very many are right by
# chance, of the few in a window even fewer.
RATIO_OF_ALL, RATIO_IN_WINDOW = 0.85, 0.9
# Of its distance to a keypoint over that of a landmark elsewhere: with more, the two look alike.
TWIN_RATIO = 0.6
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
        reach = np.minimum(landmarks.spreads + np.radians(TURN_DEG), np.pi)
        self._least_cosines = np.cos(reach)
        # The squared distance of descriptors above which two are not of one thing.
        variance = self._codes.var(axis=0).sum() if len(landmarks) else 0.0
        self._farthest = float(2 * FARTHEST**2 * variance)

    def among_all(self, seen: SeenKeypoints) -> tuple[Indices, Indices]:
        """Mutual best matches (M,) of keypoints and landmarks, by what they look like alone."""
        if not len(seen.pixels) or not len(self._codes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        count = len(seen.pixels)
        first = np.full(count, np.inf, np.float32)
        second, match = first.copy(), np.zeros(count, np.int64)
        for begin in range(0, count, BLOCK[0]):
            keys = slice(begin, begin + BLOCK[0])
            for start in range(0, len(self._codes), BLOCK[1]):
                part = slice(start, start + BLOCK[1])
                far = _distances(seen.coordinates[keys], self._codes[part], self._squares[part])
                line, top = np.arange(len(far)), far.argmin(axis=1)
                least = far[line, top]
                far[line, top] = np.inf
                runner_up = np.minimum(far.min(axis=1), np.maximum(first[keys], least))
                match[keys] = np.where(least < first[keys], start + top, match[keys])
                first[keys] = np.minimum(first[keys], least)
                second[keys] = np.minimum(second[keys], runner_up)
        squares = (seen.coordinates**2).sum(axis=1)
        first, second = first + squares, second + squares
        found = np.flatnonzero((first < RATIO_OF_ALL**2 * second) & (first < self._farthest))
        back = _distances(self._codes[match[found]], seen.coordinates, squares).argmin(axis=1)
        found = found[back == found]
        return found, match[found]

    def elsewhere(
        self, seen: SeenKeypoints, keys: Indices, rows: Indices, *, apart: float
    ) -> tuple[Indices, Indices]:
        """Landmarks far from the matched ones that look nearly as much like the keypoints.

        Args:
            seen: of the query.
            keys: (M,) keypoints.
            rows: (M,) their landmarks.
            apart: scene units that others have to be away at least.

        Returns:
            Keypoints and landmarks (L,) of those that have such a twin, the best one of each.
        """
        points = self.landmarks.points
        coordinates, own = seen.coordinates[keys], points[rows]
        far = _distances(coordinates, self._codes, self._squares)
        far += (coordinates**2).sum(axis=1)[:, None]
        line = np.arange(len(keys))
        limit = np.minimum(far[line, rows] / TWIN_RATIO**2, self._farthest)
        squares = (own**2).sum(axis=1)[:, None] + (points**2).sum(axis=1) - 2 * own @ points.T
        far[squares < apart**2] = np.inf
        twins = far.argmin(axis=1)
        found = far[line, twins] < limit
        return keys[found], twins[found]

    def visible(self, world_from_cam: Array, camera: Camera) -> tuple[Indices, Array, Array]:
        """Landmarks that a camera sees if nothing stands before them.

        Returns:
            Rows (V,) of the landmarks, pixels (V, 2) and depths (V,).
        """
        own = self.landmarks
        local = transformed(inverted(world_from_cam), own.points)
        toward = world_from_cam[:3, 3] - own.points
        along = np.einsum("nd,nd->n", toward, own.directions)
        distances = np.sqrt(np.einsum("nd,nd->n", toward, toward))
        # Axis by axis, since NumPy is slow at reductions over two numbers.
        fit = (local[:, 2] > 0) & (along > self._least_cosines * distances)
        (left, top), (right, bottom) = camera.ray_bounds()
        with np.errstate(divide="ignore", invalid="ignore"):
            rays = local[:, :2] / local[:, 2:]
            fit &= (rays[:, 0] > left) & (rays[:, 0] < right)
            fit &= (rays[:, 1] > top) & (rays[:, 1] < bottom)
        rows = np.flatnonzero(fit)
        pixels = camera.pixels(rays[rows])
        inside = ((pixels > 0) & (pixels < (camera.width, camera.height))).all(axis=1)
        return rows[inside], pixels[inside], local[rows[inside], 2]

    def in_windows(
        self,
        seen: SeenKeypoints,
        world_from_cam: Array,
        camera: Camera,
        *,
        window: float,
        most: int | None = None,
    ) -> tuple[Indices, Indices]:
        """Mutual best matches (M,) of keypoints and landmarks near where a pose projects these.

        Args:
            seen: of the query.
            world_from_cam: (4, 4) first pose.
            camera: of the query.
            window: pixels along either axis between a landmark and its keypoint, at most.
            most: landmarks that are looked for, spread evenly over those in view; None for all.
        """
        rows, pixels, depths = self.visible(world_from_cam, camera)
        if most is not None and len(rows) > most:
            part = np.linspace(0, len(rows) - 1, most).astype(np.int64)
            rows, pixels, depths = rows[part], pixels[part], depths[part]
        sizes = self.landmarks.sizes[rows] * camera.focal / depths
        low, high, order = _runs(pixels, seen.pixels, window)
        squares = (seen.coordinates**2).sum(axis=1)
        of_landmark = np.full(len(rows), -1, np.int64)
        least = np.full(len(rows), np.inf, np.float32)
        least_of_key = np.full(len(seen.pixels), np.inf, np.float32)
        across, down = np.ascontiguousarray(seen.pixels[order].T)
        described = seen.sizes[order]
        ends = np.cumsum((high - low).sum(axis=1))
        total = int(ends[-1]) if len(ends) else 0
        cuts = np.searchsorted(ends, np.arange(PAIRS, total, PAIRS))
        for part in np.split(np.arange(len(rows)), np.unique(cuts)):
            runs = (high[part] - low[part]).ravel()
            place = np.repeat(low[part].ravel() + runs - np.cumsum(runs), runs)
            place += np.arange(len(place))
            marks = np.repeat(np.repeat(part, low.shape[1]), runs)
            near = np.flatnonzero(np.abs(down[place] - pixels[marks, 1]) < window)
            place, marks = place[near], marks[near]
            ratio = described[place] / sizes[marks]
            fit = (ratio < SIZE_RATIO) & (ratio > 1 / SIZE_RATIO)
            fit &= np.abs(across[place] - pixels[marks, 0]) < window
            keys, marks = order[place[fit]], marks[fit]
            if not len(keys):
                continue
            codes, coordinates = self._codes[rows[marks]], seen.coordinates[keys]
            far = self._squares[rows[marks]] + squares[keys]
            far -= 2 * np.einsum("pd,pd->p", codes, coordinates)
            np.minimum.at(least_of_key, keys, far)
            begins = np.flatnonzero(np.diff(marks, prepend=-1))
            own = marks[begins]
            least[own] = np.minimum.reduceat(far, begins)
            # Where two are equally near, the first.
            tops = np.flatnonzero(far == least[marks])[::-1]
            top = np.empty(len(rows), np.int64)
            top[marks[tops]] = tops
            far[top[own]] = np.inf
            second = np.minimum.reduceat(far, begins)
            good = (least[own] < RATIO_IN_WINDOW**2 * second) & (least[own] < self._farthest)
            of_landmark[own[good]] = keys[top[own[good]]]
        found = np.flatnonzero(of_landmark >= 0)
        found = found[least[found] <= least_of_key[of_landmark[found]]]
        return of_landmark[found], rows[found]


def _distances(
    of: NDArray[np.float32], to: NDArray[np.float32], squares: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squared distances (N, M) without the squares of the first, which all of a row share.

    Args:
        of: (N, D).
        to: (M, D).
        squares: (M,) of the latter.
    """
    far = (-2 * of) @ to.T
    far += squares
    return far


def _runs(marks: Array, keys: Array, window: float) -> tuple[Indices, Indices, Indices]:
    """Keypoints near each of V places, as runs of an order in which neighbors follow each other.

    Keypoints are sorted by bands as high as the window, and within a band from left to right. All
    that are in the window around a place are in three runs, with some that are above or below it.

    Args:
        marks: (V, 2) places in pixels, none negative.
        keys: (K, 2) keypoints, none negative.
        window: pixels along either axis.

    Returns:
        Where runs begin and end (V, 3), and the order (K,) of the keypoints.
    """
    widest = max(keys[:, 0].max(initial=0), marks[:, 0].max(initial=0)) + 2 * window + 1
    along = np.floor(keys[:, 1] / window) * widest + keys[:, 0]
    order = np.argsort(along, kind="stable")
    bands = np.floor(marks[:, 1] / window)[:, None] + (-1, 0, 1)
    middle = bands * widest + marks[:, :1]
    low = np.searchsorted(along[order], middle - window)
    high = np.searchsorted(along[order], middle + window, side="right")
    return low, high, order

"""The landmarks of a map that a query may show: those of the regions that it looks like."""

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from reloc.landmarks.editing import seen_by_any
from reloc.landmarks.landmarks import Landmarks
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.maps.scene_map import SceneMap

# Among so many a query is matched in a fraction of the time that the networks take.
ENOUGH = 20_000
# Typical depths of a region around its middle: what is farther is better known from elsewhere, and
# most landmarks of a large map need not be projected to find those of a region.
REACH = 10.0
# Solvers for the regions that the last queries showed.
KEPT = 16


class RegionalLandmarks:
    """Solvers for the landmarks of some regions of a map. Safe to use from several threads.

    Args:
        landmarks: of the map; one at least.
        scene_map: its regions, and the cameras that see which landmarks belong to one.
        enough: landmarks that are matched with a query, about. Where a map has no more, or a single
            region, a query is matched with all.
    """

    def __init__(self, landmarks: Landmarks, scene_map: SceneMap, *, enough: int = ENOUGH) -> None:
        self._landmarks = landmarks
        self._map = scene_map
        self._enough = enough
        parted = len(landmarks) > enough and len(scene_map.regions) > 1
        self._whole = None if parted else LandmarkSolver(landmarks)
        self._rows: dict[int, NDArray[np.int64]] = {}
        self._solvers: OrderedDict[tuple[int, ...], LandmarkSolver] = OrderedDict()
        self._lock = Lock()

    @property
    def parted(self) -> bool:
        """Whether it matters for which regions a solver is asked."""
        return self._whole is None

    def solver(self, regions: Iterable[int]) -> LandmarkSolver | None:
        """A solver for the landmarks of the first regions that have enough together.

        Args:
            regions: of the map, the likeliest first.

        Returns:
            None where they have none.
        """
        if self._whole is not None:
            return self._whole
        with self._lock:
            chosen: list[int] = []
            rows = np.zeros(0, np.int64)
            for region in regions:
                more = np.union1d(rows, self._of(region))
                if len(rows) and len(more) > self._enough:
                    break
                chosen.append(region)
                rows = more
            if not len(rows):
                return None
            key = tuple(sorted(chosen))
            if key not in self._solvers:
                self._solvers[key] = LandmarkSolver(self._landmarks.subset(rows))
                if len(self._solvers) > KEPT:
                    self._solvers.popitem(last=False)
            self._solvers.move_to_end(key)
            return self._solvers[key]

    def _of(self, region: int) -> NDArray[np.int64]:
        """Rows of the landmarks that the mapping photos of a region show; found but once."""
        if region not in self._rows:
            own = self._map.regions[region]
            apart = np.linalg.norm(self._landmarks.points - own.origin, axis=1)
            near = np.flatnonzero(apart < REACH * own.scale)
            cameras = self._map.cameras
            photos = cameras if own.frames is None else [cameras[row] for row in own.frames]
            views = [(photo.world_from_cam, photo.camera) for photo in photos]
            seen = near[seen_by_any(self._landmarks.subset(near), views)]
            self._rows[region] = seen
        return self._rows[region]

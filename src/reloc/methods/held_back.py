"""Mapping frames that are held back: photos of the place that the map does not learn from."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from reloc.mapping.scene_scale import scene_scale
from reloc.sampling import spread_order
from reloc.scenes.scene import Frame, Scene, posed, poses_of

Array = NDArray[np.float64]

# Of the frames so many are held back, within these bounds; of fewer frames none can be spared.
SHARE, LEAST, MOST = 0.05, 8, 24
LEAST_FRAMES = 60
# One that is held back has so many beside it that are not, so that the others cover what it shows.
BESIDE = 3
# As far apart at most: a typical depth, or a turn by so many degrees, is one.
NEAR, TURN_DEG = 0.5, 45.0


@dataclass(frozen=True)
class PartedScene:
    """A scene in two.

    Attributes:
        learned: the scene with those mapping frames that a map is made from.
        held_back: the others; none where too few could be spared.
        rows: of the learned ones among the posed mapping frames.
    """

    learned: Scene
    held_back: tuple[Frame, ...]
    rows: NDArray[np.intp]

    def with_held_back(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows among the posed mapping frames, given those among the learned ones.

        Whatever is held back joins those that are nearest to it.
        """
        if not self.held_back:
            return rows
        joining = self._held_back_rows[np.isin(self._nearest, rows)]
        return np.union1d(self.rows[rows], joining)

    @cached_property
    def _held_back_rows(self) -> NDArray[np.intp]:
        return np.setdiff1d(np.arange(len(self.rows) + len(self.held_back)), self.rows)

    @cached_property
    def _nearest(self) -> NDArray[np.intp]:
        """For each frame that is held back the nearest of the learned ones."""
        poses = poses_of(posed(self.learned.mapping))
        nearest = [nearest_row(poses, pose) for pose in poses_of(self.held_back)]
        return np.array(nearest, np.intp)


def part(scene: Scene) -> PartedScene:
    """Parts a scene into frames to learn from and frames to hold back, by their poses alone."""
    frames = posed(scene.mapping)
    chosen = set(held_back_rows(poses_of(frames))) if len(frames) >= LEAST_FRAMES else set()
    names = {frames[row].name for row in chosen}
    learned = tuple(frame for frame in scene.mapping if frame.name not in names)
    return PartedScene(
        replace(scene, mapping=learned) if chosen else scene,
        tuple(frames[row] for row in sorted(chosen)),
        np.array([row for row in range(len(frames)) if row not in chosen], np.intp),
    )


def held_back_rows(world_from_cam: Array) -> list[int]:
    """Rows of the frames to hold back, spread evenly; none where the others cover too few.

    Args:
        world_from_cam: (N, 4, 4) of all frames.
    """
    count = len(world_from_cam)
    wanted = min(MOST, max(LEAST, round(SHARE * count)))
    depth = scene_scale(world_from_cam)
    chosen: list[int] = []
    kept: set[int] = set()
    for row in spread_order(count):
        if len(chosen) == wanted:
            break
        beside = _beside(world_from_cam, row, depth=depth)
        # What covers one cannot be held back itself.
        if row not in kept and len(beside := [b for b in beside if b not in chosen]) >= BESIDE:
            chosen.append(row)
            kept.update(beside[:BESIDE])
    return chosen if len(chosen) >= LEAST else []


def nearest_row(world_from_cam: Array, pose: Array) -> int:
    """The row of the pose, of some (N, 4, 4), that is nearest to another."""
    return int(_apart(world_from_cam, pose, depth=scene_scale(world_from_cam)).argmin())


def _beside(world_from_cam: Array, row: int, *, depth: float) -> list[int]:
    """Frames near another, the nearest first."""
    apart = _apart(world_from_cam, world_from_cam[row], depth=depth)
    apart[row] = np.inf
    order = np.argsort(apart, kind="stable")
    return order[: int((apart <= NEAR).sum())].tolist()


def _apart(world_from_cam: Array, pose: Array, *, depth: float) -> Array:
    shift = np.linalg.norm(world_from_cam[:, :3, 3] - pose[:3, 3], axis=1) / depth
    cosines = np.clip(world_from_cam[:, :3, 2] @ pose[:3, 2], -1, 1)
    return np.hypot(shift, np.degrees(np.arccos(cosines)) / TURN_DEG)

"""From where landmarks were seen: those that frames beside a camera show fit its pose best.

Poses of mapping frames are consistent among neighbors and less so over a whole place, and what is
seen from a side looks and is located as from there. So of all landmarks that agree with a pose
those are the most exact that frames beside it show.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.landmarks.pairs import how_far

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

# Groups of frames that a new map tells apart, at most, and of a map of several, which a file has.
GROUPS, MOST_GROUPS = 40, 1024
# What so many of the nearest groups show counts, at least, and so many landmarks that agree with
# the pose: a few do not fix it.
NEAREST, ENOUGH = 3, 40


@dataclass(frozen=True)
class Vantages:
    """Groups of neighboring mapping frames, and which landmarks they show.

    Attributes:
        centers: (G, 3) float64, mean camera center of each, world frame.
        axes: (G, 3) float32 mean viewing direction of each, unit vectors.
        depth: typical depth of the scene, in scene units.
        seen: (N, G) whether a frame of the group shows the landmark.
    """

    centers: Array
    axes: NDArray[np.float32]
    depth: float
    seen: Mask

    def subset(self, rows: Indices) -> "Vantages":
        """Those of some of the landmarks, in the order of ``rows``."""
        return replace(self, seen=self.seen[rows])

    def beside(self, world_from_cam: Array, rows: Indices, agree: Mask) -> Mask:
        """Which of some landmarks the groups nearest to a pose show.

        Args:
            world_from_cam: (4, 4).
            rows: (M,) of landmarks.
            agree: (M,) which of them agree with the pose. As many groups count as show ``ENOUGH``
                of these, ``NEAREST`` at least.
        """
        shifts = (self.centers - world_from_cam[:3, 3]) / self.depth
        far = how_far(shifts, self.axes @ world_from_cam[:3, 2])
        order = np.argsort(far, kind="stable")
        shown = np.logical_or.accumulate(self.seen[np.ix_(rows, order)], axis=1)
        groups = 1 + int((shown[agree].sum(axis=0) < ENOUGH).sum())
        return np.asarray(shown[:, min(max(groups, NEAREST), len(order)) - 1])


def vantages_of(
    world_from_cam: Array, observations: Indices, *, count: int, depth: float
) -> Vantages:
    """Groups of the frames that show landmarks.

    Args:
        world_from_cam: (V, 4, 4) of the frames.
        observations: (M, 2) rows of a landmark and of a frame that shows it.
        count: of the landmarks.
        depth: typical depth of the scene, in scene units.
    """
    group = _groups(world_from_cam, depth)
    number = int(group.max(initial=-1)) + 1
    members = np.zeros((number, len(world_from_cam)))
    members[group, np.arange(len(group))] = 1
    members /= members.sum(axis=1, keepdims=True)
    axes = members @ world_from_cam[:, :3, 2]
    axes /= np.maximum(np.linalg.norm(axes, axis=1, keepdims=True), 1e-12)
    seen = np.zeros((count, number), bool)
    seen[observations[:, 0], group[observations[:, 1]]] = True
    return Vantages(members @ world_from_cam[:, :3, 3], axes.astype(np.float32), depth, seen)


def of_both(one: Vantages | None, other: Vantages | None) -> Vantages | None:
    """Those of the landmarks of two maps, one after the other; None where one has none."""
    if one is None or other is None:
        return None
    groups = len(one.centers), len(other.centers)
    if sum(groups) > MOST_GROUPS:
        return None
    seen = np.zeros((len(one.seen) + len(other.seen), sum(groups)), bool)
    seen[: len(one.seen), : groups[0]] = one.seen
    seen[len(one.seen) :, groups[0] :] = other.seen
    return Vantages(
        np.concatenate([one.centers, other.centers]),
        np.concatenate([one.axes, other.axes]),
        (one.depth + other.depth) / 2,
        seen,
    )


def _groups(world_from_cam: Array, depth: float) -> Indices:
    """The group (V,) of each frame: that of the nearest of some frames far from one another."""
    far: list[Array] = []
    chosen, nearest = 0, np.full(len(world_from_cam), np.inf)
    while len(far) < min(GROUPS, len(world_from_cam)):
        pose = world_from_cam[chosen]
        shifts = (world_from_cam[:, :3, 3] - pose[:3, 3]) / depth
        far.append(how_far(shifts, world_from_cam[:, :3, 2] @ pose[:3, 2]))
        nearest = np.minimum(nearest, far[-1])
        nearest[chosen] = -1.0  # itself, among frames that stand in one place
        chosen = int(nearest.argmax())
    return np.argmin(far, axis=0) if far else np.zeros(0, np.int64)

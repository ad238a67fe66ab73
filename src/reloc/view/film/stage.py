"""Where the camera of the film goes: slowly around the place, from a little above."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, look_at
from reloc.view.placement import Placement

Array = NDArray[np.float64]

SWEEP_DEG = 70.0  # from the first picture to the last
HIGH_DEG, LOW_DEG = 38.0, 24.0
# Half of the picture that the place may fill, as shares of its width and height; captions stand
# above and below.
FREE = (0.45, 0.33)
INSIDE = 98  # percent of the place that it has to show throughout
BULK = 0.6  # of the box around the bulk, to each side of its middle, is the place


@dataclass(frozen=True)
class Stage:
    """A place as the film sees it.

    Attributes:
        path: (K, 3) what the camera looks at, as coefficients of powers of the film's part.
        radius: of the ball that holds most of the place, scene units.
        up: (3,) against gravity.
        front: (3,) horizontal direction from there to where the camera stands halfway.
        distance: of the camera from what it looks at, scene units.
    """

    path: Array
    radius: float
    up: Array
    front: Array
    distance: float

    @classmethod
    def of(
        cls, placement: Placement, points: Array, facing: Array, poses: Array, camera: Camera
    ) -> "Stage":
        """The stage of a place for a camera.

        Args:
            placement: where the place is.
            points: (N, 3) of it, N may be zero.
            facing: (N, 3) direction to the side of each point that can be seen.
            poses: (M, 4, 4) of the mapping cameras.
            camera: of the film.
        """
        page = placement.page_from_world
        up, center = page[2, :3], -page[:3, :3].T @ page[:3, 3]
        # From behind the photographers; where they look all around, from anywhere.
        back = -poses[:, :3, 2].mean(axis=0)
        back = back - (back @ up) * up
        if np.linalg.norm(back) < 0.2:
            back = page[0, :3]
        radius = max(placement.radius, 1e-9)
        stage = cls(center[None], radius, up, back / np.linalg.norm(back), distance=radius)
        middle, half = (placement.low + placement.high) / 2, placement.high - placement.low
        local = points @ page[:3, :3].T + page[:3, 3]
        inside = (np.abs(local - middle) <= BULK * half).all(axis=1)
        return stage._fitted(points[inside], facing[inside], camera) if inside.any() else stage

    def _fitted(self, points: Array, facing: Array, camera: Camera) -> "Stage":
        """The stage whose camera looks at the middle of points (N, 3), which fill the picture."""
        times = np.linspace(0, 1, 5)
        turns = [self.pose(part)[:3, :3] for part in times]
        parts = [points[facing @ turn[:, 2] < 0] for turn in turns]
        parts = [part if len(part) else points for part in parts]
        limits = np.multiply(FREE, (camera.width, camera.height)) / camera.focal
        stage = self
        # What is near looks larger, so where the middle is depends on the distance, and it on that.
        for _ in range(4):
            centers, needed = [], []
            for time, part, turn in zip(times, parts, turns, strict=True):
                seen = (part - stage.center(time)) @ turn
                depth = np.maximum(seen[:, 2:] + stage.distance, 0.1 * stage.distance)
                ends = np.percentile(seen[:, :2] / depth, [100 - INSIDE, INSIDE], axis=0)
                shift = stage.distance * ends.mean(axis=0)
                centers.append(stage.center(time) + turn[:, :2] @ shift)
                # From a distance d a point is inside the free part of the picture if
                # |x| / (z + d) and |y| / (z + d) are within its limits.
                across = (np.abs(seen[:, :2] - shift) / limits).max(axis=1)
                needed.append(float(np.percentile(across - seen[:, 2], INSIDE)))
            # A parabola moves smoothly from one to the next.
            path = np.polynomial.polynomial.polyfit(times, np.array(centers), 2)
            stage = replace(stage, path=path, distance=max(*needed, 0.5 * self.radius))
        return stage

    def center(self, part: float) -> Array:
        """The point (3,) that the camera looks at, at a part of the film."""
        return part ** np.arange(len(self.path)) @ self.path

    def pose(self, part: float) -> Array:
        """``world_from_cam`` (4, 4) at a part, 0 to 1, of the film; the place fills the picture."""
        smooth = part * part * (3 - 2 * part)
        turn = np.radians(SWEEP_DEG) * (smooth - 0.5)
        rise = np.radians(HIGH_DEG + (LOW_DEG - HIGH_DEG) * smooth)
        side = np.cross(self.up, self.front)
        level = np.cos(turn) * self.front + np.sin(turn) * side
        center = self.center(part)
        eye = center + self.distance * (np.cos(rise) * level + np.sin(rise) * self.up)
        return look_at(eye, center, up=self.up)

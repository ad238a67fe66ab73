"""Where the camera of the film goes: slowly around the place, from a little above."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, look_at
from reloc.geometry.plan import up_direction

Array = NDArray[np.float64]

SWEEP_DEG = 70.0  # from the first picture to the last
HIGH_DEG, LOW_DEG = 38.0, 24.0


@dataclass(frozen=True)
class Stage:
    """A place as the film sees it.

    Attributes:
        centre: (3,) what the camera looks at.
        radius: of the ball that holds most of the place, scene units.
        up: (3,) against gravity.
        front: (3,) horizontal direction from the centre to where the camera stands halfway.
    """

    centre: Array
    radius: float
    up: Array
    front: Array

    @classmethod
    def of(cls, points: Array, poses: Array) -> "Stage":
        """The stage for points (N, 3), N may be zero, and mapping poses (M, 4, 4)."""
        up = up_direction(poses)
        # As many points as cameras: neither a far facade nor a long walk fills the picture alone.
        few = points[np.linspace(0, len(points) - 1, min(len(points), 20_000)).astype(int)]
        low, high = np.percentile(poses[:, :3, 3], [2, 98], axis=0)
        if len(few):
            near, far = np.percentile(few, [8, 92], axis=0)
            low, high = np.minimum(low, near), np.maximum(high, far)
        # From behind the photographers; where they look all around, from where they stand most.
        back = -poses[:, :3, 2].mean(axis=0)
        back = back - (back @ up) * up
        if np.linalg.norm(back) < 0.2:
            back = np.cross(up, np.eye(3)[np.abs(up).argmin()])
        return cls(
            (low + high) / 2,
            max(float(np.linalg.norm(high - low)) / 2, 1e-9),
            up,
            back / np.linalg.norm(back),
        )

    def pose(self, part: float, camera: Camera) -> Array:
        """``world_from_cam`` (4, 4) at a part, 0 to 1, of the film; the place fills the picture."""
        smooth = part * part * (3 - 2 * part)
        turn = np.radians(SWEEP_DEG) * (smooth - 0.5)
        rise = np.radians(HIGH_DEG + (LOW_DEG - HIGH_DEG) * smooth)
        side = np.cross(self.up, self.front)
        level = np.cos(turn) * self.front + np.sin(turn) * side
        distance = self.radius * camera.focal / (0.5 * camera.height) * (1.15 - 0.1 * smooth)
        eye = self.centre + distance * (np.cos(rise) * level + np.sin(rise) * self.up)
        return look_at(eye, self.centre, up=self.up)

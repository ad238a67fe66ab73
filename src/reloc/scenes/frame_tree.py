"""Coordinate frames of a robot as a tree, in which some move: ROS's tf."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reloc.scenes.found_poses import FoundPose, chained
from reloc.scenes.scene import Array
from reloc.scenes.trajectory import Trajectory

# Trees of robots are flat; a circle, which is none, ends here.
_DEEPEST = 32


@dataclass(frozen=True)
class FrameTree:
    """Frames by name.

    Attributes:
        fixed: for each frame that does not move in its parent, the parent and its pose there.
        moving: for each that does, the parent and its poses by time.
    """

    fixed: Mapping[str, tuple[str, Array]]
    moving: Mapping[str, tuple[str, Trajectory]]

    def pose(self, frame: str, time: float) -> tuple[FoundPose, str]:
        """The pose of a frame at a time in the topmost frame above it, and the name of that one.

        No pose if nothing moves on the way, or if a frame has no pose at about that time.
        """
        below: Array | None = None
        moves = False
        name = frame
        for _ in range(_DEEPEST):
            if name in self.moving:
                parent, trajectory = self.moving[name]
                pose, _ = trajectory.at(time)
                if pose is None:
                    return (None, f"{parent} has no {name} at its time"), name
                moves = True
            elif name in self.fixed:
                parent, pose = self.fixed[name]
            else:
                break
            below = pose if below is None else chained((pose, None), (below, None))[0]
            name = parent
        if not moves or below is None:
            return (None, f"no transform leads from {frame} to a frame that moves"), name
        return (below, None), name

    def world(self, frames: Iterable[tuple[str, float]]) -> str | None:
        """The topmost frame of most of these frames and times."""
        found = (self.pose(frame, time) for frame, time in frames)
        tops = Counter(top for (pose, _), top in found if pose is not None)
        return tops.most_common(1)[0][0] if tops else None

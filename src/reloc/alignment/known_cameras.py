"""Cameras of a scene by the names that people use for them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.geometry import Camera

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KnownCameras:
    """Cameras whose poses are known.

    Attributes:
        names: of their frames.
        poses: (N, 4, 4) ``world_from_cam``.
        cameras: intrinsics of each.
    """

    names: tuple[str, ...]
    poses: Array
    cameras: Sequence[Camera]

    @property
    def centers(self) -> Array:
        """Camera centres (N, 3), world frame."""
        return np.asarray(self.poses[:, :3, 3])

    def row(self, name: str) -> int | None:
        """The camera that a name means: the whole name, or its last part if that is unique."""
        return self._rows.get(name, self._rows.get(PurePath(name).name))

    def named(self, name: str) -> int:
        """As ``row``. Raises OptionError where there is no such camera."""
        if (found := self.row(name)) is None:
            raise OptionError(
                f"no mapping frame that is kept is called {name[:80]!r}, or several are; they "
                f"are called as {self.names[0] if self.names else 'none'}"
            )
        return found

    @property
    def _rows(self) -> dict[str, int]:
        last = [PurePath(name).name for name in self.names]
        count = Counter(last)
        unique = {name: row for row, name in enumerate(last) if count[name] == 1}
        return {**unique, **{name: row for row, name in enumerate(self.names)}}


def triangulated(origins: Array, directions: Array) -> Array | None:
    """The point (3,) nearest to rays; None where they are all but parallel.

    Args:
        origins: (N, 3).
        directions: (N, 3), of unit length.
    """
    across = np.eye(3) - directions[:, :, None] * directions[:, None, :]
    normal = across.sum(axis=0)
    values = np.linalg.eigvalsh(normal)
    if len(origins) < 2 or values[0] < 1e-4 * len(origins):
        return None
    return np.linalg.solve(normal, (across @ origins[:, :, None]).sum(axis=0)[:, 0])

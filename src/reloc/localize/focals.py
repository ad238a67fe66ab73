"""Focal lengths of a map's photos: how large its networks are used to see things."""

from collections.abc import Sequence

import numpy as np

from reloc.geometry import Camera

# Networks learned from views that were zoomed by up to so much, either way.
USUAL = 1.5
# Mapping photos of a focal length are some if they are such a share of all.
SOME = 0.05
# A view may be so many times as large as the map's, and as small: four times the pixels take four
# times as long, and of what is smaller too few cells are left. Cameras beyond are given wrongly, or
# too far from those of the map to be helped.
MOST, LEAST = 2.0, 0.25


class KnownFocals:
    """Focal lengths of the photos that a map was made from, at one short side.

    Args:
        cameras: of the photos; there may be none.
    """

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self._known = np.array([_at_one_side(camera) for camera in cameras])

    def enlargement(self, camera: Camera) -> float:
        """How many times as large as others a view shows things as the mapping photos did.

        1 for a focal length that the networks know: within 2/3 to 3/2 of that of some mapping
        photos. All others are brought to the median of these, as far as a view may grow or shrink.

        Args:
            camera: of the query.
        """
        if not len(self._known):
            return 1.0
        ratios = self._known / _at_one_side(camera)
        if ((ratios <= USUAL) & (ratios >= 1 / USUAL)).mean() >= SOME:
            return 1.0
        return float(np.clip(np.median(ratios), LEAST, MOST))


def _at_one_side(camera: Camera) -> float:
    return camera.focal / min(camera.width, camera.height)

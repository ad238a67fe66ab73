"""How a place is divided among heads: its typical depth, and the clusters of its cameras."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.mapping.stereo_survey import FRAMES_ASKED
from reloc.methods.ace.clusters import Indices, clusters_of
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.plain_views import PlainViews
from reloc.stereo import neighbours_among


@dataclass(frozen=True)
class Division:
    """How a place is divided among heads.

    Attributes:
        depth: typical depth of the scene, in scene units; corrected where the images show less.
        heads: that the place has.
        clusters: rows of the frames of each head that is trained: of all, or of one alone.
    """

    depth: float
    heads: int
    clusters: tuple[Indices, ...]

    @property
    def frames(self) -> frozenset[int]:
        """Rows of the frames that heads are trained from."""
        return frozenset(np.concatenate(self.clusters).tolist())


def divide(
    views: PlainViews,
    poses: NDArray[np.float64],
    *,
    expected_depth: float,
    options: MappingOptions,
    head: int | None,
    place: str,
) -> Division:
    """Settles the typical depth, and with it the clusters.

    Args:
        views: of frames that are asked how far they see. Those beside them are seen here, if they
            were not before: which they are depends on the depth.
        poses: (F, 4, 4) of the frames, world_from_cam.
        expected_depth: what the poses suggest, in scene units.
        options: say how many heads there shall be; by default the views seen decide.
        head: the one that is trained alone; None for all.
        place: what errors call it.

    Raises:
        OptionError: the place has fewer heads than the options ask for, and one is wanted alone.
    """
    asked = views.due[:FRAMES_ASKED]
    depth = views.stereo.typical_depth(
        expected_depth,
        ready=lambda depth: views.see(neighbours_among(poses, views.due, of=asked, depth=depth)),
    )
    clusters = clusters_of(poses, options, depth=depth, looked_at=views.descriptors)
    heads = len(clusters)
    if head is None:
        return Division(depth, heads, clusters)
    if options.heads is None or heads < options.heads:
        raise OptionError(f"{place}: cannot be parted among {options.heads} heads; ask for {heads}")
    return Division(depth, heads, clusters[head : head + 1])

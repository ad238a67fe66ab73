"""The regions of a map: its heads, and what the map holds of what they learned from."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.heads import Head
from reloc.mapping.result import kept_cameras
from reloc.maps.scene_map import Region
from reloc.methods.ace.clusters import Indices
from reloc.methods.ace.options import views_of_head
from reloc.methods.ace.region_features import RegionFeatures
from reloc.sampling import evenly


def map_regions(
    heads: Sequence[Head],
    regions: Sequence[RegionFeatures],
    descriptors: Mapping[int, NDArray[np.int8]],
    *,
    frames: int,
    of: int,
) -> list[Region]:
    """The regions as a map holds them, with their heads on the processor.

    Args:
        heads: trained, one for each region.
        regions: what they were trained from.
        descriptors: what frames look like, by number.
        frames: how many were mapped.
        of: heads that the place has, these among them.
    """
    kept = kept_cameras(frames)
    return [
        Region(
            head=head.cpu().requires_grad_(False).eval(),
            origin=region.origin,
            frames=tuple(np.flatnonzero(np.isin(kept, region.frames)).tolist()) if of > 1 else None,
            views=_global_descriptors(descriptors, region.frames, most=views_of_head(of)),
        )
        for head, region in zip(heads, regions, strict=True)
    ]


def _global_descriptors(
    descriptors: Mapping[int, NDArray[np.int8]], frames: Indices, *, most: int
) -> NDArray[np.int8]:
    """What a sample of the frames looks like, (V, D), as far as it is known."""
    known = [int(f) for f in frames if int(f) in descriptors]
    rows = [descriptors[frame] for frame in evenly(known, most)]
    return np.stack(rows) if rows else np.zeros((0, 0), np.int8)

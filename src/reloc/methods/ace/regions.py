"""The regions of a map: what each of its heads learns from, and what the map holds of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.heads import Head
from reloc.mapping.poses import centered_cam_from_world
from reloc.mapping.result import kept_cameras
from reloc.maps.scene_map import Region
from reloc.methods.ace.clusters import Indices
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.options import views_of_head
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, poses_of


@dataclass(frozen=True)
class RegionFeatures:
    """What a head learns from.

    Attributes:
        frames: rows of the frames of its cluster.
        origin: (3,) the mean of their camera centres, world frame.
        buffer: features of these frames, with poses around the origin.
    """

    frames: Indices
    origin: NDArray[np.float64]
    buffer: FeatureBuffer


def features_by_region(
    frames: Sequence[Frame], clusters: Sequence[Indices], buffer: FeatureBuffer, *, whole: bool
) -> Iterator[RegionFeatures]:
    """What each head learns from; clusters without a single readable image are left out.

    Args:
        frames: all that were mapped.
        clusters: rows of the frames of each head.
        buffer: of all frames, full.
        whole: whether the one cluster has all frames.
    """
    centers = poses_of(frames)[:, :3, 3]
    for cluster in clusters:
        origin = centers[cluster].mean(axis=0)
        if whole:
            yield RegionFeatures(cluster, origin, buffer)
            continue
        # Poses around the middle of the cluster: large places keep all their digits.
        poses = centered_cam_from_world(frames, origin)
        part = buffer.restricted(torch.from_numpy(cluster), poses)
        if part.rows is not None and len(part.rows):
            yield RegionFeatures(cluster, origin, part)


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

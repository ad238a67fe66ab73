"""What each head of a map learns from: features of its cluster, with poses around its middle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.ace.clusters import Indices
from reloc.methods.ace.division import Division
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.held_back import nearest_row
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

    def grown(self, buffer: FeatureBuffer) -> "RegionFeatures":
        """The same region with all that is in the buffer of all frames by now."""
        if self.buffer is buffer:
            return self
        rows = torch.from_numpy(self.frames)
        return replace(self, buffer=buffer.restricted(rows, self.buffer.cam_from_world))


def features_by_region(
    frames: Sequence[Frame], division: Division, buffer: FeatureBuffer
) -> list[RegionFeatures]:
    """What each head learns from; clusters without a single readable image are left out.

    Args:
        frames: all that were mapped.
        division: says which of them each head learns from.
        buffer: of their features, full.
    """
    centers = poses_of(frames)[:, :3, 3]
    regions = []
    for cluster in division.clusters:
        origin = centers[cluster].mean(axis=0)
        if division.heads == 1:
            regions.append(RegionFeatures(cluster, origin, buffer))
            continue
        # Poses around the middle of the cluster: large places keep all their digits.
        poses = centered_cam_from_world(frames, origin)
        part = buffer.restricted(torch.from_numpy(cluster), poses)
        if part.rows is not None and len(part.rows):
            regions.append(RegionFeatures(cluster, origin, part))
    return regions


def regions_around(
    regions: Sequence[RegionFeatures], poses: NDArray[np.float64], pose: NDArray[np.float64]
) -> tuple[int, ...]:
    """Numbers of the regions that learn from the frame that is nearest to a pose (4, 4).

    Args:
        regions: of the map.
        poses: (F, 4, 4) of the frames, world_from_cam.
        pose: anywhere among them.
    """
    nearest = nearest_row(poses, pose)
    own = tuple(n for n, region in enumerate(regions) if nearest in region.frames)
    return own or tuple(range(len(regions)))

"""What each head of a map learns from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.ace.clusters import camera_clusters, cluster_count
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.options import MappingOptions
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, poses_of

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Part:
    """A part of a place: rows of its frames, the middle of their cameras, what they show."""

    frames: Rows
    origin: NDArray[np.float64]
    buffer: FeatureBuffer


def clusters_of(
    poses: NDArray[np.float64],
    options: MappingOptions,
    *,
    depth: float,
    looked_at: Iterable[int] = (),
) -> tuple[Rows, ...]:
    """Rows of the frames of each head.

    Args:
        poses: (F, 4, 4) of the frames, world_from_cam.
        options: say how many heads there shall be.
        depth: typical depth of the scene, in scene units.
        looked_at: rows of frames that were seen; they decide how many heads there are where the
            options do not.
    """
    wanted = options.heads or cluster_count(poses[sorted(looked_at)], depth=depth)
    return camera_clusters(poses, wanted, depth=depth)


def frames_of_head(
    head: int, clusters: Sequence[Rows], options: MappingOptions, *, place: str
) -> frozenset[int]:
    """Rows of the frames of one head.

    Raises:
        OptionError: the place has fewer heads than the options ask for.
    """
    if options.heads is None or len(clusters) < options.heads:
        raise OptionError(
            f"{place}: cannot be parted among {options.heads} heads; ask for {len(clusters)}"
        )
    return frozenset(clusters[head].tolist())


def parts_of(
    frames: Sequence[Frame], clusters: Sequence[Rows], buffer: FeatureBuffer, *, alone: bool
) -> Iterator[Part]:
    """What each head learns from; clusters without a single readable image are left out.

    Where a cluster is ``alone`` it has all frames.
    """
    centers = poses_of(frames)[:, :3, 3]
    for cluster in clusters:
        origin = centers[cluster].mean(axis=0)
        if alone:
            yield Part(cluster, origin, buffer)
            continue
        # Poses around the middle of the cluster: large places keep all their digits.
        poses = centered_cam_from_world(frames, origin)
        part = buffer.restricted(torch.from_numpy(cluster), poses)
        if part.rows is not None and len(part.rows):
            yield Part(cluster, origin, part)


def global_descriptors(
    descriptors: Mapping[int, NDArray[np.int8]], frames: Rows, *, most: int
) -> NDArray[np.int8]:
    """What a sample of the frames looks like, (V, D), as far as it is known."""
    known = [int(f) for f in frames if int(f) in descriptors]
    rows = [descriptors[frame] for frame in evenly(known, most)]
    return np.stack(rows) if rows else np.zeros((0, 0), np.int8)

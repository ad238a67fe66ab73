"""Camera pose from scene coordinates and measured depth."""

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.geometry import inverted, orthonormalized
from reloc.pose.correspondences import Correspondences
from reloc.pose.ransac import Matches, RansacOptions, RefineOptions, solve_poses
from reloc.pose.ransac.refine import refined_poses
from reloc.pose.solver import (
    REFERENCE_SHORT_SIDE,
    PoseSolution,
    SolverOptions,
    agreement,
    solve_pose,
)

Array = NDArray[np.float64]

# Errors that count as one: pixels of a view with a short side of 480, and shares of the depth.
# Depth is given a loose rein: it holds the direction in which reprojections slide, and predicted
# points err most along their rays. Chosen on the depth of real scenes (docs/dsac-star.md).
PIXEL_SCALE = 4.0
DEPTH_SHARE = 0.2
ITERATIONS = 15
# Fewer measured cells than this tell nothing that is worth trusting.
MIN_MEASURED = 12
# Without a pose from the image: hypotheses from measured points alone, for which a cell agrees
# within this share of its depth (10 cm in a room, as in DSAC*).
AGREEMENT_SHARE = 0.04


def solve_pose_with_depth(
    seen: Correspondences, *, options: SolverOptions, short_side: int = REFERENCE_SHORT_SIDE
) -> PoseSolution | None:
    """The pose that reprojections and measured points agree on.

    It starts from the pose of the reprojections, or where there is none from three-point
    hypotheses of the measured points, and minimises a robust cost of both kinds of errors.

    Args:
        seen: the correspondences with their measured depths; all sigmas count as one here.
        options: of the search by reprojections.
        short_side: of the view, in pixels.

    Returns:
        None if no pose was found.
    """
    start = solve_pose(seen, options=options)
    if seen.depths is None or np.isfinite(seen.depths).sum() < MIN_MEASURED:
        return start
    first = None if start is None else start.world_from_cam
    if first is None:
        first = _pose_by_depth(_matches(seen), short_side=short_side, seed=options.seed)
    if first is None:
        return None
    pose = refine_pose_with_depth(first, seen, short_side=short_side)
    return agreement(pose, seen, options=options)


def refine_pose_with_depth(
    world_from_cam: Array, seen: Correspondences, *, short_side: int = REFERENCE_SHORT_SIDE
) -> Array:
    """The pose (4, 4) that minimises a robust cost of reprojections and measured points.

    Args:
        world_from_cam: (4, 4) to begin at.
        seen: with depths, NaN where nothing was measured.
        short_side: of the view, in pixels.
    """
    first = torch.from_numpy(inverted(world_from_cam)[:3])[None, None]
    refined = refined_poses(first, _matches(seen), options=_refinement(short_side))[0, 0]
    return _world_from_cam(refined)


def _pose_by_depth(matches: Matches, *, short_side: int, seed: int) -> Array | None:
    """The best of the hypotheses by measured points."""
    search = RansacOptions(threshold=AGREEMENT_SHARE, by_depth=True, refine=_refinement(short_side))
    generator = torch.Generator().manual_seed(seed)
    found = solve_poses(matches, options=search, generator=generator)
    return _world_from_cam(found.cam_from_world[0]) if found.found[0] else None


def _matches(seen: Correspondences) -> Matches:
    depths = np.full(len(seen), np.nan) if seen.depths is None else seen.depths
    ranged = np.isfinite(depths)
    depth = np.where(ranged, depths, 1.0)[:, None]
    return Matches(
        torch.from_numpy(seen.scene_coordinates)[None],
        torch.from_numpy(seen.rays)[None],
        torch.tensor([seen.focal], dtype=torch.float64),
        torch.ones(1, len(seen), dtype=torch.bool),
        torch.from_numpy(np.concatenate([seen.rays * depth, depth], axis=1))[None],
        torch.from_numpy(ranged)[None],
    )


def _refinement(short_side: int) -> RefineOptions:
    return RefineOptions(
        iterations=ITERATIONS,
        pixel_scale=PIXEL_SCALE * short_side / REFERENCE_SHORT_SIDE,
        depth_share=DEPTH_SHARE,
    )


def _world_from_cam(cam_from_world: torch.Tensor) -> Array:
    pose = np.vstack([cam_from_world.numpy(), (0.0, 0.0, 0.0, 1.0)])
    return orthonormalized(inverted(pose))

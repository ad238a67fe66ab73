"""Poses of many images at once: hypotheses, scores, the best one, refined."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from reloc.devices import float64_device
from reloc.pose.ransac.hypotheses import Hypotheses, rgb_hypotheses, rgbd_hypotheses
from reloc.pose.ransac.matches import Matches, distance_errors, reprojection_errors
from reloc.pose.ransac.refine import RefineOptions, refined_poses
from reloc.pose.ransac.scores import expected_losses, pose_losses, soft_inlier_scores


@dataclass(frozen=True)
class RansacOptions:
    """How poses are searched.

    Attributes:
        hypotheses: per image.
        draws: minimal sets that are drawn for each; the best are kept.
        threshold: of a soft inlier: pixels, or with ``by_depth`` a share of the measured depth (the
            10 cm of DSAC* are 0.04 of what a room is deep).
        by_depth: make and score hypotheses by measured depth.
        refine: how poses are refined.
    """

    hypotheses: int = 64
    draws: int = 4
    threshold: float = 10.0
    by_depth: bool = False
    refine: RefineOptions = field(default_factory=RefineOptions)


@dataclass(frozen=True)
class Solutions:
    """The pose of each image.

    Attributes:
        cam_from_world: (B, 3, 4).
        found: (B,) bool; where false the pose is the identity.
        scores: (B,), 0 to 100, of the pose before its refinement.
    """

    cam_from_world: Tensor
    found: Tensor
    scores: Tensor


@torch.no_grad()
def solve_poses(
    matches: Matches, *, options: RansacOptions, generator: torch.Generator | None = None
) -> Solutions:
    """Poses of B images at once, without waiting for the device unless that has no float64.

    Args:
        matches: of the images.
        options: how to search.
        generator: where chance comes from, on the device of the matches.
    """
    device = matches.scene_coordinates.device
    matches, generator = _with_float64(matches, generator)
    hypotheses, scores = _scored(matches, options, generator)
    scores = torch.where(hypotheses.valid, scores, -1.0)
    best, index = scores.max(dim=1)
    poses = hypotheses.cam_from_world
    chosen = poses.gather(1, index[:, None, None, None].expand(-1, 1, 3, 4))
    refined = refined_poses(chosen, matches, options=options.refine)
    return Solutions(refined[:, 0].to(device), (best >= 0).to(device), best.clamp(min=0).to(device))


def expected_pose_losses(
    matches: Matches,
    truth: Tensor,
    *,
    options: RansacOptions,
    meter: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """The loss (B,) that DSAC* trains on, differentiable in the scene coordinates.

    The expectation of the loss of a refined hypothesis, when one is drawn by the softmax of the
    scores that they have before. Like ``solve_poses`` it computes on the host for MPS.

    Args:
        matches: of B images.
        truth: (B, 3, 4) cam_from_world.
        options: how poses are searched.
        meter: what a metre is in scene units.
        generator: where chance comes from.
    """
    device = matches.scene_coordinates.device
    matches, generator = _with_float64(matches, generator)
    hypotheses, scores = _scored(matches, options, generator)
    refined = refined_poses(hypotheses.cam_from_world, matches, options=options.refine)
    losses = pose_losses(refined, truth.to(refined.device), meter=meter)
    return expected_losses(scores, losses, hypotheses.valid).to(device)


def _with_float64(
    matches: Matches, generator: torch.Generator | None
) -> tuple[Matches, torch.Generator | None]:
    """Matches and chance where minimal sets and normal equations can be solved in float64.

    With MPS that is the host: the device is waited for, and a processor searches the poses.
    """
    there = matches.scene_coordinates.device
    here = float64_device(there)
    if here == there:
        return matches, generator
    if generator is not None:
        seed = torch.randint(2**31, (), generator=generator, device=there)
        generator = torch.Generator(here).manual_seed(int(seed))
    return matches.to(here), generator


def _scored(
    matches: Matches, options: RansacOptions, generator: torch.Generator | None
) -> tuple[Hypotheses, Tensor]:
    make = rgbd_hypotheses if options.by_depth else rgb_hypotheses
    found = make(matches, count=options.hypotheses, draws=options.draws, generator=generator)
    if options.by_depth:
        assert matches.ranged is not None
        errors, counted = distance_errors(found.cam_from_world, matches), matches.ranged
    else:
        errors, counted = reprojection_errors(found.cam_from_world, matches), matches.usable
    return found, soft_inlier_scores(errors, counted, threshold=options.threshold)

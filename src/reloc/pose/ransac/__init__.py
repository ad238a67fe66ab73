"""Differentiable RANSAC (DSAC*) in PyTorch, for many images and hypotheses at once."""

from reloc.pose.ransac.matches import Matches
from reloc.pose.ransac.refine import RefineOptions
from reloc.pose.ransac.solve import (
    RansacOptions,
    Solutions,
    expected_pose_losses,
    solve_poses,
)

__all__ = [
    "Matches",
    "RansacOptions",
    "RefineOptions",
    "Solutions",
    "expected_pose_losses",
    "solve_poses",
]

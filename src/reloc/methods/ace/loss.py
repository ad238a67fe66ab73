"""The mapping loss: a curriculum over the reprojection error (ACE, section 3.3).

A predicted point is *valid* when it lies within depth bounds in front of its camera and
reprojects within ``MAX_ERROR`` pixels. Valid points pay the bounded reprojection error
w tanh(e / w); the others are drawn to a proxy point on their own viewing ray.

The reprojection error of one view leaves a point free to move along its ray, and a head that can
tell its mapping views apart uses that freedom: it fits each of them and is wrong beside them. Where
the depth of a cell is known, which is what neighbouring views agree on, the point pays for the
*parallax error* too: the pixels by which it would be off for an eye ``BASELINE`` beside the camera,
bounded in the same way.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MAX_ERROR = 1000.0
# In units of the scene scale, the typical depth. In a room of 3 m these are close to ACE's
# 0.1 m, 1000 m and 10 m but for the proxy, which stands where the scene is, not behind it.
MIN_DEPTH = 0.03
MAX_DEPTH = 300.0
PROXY_DEPTH = 1.0
# Of the eye beside the camera, in units of the scene scale; and what its error counts against the
# camera's own. From 0.3 to 1 makes no difference.
BASELINE = 0.15
PARALLAX_WEIGHT = 0.5


@dataclass(frozen=True)
class LossTerms:
    """Losses of batches and what to watch.

    Attributes:
        loss: (...) the mean over each batch.
        errors: (..., N) reprojection errors in pixels, detached; MAX_ERROR where invalid.
        valid: (..., N) bool.
    """

    loss: Tensor
    errors: Tensor
    valid: Tensor


def curriculum(fraction: float, *, start: float, end: float = 1.0) -> float:
    """Soft clamp w in pixels at a fraction of the training: a quarter circle from start to end."""
    s = 1.0 - math.sqrt(max(0.0, 1.0 - fraction * fraction))
    return (1.0 - s) * start + end


def mapping_loss(
    scene_coordinates: Tensor,
    rays: Tensor,
    focals: Tensor,
    cam_from_world: Tensor,
    *,
    inverse_depths: Tensor,
    clamp: Tensor | float,
    scale: Tensor | float,
) -> LossTerms:
    """Losses of predicted scene coordinates, of a batch or of several side by side.

    Args:
        scene_coordinates: (..., N, 3) in the world frame.
        rays: (..., N, 2) viewing rays at z = 1, camera frame.
        focals: (..., N) pixels.
        cam_from_world: (..., N, 3, 4).
        inverse_depths: (..., N) one over the depth along each ray's z; 0 where nobody knows.
        clamp: w, in pixels; (..., 1) if each batch has its own.
        scale: typical depth of the scene, in scene units; (..., 1) likewise.
    """
    rotated = (cam_from_world[..., :3] * scene_coordinates[..., None, :]).sum(dim=-1)
    points = rotated + cam_from_world[..., 3]
    depth = points[..., 2]
    nearest = MIN_DEPTH * scale
    in_range = (depth > nearest) & (depth < MAX_DEPTH * scale)
    safe = depth.clamp(min=nearest)
    offsets = (points[..., :2] / safe[..., None] - rays) * focals[..., None]
    # The epsilon keeps the gradient of the norm finite at a perfect prediction.
    errors = (offsets.square().sum(dim=-1) + 1e-6).sqrt()
    valid = in_range & (errors < MAX_ERROR)
    bounded = clamp * torch.tanh(errors / clamp)
    known = inverse_depths > 0
    parallax = (1 / safe - inverse_depths).abs() * focals * (BASELINE * scale)
    bounded = bounded + PARALLAX_WEIGHT * known * clamp * torch.tanh(parallax / clamp)
    proxy_depth = torch.where(known, 1 / inverse_depths.clamp(min=1e-12), PROXY_DEPTH * scale)
    target = functional.pad(rays, (0, 1), value=1.0) * proxy_depth[..., None]
    # In pixels at the proxy's distance, so that both parts of the loss speak the same unit.
    proxy = (points - target).abs().sum(dim=-1) * focals / proxy_depth
    loss = torch.where(valid, bounded, proxy).mean(dim=-1)
    return LossTerms(loss, torch.where(valid, errors, MAX_ERROR).detach(), valid)

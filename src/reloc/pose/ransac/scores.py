"""How well hypotheses agree with all cells, and what is to be expected of choosing by that.

Brachmann and Rother, "Visual Camera Re-Localization from RGB and RGB-D Images Using DSAC", TPAMI
2021, section 3.
"""

import math

import torch
from torch import Tensor

from reloc.pose.ransac.matches import safe_norm

# Steepness of a soft inlier in units of the threshold, and the score of an image whose cells all
# agree.
STEEPNESS = 5.0
FULL_SCORE = 100.0
# A metre weighs as much as so many degrees; losses above the clamp grow as a square root.
DEGREES_PER_METER = 100.0
LOSS_CLAMP = 100.0


def soft_inlier_scores(errors: Tensor, usable: Tensor, *, threshold: float | Tensor) -> Tensor:
    """Scores (B, H), 0 to ``FULL_SCORE``: the mean over cells of sigmoid(beta (threshold - error)).

    Args:
        errors: (B, H, N), in the unit of the threshold.
        usable: (B, N) bool; an image without any usable cell scores zero.
        threshold: an error that counts half; beta is ``STEEPNESS`` over it.
    """
    soft = torch.sigmoid(STEEPNESS * (1 - errors / threshold))
    counts = usable.sum(dim=1, keepdim=True).clamp(min=1)
    return FULL_SCORE * (soft * usable[:, None]).sum(dim=-1) / counts


def pose_losses(cam_from_world: Tensor, truth: Tensor, *, meter: float) -> Tensor:
    """Losses (B, H) of poses (B, H, 3, 4): degrees plus ``DEGREES_PER_METER`` times metres.

    Above ``LOSS_CLAMP`` the loss is sqrt(LOSS_CLAMP x loss).

    Args:
        cam_from_world: (B, H, 3, 4).
        truth: (B, 3, 4) cam_from_world.
        meter: what a metre is in scene units.
    """
    rotation, translation = cam_from_world[..., :3], cam_from_world[..., 3:]
    between = rotation @ truth[:, None, :, :3].mT
    # |sin| and cos of the angle; their arc tangent keeps its digits and its gradient everywhere.
    skew = (between - between.mT) / 2
    sine = safe_norm(torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], -1), dim=-1)
    cosine = (between.diagonal(dim1=-2, dim2=-1).sum(dim=-1) - 1) / 2
    degrees = torch.atan2(sine, cosine) * (180 / math.pi)
    centers = -(rotation.mT @ translation)[..., 0]
    true_centers = -(truth[..., :3].mT @ truth[..., 3:])[..., 0]
    meters = safe_norm(centers - true_centers[:, None], dim=-1) / meter
    loss = degrees + DEGREES_PER_METER * meters
    return torch.where(loss > LOSS_CLAMP, (LOSS_CLAMP * loss.clamp(min=LOSS_CLAMP)).sqrt(), loss)


def expected_losses(scores: Tensor, losses: Tensor, valid: Tensor) -> Tensor:
    """Expectation (B,) of the loss when a hypothesis is drawn by the softmax of the scores.

    Args:
        scores: (B, H).
        losses: (B, H).
        valid: (B, H) bool; others are never drawn. An image without any has the loss 0 and no
            gradient.
    """
    lowest = torch.finfo(scores.dtype).min / 2
    shares = torch.softmax(torch.where(valid, scores, torch.full_like(scores, lowest)), dim=1)
    return (torch.where(valid, shares * losses, torch.zeros_like(losses))).sum(dim=1)

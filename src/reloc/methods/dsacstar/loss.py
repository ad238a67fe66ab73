"""The loss of the first stage, on single cells (DSAC*, section 3.4).

DSAC* adds up pixels, of points that reproject, and metres, of those that cannot. Points behind the
camera then cost less than points that are off in front of it, by a factor of ten and more in a
room, and the shortest way down leads behind the camera. Here a distance d to a point at depth z
costs d f / z, the pixels that it would be off by across the ray: both speak the same unit.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from reloc.methods.dsacstar.options import Supervision
from reloc.methods.refine.images import Cells
from reloc.pose.ransac.matches import projection_errors, safe_norm

# Reprojection errors in pixels of a view with a short side of 480: a square root above the one,
# no use above the other.
SOFT_CLAMP = 100.0
MAX_ERROR = 1000.0
# In metres.
MIN_DEPTH = 0.1
MAX_DEPTH = 1000.0
# A prediction further than this from a known point is drawn to it, not reprojected.
MAX_DISTANCE = 0.1


@dataclass(frozen=True)
class LossScale:
    """What the loss counts in.

    Attributes:
        meter: what a metre is in scene units.
        depth: typical depth of the scene, scene units; where points of unknown depth are drawn to.
        pixel: pixels of the view per pixel of one with a short side of 480.
    """

    meter: float
    depth: float
    pixel: float


def initial_loss(
    scene_coordinates: Tensor, cells: Cells, *, supervision: Supervision, scale: LossScale
) -> tuple[Tensor, Tensor]:
    """The mean loss over the cells, and their reprojection errors (N,), detached.

    A reprojection error e costs e up to ``SOFT_CLAMP`` c, and sqrt(c e) above. Points out of
    bounds pay the distance to a point on their ray: the known one, else one at the typical depth.
    With ``depth``, so do those far from the known point; with ``rgbd``, all that have one, and
    others nothing.

    Args:
        scene_coordinates: (N, 3).
        cells: what they belong to.
        supervision: what the loss may know.
        scale: what it counts in.
    """
    pose = cells.cam_from_world
    points = scene_coordinates @ pose[:, :3].T + pose[:, 3]
    focal = cells.focal / scale.pixel
    depth = points[:, 2]
    ahead = depth > MIN_DEPTH * scale.meter
    errors = projection_errors(points, cells.rays, focal, front=ahead, dim=1)
    errors = torch.where(ahead, errors, MAX_ERROR)
    known = cells.depths > 0
    if supervision == "rgb":
        known = torch.zeros_like(known)
    target_depth = torch.where(known, cells.depths, scale.depth)
    target = torch.cat([cells.rays, torch.ones_like(depth[:, None])], dim=1) * target_depth[:, None]
    distances = safe_norm(points - target, dim=1)
    drawn = distances / target_depth * focal
    if supervision == "rgbd":
        return (drawn * known).sum() / known.sum().clamp(min=1), errors.detach()
    reprojects = ahead & (depth < MAX_DEPTH * scale.meter) & (errors < MAX_ERROR)
    reprojects &= ~known | (distances < MAX_DISTANCE * scale.meter)
    soft = torch.where(
        errors > SOFT_CLAMP, (SOFT_CLAMP * errors.clamp(min=SOFT_CLAMP)).sqrt(), errors
    )
    return torch.where(reprojects, soft, drawn).mean(), errors.detach()

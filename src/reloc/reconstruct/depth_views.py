"""What a map sees in posed images, as depth: cell by cell, confirmed by other views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.pose.correspondences import Correspondences
from reloc.pose.reprojection import reprojection_errors
from reloc.sampling import even_picks

Array = NDArray[np.float64]

# Relative differences of depth. A map is good to one or two percent; what another view sees this
# much nearer or farther is another surface.
AGREE = 0.04
CONTRADICT = 0.10
REACH = 2  # cells to each side that a surface is fitted over
NEIGHBOURS = 8  # cells that must lie on it
SAME = 0.06  # relative difference of depth at which a cell counts little
PARTNERS = 10  # views that judge one
OVERLAP_SAMPLE = 64  # cells of a view that tell which others see the same


@dataclass(frozen=True)
class DepthView:
    """Depth of the cells of one image.

    Attributes:
        camera: intrinsics of the image.
        world_from_cam: (4, 4) pose of the image.
        step: pixels of the image from one cell to the next.
        rays: (h, w, 2) viewing rays of the cells at z = 1.
        depth: (h, w) z in the camera's frame, scene units; NaN where nothing is believed.
    """

    camera: Camera
    world_from_cam: Array
    step: float
    rays: Array
    depth: Array

    def points(self) -> Array:
        """World points (h, w, 3) on the cells' rays; NaN where there is no depth."""
        flat = np.concatenate([self.rays, np.ones_like(self.depth)[..., None]], axis=2)
        flat *= self.depth[..., None]
        return transformed(self.world_from_cam, flat.reshape(-1, 3)).reshape(flat.shape)


def depth_view(
    seen: Correspondences, camera: Camera, world_from_cam: Array, *, stride: int, max_error: float
) -> DepthView:
    """Lays scene coordinates onto the rays of their cells.

    A point that reprojects close to its cell says how far the ray goes; the rest of its error is
    noise across the ray, which is dropped.

    Args:
        seen: all usable cells of the image, with their pixels.
        camera: intrinsics of the image.
        world_from_cam: (4, 4) pose of the image.
        stride: of the backbone, pixels of the resampled image.
        max_error: pixels of the resampled image; points that reproject further off are left out.
    """
    assert seen.pixels is not None
    step = stride * camera.focal / seen.focal
    cells = np.floor(seen.pixels / step).astype(int)
    width, height = np.maximum(np.ceil(np.array([camera.width, camera.height]) / step), 1)
    shape = (
        max(int(height), cells[:, 1].max(initial=0) + 1),
        max(int(width), cells[:, 0].max(initial=0) + 1),
    )
    cam_from_world = inverted(world_from_cam)
    errors = reprojection_errors(cam_from_world, seen.scene_coordinates, seen.rays, seen.focal)
    in_camera = transformed(cam_from_world, seen.scene_coordinates)
    flat = np.concatenate([seen.rays, np.ones((len(seen.rays), 1))], axis=1)
    nearest = (in_camera * flat).sum(axis=1) / (flat**2).sum(axis=1)
    depth = np.full(shape, np.nan)
    rays = np.full((*shape, 2), np.nan)
    depth[cells[:, 1], cells[:, 0]] = np.where(errors < max_error, nearest, np.nan)
    rays[cells[:, 1], cells[:, 0]] = seen.rays
    return DepthView(camera, world_from_cam, step, rays, depth)


def smoothed(view: DepthView) -> DepthView:
    """The view with the surface that most cells of a neighbourhood agree on.

    Around each cell a plane is fitted to inverse depth, in which planes are linear, over
    (2 ``REACH`` + 1)^2 cells, reweighted by how close they lie to it. Cells that lie apart from
    their neighbours move onto that plane, gaps with enough neighbours are closed, and lonely cells
    go.
    """
    span = np.arange(-REACH, REACH + 1)
    y, x = (offset.ravel().astype(float) for offset in np.meshgrid(span, span, indexing="ij"))
    basis = np.stack([np.ones_like(x), x, y], axis=1)
    nearness = sliding_window_view(
        np.pad(1 / view.depth, REACH, constant_values=np.nan), (2 * REACH + 1, 2 * REACH + 1)
    ).reshape(*view.depth.shape, -1)
    known = np.isfinite(nearness)
    rows = known.sum(axis=2) >= NEIGHBOURS
    nearness, known = np.nan_to_num(nearness[rows]), known[rows]
    surface = _medians(nearness, known)
    fitted = np.repeat(surface[:, None], len(x), axis=1)
    for _ in range(3):
        close = np.where(known, np.exp(-(((nearness / fitted - 1) / SAME) ** 2)), 0.0)
        normal = np.einsum("nk,ki,kj->nij", close, basis, basis) + 1e-6 * np.eye(3)
        plane = np.linalg.solve(normal, ((close * nearness) @ basis)[..., None])[..., 0]
        fitted = np.maximum(plane @ basis.T, 0.05 * surface[:, None])
    value = 1 / fitted[:, len(x) // 2]
    depth = np.full(view.depth.shape, np.nan)
    depth[rows] = np.where(close.sum(axis=1) >= NEIGHBOURS, value, np.nan)
    depth[np.isnan(view.rays[..., 0])] = np.nan
    return replace(view, depth=depth)


def _medians(values: Array, known: NDArray[np.bool_]) -> Array:
    """Medians (N,) over those of each row (N, K) that are known, of which there are some."""
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    return ordered[np.arange(len(values)), (known.sum(axis=1) - 1) // 2]


def confirmed(views: Sequence[DepthView], *, least: int = 3) -> list[DepthView]:
    """The views without the depths that others do not confirm.

    Each point is looked at from the views that share most with its own. It stays if ``least`` of
    them (all where there are fewer) see the same surface there, and at most half as many see
    through it to something farther away. Being hidden is no contradiction.
    """
    points = [view.points().reshape(-1, 3) for view in views]
    partners = _partners(views, points)
    result = []
    for view, own, others in zip(views, points, partners, strict=True):
        agree = np.zeros(len(own), dtype=int)
        through = np.zeros(len(own), dtype=int)
        for other in others:
            ratio = _depth_ratio(views[other], own)
            agree += np.abs(ratio - 1) < AGREE
            through += ratio < 1 - CONTRADICT
        keep = (agree >= min(least, len(others))) & (agree >= 2 * through)
        depth = np.where(keep.reshape(view.depth.shape), view.depth, np.nan)
        result.append(replace(view, depth=depth))
    return result


def _partners(views: Sequence[DepthView], points: Sequence[Array]) -> list[list[int]]:
    """For each view the others that see most of its points, best first."""
    result = []
    for index, own in enumerate(points):
        known = own[np.isfinite(own[:, 0])]
        sample = known[even_picks(len(known), OVERLAP_SAMPLE)]
        shared = np.zeros(len(views))
        for other, view in enumerate(views):
            if other != index and len(sample):
                shared[other] = (np.abs(_depth_ratio(view, sample) - 1) < 0.25).mean()
        best = np.argsort(-shared, kind="stable")[:PARTNERS]
        result.append([int(other) for other in best if shared[other] > 0.1])
    return result


def _depth_ratio(view: DepthView, points: Array) -> Array:
    """Depth (N,) of points (N, 3) over what the view sees there; NaN where it sees nothing."""
    in_camera = transformed(inverted(view.world_from_cam), points)
    with np.errstate(divide="ignore", invalid="ignore"):
        rays = np.where(in_camera[:, 2:] > 0, in_camera[:, :2] / in_camera[:, 2:], np.nan)
    height, width = view.depth.shape
    inside = view.camera.sees(rays)
    cells = np.floor(view.camera.pixels(rays) / view.step)
    inside &= (cells < (width, height)).all(axis=1)
    ratio = np.full(len(points), np.nan)
    column, row = cells[inside].astype(int).T
    ratio[inside] = in_camera[inside, 2] / view.depth[row, column]
    return ratio

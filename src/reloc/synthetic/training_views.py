"""Views for training backbones: pictures of random rooms with exact depth, and dense matches."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reloc.errors import SceneError
from reloc.geometry import Camera, inverted
from reloc.synthetic.bake import bake
from reloc.synthetic.paths import free_points, looking, shows_enough
from reloc.synthetic.photo import any_conditions
from reloc.synthetic.render import render
from reloc.synthetic.rooms import make_room
from reloc.synthetic.world import World

Array = NDArray[np.float64]
Rng = np.random.Generator

# Pixels of the second view per pixel of the first below which nothing is left to recognize.
_SMALLEST_AREA = 1 / 16
_GROUP = 4


@dataclass(frozen=True)
class TrainingViews:
    """V views of one room; only what training takes, as arrays that stack over rooms.

    Attributes:
        images: (V, S, S) uint8 grey, each under its own light, exposure, blur and noise.
        depths: (V, S, S) float32, or float16 from a file, metres along the optical axis.
        intrinsics: (V, 4) float64: fx, fy, cx, cy in pixels; no distortion.
        world_from_cam: (V, 4, 4) float64.
        pairs: (P, 2) int64, views that see the same things, both ways round.
        overlaps: (P,) float32, share of the first view's pixels that the second sees.
    """

    images: NDArray[np.uint8]
    depths: NDArray[np.floating]
    intrinsics: Array
    world_from_cam: Array
    pairs: NDArray[np.int64]
    overlaps: NDArray[np.float32]


def render_training_views(
    seed: int,
    *,
    views: int = 12,
    size: int = 288,
    texel: float = 0.007,
    overlap: tuple[float, float] = (0.2, 0.9),
    device: str | torch.device = "cpu",
) -> TrainingViews:
    """Renders views of a random room, in groups of four that look at the same part of it.

    Args:
        seed: of the room and its views; the same seed gives the same pixels.
        views: how many.
        size: of the square pictures, in pixels.
        texel: metres per texel of the paintings.
        overlap: pairs are listed if they overlap by a share within these bounds.
        device: where to render.

    Raises:
        SceneError: the room is too full for a camera.
    """
    rng = np.random.default_rng([seed, 0x9A17])
    world = make_room(seed)
    baked = bake(world, texel=texel, lumel=0.1, device=device)
    images, depths, cameras, poses = [], [], [], []
    for pose in _grouped_poses(world, rng, views):
        focal = size * rng.uniform(0.75, 1.3)
        camera = Camera.pinhole(width=size, height=size, fx=focal)
        view = render(baked, camera, pose, conditions=any_conditions(rng))
        images.append(cv2.cvtColor(view.rgb, cv2.COLOR_RGB2GRAY))
        depths.append(view.depth)
        cameras.append(camera.params)
        poses.append(pose)
    made = TrainingViews(
        images=np.stack(images),
        depths=np.stack(depths),
        intrinsics=np.array(cameras),
        world_from_cam=np.stack(poses),
        pairs=np.zeros((0, 2), np.int64),
        overlaps=np.zeros(0, np.float32),
    )
    both = [(i, j) for i in range(views) for j in range(views) if i != j]
    shares = np.array([_overlap(made, i, j) for i, j in both], np.float32)
    keep = (shares >= overlap[0]) & (shares <= overlap[1])
    return TrainingViews(
        made.images,
        made.depths,
        made.intrinsics,
        made.world_from_cam,
        pairs=np.array(both, np.int64).reshape(-1, 2)[keep],
        overlaps=shares[keep],
    )


def correspondences(
    views: TrainingViews, first: int, second: int, *, step: int = 1, tolerance: float = 0.02
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the pixels of one view are in another, and which of them it sees.

    Returns warp (h, w, 2) float32, for each pixel centre of the first its pixel (x, y) in the
    second, centres at +0.5; and valid (h, w) bool, where the second view sees that point.

    Args:
        views: of one room.
        first: number of the view that the pixels belong to.
        second: number of the other.
        step: only every so many pixels, of rows and columns alike.
        tolerance: share by which depths may differ where the second view sees the same point.
    """
    size = views.depths.shape[1]
    fx, fy, cx, cy = views.intrinsics[first]
    depth = views.depths[first][::step, ::step].astype(np.float64)
    at = np.arange(0, size, step) + 0.5
    rays = np.stack([*np.meshgrid((at - cx) / fx, (at - cy) / fy), np.ones_like(depth)], axis=-1)
    second_from_first = inverted(views.world_from_cam[second]) @ views.world_from_cam[first]
    points = (rays * depth[..., None]) @ second_from_first[:3, :3].T + second_from_first[:3, 3]
    fx, fy, cx, cy = views.intrinsics[second]
    z = np.maximum(points[..., 2], 1e-6)
    warp = points[..., :2] / z[..., None] * (fx, fy) + (cx, cy)
    inside = (points[..., 2] > 0.05) & (warp > 0.5).all(axis=-1) & (warp < size - 0.5).all(axis=-1)
    # A surface that the second view sees as a sliver, or from behind, has no pixels there to match.
    down, right = np.gradient(warp, step, axis=(0, 1))
    area = right[..., 0] * down[..., 1] - right[..., 1] * down[..., 0]
    inside &= area > _SMALLEST_AREA
    warp = np.where(inside[..., None], warp, -1.0).astype(np.float32)
    # Inverse depth is linear across a plane's picture, so interpolating it is exact on surfaces.
    seen = cv2.remap(
        1 / views.depths[second].astype(np.float32), warp - np.float32(0.5), None, cv2.INTER_LINEAR
    )
    return warp, inside & (np.abs(seen * z - 1) < tolerance)


def _overlap(views: TrainingViews, first: int, second: int) -> float:
    return float(correspondences(views, first, second, step=8)[1].mean())


def _grouped_poses(world: World, rng: Rng, count: int) -> list[Array]:
    """Poses in groups of four around one spot, turned to the same thing with parallax."""
    poses: list[Array] = []
    for _ in range(20 * count):
        spots = free_points(world, rng, 250, low=0.9, high=1.9)
        anchor, yaw = spots[0], rng.uniform(-np.pi, np.pi)
        if not shows_enough(world, looking(anchor, yaw, -0.15, 0.0)):
            continue
        target = anchor + rng.uniform(1.5, 3.0) * np.array([np.cos(yaw), np.sin(yaw), -0.15])
        near = spots[np.linalg.norm(spots - anchor, axis=1) < rng.uniform(0.6, 1.5)]
        group: list[Array] = []
        for eye in near:
            if len(group) == _GROUP:
                break
            forward = target + rng.normal(0, 0.25, 3) - eye
            turned = float(np.arctan2(forward[1], forward[0]))
            pitch = float(np.clip(np.arctan2(forward[2], np.hypot(*forward[:2])), -0.7, 0.4))
            pose = looking(eye, turned, pitch, rng.normal(0, 0.12))
            if shows_enough(world, pose):
                group.append(pose)
        poses += group
        if len(poses) >= count:
            return poses[:count]
    raise SceneError(f"the room of seed {world.seed} is too full for a camera; take another seed")

"""The reference: localization by feature matching, as COLMAP and hloc do it.

SIFT in every mapping frame, matches with posed neighbours, points triangulated from the known
poses by pycolmap; a query is matched with the mapping frames that stand nearest to it *by ground
truth* and its pose solved from the 2D-3D matches. A real system would have to find those frames by
image retrieval, so what is measured here is an upper bound of it.

    pip install reloc[bench]
    python benchmarks/accuracy.py --scenes SCENES --reference
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from triangulation import triangulate

from reloc.errors import ImageError
from reloc.geometry import Camera, inverted
from reloc.images.files import read_image
from reloc.localize.estimate import Estimate
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.solver import SolverOptions, solve_pose
from reloc.progress import Progress, silent
from reloc.scenes import Frame, Scene, poses_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

KEYPOINTS = 2048
NEIGHBOURS = 12  # mapping frames that each mapping frame is matched with
RETRIEVED = 20  # mapping frames that a query is matched with
RATIO = 0.8  # of the distances to the best and the second best match, at most
EPIPOLAR_PIXELS = 4.0  # as hloc verifies matches between frames whose poses are known
# A pose that fewer matches agree with is as good as guessed.
MIN_INLIERS = 8
SOLVER = SolverOptions(
    threshold=12.0, max_iterations=10_000, refine_scale=1.0, subset=KEYPOINTS * RETRIEVED
)


@dataclass(frozen=True)
class Features:
    """What SIFT finds in one image.

    Attributes:
        pixels: (K, 2) float32, pixel centres at +0.5.
        descriptors: (K, 128) uint8 RootSIFT of length 512, as COLMAP stores it.
    """

    pixels: NDArray[np.float32]
    descriptors: NDArray[np.uint8]


@dataclass(frozen=True)
class ReferenceMap:
    """A map by feature matching.

    Attributes:
        frames: the N mapping frames, of which poses and cameras are used.
        features: of each mapping frame.
        point_of_keypoint: of each mapping frame, (K,) int32 row of ``points``, -1 for none.
        points: (M, 3) float64 triangulated points, relative to ``origin``.
        origin: (3,) float64 mean of the mapping camera centres, world frame.
        extent: ``Scene.extent()`` of the scene.
        seconds: wall time of mapping, reading the images included.
    """

    frames: tuple[Frame, ...]
    features: tuple[Features, ...]
    point_of_keypoint: tuple[NDArray[np.int32], ...]
    points: Array
    origin: Array
    extent: float
    seconds: float

    @property
    def stored_bytes(self) -> int:
        """Descriptors, keypoints, the point of each, and points: what a file of it would hold."""
        per_frame = zip(self.features, self.point_of_keypoint, strict=True)
        return self.points.nbytes + sum(
            f.pixels.nbytes + f.descriptors.nbytes + rows.nbytes for f, rows in per_frame
        )


def map_by_matching(scene: Scene, *, progress: Progress = silent) -> ReferenceMap:
    """Maps a scene: features, matches with posed neighbours, triangulation.

    Where nothing triangulates (a camera that only turns), the map has no points and every query
    will be lost; that is a result, not an error.

    Args:
        scene: its ``mapping`` frames, all of which have poses. Images that cannot be read have no
            features.
        progress: told of frames and pairs.
    """
    began = time.perf_counter()
    frames = scene.mapping
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        features = []
        for found in pool.map(_features_or_none, frames):
            features.append(found)
            progress("features", len(features), len(frames))
    origin = scene.mapping_centers().mean(axis=0)
    cam_from_world = inverted(_poses(frames, origin))
    matches = {
        pair: rows
        for pair, rows in _neighbour_matches(
            frames, features, cam_from_world, scene.extent(), progress
        )
        if len(rows)
    }
    progress("triangulation", 0, 1)
    points, rows = triangulate(
        [frame.camera for frame in frames], cam_from_world, [f.pixels for f in features], matches
    )
    progress("triangulation", 1, 1, points=len(points))
    return ReferenceMap(
        frames=frames,
        features=tuple(features),
        point_of_keypoint=rows,
        points=points,
        origin=origin,
        extent=scene.extent(),
        seconds=time.perf_counter() - began,
    )


def localize(reference_map: ReferenceMap, frame: Frame) -> Estimate:
    """Localizes a frame whose true pose chooses the mapping frames to match with.

    Args:
        reference_map: the map.
        frame: needs its true pose. The pose goes into the choice of mapping frames only.

    Returns:
        An estimate that is not localized if the image cannot be read, the true pose is not known,
        or fewer than ``MIN_INLIERS`` matches agree.
    """
    if frame.world_from_cam is None:
        return _lost(frame, "no true pose to choose mapping frames by", {})
    seconds = {}
    began = time.perf_counter()
    try:
        image = read_image(frame.image, gray=True)
    except ImageError as error:
        return _lost(frame, str(error), {})
    seconds["read"] = time.perf_counter() - began

    began = time.perf_counter()
    query = sift(image, frame.camera)
    seconds["features"] = time.perf_counter() - began

    began = time.perf_counter()
    keypoints, points = _matched_points(reference_map, frame, query)
    seconds["matching"] = time.perf_counter() - began

    began = time.perf_counter()
    seen = Correspondences.of_kind(
        Kind.LANDMARK,
        reference_map.points[points],
        frame.camera.rays(query.pixels[keypoints]),
        frame.camera.focal,
    )
    solution = solve_pose(seen, options=SOLVER)
    seconds["pose"] = time.perf_counter() - began
    if solution is None:
        return _lost(frame, f"no pose agrees with the {len(points)} matches", seconds)
    inliers = int(solution.inliers.sum())
    world_from_cam = solution.world_from_cam.copy()
    world_from_cam[:3, 3] += reference_map.origin
    enough = inliers >= MIN_INLIERS
    return Estimate(
        frame.name,
        localized=enough,
        world_from_cam=world_from_cam,
        inliers=inliers,
        inlier_share=inliers / len(points),
        confidence=min(1.0, inliers / (2 * MIN_INLIERS)),
        seconds=seconds,
        reason=None if enough else f"only {inliers} matches agree with the best pose",
    )


def sift(image: NDArray[np.uint8], camera: Camera) -> Features:
    """At most ``KEYPOINTS`` features, the strongest, of a grey image (H, W).

    Keypoints outside of what the camera's lens model can undistort are left out.
    """
    # The contrast threshold is COLMAP's, at OpenCV's scale. Without precise upscaling all
    # keypoints are shifted by a quarter of a pixel.
    detector = cv2.SIFT.create(
        nfeatures=KEYPOINTS, contrastThreshold=0.02, enable_precise_upscale=True
    )
    keypoints, descriptors = detector.detectAndCompute(image, None)
    if not keypoints:
        return _no_features()
    # OpenCV has pixel centres at whole numbers.
    pixels = np.array([k.pt for k in keypoints], np.float32) + np.float32(0.5)
    roots = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    usable = np.all(np.isfinite(camera.rays(pixels)), axis=1)
    # OpenCV may return a few more than asked for where the last ones are equally strong.
    usable[KEYPOINTS:] = False
    stored = np.clip(np.rint(512 * roots), 0, 255).astype(np.uint8)
    return Features(pixels[usable], stored[usable])


def matched(a: Features, b: Features) -> Indices:
    """Mutual nearest neighbours (M, 2) that pass the ratio test: rows of a, rows of b."""
    if not len(a.pixels) or not len(b.pixels):
        return np.zeros((0, 2), np.int64)
    cosines = _unit(a) @ _unit(b).T
    best, of_a = cosines.max(dim=1)
    of_b = cosines.argmax(dim=0)
    rows = torch.arange(len(of_a))
    cosines[rows, of_a] = -1.0
    # Squared distances of unit vectors; with a single candidate the second is 2 away.
    ratio = (1 - best) < RATIO**2 * (1 - cosines.max(dim=1).values)
    good = ratio & (of_b[of_a] == rows)
    return torch.stack([rows[good], of_a[good]], dim=1).numpy()


def nearest_frames(pose: Array, poses: Array, *, extent: float, count: int) -> Indices:
    """Rows of the ``count`` poses (N, 4, 4) nearest to a pose by position and viewing direction.

    A turn by 60 degrees, which leaves no overlap, counts as much as a step across the whole
    extent of the scene.
    """
    distances = np.linalg.norm(poses[:, :3, 3] - pose[:3, 3], axis=1)
    turns = np.degrees(np.arccos(np.clip(poses[:, :3, 2] @ pose[:3, 2], -1.0, 1.0)))
    apart = np.hypot(distances / extent if extent > 0 else 0.0, turns / 60.0)
    return np.argsort(apart, kind="stable")[:count]


def _matched_points(
    reference_map: ReferenceMap, frame: Frame, query: Features
) -> tuple[Indices, Indices]:
    """Rows of the query's keypoints and of the map's points that match, each pair once."""
    poses = _poses(reference_map.frames, np.zeros(3))
    assert frame.world_from_cam is not None
    near = nearest_frames(frame.world_from_cam, poses, extent=reference_map.extent, count=RETRIEVED)
    pairs = [np.zeros((0, 2), np.int64)]
    for row in near:
        both = matched(query, reference_map.features[row])
        points = reference_map.point_of_keypoint[row][both[:, 1]]
        pairs.append(np.stack([both[:, 0], points], axis=1)[points >= 0])
    keypoints, points = np.unique(np.concatenate(pairs), axis=0).T
    return keypoints, points


def _neighbour_matches(
    frames: Sequence[Frame],
    features: Sequence[Features],
    cam_from_world: Array,
    extent: float,
    progress: Progress,
) -> Iterator[tuple[tuple[int, int], Indices]]:
    """Matches between neighbouring mapping frames that agree with the known poses."""
    world_from_cam = inverted(cam_from_world)
    pairs = set()
    for row, pose in enumerate(world_from_cam):
        # The nearest of all is the frame itself, or its twin.
        for other in nearest_frames(pose, world_from_cam, extent=extent, count=NEIGHBOURS + 1):
            if other != row:
                pairs.add((min(row, int(other)), max(row, int(other))))
    rays = [frame.camera.rays(f.pixels) for frame, f in zip(frames, features, strict=True)]
    for done, (a, b) in enumerate(sorted(pairs), start=1):
        rows = matched(features[a], features[b])
        b_from_a = cam_from_world[b] @ world_from_cam[a]
        limit = EPIPOLAR_PIXELS / min(frames[a].camera.focal, frames[b].camera.focal)
        errors = _epipolar_errors(b_from_a, rays[a][rows[:, 0]], rays[b][rows[:, 1]])
        yield (a, b), rows[errors < limit]
        progress("matching", done, len(pairs))


def _epipolar_errors(b_from_a: Array, rays_a: Array, rays_b: Array) -> Array:
    """The larger of the distances (M,) of two rays to each other's epipolar line, at z = 1.

    Infinite between frames that stand in one place: what they match has no depth.
    """
    shift = b_from_a[:3, 3]
    x, y, z = shift / max(float(np.linalg.norm(shift)), 1e-300)
    essential = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]) @ b_from_a[:3, :3]
    points_a = np.c_[rays_a, np.ones(len(rays_a))]
    points_b = np.c_[rays_b, np.ones(len(rays_b))]
    lines_b, lines_a = points_a @ essential.T, points_b @ essential
    off = np.abs((points_b * lines_b).sum(axis=1))
    slopes = np.minimum(
        np.linalg.norm(lines_a[:, :2], axis=1), np.linalg.norm(lines_b[:, :2], axis=1)
    )
    return np.divide(off, slopes, out=np.full(len(off), np.inf), where=slopes > 1e-12)


def _features_or_none(frame: Frame) -> Features:
    try:
        return sift(read_image(frame.image, gray=True), frame.camera)
    except ImageError:
        return _no_features()


def _no_features() -> Features:
    return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.uint8))


def _unit(features: Features) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(features.descriptors).float(), dim=1)


def _poses(frames: Sequence[Frame], origin: Array) -> Array:
    """``world_from_cam`` (N, 4, 4) relative to an origin, where coordinates keep their digits."""
    poses = poses_of(frames)
    poses[:, :3, 3] -= origin
    return poses


def _lost(frame: Frame, reason: str, seconds: dict[str, float]) -> Estimate:
    return Estimate(
        frame.name, localized=False, world_from_cam=None, seconds=seconds, reason=reason
    )

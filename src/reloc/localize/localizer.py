"""From an image to a pose: backbone, head, solver."""

import copy
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import CameraError, ImageError, MapError
from reloc.geometry import Camera
from reloc.images.augment import View, apply_homography, cell_pixels, plain_view
from reloc.images.depth import DepthMap, read_depth_map
from reloc.images.files import read_image
from reloc.localize.estimate import Estimate
from reloc.maps.scene_map import SceneMap
from reloc.pose.covariance import pose_covariance
from reloc.pose.rgbd import solve_pose_with_depth
from reloc.pose.solver import SolverOptions, solve_pose
from reloc.pose.trust import confidence
from reloc.scenes.scene import Depth

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Query:
    """An image to localize.

    Attributes:
        name: what the estimate will be called.
        image: a file, or pixels (H, W) grey or (H, W, 3) RGB, uint8.
        camera: intrinsics, or None to take the map's own camera.
        depth: measured depth of the same view in the map's unit, if there is any: a file or values.
    """

    name: str
    image: Path | NDArray[np.uint8]
    camera: Camera | None = None
    depth: Depth | DepthMap | None = None


@dataclass(frozen=True)
class Correspondences:
    """What the head sees in an image.

    Attributes:
        scene_coordinates: (N, 3) float64, world frame.
        rays: (N, 2) float64 viewing rays at z = 1, camera frame.
        pixels: (N, 2) float64 pixels of the image.
        focal: pixels of the resampled image per unit at z = 1.
    """

    scene_coordinates: Array
    rays: Array
    pixels: Array
    focal: float


class Localizer:
    """Localizes images in one map. Reads nothing but its arguments; safe to keep for long.

    Args:
        scene_map: the map.
        backbone: the one that the map was made with.
        device: where the networks run; by default the best there is.
        solver: how poses are searched.

    Raises:
        MapError: the map was made with another backbone.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        backbone: Backbone,
        *,
        device: torch.device | str | None = None,
        solver: SolverOptions | None = None,
    ) -> None:
        if scene_map.backbone != backbone.fingerprint:
            raise MapError(
                f"the map was made with backbone {scene_map.backbone}, not with "
                f"{backbone.fingerprint}; name its backbone file or map the scene again"
            )
        self.map = scene_map
        self.device = pick_device(device)
        self.solver = (solver or SolverOptions()).for_short_side(scene_map.short_side)
        self.extractor = FeatureExtractor(backbone, device=self.device)
        self.head = copy.deepcopy(scene_map.head).to(self.device).eval()

    def localize(
        self,
        image: NDArray[np.uint8],
        camera: Camera | None = None,
        *,
        depth: DepthMap | None = None,
        name: str = "image",
    ) -> Estimate:
        """Localizes one image.

        Args:
            image: (H, W) grey or (H, W, 3) RGB, uint8.
            camera: intrinsics; the map's own camera if None.
            depth: measured depth of the same view, in the map's unit.
            name: what the estimate is called.

        Raises:
            CameraError: no camera is at hand, or it contradicts the image.
            ImageError: the array is no image.
        """
        return next(self.localize_many([Query(name, image, camera, depth)], strict=True))

    def correspondences(self, image: NDArray[np.uint8], camera: Camera) -> Correspondences:
        """Scene coordinates of all cells of an image, without solving for the pose.

        Args:
            image: (H, W) grey or (H, W, 3) RGB, uint8.
            camera: intrinsics at the image's size or of its shape.

        Raises:
            CameraError, ImageError: as ``localize``.
        """
        grey = _as_grey(image)
        height, width = grey.shape
        camera = fitting_camera(camera, width=width, height=height, name="image")
        view = plain_view(grey, short_side=self.map.short_side)
        local = self._matched(view, camera, self._coordinates(self.extractor(view.image)))
        return replace(local, scene_coordinates=local.scene_coordinates + self.map.origin)

    def localize_many(
        self, queries: Iterable[Query], *, strict: bool = False, workers: int = 2
    ) -> Iterator[Estimate]:
        """Localizes images in order, reading and solving in threads beside the network.

        Args:
            queries: any number; they are read as needed.
            strict: raise on a bad query; otherwise it becomes an estimate that is not localized.
            workers: threads for reading and solving.

        Raises:
            CameraError, ImageError: only if ``strict``.
        """
        with ThreadPoolExecutor(workers) as readers, ThreadPoolExecutor(workers) as solvers:
            reading = _ahead(
                ((query, readers.submit(self._read, query)) for query in queries), workers + 1
            )
            solving = (self._start(query, job, solvers, strict=strict) for query, job in reading)
            for job in _ahead(solving, workers + 1):
                yield job() if callable(job) else job

    def _start(
        self,
        query: Query,
        job: "Future[tuple[View, Camera, DepthMap | None, float]]",
        solvers: ThreadPoolExecutor,
        *,
        strict: bool,
    ) -> "Callable[[], Estimate]":
        """Runs the networks on a query that was read; what it returns waits for the pose."""
        try:
            view, camera, depth, read_seconds = job.result()
        except (ImageError, CameraError) as error:
            if strict:
                raise
            failed = Estimate(query.name, localized=False, world_from_cam=None, reason=str(error))
            return lambda: failed
        began = time.perf_counter()
        features = self.extractor(view.image)
        between = time.perf_counter()
        coordinates = self._coordinates(features)
        seconds = {
            "read": read_seconds,
            "backbone": between - began,
            "head": time.perf_counter() - between,
        }
        solving = solvers.submit(self._solve, query.name, view, camera, depth, coordinates, seconds)
        return solving.result

    def _read(self, query: Query) -> tuple[View, Camera, DepthMap | None, float]:
        began = time.perf_counter()
        if isinstance(query.image, np.ndarray):
            image = _as_grey(query.image)
        else:
            image = read_image(query.image, grey=True)
        camera = fitting_camera(
            query.camera or self.map.query_camera(),
            width=image.shape[1],
            height=image.shape[0],
            name=query.name,
        )
        view = plain_view(image, short_side=self.map.short_side)
        depth = read_depth_map(query.depth) if isinstance(query.depth, Depth) else query.depth
        return view, camera, depth, time.perf_counter() - began

    @torch.inference_mode()
    def _coordinates(self, features: torch.Tensor) -> Array:
        dtype = self.extractor.dtype
        with torch.autocast(self.device.type, dtype, enabled=dtype != torch.float32):
            coordinates = self.head(features)
        return coordinates.double().cpu().numpy()

    def _matched(self, view: View, camera: Camera, coordinates: Array) -> Correspondences:
        """Coordinates relative to the map's origin, with their rays; unusable cells left out."""
        height, width = view.image.shape
        pixels, rays = _cells(
            camera, height, width, self.extractor.stride, tuple(view.original_from_view.ravel())
        )
        usable = np.isfinite(rays).all(axis=1) & np.isfinite(coordinates).all(axis=1)
        return Correspondences(
            coordinates[usable], rays[usable], pixels[usable], camera.focal * view.scale
        )

    def _solve(
        self,
        name: str,
        view: View,
        camera: Camera,
        depth: DepthMap | None,
        coordinates: Array,
        seconds: dict[str, float],
    ) -> Estimate:
        began = time.perf_counter()
        # The solver works around the map's origin, where coordinates keep all their digits.
        local = self._matched(view, camera, coordinates)
        matches = (local.scene_coordinates, local.rays, local.focal)
        if depth is None:
            solution = solve_pose(*matches, options=self.solver)
        else:
            solution = solve_pose_with_depth(
                *matches,
                depth.along(local.rays),
                options=self.solver,
                short_side=self.map.short_side,
            )
        if solution is None:
            return Estimate(
                name,
                localized=False,
                world_from_cam=None,
                seconds={**seconds, "pose": time.perf_counter() - began},
                reason="no pose agrees with what the map sees",
            )
        inliers = int(solution.inliers.sum())
        share = inliers / len(solution.inliers)
        trust = confidence(solution.errors, short_side=self.map.short_side)
        covariance = pose_covariance(
            local.scene_coordinates[solution.inliers],
            local.rays[solution.inliers],
            local.focal,
            solution.world_from_cam,
        )
        world_from_cam = solution.world_from_cam.copy()
        world_from_cam[:3, 3] += self.map.origin
        return Estimate(
            name,
            localized=trust >= 0.5,
            world_from_cam=world_from_cam,
            inliers=inliers,
            inlier_share=share,
            confidence=trust,
            covariance=covariance,
            seconds={**seconds, "pose": time.perf_counter() - began},
            reason=None if trust >= 0.5 else "too few scene coordinates agree with the best pose",
        )


@lru_cache(maxsize=64)
def _cells(
    camera: Camera, height: int, width: int, stride: int, original_from_view: tuple[float, ...]
) -> tuple[Array, Array]:
    """Pixels of the image and rays (N, 2) of the cells of a view; rays are NaN where there is none.

    Queries mostly share a camera, and removing its distortion costs more than solving for a pose.
    """
    homography = np.array(original_from_view).reshape(3, 3)
    pixels = apply_homography(homography, cell_pixels(height, width, stride=stride))
    outside = ((pixels <= 0) | (pixels >= (camera.width, camera.height))).any(axis=1)
    rays = camera.rays(np.clip(pixels, 0, (camera.width, camera.height)))
    rays[outside] = np.nan
    return pixels, rays


def fitting_camera(camera: Camera | None, *, width: int, height: int, name: str) -> Camera:
    """The camera at the size of an image.

    Raises:
        CameraError: there is none, or its aspect ratio is another.
    """
    if camera is None:
        raise CameraError(
            f"{name}: no camera at hand; the map was made with several, so give one with --camera"
        )
    if (camera.width, camera.height) == (width, height):
        return camera
    ratio = (width / height) / (camera.width / camera.height)
    if abs(ratio - 1) > 0.01:
        raise CameraError(
            f"{name}: the image is {width}x{height}, its camera {camera.width}x{camera.height} of "
            "another shape; give the right one with --camera"
        )
    return camera.resized(width, height)


def _as_grey(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8 or image.size == 0:
        raise ImageError("an image is a non-empty uint8 array (H, W) or (H, W, 3)")
    if image.ndim == 2:
        # PyTorch takes neither flipped nor read-only arrays.
        return np.require(image, requirements=["C", "W"])
    if image.ndim == 3 and image.shape[2] == 3:
        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    raise ImageError(f"an image has the shape (H, W) or (H, W, 3), not {image.shape}")


def _ahead(items: Iterable, count: int) -> Iterator:
    """The items in order, with up to ``count`` started before the first is handed out."""
    waiting: list = []
    for item in items:
        waiting.append(item)
        if len(waiting) >= count:
            yield waiting.pop(0)
    yield from waiting

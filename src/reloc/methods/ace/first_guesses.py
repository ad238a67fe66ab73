"""What a map in training does with photos that it does not learn from, at little cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.devices import to_device
from reloc.errors import CameraError, ImageError
from reloc.geometry import pose_error
from reloc.heads import Head
from reloc.landmarks.keypoints import Keypoints
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.localize.query import PreparedQuery, Query, read_query
from reloc.maps.held_back import PoseError
from reloc.methods.ace.region_features import RegionFeatures
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.solver import SolverOptions, solve_pose
from reloc.scenes.scene import Frame

Array = NDArray[np.float64]

# Few cells and hypotheses tell well enough whether a pose is near; all would cost several times as
# much as what is trained meanwhile.
CELLS = 800
SEARCH = SolverOptions(max_iterations=300)
# Where landmarks alone are as sure as that of a pose, heads have no say in it.
SURE = 0.8


@dataclass(frozen=True)
class Guesses:
    """How far off poses are at a time of the training, one for each frame.

    Attributes:
        by_heads: of the heads alone; None where they give none.
        final: as a query gets it, with landmarks.
        settled: whether landmarks are sure of a pose without heads, which then gain nothing.
    """

    by_heads: tuple[PoseError, ...]
    final: tuple[PoseError, ...]
    settled: tuple[bool, ...]


@dataclass(frozen=True)
class _Photo:
    """A frame, seen once.

    Attributes:
        world_from_cam: (4, 4) where it was taken.
        features: (C, channels) of some cells.
        rays: (C, 2) of these.
        focal: pixels of the view per unit at z = 1.
        regions: numbers of those that may know what it shows.
        solver: of the landmarks that it may be localized by; None without any.
        keypoints: of the image.
        query: with its camera.
        by_landmarks: error of the pose that landmarks alone are sure of; None if they are not.
    """

    world_from_cam: Array
    features: Tensor
    rays: Array
    focal: float
    regions: tuple[int, ...]
    solver: LandmarkSolver | None
    keypoints: Keypoints
    query: PreparedQuery
    by_landmarks: PoseError


class FirstGuesses:
    """Localizes some frames again and again while heads are trained.

    Args:
        frames: with poses; those whose image cannot be read are left out.
        extractor: gives what heads see.
        short_side: of the views, pixels.
        regions_of: numbers of the regions that know what is around a pose.
        solver_of: of the landmarks by which a frame may be localized; None without any.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        extractor: FeatureExtractor,
        *,
        short_side: int,
        regions_of: Callable[[Array], tuple[int, ...]],
        solver_of: Callable[[Frame], LandmarkSolver | None],
    ) -> None:
        self._device = extractor.device
        self._photos: list[_Photo] = []
        for frame in frames:
            assert frame.world_from_cam is not None
            try:
                read = read_query(Query(frame.name, frame.image, frame.camera))
                query = PreparedQuery(
                    frame.name, read.view(0, short_side=short_side), frame.camera, None, 0.0
                )
            except (ImageError, CameraError):
                continue
            if read.image.shape != (frame.camera.height, frame.camera.width):
                continue
            rays = query.cells(extractor.stride)[1]
            usable = np.flatnonzero(np.isfinite(rays).all(axis=1))
            cells = np.random.default_rng(0).permutation(usable)[:CELLS]
            features = extractor(query.view.image)
            photo = _Photo(
                frame.world_from_cam,
                features[to_device(torch.from_numpy(cells), features.device)],
                rays[cells],
                query.focal,
                regions_of(frame.world_from_cam),
                solver_of(frame),
                read.keypoints(),
                query,
                None,
            )
            self._photos.append(replace(photo, by_landmarks=_by_landmarks(photo, None, SURE)))

    def __len__(self) -> int:
        return len(self._photos)

    def made(self, heads: Sequence[Head], regions: Sequence[RegionFeatures]) -> Guesses:
        """The guesses of heads as they are now, one head for each region."""
        by_heads: list[PoseError] = []
        final: list[PoseError] = []
        for photo in self._photos:
            pose = self._by_heads(photo, heads, regions)
            by_heads.append(None if pose is None else pose_error(pose, photo.world_from_cam))
            near = photo.by_landmarks or (pose is not None and _by_landmarks(photo, pose, 0.5))
            final.append(near or by_heads[-1])
        settled = tuple(photo.by_landmarks is not None for photo in self._photos)
        return Guesses(tuple(by_heads), tuple(final), settled)

    @torch.inference_mode()
    def _by_heads(
        self, photo: _Photo, heads: Sequence[Head], regions: Sequence[RegionFeatures]
    ) -> Array | None:
        """The pose that most cells agree with, by the heads of the regions around it."""
        best, most = None, 0
        half = photo.features.dtype
        for number in photo.regions:
            with torch.autocast(self._device.type, half, enabled=half != torch.float32):
                points = heads[number](photo.features).float().cpu().double().numpy()
            finite = np.isfinite(points).all(axis=1)
            seen = Correspondences.of_kind(
                Kind.CELL, points[finite], photo.rays[finite], photo.focal
            )
            short_side = min(photo.query.view.image.shape)
            found = solve_pose(seen, options=SEARCH.for_short_side(short_side))
            if found is not None and (agree := int(found.inliers.sum())) > most:
                best, most = found.world_from_cam.copy(), agree
                best[:3, 3] += regions[number].origin
        return best


def _by_landmarks(photo: _Photo, first: Array | None, least: float) -> PoseError:
    """Error of the pose by landmarks, near a first one or anywhere; None if they are not sure."""
    if photo.solver is None:
        return None
    found = photo.solver.solve(photo.keypoints, photo.query.camera, first, anywhere=first is None)
    if found is None or found.confidence < least:
        return None
    return pose_error(found.world_from_cam, photo.world_from_cam)

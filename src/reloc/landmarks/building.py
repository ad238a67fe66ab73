"""Landmarks from posed photos, step by step: keypoints, matches, tracks, points, a selection."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, OptionError
from reloc.geometry import inverted
from reloc.images.image_cache import Gray, read_gray
from reloc.images.sift import LENGTH
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.consistency import confirmations
from reloc.landmarks.epipolar import MatchOptions, View, epipolar_matches
from reloc.landmarks.keypoints import (
    Keypoints,
    detect_keypoints,
    no_keypoints,
    searched_scale,
    unit_descriptors,
)
from reloc.landmarks.landmarks import MAX_LANDMARKS, Landmarks, no_landmarks
from reloc.landmarks.pairs import view_pairs
from reloc.landmarks.selection import cells_of_views, select_tracks
from reloc.landmarks.tracks import Tracks, join_tracks
from reloc.landmarks.triangulation import Triangulated, TriangulationOptions, triangulate
from reloc.prefetching import prefetched
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.masks import kept
from reloc.scenes.scene import Frame, poses_of

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

# What is held of the views is in proportion to their number.
MAX_VIEWS = 1500
# Nearer to a camera than this share of the typical depth there is nothing.
NEAREST = 0.02


@dataclass(frozen=True)
class LandmarkOptions:
    """How landmarks are made.

    Attributes:
        count: landmarks to keep, at most.
        keypoints: of a view, at most.
        neighbors: views that each view is matched with, at most.
        tolerance: pixels, of the image that is searched for keypoints, that a keypoint may be off
            an epipolar line or its point.

    Raises:
        OptionError: impossible values.
    """

    count: int = 10_000
    keypoints: int = 2048
    neighbors: int = 12
    tolerance: float = 3.0

    def __post_init__(self) -> None:
        if not 0 <= self.count <= MAX_LANDMARKS:
            raise OptionError(f"landmarks must be 0 to {MAX_LANDMARKS}")
        if not (self.keypoints > 0 and self.neighbors > 0 and self.tolerance > 0):
            raise OptionError("keypoints, neighbors and tolerance must be positive")


@dataclass(frozen=True)
class LandmarkCounts:
    """What became of the matches.

    Attributes:
        views: whose images could be read.
        matches: between two views.
        confirmed: of these, those that a third view agrees with.
        points: that were triangulated.
        kept: of these.
    """

    views: int
    matches: int
    confirmed: int
    points: int
    kept: int


@dataclass(frozen=True)
class ObservedLandmarks:
    """Landmarks with the frames that show them.

    Attributes:
        landmarks: that were kept.
        counts: what became of the matches.
        observations: (M, 2) rows of a landmark and of the frame that shows it, among those used.
        frames: that were used.
    """

    landmarks: Landmarks
    counts: LandmarkCounts
    observations: Indices
    frames: tuple[Frame, ...]

    def without(self, name: str, *, views: int) -> Landmarks:
        """Those that so many frames show at least, a frame left out."""
        landmark, frame = self.observations.T
        left = np.array([f.name != name for f in self.frames])[frame]
        counts = np.bincount(landmark[left], minlength=len(self.landmarks))
        return self.landmarks.subset(np.flatnonzero(counts >= views))


def build_landmarks(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    read: Callable[[Path], Gray] = read_gray,
    progress: Progress = silent,
) -> tuple[Landmarks, LandmarkCounts]:
    """Landmarks of posed frames; see ``observed_landmarks``."""
    made = observed_landmarks(frames, depth=depth, options=options, read=read, progress=progress)
    return made.landmarks, made.counts


def observed_landmarks(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    read: Callable[[Path], Gray] = read_gray,
    progress: Progress = silent,
) -> ObservedLandmarks:
    """Landmarks of posed frames.

    Args:
        frames: with poses; at most ``MAX_VIEWS`` of them, spread evenly, are used. Images that
            cannot be read, or are of another size than their camera, have no keypoints.
        depth: typical depth of the scene, in scene units.
        options: how many, and from what.
        read: reads an image in gray.
        progress: told of views and pairs.
    """
    if not frames:
        nothing = np.zeros((0, 2), np.int64)
        return ObservedLandmarks(no_landmarks(), LandmarkCounts(0, 0, 0, 0, 0), nothing, ())
    frames = evenly(frames, MAX_VIEWS)
    poses = poses_of(frames)
    # Around the middle of the cameras coordinates keep their digits.
    origin = poses[:, :3, 3].mean(axis=0)
    poses[:, :3, 3] -= origin
    keypoints = _keypoints(frames, options.keypoints, read, progress)
    # Errors are told in pixels of the images in which keypoints were looked for.
    scales = np.array([searched_scale(f.camera.width, f.camera.height) for f in frames])
    focals = np.array([frame.camera.focal for frame in frames])
    views = [
        View(pose, focal, frame.camera.rays(found.pixels), found.descriptors)
        for pose, focal, frame, found in zip(poses, scales * focals, frames, keypoints, strict=True)
    ]
    matches = _matches(views, depth, options, progress)
    confirmed = confirmations(views, matches, tolerance=options.tolerance)
    places = [scale * found.pixels for scale, found in zip(scales, keypoints, strict=True)]
    tracks = join_tracks(matches, confirmed, places)
    rays = _of_observations([view.rays for view in views], tracks)
    found = triangulate(
        tracks,
        rays,
        inverted(poses),
        scales * focals,
        options=TriangulationOptions(tolerance=options.tolerance),
    )
    kept = tracks.only(found.agrees)
    sizes = np.array([(f.camera.width, f.camera.height) for f in frames])
    pixels = _of_observations([k.pixels for k in keypoints], kept)
    chosen = select_tracks(
        kept.track, kept.views, cells_of_views(pixels, sizes[kept.views]), most=options.count
    )
    counts = LandmarkCounts(
        views=sum(len(k) > 0 for k in keypoints),
        matches=sum(map(len, matches.values())),
        confirmed=sum(int((counts > 0).sum()) for counts in confirmed.values()),
        points=int(found.good.sum()),
        kept=len(chosen),
    )
    own = kept.only(np.isin(kept.track, chosen))
    return ObservedLandmarks(
        _described(own, found, chosen, poses, focals, keypoints, origin),
        counts,
        np.stack([np.searchsorted(chosen, own.track), own.views], axis=1),
        tuple(frames),
    )


def _keypoints(
    frames: Sequence[Frame], most: int, read: Callable[[Path], Gray], progress: Progress
) -> list[Keypoints]:
    def of(frame: Frame) -> Keypoints:
        try:
            image = read(frame.image)
        except ImageError:
            return no_keypoints()
        if image.shape != (frame.camera.height, frame.camera.width):
            return no_keypoints()  # its pixels are not those of the camera
        found = detect_keypoints(image, most=most)
        if frame.mask is None:
            return found
        height, width = image.shape
        try:
            good = kept(frame.mask, found.pixels.astype(np.float64), width=width, height=height)
        except ImageError:
            return no_keypoints()
        return Keypoints(found.pixels[good], found.sizes[good], found.descriptors[good])

    keypoints = []
    with prefetched(of, frames, ahead=4, workers=2) as found:
        for number, (_, job) in enumerate(found, start=1):
            keypoints.append(job.result())
            progress("keypoints", number, len(frames))
    return keypoints


def _matches(
    views: Sequence[View], depth: float, options: LandmarkOptions, progress: Progress
) -> dict[tuple[int, int], Indices]:
    poses = np.array([view.world_from_cam for view in views]).reshape(-1, 4, 4)
    pairs = view_pairs(poses, depth=depth, neighbors=options.neighbors)
    wanted = MatchOptions(tolerance=options.tolerance, least_depth=NEAREST * depth)

    def of(pair: tuple[int, int]) -> Indices:
        return epipolar_matches(views[pair[0]], views[pair[1]], options=wanted)

    matches = {}
    with prefetched(of, pairs, ahead=4, workers=2) as found:
        for number, (pair, job) in enumerate(found, start=1):
            if len(rows := job.result()):
                matches[pair] = rows
            progress("matching", number, len(pairs))
    return matches


def _of_observations(values: Sequence[NDArray[Any]], tracks: Tracks) -> NDArray[Any]:
    """The rows (M, ...) of the views' values that belong to observations."""
    begins = np.cumsum([0, *(len(v) for v in values)])
    rows = begins[tracks.views] + tracks.keypoints
    return np.concatenate(list(values))[rows]


def _described(
    tracks: Tracks,
    found: Triangulated,
    chosen: Indices,
    poses: Array,
    focals: Array,
    keypoints: Sequence[Keypoints],
    origin: Array,
) -> Landmarks:
    """The chosen points with the means of what their views see."""
    points = found.points[chosen]
    number = np.searchsorted(chosen, tracks.track)
    shift = poses[tracks.views, :3, 3] - points[number]
    distance = np.linalg.norm(shift, axis=1)
    toward = shift / distance[:, None]
    directions = _unit(_sums(toward, number, len(chosen)))
    cosines = np.ones(len(chosen))
    np.minimum.at(cosines, number, (toward * directions[number]).sum(axis=1))
    diameters = _of_observations([k.sizes for k in keypoints], tracks)
    counts = np.bincount(number, minlength=len(chosen))
    sizes = (
        np.bincount(number, diameters * distance / focals[tracks.views], minlength=len(chosen))
        / counts
    )
    descriptors = np.zeros((len(chosen), LENGTH))
    for view in np.unique(tracks.views):
        own = tracks.views == view
        seen = unit_descriptors(keypoints[view].descriptors[tracks.keypoints[own]])
        np.add.at(descriptors, number[own], seen)
    means = _unit(descriptors).astype(np.float32)
    basis = DescriptorBasis.of(means)
    worst = np.linalg.eigvalsh(found.covariances[chosen])[:, -1]
    return Landmarks(
        points=points + origin,
        deviations=np.sqrt(np.maximum(worst, 0)).astype(np.float32),
        directions=directions.astype(np.float32),
        spreads=np.arccos(np.clip(cosines, -1, 1)).astype(np.float32),
        sizes=sizes.astype(np.float32),
        descriptors=basis.codes(means),
        basis=basis,
    )


def _sums(values: Array, number: Indices, count: int) -> Array:
    sums = np.zeros((count, values.shape[1]))
    np.add.at(sums, number, values)
    return sums


def _unit(vectors: Array) -> Array:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

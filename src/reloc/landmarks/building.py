"""Landmarks from posed photos, step by step: keypoints, matches, tracks, points, a selection."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError, OptionError
from reloc.geometry import inverted
from reloc.images.image_cache import Gray, read_gray
from reloc.landmarks.consistency import confirmations
from reloc.landmarks.describing import described, of_observations
from reloc.landmarks.epipolar import MatchOptions, View, epipolar_matches
from reloc.landmarks.keypoints import (
    Keypoints,
    detect_keypoints,
    no_keypoints,
    searched_scale,
)
from reloc.landmarks.landmarks import MAX_LANDMARKS, Landmarks, no_landmarks
from reloc.landmarks.pairs import view_pairs
from reloc.landmarks.selection import cells_of_views, select_tracks
from reloc.landmarks.tracks import join_tracks
from reloc.landmarks.triangulation import TriangulationOptions, triangulate
from reloc.landmarks.vantages import vantages_of
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


@dataclass(frozen=True)
class MatchedFrames:
    """Frames with matched keypoints: what takes most of the time of making landmarks.

    Attributes:
        frames: with poses.
        depth: typical depth of the scene, in scene units.
        origin: (3,) around which the poses of ``views`` are.
        keypoints: of each frame.
        views: of each frame, with rays and descriptors of its keypoints.
        matches: rows (M, 2) of keypoints by pairs of frames.
    """

    frames: tuple[Frame, ...]
    depth: float
    origin: Array
    keypoints: tuple[Keypoints, ...]
    views: tuple[View, ...]
    matches: Mapping[tuple[int, int], Indices]

    def without(self, names: Collection[str]) -> "MatchedFrames":
        """The same where some frames, by their names, have no match: no landmark is theirs."""
        left = [frame.name not in names for frame in self.frames]
        matches = {(a, b): rows for (a, b), rows in self.matches.items() if left[a] and left[b]}
        return replace(self, matches=matches)


def build_landmarks(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    read: Callable[[Path], Gray] = read_gray,
    progress: Progress = silent,
) -> tuple[Landmarks, LandmarkCounts]:
    """Landmarks of posed frames; see ``matched_frames`` and ``landmarks_of``."""
    matched = matched_frames(frames, depth=depth, options=options, read=read, progress=progress)
    made = landmarks_of(matched, options=options)
    return made.landmarks, made.counts


def matched_frames(
    frames: Sequence[Frame],
    *,
    depth: float,
    options: LandmarkOptions,
    read: Callable[[Path], Gray] = read_gray,
    progress: Progress = silent,
) -> MatchedFrames:
    """Keypoints of posed frames and their matches.

    Args:
        frames: with poses; at most ``MAX_VIEWS`` of them, spread evenly, are used. Images that
            cannot be read, or are of another size than their camera, have no keypoints.
        depth: typical depth of the scene, in scene units.
        options: from what landmarks are made.
        read: reads an image in gray.
        progress: told of views and pairs.
    """
    frames = evenly(frames, MAX_VIEWS)
    poses = poses_of(frames)
    # Around the middle of the cameras coordinates keep their digits.
    origin = poses[:, :3, 3].mean(axis=0) if len(poses) else np.zeros(3)
    poses[:, :3, 3] -= origin
    keypoints = _keypoints(frames, options.keypoints, read, progress)
    # Errors are told in pixels of the images in which keypoints were looked for.
    views = [
        View(
            pose,
            searched_scale(frame.camera.width, frame.camera.height) * frame.camera.focal,
            frame.camera.rays(found.pixels),
            found.descriptors,
        )
        for pose, frame, found in zip(poses, frames, keypoints, strict=True)
    ]
    matches = _matches(views, depth, options, progress)
    return MatchedFrames(tuple(frames), depth, origin, tuple(keypoints), tuple(views), matches)


def landmarks_of(matched: MatchedFrames, *, options: LandmarkOptions) -> ObservedLandmarks:
    """Landmarks of frames whose keypoints are matched: tracks, points, a selection.

    Args:
        matched: the frames.
        options: how many, and how exact.
    """
    frames, keypoints, matches = matched.frames, matched.keypoints, matched.matches
    if not frames:
        nothing = np.zeros((0, 2), np.int64)
        return ObservedLandmarks(no_landmarks(), LandmarkCounts(0, 0, 0, 0, 0), nothing, ())
    poses = np.array([view.world_from_cam for view in matched.views])
    searched_focals = np.array([view.focal for view in matched.views])
    focals = np.array([frame.camera.focal for frame in frames])
    confirmed = confirmations(matched.views, matches, tolerance=options.tolerance)
    places = [
        scale * found.pixels
        for scale, found in zip(searched_focals / focals, keypoints, strict=True)
    ]
    tracks = join_tracks(matches, confirmed, places)
    found = triangulate(
        tracks,
        of_observations([view.rays for view in matched.views], tracks),
        inverted(poses),
        searched_focals,
        options=TriangulationOptions(tolerance=options.tolerance),
    )
    kept = tracks.only(found.agrees)
    sizes = np.array([(f.camera.width, f.camera.height) for f in frames])
    pixels = of_observations([k.pixels for k in keypoints], kept)
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
    observations = np.stack([np.searchsorted(chosen, own.track), own.views], axis=1)
    landmarks = replace(
        described(own, found, chosen, poses, focals, keypoints, matched.origin),
        vantages=vantages_of(
            poses_of(frames), observations, count=len(chosen), depth=matched.depth
        ),
    )
    return ObservedLandmarks(landmarks, counts, observations, frames)


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

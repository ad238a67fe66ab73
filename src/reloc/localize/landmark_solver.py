"""The pose of a query by the landmarks that it shows."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, pose_error, transformed
from reloc.landmarks.keypoints import Keypoints
from reloc.landmarks.landmarks import Landmarks
from reloc.landmarks.matching import LandmarkMatcher, SeenKeypoints, seen_keypoints
from reloc.pose.correspondences import Correspondences, Kind
from reloc.pose.covariance import leave_out_covariance
from reloc.pose.evidence import CHANCE_OF_LANDMARKS, enclosed, occupied
from reloc.pose.focal_fit import FocalFit, focal_fit
from reloc.pose.refinement import RefinedPose, RefinementOptions, refined_pose
from reloc.pose.solver import REFERENCE_SHORT_SIDE, SolverOptions, solve_pose
from reloc.scenes.depth import DepthAlongRays

Array = NDArray[np.float64]

# Standard deviations of the position of a keypoint, in pixels of an image with a short side of 480,
# and of the point of its landmark, in those that it would have if keypoints erred by a pixel and
# all along its worst direction.
KEYPOINT_DEVIATION, POINT_DEVIATION = 0.22, 0.08
# Of the latter, at most, in pixels.
WORST_POINT = 1.0

# Diameter of a keypoint that errs as scale and gate expect, in pixels of an image with a short side
# of 480. Larger ones err more, with the root of their diameter, of which that ratio is bounded.
EXACT_SIZE, SIZES_APART = 4.0, (0.25, 20.0)
# Of a last refinement: bounds of the median error that sets its scale, in what is expected of
# keypoints, and how many such errors a landmark may be off.
MEDIANS, GATE_OF_MEDIANS = (0.3, 2.0), 3.0
SEARCH = SolverOptions(threshold=6.0, refine_scale=1.0, max_iterations=5000)
# Landmarks so far from each other are two, as a share of their depth; and fewer than so many agree
# with some pose by chance.
TWINS_APART, LEAST_TWINS = 0.1, 8
# Two poses are one that differ by less than that share of the depth, and by less than this turn.
TWINS_TURN_DEG = 10.0
# Of two places that look alike, either shows this share of the landmarks that the other does.
TWINS_AS_MANY = 0.5
# A pose that a third of the pairs agree with is found in so many tries nearly always.
TWIN_SEARCH = SolverOptions(threshold=6.0, refine_scale=1.0, max_iterations=500)


@dataclass(frozen=True)
class LandmarkSolverOptions:
    """How landmarks are looked for; pixels are those of an image with a short side of 480.

    Attributes:
        windows: half sides of the windows around where a first pose projects landmarks, one after
            the other.
        gate: between a landmark and its keypoint, at most, for these to agree.
        scale: of the robust loss of the last refinement. Both are for a keypoint of ``EXACT_SIZE``.
        search: of poses from matches among all landmarks.
        sure: landmarks that agree with the right pose only. Where so many do, no other pose is
            looked for,
        sure_share: if they are such a share of those in view.
        alone_share: of those in view, three times what chance makes agree, where landmarks are to
            be believed with no heads at all. ``sure`` of them have to agree,
        alone_enclosed: around such a share of those in view: a thing that was moved since mapping
            has landmarks, too.
        least: where fewer agree, the pose is as good as guessed.
        chance: share of the landmarks in view that agree with any pose.
        focal_window: half side of the windows in which matches tell of the focal length: where it
            is given wrongly, landmarks are far from where they are projected.
        focal_landmarks: that are looked for then, at most.
        twins: landmarks that agree with a pose, at most, for which others are looked for that look
            alike elsewhere.
        twin_search: of a pose by these.
        twin_share: so many of them agree with it where a place looks the same from there.
    """

    windows: tuple[float, ...] = (24.0, 12.0, 6.0)
    gate: float = 4.0
    scale: float = 1.0
    search: SolverOptions = SEARCH
    sure: int = 60
    sure_share: float = 0.2
    alone_share: float = 0.02
    alone_enclosed: float = 0.5
    least: int = 12
    chance: float = CHANCE_OF_LANDMARKS
    focal_window: float = 48.0
    focal_landmarks: int = 300
    twins: int = 64
    twin_search: SolverOptions = TWIN_SEARCH
    twin_share: float = 0.15


@dataclass(frozen=True)
class _Agreeing:
    """A pose around the origin of a solver, with the rows of the landmarks that agree with it."""

    pose: Array
    pairs: Correspondences
    rows: NDArray[np.int64]


@dataclass(frozen=True)
class LandmarkSolution:
    """A pose that landmarks agree with.

    Attributes:
        world_from_cam: (4, 4).
        covariance: (6, 6) as that of ``Evidence``; None where the landmarks leave the pose open.
        inliers: landmarks that agree.
        visible: landmarks in view if nothing stood before them.
        confidence: 0 to 1; 0.5 and more where so many agree that the pose is not a guess.
        spread, error, enclosed: of those that agree, see ``LandmarkEvidence``.
        depth: median of theirs, scene units.
        focal: the focal length that fits best beside such a pose; None where that is not known.
        ambiguous: landmarks elsewhere look as much like the image, and agree with a pose as well.
    """

    world_from_cam: Array
    covariance: Array | None
    inliers: int
    visible: int
    confidence: float
    spread: float = 0.0
    error: float = 0.0
    enclosed: float = 1.0
    depth: float = 1.0
    focal: FocalFit | None = None
    ambiguous: bool = False


class LandmarkSolver:
    """Finds poses by the landmarks of a map. Safe to use from several threads.

    Args:
        landmarks: of the map; one at least.
        options: how they are looked for.
    """

    def __init__(
        self, landmarks: Landmarks, *, options: LandmarkSolverOptions | None = None
    ) -> None:
        self.options = options or LandmarkSolverOptions()
        # Around their middle coordinates keep all their digits.
        self._origin = landmarks.points.mean(axis=0)
        self._vantages = landmarks.vantages
        self._matcher = LandmarkMatcher(replace(landmarks, points=landmarks.points - self._origin))

    def solve(
        self,
        keypoints: Keypoints,
        camera: Camera,
        first: Array | None,
        *,
        anywhere: bool = True,
        found: LandmarkSolution | None = None,
        depth: DepthAlongRays | None = None,
    ) -> LandmarkSolution | None:
        """The pose that most landmarks agree with, near a first one or anywhere.

        A search that begins at a wrong pose keeps it. So where few landmarks agree near the first
        one, keypoints are matched with all landmarks as well, and what more agree with wins.

        Args:
            keypoints: of the query.
            camera: of the query, at the size of the image that they were found in.
            first: (4, 4) ``world_from_cam`` to look near, if one is known.
            anywhere: look elsewhere, too.
            found: what looking anywhere gave, if that was done before: it need not be done again.
            depth: measured beside the query, if it was.

        Returns:
            None where no pose is found.
        """
        seen = seen_keypoints(keypoints, camera, self._matcher.landmarks)
        unit = min(camera.width, camera.height) / REFERENCE_SHORT_SIDE
        depths = None if depth is None else depth.along(seen.rays)
        near = None
        if first is not None:
            local = first.copy()
            local[:3, 3] -= self._origin
            near = self._near(seen, camera, local, unit, depths)
        if near is not None and self._is_sure(near):
            return self._examined(near, seen, camera, unit)
        if found is None and anywhere:
            found = self._anywhere(seen, camera, unit, depths)
        best = near if found is None or (near and near.inliers >= found.inliers) else found
        return None if best is None else self._examined(best, seen, camera, unit)

    def is_sure_alone(self, found: LandmarkSolution) -> bool:
        """Whether a pose that was found by landmarks alone is beyond doubt."""
        least = max(self.options.sure, self.options.alone_share * found.visible)
        return found.inliers >= least and found.enclosed >= self.options.alone_enclosed

    def _examined(
        self, found: LandmarkSolution, seen: SeenKeypoints, camera: Camera, unit: float
    ) -> LandmarkSolution:
        """A pose that is no guess with what speaks against it, unless it has that already."""
        if found.confidence < 0.5 or found.focal is not None:
            return found
        pose = found.world_from_cam.copy()
        pose[:3, 3] -= self._origin
        return replace(
            found,
            focal=self._focal(seen, camera, pose, unit),
            ambiguous=self._is_ambiguous(seen, camera, pose, unit),
        )

    def _focal(
        self, seen: SeenKeypoints, camera: Camera, pose: Array, unit: float
    ) -> FocalFit | None:
        """The focal length that fits best beside a pose, by what is near landmarks and far."""
        keys, rows = self._matcher.in_windows(
            seen,
            pose,
            camera,
            window=unit * self.options.focal_window,
            most=self.options.focal_landmarks,
        )
        return focal_fit(pose, self._correspondences(seen, camera, keys, rows, unit))

    def _is_ambiguous(self, seen: SeenKeypoints, camera: Camera, pose: Array, unit: float) -> bool:
        """Whether another part of the place looks as much like the image.

        Rooms may look the same from both ends. Single things that stand twice in a room look alike,
        too, but agree with no pose together.
        """
        window = unit * self.options.windows[-1]
        keys, rows = self._matcher.in_windows(seen, pose, camera, window=window, most=400)
        part = np.unique(np.linspace(0, len(keys) - 1, self.options.twins).astype(np.int64))
        keys, rows = keys[part], rows[part]
        depth = float(
            np.median(transformed(inverted(pose), self._matcher.landmarks.points[rows])[:, 2])
        )
        twins = self._matcher.elsewhere(seen, keys, rows, apart=TWINS_APART * depth)
        least = max(LEAST_TWINS, self.options.twin_share * len(keys))
        if len(twins[0]) < least:
            return False
        options = replace(
            self.options.twin_search,
            threshold=unit * self.options.twin_search.threshold,
            refine_scale=unit * self.options.twin_search.refine_scale,
        )
        other = solve_pose(self._correspondences(seen, camera, *twins, 1.0), options=options)
        if other is None or int(other.inliers.sum()) < least:
            return False
        distance, turn = pose_error(other.world_from_cam, pose)
        if distance < TWINS_APART * depth and turn < TWINS_TURN_DEG:
            return False
        # A few that agree with a pose elsewhere are a thing that stands twice. A place that does
        # shows about as many there as here.
        here, there = (
            len(self._matcher.in_windows(seen, at, camera, window=2 * window)[0])
            for at in (pose, other.world_from_cam)
        )
        return there >= TWINS_AS_MANY * here

    def _is_sure(self, found: LandmarkSolution) -> bool:
        least = max(self.options.sure, self.options.sure_share * found.visible)
        return found.inliers >= least

    def _anywhere(
        self, seen: SeenKeypoints, camera: Camera, unit: float, depths: Array | None
    ) -> LandmarkSolution | None:
        """The pose by matches among all landmarks, refined on those that it then finds."""
        keys, rows = self._matcher.among_all(seen)
        options = replace(
            self.options.search,
            threshold=unit * self.options.search.threshold,
            refine_scale=unit * self.options.search.refine_scale,
        )
        solution = solve_pose(self._correspondences(seen, camera, keys, rows, 1.0), options=options)
        if solution is None:
            return None
        return self._near(seen, camera, solution.world_from_cam, unit, depths)

    def _near(
        self,
        seen: SeenKeypoints,
        camera: Camera,
        pose: Array,
        unit: float,
        depths: Array | None,
    ) -> LandmarkSolution | None:
        """The pose refined on the landmarks in windows around where it projects them.

        The first one is around the origin of the solver.
        """
        refined = None
        for window in self.options.windows:
            keys, rows = self._matcher.in_windows(seen, pose, camera, window=unit * window)
            last = window == self.options.windows[-1]
            # As long as the pose may be off by a window, what is far off has to pull at it.
            scale = self.options.scale if last else window / 4
            gate = self.options.gate if last else window
            errs = np.sqrt(np.clip(seen.sizes[keys] / (unit * EXACT_SIZE), *SIZES_APART))
            pairs = self._correspondences(seen, camera, keys, rows, unit * scale * errs)
            if depths is not None:
                pairs = replace(pairs, depths=depths[keys])
            refined = refined_pose(
                pose,
                pairs,
                options=RefinementOptions(scale=1.0, gate=gate / scale, rounds=2 if last else 1),
            )
            if refined is None:
                return None
            pose = refined.world_from_cam
        assert refined is not None
        inliers = int(refined.inliers.sum())
        agreeing = seen.pixels[keys[refined.inliers]]
        visible = self._matcher.visible(pose, camera)[1]
        beyond = max(0.0, inliers - self.options.chance * len(visible))
        errors = refined.errors[refined.inliers]
        exact = self._beside(refined, pairs, rows)
        depth, covariance = self._exactness(exact, camera, unit)
        world_from_cam = exact.pose.copy()
        world_from_cam[:3, 3] += self._origin
        return LandmarkSolution(
            world_from_cam,
            covariance,
            inliers,
            len(visible),
            confidence=beyond / (beyond + self.options.least),
            spread=occupied(agreeing, camera),
            error=float(np.sqrt((errors**2).mean())) / unit,
            enclosed=enclosed(agreeing, visible, camera),
            depth=depth,
        )

    def _beside(
        self, found: RefinedPose, pairs: Correspondences, rows: NDArray[np.int64]
    ) -> _Agreeing:
        """The pose refined on the landmarks that mapping frames beside it show.

        The loss is as wide as their median error: where poses of mapping frames are exact, less is
        far off than where they are not.
        """
        if self._vantages is not None:
            pose = found.world_from_cam.copy()
            pose[:3, 3] += self._origin
            shown = self._vantages.beside(pose, rows, found.inliers)
            agree, errors = found.inliers[shown], found.errors[shown] / pairs.sigmas[shown]
            median = np.clip(np.median(errors[agree]), *MEDIANS)
            near = replace(pairs[shown], sigmas=median * pairs.sigmas[shown])
            options = RefinementOptions(scale=1.0, gate=GATE_OF_MEDIANS)
            closer = refined_pose(found.world_from_cam, near, options=options)
            if closer is not None:
                found, pairs, rows = closer, near, rows[shown]
        return _Agreeing(found.world_from_cam, pairs[found.inliers], rows[found.inliers])

    def _exactness(
        self, exact: _Agreeing, camera: Camera, unit: float
    ) -> tuple[float, Array | None]:
        """Median depth of landmarks that agree with a pose, and the covariance of the pose."""
        pairs = exact.pairs
        depths = transformed(inverted(exact.pose), pairs.scene_coordinates)[:, 2]
        deviations = self._matcher.landmarks.deviations[exact.rows] * camera.focal / depths
        hidden = np.hypot(
            KEYPOINT_DEVIATION * unit, np.minimum(POINT_DEVIATION * deviations, WORST_POINT * unit)
        )
        # Landmarks err nearly independently: each is left out by itself.
        covariance = leave_out_covariance(
            replace(pairs, depths=None),
            exact.pose,
            np.arange(len(pairs)),
            scale=self.options.scale,
            hidden=hidden,
        )
        return float(np.median(depths)), covariance

    def _correspondences(
        self,
        seen: SeenKeypoints,
        camera: Camera,
        keys: NDArray[np.int64],
        rows: NDArray[np.int64],
        sigma: float | Array,
    ) -> Correspondences:
        return Correspondences.of_kind(
            Kind.LANDMARK,
            self._matcher.landmarks.points[rows],
            seen.rays[keys],
            camera.focal,
            sigma=sigma,
        )

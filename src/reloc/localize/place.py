"""A map made ready to answer: from the features of an image to a pose in it."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone.descriptor import global_descriptor, similarity
from reloc.heads.batched import BatchedHeads
from reloc.localize.cameras import QueryCameras
from reloc.localize.doubts import with_doubts
from reloc.localize.estimate import Estimate
from reloc.localize.judging import Judge
from reloc.localize.landmark_solver import LandmarkSolution
from reloc.localize.query import PreparedQuery
from reloc.localize.reasons import TEXTS, Reason, reason_of_doubt, sees_anything
from reloc.localize.regional_landmarks import RegionalLandmarks
from reloc.maps.scene_map import SceneMap
from reloc.pose.correspondences import Correspondences, Kind, concatenated
from reloc.pose.rgbd import refine_pose_with_depth, solve_pose_with_depth
from reloc.pose.solver import (
    PoseSolution,
    SolverOptions,
    agreement,
    refine_pose,
    solve_pose,
)
from reloc.scenes.depth import DepthMap

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RankingOptions:
    """How the few regions are found among many whose heads shall give a pose.

    Attributes:
        shortlist: regions left by comparing the image with views of them, which runs no head.
        probe_cells: cells of the image that the heads of the shortlist are asked for.
        probe_iterations: hypotheses tried on these; regions are ranked by what agrees with the
            best.
        finalists: regions left then. Their heads see the whole image, and the pose that most of it
            agrees with wins.
        sure: share of an image that only agrees with the right pose. Where it agrees in the probe,
            two finalists are enough; where it agrees with the pose of a finalist, those after it
            are spared.
    """

    shortlist: int = 8
    probe_cells: int = 600
    probe_iterations: int = 100
    finalists: int = 4
    sure: float = 0.2


@dataclass(frozen=True)
class Candidate:
    """What the head of a region sees in an image, around the origin of the region.

    Attributes:
        region: its number.
        local: scene coordinates.
        likeness: cosine between what the image looks like and the most similar view of the map;
            NaN where that was not compared.
    """

    region: int
    local: Correspondences
    likeness: float = math.nan


class Place:
    """A map with its heads on their device. Safe to use from several threads.

    Args:
        scene_map: the map.
        stride: side of a cell of the backbone, in pixels.
        device: where heads run.
        dtype: of their products.
        solver: how poses are searched.
        ranking: how regions are.
    """

    def __init__(
        self,
        scene_map: SceneMap,
        *,
        stride: int,
        device: torch.device,
        dtype: torch.dtype,
        solver: SolverOptions,
        ranking: RankingOptions,
    ) -> None:
        self.map = scene_map
        self.cameras = QueryCameras(scene_map.cameras, [r.frames for r in scene_map.regions])
        self.stride = stride
        self.solver = solver.for_short_side(scene_map.short_side)
        self.ranking = ranking
        self.judge = Judge(scene_map)
        known = scene_map.landmarks
        self.landmarks = (
            RegionalLandmarks(known, scene_map) if known is not None and len(known) else None
        )
        self.heads = BatchedHeads([r.head for r in scene_map.regions], device=device, dtype=dtype)

    def candidates(self, features: torch.Tensor, query: PreparedQuery) -> list[Candidate]:
        """The regions that an image most likely shows, the best first, with what they see.

        Args:
            features: (cells, channels) of the query's view.
            query: the query.
        """
        regions = [0]
        if len(self.map.regions) > 1:
            ranked = self.ranked(features, query)
            probed = min(len(features), self.ranking.probe_cells)
            sure = ranked[0][1] >= self.ranking.sure * probed
            count = min(2, self.ranking.finalists) if sure else self.ranking.finalists
            regions = [region for region, _ in ranked[:count]]
        likeness = max(self._likenesses(features), default=math.nan)
        return [replace(c, likeness=likeness) for c in self.seen(features, regions, query)]

    def ranked(self, features: torch.Tensor, query: PreparedQuery) -> list[tuple[int, int]]:
        """Promising regions, the best first, with the number of probed cells that agree on a pose.

        Args:
            features: (cells, channels) of the query's view.
            query: the query.
        """
        rng = np.random.default_rng(self.solver.seed)
        count = min(len(features), self.ranking.probe_cells)
        cells = rng.choice(len(features), count, replace=False)
        probes = self.seen(features, self._shortlist(features), query, cells=cells)
        scored = [(probe.region, self._agreement(probe.local)) for probe in probes]
        return sorted(scored, key=lambda pair: -pair[1])

    def seen(
        self,
        features: torch.Tensor,
        regions: Sequence[int],
        query: PreparedQuery,
        *,
        cells: NDArray[np.intp] | None = None,
    ) -> list[Candidate]:
        """Scene coordinates by the heads of some regions, in their order.

        Args:
            features: (cells, channels) of the query's view.
            regions: whose heads are asked.
            query: the query.
            cells: rows of ``features``; None for all. Cells without a ray are left out.
        """
        pixels, rays = query.cells(self.stride)
        if cells is not None:
            pixels, rays = pixels[cells], rays[cells]
            features = features[torch.from_numpy(cells).to(features.device)]
        coordinates = self.heads(features, regions).cpu().double().numpy()
        found = []
        for region, points in zip(regions, coordinates, strict=True):
            usable = np.isfinite(rays).all(axis=1) & np.isfinite(points).all(axis=1)
            local = Correspondences.of_kind(
                Kind.CELL, points[usable], rays[usable], query.focal, pixels=pixels[usable]
            )
            found.append(Candidate(region, local))
        return found

    def estimate(
        self,
        query: PreparedQuery,
        candidates: Sequence[Candidate],
        seconds: dict[str, float],
        *,
        regions: Sequence[int] = (),
        found: LandmarkSolution | None = None,
    ) -> Estimate:
        """The pose of a query by the candidate that most of the image agrees with.

        Args:
            query: the query.
            candidates: from ``candidates``, the most likely first.
            seconds: by stage, of what was done before.
            regions: whose landmarks are matched with all of the image, the likeliest first. Without
                any they are looked for near the pose only.
            found: what that gave, if it was done before.
        """
        estimate = self._estimated(query, candidates, seconds, regions, found)
        by_heads = estimate.localized and not estimate.landmark_inliers
        if by_heads and not sees_anything(query.view.image):
            # Features are then about the borders of the picture, and so may be what agrees.
            estimate = replace(estimate, localized=False, confidence=0.0, certainty=0.0)
        if estimate.localized or estimate.reason_kind is not None:
            return estimate
        return self._explained(query, estimate, candidates[0].likeness)

    def _explained(self, query: PreparedQuery, estimate: Estimate, likeness: float) -> Estimate:
        """The estimate with why it is not to be believed."""
        kind = reason_of_doubt(
            query.view.image,
            certainty=estimate.certainty,
            likeness=likeness,
            reliability=self.map.reliability,
        )
        if estimate.contradicted and kind in (Reason.NOT_PRECISE, Reason.NOT_THIS_PLACE):
            kind = Reason.CONTRADICTED
        return replace(estimate, reason=TEXTS[kind], reason_kind=kind)

    def _estimated(
        self,
        query: PreparedQuery,
        candidates: Sequence[Candidate],
        seconds: dict[str, float],
        regions: Sequence[int],
        found: LandmarkSolution | None,
    ) -> Estimate:
        """See ``estimate``; reasons are left to it."""
        by_heads, candidate = self._by_heads(query, candidates, seconds)
        if self.landmarks is None:
            return by_heads
        began = time.perf_counter()
        solver = self.landmarks.solver([*(c.region for c in candidates), *regions])
        if solver is None:
            return by_heads
        best = solver.solve(
            query.keypoints(),
            query.camera,
            by_heads.world_from_cam,
            anywhere=bool(regions),
            found=found,
            depth=query.depth,
        )
        estimate = by_heads if best is None else self._decided(query, by_heads, candidate, best)
        if best is not None and estimate.landmark_inliers:
            estimate = with_doubts(estimate, best)
        spent = seconds.get("landmarks", 0.0) + time.perf_counter() - began
        return replace(estimate, seconds={**estimate.seconds, "landmarks": spent})

    def _by_heads(
        self, query: PreparedQuery, candidates: Sequence[Candidate], seconds: dict[str, float]
    ) -> tuple[Estimate, Candidate]:
        """The pose by what heads see alone, and the candidate that it is of."""
        began = time.perf_counter()
        solved: list[tuple[Candidate, PoseSolution]] = []
        for candidate in candidates:
            # Each region is solved around its origin, where coordinates keep all their digits.
            if (found := self._solved(candidate.local, query.depth)) is not None:
                solved.append((candidate, found))
                if found.inliers.mean() >= self.ranking.sure:
                    break
        if not solved:
            lost = Estimate(
                query.name,
                localized=False,
                world_from_cam=None,
                seconds={**seconds, "pose": time.perf_counter() - began},
                camera=query.camera,
                camera_source=query.camera_source,
            )
            return lost, candidates[0]
        candidate, solution = max(solved, key=lambda pair: int(pair[1].inliers.sum()))
        if len(candidates) > 1:
            solution = self._refined(candidate, solution, candidates, query.depth)
        inliers, local = int(solution.inliers.sum()), candidate.local
        world_from_cam = solution.world_from_cam.copy()
        world_from_cam[:3, 3] += self.map.regions[candidate.region].origin
        estimate = Estimate(
            query.name,
            localized=False,
            world_from_cam=world_from_cam,
            inliers=inliers,
            inlier_share=inliers / len(solution.inliers),
            seconds={**seconds, "pose": time.perf_counter() - began},
            camera=query.camera,
            camera_source=query.camera_source,
        )
        evidence = self.judge.evidence_of_heads(query, local, solution, world_from_cam)
        return self.judge.judged(estimate, evidence), candidate

    def _decided(
        self,
        query: PreparedQuery,
        by_heads: Estimate,
        candidate: Candidate,
        found: LandmarkSolution,
    ) -> Estimate:
        """The estimate of heads or that of landmarks, whichever is to be believed."""
        local = found.world_from_cam.copy()
        local[:3, 3] -= self.map.regions[candidate.region].origin
        cells = agreement(local, candidate.local, options=self.solver)
        return self.judge.decided(query, by_heads, found, local=candidate.local, cells=cells)

    def searched(self, features: torch.Tensor, finalists: Sequence[int]) -> list[int]:
        """Regions whose landmarks an image may show, the likeliest first; none without landmarks.

        Args:
            features: (cells, channels) of a view of the image.
            finalists: regions whose heads see the image.
        """
        if self.landmarks is None:
            return []
        # Images are compared with the views of all regions only where that decides something.
        more = self.likely(features) if self.landmarks.parted else []
        return list(dict.fromkeys([*finalists, *more]))

    def likely(self, features: torch.Tensor) -> list[int]:
        """All regions, those with the most similar views first; no head is run.

        Regions without views come before all others.

        Args:
            features: (cells, channels) of a view of the image.
        """
        scores = [np.inf if np.isnan(s) else s for s in self._likenesses(features)]
        return [int(i) for i in np.argsort(scores, kind="stable")[::-1]]

    def _likenesses(self, features: torch.Tensor) -> list[float]:
        """Cosine between what an image and the most similar view of each region look like, or NaN.

        Regions may have no views.
        """
        descriptor = global_descriptor(features)
        return [
            float(similarity(descriptor, r.views).max()) if len(r.views) else math.nan
            for r in self.map.regions
        ]

    def _shortlist(self, features: torch.Tensor) -> list[int]:
        """Regions with the most similar views; those without views cannot be left out."""
        regions = self.map.regions
        if len(regions) <= max(self.ranking.shortlist, self.ranking.finalists):
            return list(range(len(regions)))
        blind = sum(not len(region.views) for region in regions)
        return self.likely(features)[: max(self.ranking.shortlist, blind)]

    def _agreement(self, local: Correspondences) -> int:
        """Cells that agree with the best of a few hypotheses."""
        iterations = self.ranking.probe_iterations
        options = replace(self.solver, min_iterations=iterations, max_iterations=iterations)
        solution = solve_pose(local, options=options)
        return 0 if solution is None else int(solution.inliers.sum())

    def _refined(
        self,
        best: Candidate,
        solution: PoseSolution,
        candidates: Sequence[Candidate],
        depth: DepthMap | None,
    ) -> PoseSolution:
        """The best pose after a last refinement on what all candidates see.

        Regions overlap: heads that know the same surface err independently, and one that knows
        what is beside it adds points where the first has none.
        """
        around = self.map.regions[best.region].origin
        seen = concatenated(
            [
                replace(
                    candidate.local,
                    scene_coordinates=candidate.local.scene_coordinates
                    + self.map.regions[candidate.region].origin
                    - around,
                )
                for candidate in candidates
            ]
        )
        pose: Array | None
        if depth is None:
            pose = refine_pose(solution.world_from_cam, seen, options=self.solver)
        else:
            seen = seen[agreement(solution.world_from_cam, seen, options=self.solver).inliers]
            pose = refine_pose_with_depth(
                solution.world_from_cam,
                replace(seen, depths=depth.along(seen.rays)),
                short_side=self.map.short_side,
            )
        return solution if pose is None else agreement(pose, best.local, options=self.solver)

    def _solved(self, local: Correspondences, depth: DepthMap | None) -> PoseSolution | None:
        if depth is None:
            return solve_pose(local, options=self.solver)
        return solve_pose_with_depth(
            replace(local, depths=depth.along(local.rays)),
            options=self.solver,
            short_side=self.map.short_side,
        )

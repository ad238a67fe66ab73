"""Which pose of an image is answered, that of heads or that of landmarks, and how sure it is."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted, transformed
from reloc.heads.ridge import RidgeHead
from reloc.localize.estimate import Estimate
from reloc.localize.landmark_solver import LandmarkSolution
from reloc.localize.query import PreparedQuery
from reloc.maps.scene_map import SceneMap
from reloc.pose import trust
from reloc.pose.correspondences import Correspondences
from reloc.pose.covariance import leave_out_covariance
from reloc.pose.evidence import CellEvidence, Evidence, LandmarkEvidence, cell_evidence
from reloc.pose.solver import REFERENCE_SHORT_SIDE, PoseSolution

Array = NDArray[np.float64]

# Cells of one patch err together: an image is parted into so many of these along its long side.
PATCHES = 8
# How far off the pose by heads may be shows in all cells, not in those alone that it was fitted to:
# in so many of their median errors, and in pixels of a short side of 480 at most.
MEDIANS, MOST_PX = 2.0, 300.0
# Cells with larger errors, in such pixels, say nothing.
LARGEST_PX = 1000.0
# Cosine of the angle between the axes of cameras that look much the same way, and how far from all
# such a pose is counted to be at most, in depths.
ALIKE, REMOTE = 0.7, 2.0


class Judge:
    """Says what estimates in a map are worth.

    Args:
        scene_map: the map.
    """

    def __init__(self, scene_map: SceneMap) -> None:
        self.map = scene_map
        self.bound = scene_map.usual_bound
        poses = [camera.world_from_cam for camera in scene_map.cameras]
        self._mapping_poses = np.array(poses, np.float64).reshape(-1, 4, 4)

    def judged(self, estimate: Estimate, evidence: Evidence) -> Estimate:
        """The estimate with what the evidence says of its pose."""
        found = trust.judged(evidence, self.bound)
        localized = found.confidence >= 0.5
        return replace(
            estimate,
            localized=localized,
            certainty=found.certainty,
            confidence=found.confidence,
            bound=self.bound,
            covariance=found.covariance,
            evidence=evidence,
            alignment=self.map.alignment,
        )

    def evidence_of_heads(
        self,
        query: PreparedQuery,
        local: Correspondences,
        solution: PoseSolution,
        world_from_cam: Array,
    ) -> Evidence:
        """What an image says of a pose by heads.

        Args:
            query: the query.
            local: all that heads see, around the origin of the region.
            solution: the pose around that.
            world_from_cam: (4, 4) the pose.
        """
        unit = query.short_side / REFERENCE_SHORT_SIDE
        near = local[solution.errors < LARGEST_PX * unit]
        depths = transformed(inverted(solution.world_from_cam), near.scene_coordinates)[:, 2]
        side = max(query.camera.width, query.camera.height) / PATCHES
        assert near.pixels is not None
        column, row = np.floor(near.pixels / side).astype(np.int64).T
        scale = MEDIANS * float(np.median(solution.errors))
        depth = float(np.median(depths)) if len(near) else self.map.scale
        return Evidence(
            cells=_cell_evidence(query, local, solution.errors),
            landmarks=None,
            by_landmarks=False,
            contradicted=False,
            covariance=leave_out_covariance(
                near,
                solution.world_from_cam,
                row * (PATCHES + 1) + column,
                scale=float(np.clip(scale, unit, MOST_PX * unit)),
            ),
            depth=depth,
            remoteness=self._remoteness(world_from_cam, depth),
            closed_form=isinstance(self.map.head, RidgeHead),
            reliability=self.map.reliability,
            held_back=self.map.held_back,
        )

    def evidence_of_landmarks(self, found: LandmarkSolution) -> Evidence:
        """What an image says of a pose by landmarks, where no head was asked."""
        return Evidence(
            cells=None,
            landmarks=_landmark_evidence(found),
            by_landmarks=True,
            contradicted=False,
            covariance=found.covariance,
            depth=found.depth,
            remoteness=self._remoteness(found.world_from_cam, found.depth),
            closed_form=isinstance(self.map.head, RidgeHead),
            reliability=self.map.reliability,
            held_back=self.map.held_back,
        )

    def _remoteness(self, world_from_cam: Array, depth: float) -> float:
        """How far a pose is from the nearest mapping camera that looks much the same way."""
        poses = self._mapping_poses
        alike = poses[poses[:, :3, 2] @ world_from_cam[:3, 2] > ALIKE]
        if not len(alike):
            return REMOTE if len(poses) else 0.0
        distances = np.linalg.norm(alike[:, :3, 3] - world_from_cam[:3, 3], axis=1)
        return min(REMOTE, float(distances.min()) / depth)

    def decided(
        self,
        query: PreparedQuery,
        by_heads: Estimate,
        found: LandmarkSolution,
        *,
        local: Correspondences,
        cells: PoseSolution,
    ) -> Estimate:
        """The estimate of heads, or that of landmarks where enough of these agree with a pose.

        Heads and landmarks err independently: a pose that both see is wrong only if both are. Where
        heads are sure of a pose and see no more than chance of that of landmarks, one of both is
        wrong, and nothing says which: either is less sure.

        Args:
            query: the query.
            by_heads: the estimate by heads alone.
            found: by landmarks.
            local: what heads see, around the origin of the region.
            cells: how that agrees with the pose of the landmarks.
        """
        heads = by_heads.evidence
        own_share = 0.0 if heads is None or heads.cells is None else heads.cells.share
        seen = _cell_evidence(query, local, cells.errors)
        if found.confidence < 0.5:
            if heads is None:
                return by_heads
            # What agrees with another pose says nothing for that of the heads.
            same = seen.share > own_share / 2
            landmarks = _landmark_evidence(found) if same else LandmarkEvidence(0, found.visible)
            return self.judged(by_heads, replace(heads, landmarks=landmarks))
        contradicted = by_heads.localized and seen.share <= trust.CHANCE_OF_CELLS
        inliers = int(cells.inliers.sum())
        estimate = replace(
            by_heads,
            world_from_cam=found.world_from_cam,
            inliers=inliers,
            inlier_share=inliers / max(1, len(cells.inliers)),
            landmark_inliers=found.inliers,
            contradicted=contradicted,
        )
        evidence = replace(self.evidence_of_landmarks(found), cells=seen, contradicted=contradicted)
        by_landmarks = self.judged(estimate, evidence)
        if heads is None or (contradicted and by_landmarks.localized):
            return by_landmarks
        if contradicted:
            return self._doubted(by_heads, heads)
        # Few landmarks, as in blur, can be less exact than heads.
        return max(by_landmarks, by_heads, key=lambda e: e.confidence)

    def _doubted(self, by_heads: Estimate, heads: Evidence) -> Estimate:
        """The estimate of heads that some landmarks contradict."""
        doubted = self.judged(by_heads, replace(heads, contradicted=True))
        return replace(doubted, contradicted=True)


def _cell_evidence(query: PreparedQuery, local: Correspondences, errors: Array) -> CellEvidence:
    assert local.pixels is not None
    return cell_evidence(errors, local.pixels, camera=query.camera, short_side=query.short_side)


def _landmark_evidence(found: LandmarkSolution) -> LandmarkEvidence:
    return LandmarkEvidence(found.inliers, found.visible, found.spread, found.error, found.enclosed)

"""What a scene holds, in figures: for ``reloc info`` and for messages before a long run."""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from reloc.geometry import Camera
from reloc.geometry.poses import Array
from reloc.scenes.checks import reason_groups, skipped_note
from reloc.scenes.scene import Scene, Skipped, poses_of

_EXAMPLES = 3
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class CameraGroup:
    """Cameras of one model and image size.

    Attributes:
        model: COLMAP's name of the model.
        width: image width in pixels.
        height: image height in pixels.
        cameras: how many sets of intrinsics differ.
        frames: how many frames they took.
        focal_min: shortest focal length in pixels.
        focal_max: longest focal length in pixels.
    """

    model: str
    width: int
    height: int
    cameras: int
    frames: int
    focal_min: float
    focal_max: float


@dataclass(frozen=True)
class SkippedGroup:
    """Frames that were left out for one kind of reason, whose first is ``reason``.

    ``examples`` names the first few.
    """

    reason: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class SceneSummary:
    """A scene in figures. Distances are in the scene's unit.

    Attributes:
        name: the scene's name.
        root: its folder.
        layout: which reader understood it.
        unit: ``meter`` or ``unknown``.
        mapping: number of mapping frames.
        queries: number of query frames.
        queries_without_pose: query frames that can be localized but not judged.
        with_depth: frames that have measured depth.
        cameras: the cameras, most frames first.
        extent: largest side of the box around the mapping camera centres.
        spacing: median distance from a mapping camera to the nearest other one, or None where
            there are fewer than two.
        query_distance: median distance from a query camera to the nearest mapping camera, or None
            where there is nothing to measure.
        skipped: frames that cannot be used, by reason, most first.
        notes: remarks of the reader.
    """

    name: str
    root: str
    layout: str
    unit: str
    mapping: int
    queries: int
    queries_without_pose: int
    with_depth: int
    cameras: tuple[CameraGroup, ...]
    extent: float
    spacing: float | None
    query_distance: float | None
    skipped: tuple[SkippedGroup, ...]
    notes: tuple[str, ...]


def summarize(scene: Scene) -> SceneSummary:
    """Counts and measures a scene; reads no image."""
    frames = scene.mapping + scene.queries
    centers = scene.mapping_centers()
    query_centers = poses_of(scene.queries)[:, :3, 3]
    return SceneSummary(
        name=scene.name,
        root=str(scene.root),
        layout=scene.layout,
        unit=scene.unit,
        mapping=len(scene.mapping),
        queries=len(scene.queries),
        queries_without_pose=len(scene.queries) - len(query_centers),
        with_depth=sum(frame.depth is not None for frame in frames),
        cameras=_camera_groups([frame.camera for frame in frames]),
        extent=scene.extent(),
        spacing=_median_nearest(centers, centers, skip_self=True),
        query_distance=_median_nearest(query_centers, centers),
        skipped=_skipped_groups(scene.skipped),
        # The groups say more than the remark that there are such frames.
        notes=tuple(note for note in scene.notes if note != skipped_note(scene.skipped)),
    )


def _camera_groups(cameras: list[Camera]) -> tuple[CameraGroup, ...]:
    groups: dict[tuple[str, int, int], list[Camera]] = defaultdict(list)
    for camera in cameras:
        groups[camera.model, camera.width, camera.height].append(camera)
    result = [
        CameraGroup(
            model=model,
            width=width,
            height=height,
            cameras=len(set(members)),
            frames=len(members),
            focal_min=min(camera.focal for camera in members),
            focal_max=max(camera.focal for camera in members),
        )
        for (model, width, height), members in groups.items()
    ]
    return tuple(sorted(result, key=lambda group: -group.frames))


def _median_nearest(points: Array, others: Array, *, skip_self: bool = False) -> float | None:
    """Median over ``points`` (N, 3) of the distance to the nearest of ``others`` (M, 3)."""
    if not len(points) or len(others) <= skip_self:
        return None
    nearest = np.empty(len(points))
    # All pairs at once would take gigabytes for a scene of ten thousand frames.
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = points[start : start + _ROWS_AT_ONCE]
        distances = np.linalg.norm(rows[:, None] - others[None], axis=2)
        if skip_self:
            index = np.arange(len(rows))
            distances[index, start + index] = np.inf
        nearest[start : start + len(rows)] = distances.min(axis=1)
    return float(np.median(nearest))


def _skipped_groups(skipped: tuple[Skipped, ...]) -> tuple[SkippedGroup, ...]:
    return tuple(
        SkippedGroup(
            reason=group[0].reason,
            count=len(group),
            examples=tuple(frame.name for frame in group[:_EXAMPLES]),
        )
        for group in reason_groups(skipped)
    )

"""The points that lie beside the frames of a scene: a COLMAP model's, or nerfstudio's PLY file."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera, orthonormalized
from reloc.scenes import colmap, transforms
from reloc.scenes.names import inside
from reloc.scenes.raw import RawFrame
from reloc.scenes.scene import Frame, Scene, posed
from reloc.scenes.sparse import Sighting, SparsePoints
from reloc.scenes.text import read_text


@dataclass(frozen=True)
class SourcePoints:
    """Points in the world of the frames.

    Attributes:
        sparse: of a COLMAP model, with pixels of the frames' cameras.
        ply: of a ``transforms.json``.
        notes: why points that are there cannot be used.
    """

    sparse: SparsePoints | None = None
    ply: Path | None = None
    notes: tuple[str, ...] = ()


def source_points(scene: Scene) -> SourcePoints:
    """The points of a scene as it lies on the disk, if they fit the poses of its frames."""
    try:
        found = _found(scene)
    except SceneError as error:
        return SourcePoints(notes=(f"left out the points: {error}",))
    if found.sparse is None and found.ply is None:
        return found
    reader = colmap if found.sparse is not None else transforms
    known = {frame.name: frame for frame in reader.read(scene.root).frames}
    frames = posed((*scene.mapping, *scene.queries))
    if not all(frame.name in known and _same_pose(frame, known[frame.name]) for frame in frames):
        return SourcePoints(notes=("left out the points, which belong to other poses",))
    if found.sparse is None:
        return found
    sightings = {
        frame.name: _resized(found.sparse.seen_by(frame), known[frame.name], frame.camera)
        for frame in frames
    }
    return SourcePoints(sparse=replace(found.sparse, sightings=sightings))


def _found(scene: Scene) -> SourcePoints:
    if scene.layout == colmap.LAYOUT:
        sparse = colmap.read_sparse(scene.root)
        return SourcePoints(sparse=sparse if sparse is not None and len(sparse) else None)
    if scene.layout == transforms.LAYOUT:
        listed = _listed_ply(scene.root)
        name = None if listed is None else inside(scene.root, listed)
        if listed is not None and (name is None or not (scene.root / name).is_file()):
            return SourcePoints(notes=(f"left out the points: {listed!r} is not in the scene",))
        return SourcePoints(ply=None if name is None else scene.root / name)
    return SourcePoints()


def _listed_ply(root: Path) -> str | None:
    path = root / "transforms.json"
    if not path.is_file():
        return None
    listed = json.loads(read_text(path)).get("ply_file_path")
    return listed if isinstance(listed, str) and listed else None


def _same_pose(frame: Frame, raw: RawFrame) -> bool:
    """Whether a frame stands where its format says."""
    if frame.world_from_cam is None or raw.world_from_cam is None:
        return False
    if not np.isfinite(raw.world_from_cam).all():
        return False
    theirs = orthonormalized(raw.world_from_cam)
    return bool(np.allclose(frame.world_from_cam, theirs, rtol=1e-6, atol=1e-6))


def _resized(seen: Sighting, raw: RawFrame, camera: Camera) -> Sighting:
    """Sightings in pixels of the frame's image, which may be smaller than the model's."""
    if not isinstance(raw.camera, Camera):
        return seen
    factor = (camera.width / raw.camera.width, camera.height / raw.camera.height)
    return Sighting(seen.pixels * factor, seen.points)

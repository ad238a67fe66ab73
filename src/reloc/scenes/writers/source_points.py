"""The points that lie beside the frames of a scene: a COLMAP model's, or nerfstudio's PLY file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import (
    Camera,
    inverted,
    orthonormalized,
    pose_from,
    rotation_from_quaternion,
)
from reloc.scenes import transforms
from reloc.scenes.colmap_model import (
    PosedImage,
    model_file,
    read_cameras,
    read_points,
    read_posed_images,
)
from reloc.scenes.names import inside
from reloc.scenes.scene import Array, Frame, Scene, posed
from reloc.scenes.sparse import Sighting, SparsePoints

_OTHER_POSES = "left out the points, which belong to other poses"


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
    frames = posed((*scene.mapping, *scene.queries))
    try:
        if scene.model is not None:
            return _of_model(scene.model.folder, scene.model.names, frames)
        if scene.layout == transforms.LAYOUT:
            return _of_transforms(scene.root, frames)
    except SceneError as error:
        return SourcePoints(notes=(f"left out the points: {error}",))
    return SourcePoints()


def _of_model(folder: Path, names: Mapping[str, str], frames: Sequence[Frame]) -> SourcePoints:
    """Points and sightings of a model, by the frame's name for each name of an image."""
    images_file, cameras_file = model_file(folder, "images"), model_file(folder, "cameras")
    if not images_file or not cameras_file or not model_file(folder, "points3D"):
        return SourcePoints()
    points = read_points(folder)
    if not len(points.ids):
        return SourcePoints()
    cameras = read_cameras(cameras_file)
    by_name = {frame.name: frame for frame in frames}
    order = np.argsort(points.ids)
    ids = points.ids[order]
    sightings = {}
    for image in read_posed_images(images_file, points=True):
        frame = by_name.get(names.get(image.name, ""))
        if frame is None or not _same_pose(frame, _world_from_cam(image)):
            continue
        # Of several sightings of a point in one image the first counts.
        seen, first = np.unique(np.array(image.point_ids, np.int64), return_index=True)
        known = np.isin(seen, ids)
        pixels = np.array(image.pixels, np.float64).reshape(-1, 2)[first[known]]
        camera = cameras.get(image.camera_id)
        if isinstance(camera, Camera):  # the frame's image may be smaller than the model's
            pixels *= (frame.camera.width / camera.width, frame.camera.height / camera.height)
        sightings[frame.name] = Sighting(pixels, order[np.searchsorted(ids, seen[known])])
    if len(sightings) < len(frames):
        return SourcePoints(notes=(_OTHER_POSES,))
    return SourcePoints(sparse=SparsePoints(points.xyz, points.rgb, sightings))


def _of_transforms(root: Path, frames: Sequence[Frame]) -> SourcePoints:
    path = root / "transforms.json"
    listed = transforms.parsed(path).get("ply_file_path") if path.is_file() else None
    if not isinstance(listed, str) or not listed:
        return SourcePoints()
    name = inside(root, listed)
    if name is None or not (root / name).is_file():
        return SourcePoints(notes=(f"left out the points: {listed!r} is not in the scene",))
    poses = {raw.name: raw.world_from_cam for raw in transforms.read(root).frames}
    if not all(_same_pose(frame, poses.get(frame.name)) for frame in frames):
        return SourcePoints(notes=(_OTHER_POSES,))
    return SourcePoints(ply=root / name)


def _world_from_cam(image: PosedImage) -> Array | None:
    try:
        rotation = rotation_from_quaternion(image.quaternion)
    except ValueError:
        return None
    return inverted(pose_from(rotation, image.translation))


def _same_pose(frame: Frame, world_from_cam: Array | None) -> bool:
    """Whether a frame stands where its format says."""
    if frame.world_from_cam is None or world_from_cam is None:
        return False
    if not np.isfinite(world_from_cam).all():
        return False
    theirs = orthonormalized(world_from_cam)
    return bool(np.allclose(frame.world_from_cam, theirs, rtol=1e-9, atol=1e-6))

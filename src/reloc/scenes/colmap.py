"""COLMAP models with their images: sparse/0/{cameras,images,points3D}.{bin,txt} and images/."""

from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import inverted, pose_from, rotation_from_quaternion
from reloc.scenes.colmap_model import (
    PosedImage,
    model_file,
    read_cameras,
    read_points,
    read_posed_images,
)
from reloc.scenes.names import inside
from reloc.scenes.raw import RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Skipped

LAYOUT = "colmap"
LOOKS_FOR = "cameras and images (.bin or .txt) in sparse/0, sparse, colmap/sparse/0 or the folder"

_MODEL_FOLDERS = ("sparse/0", "sparse", "colmap/sparse/0", "colmap/sparse", "")
_IMAGE_FOLDERS = ("images", "", "colmap/images")


def matches(root: Path) -> bool:
    return model_folder(root) is not None


def model_folder(root: Path) -> Path | None:
    """The folder that holds a scene's model, or None."""
    for name in _MODEL_FOLDERS:
        folder = root / name
        if model_file(folder, "cameras") and model_file(folder, "images"):
            return folder
    return None


def read(root: Path) -> RawScene:
    """Reads the registered images; the scale of a model is arbitrary, so its unit is unknown.

    Raises:
        SceneError: there is no model, or one of its files is truncated or malformed.
    """
    folder = model_folder(root)
    cameras_file = folder and model_file(folder, "cameras")
    images_file = folder and model_file(folder, "images")
    if not folder or not cameras_file or not images_file:
        raise SceneError(f"{root}: no COLMAP model; looked for {LOOKS_FOR}")
    cameras = read_cameras(cameras_file)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for image in read_posed_images(images_file):
        name = _below_root(root, image.name)
        if name is None:
            skipped.append(Skipped(image.name, "its path leads out of the scene's folder"))
            continue
        pose, fault = _world_from_cam(image)
        missing = no_camera(f"{cameras_file} has no camera {image.camera_id}")
        camera = cameras.get(image.camera_id, missing)
        frames.append(RawFrame(name, root / name, camera, pose, pose_fault=fault))
    notes = []
    others = [p for p in folder.parent.iterdir() if p != folder and model_file(p, "images")]
    if folder.name == "0" and others:
        notes.append(f"read {folder.relative_to(root)}; {len(others)} more models lie beside it")
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=tuple(notes))


def points_seen(root: Path) -> dict[str, Array]:
    """The triangulated points (N, 3), in the world, that each image saw, by the frame's name.

    Raises:
        SceneError: there is no model, it has no file of points, or a file is malformed.
    """
    folder = model_folder(root)
    images_file = folder and model_file(folder, "images")
    if not folder or not images_file:
        raise SceneError(f"{root}: no COLMAP model; looked for {LOOKS_FOR}")
    points = read_points(folder)
    order = np.argsort(points.ids)
    ids, xyz = points.ids[order], points.xyz[order]
    seen = {}
    for image in read_posed_images(images_file, points=True):
        name = _below_root(root, image.name)
        wanted = np.intersect1d(np.array(image.point_ids, np.int64), ids)
        if name is not None:
            seen[name] = xyz[np.searchsorted(ids, wanted)]
    return seen


def frame_names(root: Path, folder: Path) -> dict[str, str]:
    """Name of the frame for each image that a model in the folder names."""
    images_file = model_file(folder, "images")
    images = read_posed_images(images_file) if images_file else []
    found = {image.name: _below_root(root, image.name) for image in images}
    return {listed: name for listed, name in found.items() if name is not None}


def _below_root(root: Path, name: str) -> str | None:
    """Where the image lies, relative to the scene; in ``images`` if it is nowhere."""
    places = [inside(root / folder, name) for folder in _IMAGE_FOLDERS]
    if places[0] is None:
        return None
    found = [f"{f}/{n}".lstrip("/") for f, n in zip(_IMAGE_FOLDERS, places, strict=True) if n]
    return next((path for path in found if (root / path).is_file()), found[0])


def _world_from_cam(image: PosedImage) -> tuple[Array | None, str | None]:
    try:
        rotation = rotation_from_quaternion(image.quaternion)
    except ValueError as error:
        return None, str(error)
    return inverted(pose_from(rotation, image.translation)), None

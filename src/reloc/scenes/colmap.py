"""COLMAP models with their images: sparse/0/{cameras,images,points3D}.{bin,txt} and images/."""

import os
import re
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
from reloc.scenes.locate import Locator, leads_out, smaller_folders
from reloc.scenes.masks import MaskFolder
from reloc.scenes.raw import RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Model, Skipped
from reloc.scenes.text import image_files

LAYOUT = "colmap"
LOOKS_FOR = (
    "cameras and images (.bin or .txt) in sparse/0, sparse, colmap/sparse/0, the folder or another "
    "folder in it"
)
NAMES_IMAGES = True

_NUMBERED_FOLDERS = ("sparse", "colmap/sparse")
_IMAGE_FOLDERS = ("images", "", "colmap/images")
_MODEL_PATH = re.compile(r"(colmap/)?sparse(/\d+)?")


def matches(root: Path) -> bool:
    """Whether a folder holds a COLMAP model in one of the usual places."""
    return bool(_models(root))


def model_folder(root: Path) -> Path | None:
    """The folder that holds a scene's model, the largest where there are several, or None."""
    models = _models(root)
    return max(models, key=_image_count) if len(models) > 1 else next(iter(models), None)


def scene_of(path: Path) -> tuple[Path, Path | None]:
    """A scene's folder, and its model if the path is that of a model of a scene around it."""
    if not _holds_model(path) or (path / "images").is_dir():
        return path, None
    full = Path(os.path.abspath(path))  # noqa: PTH100
    for root in reversed(full.parents[:3]):
        if _MODEL_PATH.fullmatch(full.relative_to(root).as_posix()) and any(
            folder.is_dir()
            for folder in (root / "images", root / "colmap/images", *smaller_folders(root))
        ):
            return root, full
    return path, None


def _models(root: Path) -> list[Path]:
    """The folders of models in the first place where there are any.

    The last place is a folder of any name, unless it is a scene of its own.
    """
    for name in _NUMBERED_FOLDERS:
        folder = root / name
        numbered = [p for p in folder.glob("*") if p.name.isdecimal() and _holds_model(p)]
        if numbered:
            return sorted(numbered, key=lambda p: (len(p.name), p.name))
        if _holds_model(folder):
            return [folder]
    if _holds_model(root):
        return [root]
    return [
        path
        for path in sorted(root.glob("*"))
        if path.is_dir()
        and _holds_model(path)
        and not ((path / "images").is_dir() or image_files(path))
    ]


def _holds_model(folder: Path) -> bool:
    return bool(model_file(folder, "cameras") and model_file(folder, "images"))


def _image_count(model: Path) -> int:
    """How many images a model has registered; none if it is damaged."""
    file = model_file(model, "images")
    try:
        return len(read_posed_images(file)) if file else 0
    except SceneError:
        return 0


def read(root: Path, *, images: Path | None = None, model: Path | None = None) -> RawScene:
    """Reads the registered images; the scale of a model is arbitrary, so its unit is unknown.

    Args:
        root: the scene's folder.
        images: the folder of the images, if it is not one of the usual ones.
        model: the folder of the model; without it the largest.

    Raises:
        SceneError: there is no model, or one of its files is truncated or malformed.
    """
    folder = model or model_folder(root)
    cameras_file = folder and model_file(folder, "cameras")
    images_file = folder and model_file(folder, "images")
    if not folder or not cameras_file or not images_file:
        raise SceneError(f"{root}: no COLMAP model; looked for {LOOKS_FOR}")
    cameras = read_cameras(cameras_file)
    listed = read_posed_images(images_file)
    locator = Locator(root, [image.name for image in listed], folders=_IMAGE_FOLDERS, given=images)
    masks = MaskFolder(root / "masks") if (root / "masks").is_dir() else None
    frames, skipped, names = list[RawFrame](), list[Skipped](), dict[str, str]()
    for image in listed:
        located = locator.find(image.name)
        if located is None:
            skipped.append(leads_out(image.name))
            continue
        pose, fault = _world_from_cam(image)
        missing = no_camera(f"{cameras_file} has no camera {str(image.camera_id)[:40]}")
        camera = cameras.get(image.camera_id, missing)
        names[image.name] = located.name
        frames.append(
            RawFrame(
                located.name,
                located.path,
                camera,
                pose,
                pose_fault=fault,
                mask=masks.of(image.name) if masks else None,
            )
        )
    notes = list(locator.notes())
    others = [p for p in _models(root) if p != folder] if model is None else []
    if others:
        notes.insert(
            0,
            f"read {folder.relative_to(root)} with {len(listed)} images, the largest of "
            f"{len(others) + 1} models; for another open {others[0]} in place of {root}",
        )
    return RawScene(
        tuple(frames), skipped=tuple(skipped), notes=tuple(notes), model=Model(folder, names)
    )


def points_seen(model: Model) -> dict[str, Array]:
    """The triangulated points (N, 3), in the world, that each image saw, by the frame's name.

    Raises:
        SceneError: the model has no file of points, or a file is missing or malformed.
    """
    images_file = model_file(model.folder, "images")
    if not images_file:
        raise SceneError(f"{model.folder}: no COLMAP model; restore it")
    points = read_points(model.folder)
    order = np.argsort(points.ids)
    ids, xyz = points.ids[order], points.xyz[order]
    seen = {}
    for image in read_posed_images(images_file, points=True):
        wanted = np.intersect1d(np.array(image.point_ids, np.int64), ids)
        if image.name in model.names:
            seen[model.names[image.name]] = xyz[np.searchsorted(ids, wanted)]
    return seen


def _world_from_cam(image: PosedImage) -> tuple[Array | None, str | None]:
    try:
        rotation = rotation_from_quaternion(image.quaternion)
    except ValueError as error:
        return None, str(error)
    return inverted(pose_from(rotation, image.translation)), None

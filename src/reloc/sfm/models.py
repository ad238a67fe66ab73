"""Models that COLMAP wrote: the largest, its poses turned upright, and its files."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import inverted
from reloc.geometry.plan import up_direction
from reloc.sfm.database import pycolmap_or_refusal

Array = NDArray[np.float64]

# A camera of so many images and more gets a principal point and a distortion of its own.
ENOUGH_IMAGES = 30
# Steps of the last adjustment, and in how many parts it tells of them; the last part frees
# principal points, if reprojection errors become smaller by this share.
ROUNDS, PARTS = 40, 4
LEAST_GAIN = 0.001


@dataclass(frozen=True)
class FoundModel:
    """A model of COLMAP.

    Attributes:
        model: a ``pycolmap.Reconstruction``.
        images: numbers of the images that have a pose in it, ascending.
    """

    model: Any
    images: tuple[int, ...]


def found_models(folder: Path) -> list[FoundModel]:
    """The models below a folder, the largest first."""
    models = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and (path / "images.bin").is_file():
            models.append(read_model(path))
    return sorted(models, key=lambda found: (-len(found.images), found.images))


def read_model(path: Path) -> FoundModel:
    """A model of images that are called by their numbers."""
    model = pycolmap_or_refusal().Reconstruction(path)
    return FoundModel(model, tuple(sorted(number - 1 for number in model.reg_image_ids())))


def refine(found: FoundModel, *, tell: Callable[[int], None]) -> FoundModel:
    """The model with cameras, poses and points adjusted once more, all together and robustly.

    A camera of many images gets what its lens does beside the middle, too: few leave it open. Its
    principal point is freed only where that explains more: it is nearly a turn of the camera, and
    would wander where nothing holds it.

    Args:
        found: changed in place.
        tell: how many of ``ROUNDS`` are done.
    """
    pycolmap = pycolmap_or_refusal()
    model = found.model
    counts = Counter(model.image(number + 1).camera_id for number in found.images)
    many = min(counts.values()) >= ENOUGH_IMAGES
    for camera_id in counts if many else ():
        camera = model.camera(camera_id)
        focal, x, y, k = camera.params
        camera.model = pycolmap.CameraModelId.OPENCV
        camera.params = [focal, focal, x, y, k, 0, 0, 0]
    step = ROUNDS // PARTS
    for part in range(PARTS - 1):
        _adjust(model, rounds=step)
        tell((part + 1) * step)
    if many:
        free = copy.deepcopy(model)
        _adjust(free, rounds=step, principal_points=True)
        before, after = (m.compute_mean_reprojection_error() for m in (model, free))
        if after < (1 - LEAST_GAIN) * before:
            model = free
    tell(ROUNDS)
    return FoundModel(model, found.images)


def _adjust(model: Any, *, rounds: int, principal_points: bool = False) -> None:
    pycolmap = pycolmap_or_refusal()
    options = pycolmap.BundleAdjustmentOptions(refine_principal_point=principal_points)
    options.ceres.loss_function_type = pycolmap.LossFunctionType.CAUCHY
    options.ceres.solver_options.num_threads = 1
    options.ceres.solver_options.max_num_iterations = rounds
    pycolmap.bundle_adjustment(model, options)
    model.update_point_3d_errors()


def turn_upright(found: FoundModel, turns: Sequence[int]) -> None:
    """Turns the world so that gravity points along y, as COLMAP's own aligner does.

    Gravity is where the cameras suggest: who takes photos keeps the horizon level.

    Args:
        found: changed in place.
        turns: quarter turns clockwise that make each image upright.
    """
    pycolmap = pycolmap_or_refusal()
    poses = np.array([_upright(_pose(found.model, n), turns[n]) for n in found.images])
    down = -up_direction(poses)
    # The smallest rotation, around the axis perpendicular to both.
    axis, cosine = np.cross(down, [0.0, 1.0, 0.0]), float(down[1])
    if cosine < -1 + 1e-9:
        rotation = np.diag([1.0, -1.0, -1.0])
    else:
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        rotation = np.eye(3) + cross + cross @ cross / (1 + cosine)
    centre = poses[:, :3, 3].mean(axis=0)
    found.model.transform(pycolmap.Sim3d(1.0, pycolmap.Rotation3d(rotation), -rotation @ centre))


def _pose(model: Any, number: int) -> Array:
    cam_from_world = np.eye(4)
    cam_from_world[:3] = model.image(number + 1).cam_from_world().matrix()
    return inverted(cam_from_world)


def _upright(world_from_cam: Array, turn: int) -> Array:
    """The pose of the camera whose picture is turned by quarters clockwise."""
    angle = -np.pi / 2 * turn
    spin = np.eye(4)
    spin[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return world_from_cam @ spin


def write_model(
    found: FoundModel, folder: Path, *, names: Mapping[int, str], images: Path | None
) -> None:
    """Writes a model as other programs read it.

    Args:
        found: changed in place.
        folder: to write to; made if missing.
        names: of the images, by number.
        images: where they lie, to colour the points from; None leaves these black.
    """
    model = found.model
    for number in found.images:
        model.image(number + 1).name = names[number]
    if images is not None:
        # COLMAP knows fewer formats; colours are for the eye alone.
        with suppress(Exception):
            model.extract_colors_for_all_images(images)
    folder.mkdir(parents=True, exist_ok=True)
    model.write_binary(folder)

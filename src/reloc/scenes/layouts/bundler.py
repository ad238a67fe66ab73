"""Bundler: bundle.out with list.txt; also what Metashape, RealityCapture and others export so."""

from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera, pose_from
from reloc.scenes.found_poses import FoundPose, of_opengl, turned_about
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import data_lines

LAYOUT = "bundler"
LOOKS_FOR = "bundle.out with list.txt (Bundler)"
NAMES_IMAGES = True

_FILES = ("bundle.out", "bundle/bundle.out", "bundle.rd.out")
_LISTS = ("list.txt", "bundle.out.list.txt", "bundle.rd.out.list.txt")
_LEFT_OUT = "the image was not registered"
_ROWS = 5  # focal and distortion, three of the rotation, the translation


def matches(root: Path) -> bool:
    """Whether a folder holds a model of Bundler with its list of images."""
    return _first(root, _FILES) is not None and _first(root, _LISTS) is not None


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads the registered images, in the order of the list.

    A camera is a focal length and two radial coefficients, those of COLMAP's RADIAL, with the
    principal point at the image's centre. Poses are world-to-camera with OpenGL's axes. An image
    that was not registered has focal length 0 and no pose. The unit is unknown.

    Args:
        root: the scene's folder.
        images: the folder of the images, if the list does not lead to them.

    Raises:
        SceneError: a file is cut short or malformed.
    """
    file, listing = _first(root, _FILES), _first(root, _LISTS)
    assert file is not None and listing is not None
    names = [_without_focal(line) for _, line in data_lines(listing)]
    cameras = _cameras(file)
    if len(cameras) != len(names):
        raise SceneError(
            f"{file}: has {len(cameras)} cameras, but {listing.name} has {len(names)} images; "
            "export both again"
        )
    locator = Locator(root, names, folders=("", "images"), given=images)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for name, rows in zip(names, cameras, strict=True):
        located = locator.find(name)
        if located is None:
            skipped.append(leads_out(name))
            continue
        pose, fault = _pose(rows)
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=_camera(rows[0]),
                world_from_cam=pose,
                pose_fault=fault,
            )
        )
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=locator.notes())


def _first(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)


def _without_focal(line: str) -> str:
    """The name in a line of the list, which may end in ``0 FOCAL``."""
    words = line.rsplit(maxsplit=2)
    focal = len(words) == 3 and words[1] == "0" and words[2].replace(".", "", 1).isdecimal()
    return words[0] if focal else line


def _cameras(file: Path) -> list[Array]:
    """The numbers (5, 3) of each camera."""
    lines = data_lines(file)
    try:
        count = int(lines[0][1].split()[0])
        rows = [[float(word) for word in line.split()] for _, line in lines[1 : 1 + _ROWS * count]]
        numbers = np.array(rows, np.float64).reshape(count, _ROWS, 3)
    except (ValueError, IndexError) as error:
        raise SceneError(
            f"{file}: cut short or no model of Bundler (five rows of three numbers for each "
            "camera); export it again"
        ) from error
    return list(numbers)


def _camera(row: Array) -> CameraSource:
    focal, k1, k2 = row.tolist()
    if not focal:
        return no_camera(_LEFT_OUT)
    return lambda width, height: Camera(
        "RADIAL", width, height, (focal, width / 2, height / 2, k1, k2)
    )


def _pose(rows: Array) -> FoundPose:
    if not rows[0, 0]:
        return None, _LEFT_OUT
    return of_opengl(turned_about((pose_from(rows[1:4], rows[4]), None)))

"""Record3D: an unpacked .r3d file (metadata, rgbd/) or an EXR export (metadata.json, rgb/)."""

from pathlib import Path
from typing import Any

import numpy as np

from reloc.errors import SceneError
from reloc.scenes.found_poses import FoundPose, numbers_of, of_opengl, pose_of_quaternion
from reloc.scenes.json_files import read_json
from reloc.scenes.layouts.record3d_depth import depth_images
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, known_camera, no_camera
from reloc.scenes.scene import Array
from reloc.scenes.text import image_files

LAYOUT = "record3d"
LOOKS_FOR = "metadata with rgbd/, or metadata.json with rgb/ (Record3D)"

# Metadata and images: of a .r3d file, of an EXR export, of the folder around that.
_PLACES = (
    ("metadata", "rgbd"),
    ("metadata.json", "rgb"),
    ("EXR_RGBD/metadata.json", "EXR_RGBD/rgb"),
)


def matches(root: Path) -> bool:
    """Whether a folder holds a recording of Record3D."""
    return _place(root) is not None


def read(root: Path) -> RawScene:
    """Pairs image ``N.jpg`` with pose N; names are numbers, so that 10 comes after 9.

    Poses are camera-to-world quaternions xyzw and positions, with ARKit's axes (OpenGL's), metres.
    The calibration matrix goes column by column; where each frame has intrinsics of its own, these
    count. Depth of a .r3d file is compressed by LZFSE and is read if the package ``lzfse`` is
    there; depth in EXR files is not read.

    Raises:
        SceneError: the metadata is damaged or lacks the poses or the size of the images.
    """
    place = _place(root)
    assert place is not None
    file, folder = root / place[0], root / place[1]
    top = read_json(file, dict, "metadata of Record3D")
    poses = _rows(file, top, "poses", 7)
    each = top.get("perFrameIntrinsicCoeffs")
    intrinsics = _rows(file, top, "perFrameIntrinsicCoeffs", 4) if each else [None] * len(poses)
    times = numbers_of(top.get("frameTimestamps"))
    images = {int(p.stem): p for p in image_files(folder) if p.stem.isdecimal()}
    depths, notes = depth_images(file, folder, top)
    frames = []
    for number, image in sorted(images.items()):
        pose, fault = _pose(poses[number] if number < len(poses) else None)
        own = intrinsics[number] if number < len(intrinsics) else None
        depth = depths.get(number)
        frames.append(
            RawFrame(
                name=f"{place[1]}/{image.name}",
                image=image,
                camera=_camera(top, own),
                world_from_cam=pose,
                pose_fault=fault,
                depth=RawDepth(*depth[:1], confidence=depth[1]) if depth else None,
                time=float(times[number]) if times is not None and number < len(times) else None,
            )
        )
    if len(images) != len(poses):
        notes += (f"{file.name} has {len(poses)} poses for {len(images)} images",)
    return RawScene(tuple(frames), unit="metre", notes=notes, tracked=True)


def _place(root: Path) -> tuple[str, str] | None:
    return next((p for p in _PLACES if (root / p[0]).is_file() and (root / p[1]).is_dir()), None)


def _rows(file: Path, top: dict[str, Any], key: str, count: int) -> list[Array | None]:
    """Rows of so many numbers each; None for one that is something else."""
    rows = top.get(key)
    if not isinstance(rows, list):
        raise SceneError(f"{file}: has no {key}; export the recording again")
    found = [numbers_of(row) for row in rows]
    return [row if row is not None and row.size == count else None for row in found]


def _pose(row: Array | None) -> FoundPose:
    if row is None:
        return None, "no pose of seven numbers in the metadata"
    x, y, z, w = row[:4]
    return of_opengl(pose_of_quaternion((w, x, y, z), row[4:]))


def _camera(top: dict[str, Any], own: Array | None) -> CameraSource:
    size = numbers_of([top.get("w"), top.get("h")])
    if own is None:
        matrix = numbers_of(top.get("K"))
        if matrix is None or matrix.size != 9:
            return no_camera("the metadata has no matrix K of nine numbers")
        own = matrix[[0, 4, 6, 7]]
    if size is None:
        return no_camera("the metadata has no w and h")
    return known_camera("PINHOLE", size[0], size[1], np.asarray(own, np.float64).tolist())

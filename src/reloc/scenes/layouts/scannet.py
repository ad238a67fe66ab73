"""ScanNet as its reader of .sens files exports it: color/, pose/, depth/ and intrinsic/."""

from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, matrix_camera, no_camera
from reloc.scenes.text import image_files, read_numbers, read_pose

LAYOUT = "scannet"
LOOKS_FOR = "color/, pose/ and intrinsic/intrinsic_color.txt (ScanNet, exported)"

# The reader of .sens files, and the 25,000 frames that are offered by themselves.
_INTRINSICS = ("intrinsic/intrinsic_color.txt", "intrinsics_color.txt", "intrinsic_color.txt")


def matches(root: Path) -> bool:
    """Whether a folder holds an exported scan of ScanNet."""
    folders = (root / "color").is_dir() and (root / "pose").is_dir()
    return folders and _intrinsics(root) is not None


def read(root: Path) -> RawScene:
    """Images ``color/N.jpg`` with ``pose/N.txt`` and ``depth/N.png``.

    Poses are camera-to-world with OpenCV axes, metres, z up; those of -inf, where tracking was
    lost, end as skipped frames. Depth is in millimetres, of a camera of its own that is taken to
    stand where the colour camera stands.
    """
    color_file = _intrinsics(root)
    assert color_file is not None
    color = _camera(color_file)
    depth_file = color_file.with_name(color_file.name.replace("color", "depth"))
    depth_camera = _camera(depth_file) if depth_file.is_file() else None
    frames = []
    for image in image_files(root / "color"):
        pose, fault = read_pose(root / "pose" / f"{image.stem}.txt")
        depth = root / "depth" / f"{image.stem}.png"
        frames.append(
            RawFrame(
                name=f"color/{image.name}",
                image=image,
                camera=color,
                world_from_cam=pose,
                pose_fault=fault,
                depth=RawDepth(depth, depth_camera) if depth.is_file() else None,
            )
        )
    frames.sort(key=lambda frame: (len(frame.image.stem), frame.image.stem))
    return RawScene(tuple(frames), unit="metre")


def _intrinsics(root: Path) -> Path | None:
    return next((root / name for name in _INTRINSICS if (root / name).is_file()), None)


def _camera(path: Path) -> CameraSource:
    """The camera of a 4x4 or 3x3 matrix, at the size of the images that it was exported with."""
    try:
        values = read_numbers(path)
    except SceneError as error:
        return no_camera(str(error))
    side = {16: 4, 9: 3}.get(values.size)
    if side is None or not np.isfinite(values).all():
        return no_camera(f"{path}: no 4x4 matrix")
    return matrix_camera(values.reshape(side, side)[:3, :3])

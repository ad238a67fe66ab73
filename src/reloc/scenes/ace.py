"""ACE and DSAC* folders: {train,test}/{rgb,poses,calibration[,depth]}, one small file per frame."""

from collections import Counter
from pathlib import Path

from reloc.errors import SceneError
from reloc.scenes.raw import (
    CameraSource,
    RawDepth,
    RawFrame,
    RawScene,
    focal_camera,
    matrix_camera,
    no_camera,
)
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.sidecar_files import SidecarFiles, first_word
from reloc.scenes.text import image_files, read_numbers, read_pose, text_files

LAYOUT = "ace"
LOOKS_FOR = "train/rgb or test/rgb"


def matches(root: Path) -> bool:
    """Whether a folder holds frames as ACE keeps them."""
    return (root / "train" / "rgb").is_dir() or (root / "test" / "rgb").is_dir()


def read(root: Path) -> RawScene:
    """Frames of ``train`` map, frames of ``test`` are queries, which need no pose.

    Poses are world-from-camera, 4x4; a calibration is a focal length or a 3x3 matrix, at the size
    of the image; depth is in millimetres, registered to the colour image.
    """
    frames, skipped = list[RawFrame](), list[Skipped]()
    for folder in (root / "train", root / "test"):
        poses = SidecarFiles(text_files(folder / "poses"))
        calibrations = SidecarFiles(text_files(folder / "calibration"))
        depths = SidecarFiles(image_files(folder / "depth"))
        images = image_files(folder / "rgb")
        shared = {stem for stem, n in Counter(map(first_word, images)).items() if n > 1}
        for image in images:
            pose_file = poses.of(image, shared)
            pose, fault = _pose(pose_file)
            depth = depths.of(image, shared)
            frames.append(
                RawFrame(
                    name=f"{folder.name}/rgb/{image.name}",
                    image=image,
                    camera=_camera(calibrations.of(image, shared)),
                    world_from_cam=pose,
                    pose_fault=fault,
                    part="mapping" if folder.name == "train" else "query",
                    depth=RawDepth(depth) if depth else None,
                )
            )
        lonely = [f"{folder.name}/poses/{path.name}" for path in poses.unused()]
        skipped += [Skipped(name, "a pose without an image") for name in lonely]
    return RawScene(tuple(frames), unit="metre", skipped=tuple(skipped))


def _pose(path: Path | None) -> tuple[Array | None, str | None]:
    return read_pose(path) if path else (None, None)


def _camera(path: Path | None) -> CameraSource:
    if path is None:
        return no_camera("no calibration file of the image's name")
    try:
        values = read_numbers(path)
    except SceneError as error:
        return no_camera(str(error))
    if values.size == 1:
        return focal_camera(values[0])
    if values.size == 9:
        return matrix_camera(values.reshape(3, 3))
    return no_camera(f"{path}: a calibration has 1 or 9 numbers, this file has {values.size}")

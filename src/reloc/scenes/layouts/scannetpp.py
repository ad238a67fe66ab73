"""ScanNet++, the iPhone part: pose_intrinsic_imu.json, rgb/ or rgb.mkv, depth/."""

from pathlib import Path
from typing import Any

from reloc.errors import SceneError
from reloc.scenes.found_poses import FoundPose, numbers_of, pose_of_matrix
from reloc.scenes.json_files import read_json
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, image_camera, no_camera
from reloc.scenes.text import image_files

LAYOUT = "scannet++"
LOOKS_FOR = "pose_intrinsic_imu.json with rgb/ (ScanNet++, iPhone)"

_FILE = "pose_intrinsic_imu.json"


def matches(root: Path) -> bool:
    """Whether a folder holds the iPhone part of a scan of ScanNet++."""
    return (root / _FILE).is_file() and (root / "rgb").is_dir()


def read(root: Path) -> RawScene:
    """Images ``rgb/frame_N.jpg`` with the entry of that name; few images have one, or few entries.

    ``aligned_pose``, in the world of the laser scan, is camera-to-world with OpenCV axes, metres.
    Depth is in millimetres, registered to the image at another size.

    Raises:
        SceneError: the file is damaged, or has no entry for any of the images.
    """
    entries = read_json(root / _FILE, dict, "poses by frame")
    frames = []
    images = image_files(root / "rgb")
    for image in images:
        if image.stem not in entries:
            continue
        entry = entries[image.stem]
        pose, fault = _pose(entry)
        depth = root / "depth" / f"{image.stem}.png"
        frames.append(
            RawFrame(
                name=f"rgb/{image.name}",
                image=image,
                camera=_camera(entry),
                world_from_cam=pose,
                pose_fault=fault,
                depth=RawDepth(depth) if depth.is_file() else None,
            )
        )
    if images and not frames:
        raise SceneError(
            f"{root / _FILE}: has no entry for any image, such as {images[0].stem}; extract the "
            "images of this scan"
        )
    without = len(images) - len(frames)
    notes = (f"{without} images have no pose in {_FILE} and are left out",) if without else ()
    return RawScene(tuple(frames), unit="metre", notes=notes, tracked=True)


def _pose(entry: Any) -> FoundPose:
    if not isinstance(entry, dict):
        return None, "its entry is no object"
    key = "aligned_pose" if entry.get("aligned_pose") is not None else "pose"
    return pose_of_matrix(entry.get(key), key)


def _camera(entry: Any) -> CameraSource:
    k = numbers_of(entry.get("intrinsic")) if isinstance(entry, dict) else None
    if k is None or k.size != 9:
        return no_camera("intrinsic is no matrix of nine numbers")
    return image_camera("PINHOLE", (k[0], k[4], k[2], k[5]))

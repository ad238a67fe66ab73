"""Stray Scanner: rgb.mp4, odometry.csv, camera_matrix.csv, depth/ and confidence/."""

from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.scenes.found_poses import pose_of_quaternion
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, image_camera, matrix_camera
from reloc.scenes.tables import Row, read_records, read_table
from reloc.scenes.text import image_files
from reloc.scenes.video_frames import frames_of_rows

LAYOUT = "stray"
LOOKS_FOR = "odometry.csv with rgb.mp4 or rgb/ (Stray Scanner)"

_VIDEO, _IMAGES = "rgb.mp4", "rgb"
# Of 0, 1 and 2.
_LEAST_CONFIDENCE = 1


def matches(root: Path) -> bool:
    """Whether a folder holds a recording of Stray Scanner."""
    has_images = (root / _VIDEO).is_file() or (root / _IMAGES).is_dir()
    return (root / "odometry.csv").is_file() and has_images


def read(root: Path) -> RawScene:
    """The sharpest frames of the video, or the images of ``rgb`` that are named by frame number.

    Poses are camera-to-world with OpenCV axes already, quaternions xyzw, metres, y up. Newer
    recordings have the focal length of each frame, older ones that of the last alone. Depth is in
    millimetres, registered to the colour image at another size.

    Raises:
        SceneError: a file is missing or damaged, or frames and rows do not belong together.
        ImageError: the video cannot be decoded.
    """
    file = root / "odometry.csv"
    rows = read_table(file, "timestamp frame x y z qx qy qz qw", optional="fx fy cx cy")
    poses = [pose_of_quaternion(row.numbers("qw qx qy qz"), row.numbers("x y z")) for row in rows]
    notes = []
    if (root / _VIDEO).is_file():
        found = frames_of_rows(root / _VIDEO, poses, rows_file=file)
        images = found.images
        notes.append(
            f"{len(images)} of {len(rows)} frames of {_VIDEO} are used, the sharpest of each part "
            "of the walk"
        )
        if found.missing:
            notes.append(f"the first frame of {_VIDEO} is missing, as some decoders drop it")
    else:
        by_number = {int(p.stem): p for p in image_files(root / _IMAGES) if p.stem.isdecimal()}
        numbered = ((at, by_number.get(_number(row))) for at, row in enumerate(rows))
        images = {at: path for at, path in numbered if path is not None}
    each = all(key in rows[0].cells for key in ("fx", "fy", "cx", "cy"))
    last = None if each else _matrix(root / "camera_matrix.csv")
    frames = []
    for at, image in sorted(images.items()):
        row, (pose, fault) = rows[at], poses[at]
        number = _number(row)
        frames.append(
            RawFrame(
                name=f"{_IMAGES}/{number:06d}{image.suffix}",
                image=image,
                camera=last or image_camera("PINHOLE", row.numbers("fx fy cx cy")),
                world_from_cam=pose,
                pose_fault=fault,
                depth=_depth(root, f"{number:06d}.png"),
                time=row.number("timestamp"),
            )
        )
    return RawScene(tuple(frames), unit="metre", notes=tuple(notes), tracked=True)


def _number(row: Row) -> int:
    number = row.number("frame")
    if not 0 <= number < 1e9:
        raise SceneError(f"{row.path}:{row.line}: impossible frame; copy the recording again")
    return int(number)


def _matrix(path: Path) -> CameraSource:
    rows = [row.numbers("x y z") for row in read_records(path, "x y z")]
    if len(rows) != 3:
        raise SceneError(f"{path}: no 3x3 matrix; copy the recording again")
    return matrix_camera(np.array(rows))


def _depth(root: Path, name: str) -> RawDepth | None:
    path, confidence = root / "depth" / name, root / "confidence" / name
    if not path.is_file():
        return None
    return RawDepth(path, confidence=confidence if confidence.is_file() else None,
                    least=_LEAST_CONFIDENCE)  # fmt: skip

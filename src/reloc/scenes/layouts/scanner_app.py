"""3D Scanner App, all data: frame_NNNNN.{json, jpg}, depth_NNNNN.png, conf_NNNNN.png."""

from pathlib import Path

from reloc.scenes.found_poses import numbers_of, of_opengl, pose_of_matrix
from reloc.scenes.json_files import read_json
from reloc.scenes.raw import CameraSource, RawDepth, RawFrame, RawScene, image_camera, no_camera
from reloc.scenes.text import image_files

LAYOUT = "scanner-app"
LOOKS_FOR = "frame_00000.json with frame_00000.jpg (3D Scanner App, all data)"

_POSE = "cameraPoseARFrame"
# Of 0, 1 and 2.
_LEAST_CONFIDENCE = 1


def matches(root: Path) -> bool:
    """Whether a folder holds all data of a scan of 3D Scanner App."""
    return any(_is_frame(path) for path in image_files(root))


def read(root: Path) -> RawScene:
    """The frames that have an image, which are some of those that have a pose.

    Poses are camera-to-world with ARKit's axes (OpenGL's), row by row, metres, y up. Depth is in
    millimetres, registered to the image at another size.

    Raises:
        SceneError: a file of a frame is damaged.
    """
    frames = []
    for image in image_files(root):
        if not _is_frame(image):
            continue
        entry = read_json(image.with_suffix(".json"), dict, "frame of 3D Scanner App")
        pose, fault = of_opengl(pose_of_matrix(entry.get(_POSE), _POSE))
        number = image.stem.removeprefix("frame_")
        time = entry.get("time")
        frames.append(
            RawFrame(
                name=image.name,
                image=image,
                camera=_camera(entry.get("intrinsics")),
                world_from_cam=pose,
                pose_fault=fault,
                depth=_depth(root, f"{number}.png"),
                time=float(time) if type(time) in (int, float) and abs(time) < 1e12 else None,
            )
        )
    return RawScene(tuple(frames), unit="metre", tracked=True)


def _is_frame(image: Path) -> bool:
    number = image.stem.removeprefix("frame_")
    return number != image.stem and number.isdecimal() and image.with_suffix(".json").is_file()


def _camera(value: object) -> CameraSource:
    k = numbers_of(value)
    if k is None or k.size != 9:
        return no_camera("intrinsics are no nine numbers")
    return image_camera("PINHOLE", (k[0], k[4], k[2], k[5]))


def _depth(root: Path, name: str) -> RawDepth | None:
    path, confidence = root / f"depth_{name}", root / f"conf_{name}"
    if not path.is_file():
        return None
    return RawDepth(path, confidence=confidence if confidence.is_file() else None,
                    least=_LEAST_CONFIDENCE)  # fmt: skip

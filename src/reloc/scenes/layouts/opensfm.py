"""OpenSfM, and OpenDroneMap with it: reconstruction.json and images/."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.scenes.found_poses import FoundPose, numbers_of, pose_of_vector, turned_about
from reloc.scenes.json_files import read_json
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import PANORAMA_CAMERA, CameraSource, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Skipped

LAYOUT = "opensfm"
LOOKS_FOR = "reconstruction.json in the folder or in opensfm/ (OpenSfM)"
NAMES_IMAGES = True

_PLACES = ("", "opensfm")
# COLMAP's model of each projection with the names of its distortion in COLMAP's order.
_MODELS = {
    "perspective": ("RADIAL", "k1 k2"),
    "simple_radial": ("SIMPLE_RADIAL", "k1"),
    "radial": ("OPENCV", "k1 k2 - -"),
    "brown": ("FULL_OPENCV", "k1 k2 p1 p2 k3 - - -"),
    "fisheye": ("RADIAL_FISHEYE", "k1 k2"),
    "fisheye_opencv": ("OPENCV_FISHEYE", "k1 k2 k3 k4"),
}
_PANORAMAS = ("equirectangular", "spherical")


def matches(root: Path) -> bool:
    """Whether a folder holds a reconstruction of OpenSfM."""
    return _file(root) is not None


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads the reconstruction with the most images; of others a note tells.

    Poses are world-to-camera, a rotation as an axis times an angle in radians, OpenCV axes. Focal
    lengths and principal points count in the longer side of the image, the latter from its centre.
    The world is metric as far as GPS is, so the unit is unknown.

    Args:
        root: the scene's folder.
        images: the folder of the images, if it is not ``images``.

    Raises:
        SceneError: the file is damaged or holds no reconstruction.
    """
    file = _file(root)
    assert file is not None
    parts = [part for part in read_json(file, list, "reconstructions") if _is_sound(part)]
    if not parts:
        raise SceneError(f"{file}: holds no reconstruction with cameras and shots; run it again")
    parts.sort(key=lambda part: -len(part["shots"]))
    shots, known = parts[0]["shots"], parts[0]["cameras"]
    folders = ("images",) if file.parent == root else ("images", "opensfm/images")
    locator = Locator(root, shots, folders=folders, given=images)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for name, shot in sorted(shots.items()):
        located = locator.find(name)
        if located is None:
            skipped.append(leads_out(name))
            continue
        pose, fault = _pose(shot)
        camera = shot.get("camera") if isinstance(shot, dict) else None
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=_camera(known.get(camera) if isinstance(camera, str) else None),
                world_from_cam=pose,
                pose_fault=fault,
            )
        )
    notes = list(locator.notes())
    if len(parts) > 1:
        others = sum(len(part["shots"]) for part in parts[1:])
        notes.append(
            f"read the largest of {len(parts)} reconstructions, which do not hang together; "
            f"{others} images of the others are left out"
        )
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=tuple(notes))


def _file(root: Path) -> Path | None:
    files = (root / place / "reconstruction.json" for place in _PLACES)
    return next((file for file in files if file.is_file()), None)


def _is_sound(part: Any) -> bool:
    return isinstance(part, dict) and all(
        isinstance(part.get(key), dict) for key in ("cameras", "shots")
    )


def _pose(shot: Any) -> FoundPose:
    parts = [
        numbers_of(shot.get(key)) if isinstance(shot, dict) else None
        for key in ("rotation", "translation")
    ]
    if any(part is None or part.size != 3 for part in parts):
        return None, "rotation or translation are no three numbers"
    return turned_about(pose_of_vector(*parts))


def _camera(entry: Any) -> CameraSource:
    if not isinstance(entry, dict):
        return no_camera("its camera is not among the cameras of reconstruction.json")
    kind = entry.get("projection_type")
    if kind in _PANORAMAS:
        return PANORAMA_CAMERA
    if not isinstance(kind, str) or kind not in _MODELS:
        return no_camera(f"unknown projection_type {str(kind)[:40]}; undistort the images")
    model, names = _MODELS[kind]
    focal = _number(entry, "focal", None)
    fx = _number(entry, "focal_x", focal)
    fy = _number(entry, "focal_y", fx)
    lens = [0.0 if name == "-" else _number(entry, name, 0.0) for name in names.split()]
    centre = _number(entry, "c_x", 0.0), _number(entry, "c_y", 0.0)
    if fx is None or fy is None or None in lens or None in centre:
        return no_camera("its camera lacks a focal length or holds what is no number")
    f, d, c = (fx, fy), [value or 0.0 for value in lens], [value or 0.0 for value in centre]

    def sized(width: int, height: int) -> Camera:
        side = max(width, height)
        both = model in ("OPENCV", "FULL_OPENCV", "OPENCV_FISHEYE")
        focals = [side * value for value in (f if both else f[:1])]
        middle = (width / 2 + side * c[0], height / 2 + side * c[1])
        return Camera(model, width, height, (*focals, *middle, *d))

    return sized


def _number(entry: Mapping[str, Any], key: str, default: float | None) -> float | None:
    """A number of a camera, the default where it has none; None for what is no number."""
    value = entry.get(key, default)
    return float(value) if type(value) in (int, float) and abs(value) < 1e9 else None

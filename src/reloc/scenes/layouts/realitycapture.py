"""RealityCapture's CSV of internal and external camera parameters, with the images beside it."""

from pathlib import Path

import numpy as np

from reloc.geometry import Camera, pose_from, rotation_from_vector
from reloc.scenes.found_poses import FoundPose, of_opengl
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawFrame, RawScene, no_camera
from reloc.scenes.scene import Skipped
from reloc.scenes.tables import Row, read_table

LAYOUT = "realitycapture"
LOOKS_FOR = "a .csv that begins with #name,x,y,alt,heading,pitch,roll,f (RealityCapture)"
NAMES_IMAGES = True

_POSE = "name x y alt heading pitch roll f"
_LENS = "px py k1 k2 k3 k4 t1 t2"
# The width of the film that a focal length in millimetres belongs to.
_FILM = 36.0


def matches(root: Path) -> bool:
    """Whether a folder holds camera parameters of RealityCapture."""
    return _file(root) is not None


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads all cameras of the table.

    The position is x, y, alt; heading (clockwise from y), pitch and roll are degrees, of a camera
    with OpenGL's axes that looks down where they are 0. The focal length and the principal point,
    from the image's centre, are millimetres of a film whose longer side is 36 mm. The unit is that
    of the project, so it is unknown.

    Args:
        root: the scene's folder.
        images: the folder of the images, if they are not in the folder or its ``images``.

    Raises:
        SceneError: the table is malformed.
    """
    file = _file(root)
    assert file is not None
    rows = read_table(file, _POSE, optional=_LENS)
    locator = Locator(
        root, [row.cells["name"] for row in rows], folders=("images", ""), given=images
    )
    frames, skipped = list[RawFrame](), list[Skipped]()
    for row in rows:
        located = locator.find(row.cells["name"])
        if located is None:
            skipped.append(leads_out(row.cells["name"]))
            continue
        pose, fault = _pose(row)
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=_camera(row),
                world_from_cam=pose,
                pose_fault=fault,
            )
        )
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=locator.notes())


def _file(root: Path) -> Path | None:
    for path in sorted(root.glob("*.csv")):
        with path.open("rb") as file:
            start = file.readline(4096).lower()
        if all(name.encode() in start for name in ("#name", "heading", "pitch", "roll", "alt")):
            return path
    return None


def _pose(row: Row) -> FoundPose:
    angles = np.radians(row.numbers("heading pitch roll"))
    if not np.isfinite(angles).all():
        return None, "pose holds NaN or infinity"
    heading, pitch, roll = angles
    about_z, about_x, about_y = (
        rotation_from_vector(vector) for vector in ((0, 0, -heading), (pitch, 0, 0), (0, roll, 0))
    )
    return of_opengl((pose_from(about_z @ about_x @ about_y, row.numbers("x y alt")), None))


def _camera(row: Row) -> CameraSource:
    f = row.number("f")
    px, py, k1, k2, k3, k4, t1, t2 = (
        row.number(name) if name in row.cells else 0.0 for name in _LENS.split()
    )
    if k4:
        return no_camera("k4 is not 0, which no camera model here knows; undistort the images")

    def sized(width: int, height: int) -> Camera:
        scale = max(width, height) / _FILM
        middle = (width / 2 + px * scale, height / 2 + py * scale)
        return Camera(
            "FULL_OPENCV",
            width,
            height,
            (f * scale, f * scale, *middle, k1, k2, t1, t2, k3, 0.0, 0.0, 0.0),
        )

    return sized

"""Metashape's cameras as XML (File > Export > Export Cameras), with the images beside it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from reloc.errors import SceneError
from reloc.scenes.found_poses import FoundPose, pose_of_matrix
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import (
    PANORAMA,
    PANORAMA_CAMERA,
    CameraSource,
    RawFrame,
    RawScene,
    known_camera,
    no_camera,
)
from reloc.scenes.scene import Array, Skipped
from reloc.scenes.text import read_text

LAYOUT = "metashape"
LOOKS_FOR = "an .xml of cameras (Metashape)"
NAMES_IMAGES = True

_START = 4096


def matches(root: Path) -> bool:
    """Whether a folder holds cameras of Metashape."""
    return _file(root) is not None


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads the aligned cameras of the first chunk; their labels are the names of the images.

    Poses are camera-to-chunk, OpenCV axes, row by row. The transform of the component or chunk,
    with a scale, leads on to the world, which is metric if it was scaled, so that the unit is
    unknown. Principal points count from the image's centre; P1 and P2 are the other way round than
    OpenCV's, and B1 is how much larger fx is than fy.

    Args:
        root: the scene's folder.
        images: the folder of the images, if they are not in the folder or its ``images``.

    Raises:
        SceneError: the file is damaged or holds no chunk.
    """
    file = _file(root)
    assert file is not None
    chunk = _chunk(file)
    sensors = {sensor.get("id"): _camera(sensor) for sensor in chunk.iterfind("sensors/sensor")}
    whole = _transform(chunk.find("transform"))
    worlds = {
        component.get("id"): _transform(component.find("transform"))
        for component in chunk.iterfind("components/component")
    }
    entries = [(camera.get("label") or "", camera) for camera in chunk.iterfind("cameras//camera")]
    locator = Locator(root, [label for label, _ in entries], folders=("images", ""), given=images)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for label, entry in entries:
        located = locator.find(label)
        if located is None:
            skipped.append(leads_out(label))
            continue
        component = worlds.get(entry.get("component_id"))
        pose, fault = _pose(entry, whole if component is None else component)
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=sensors.get(entry.get("sensor_id"), no_camera("its sensor is missing")),
                world_from_cam=pose,
                pose_fault=fault,
            )
        )
    return RawScene(tuple(frames), skipped=tuple(skipped), notes=locator.notes())


def _file(root: Path) -> Path | None:
    for path in sorted(root.glob("*.xml")):
        with path.open("rb") as file:
            start = file.read(_START)
        if b"<document" in start and b"<chunk" in start:
            return path
    return None


def _chunk(path: Path) -> ET.Element:
    text = read_text(path)
    if "<!" in text:  # entities of a document type may grow without end
        raise SceneError(f"{path}: has a document type or comments; export the cameras again")
    try:
        chunk = ET.fromstring(text).find("chunk")
    except (ET.ParseError, ValueError) as error:
        raise SceneError(f"{path}: not valid XML ({error}); export the cameras again") from error
    if chunk is None:
        raise SceneError(f"{path}: holds no chunk; export the cameras again, as Agisoft XML")
    return chunk


def _numbers(element: ET.Element | None) -> list[float]:
    """The numbers in an element; empty if it is missing or holds something else."""
    try:
        return [float(word) for word in (element.text or "").split()] if element is not None else []
    except ValueError:
        return []


def _transform(element: ET.Element | None) -> Array | None:
    """World from chunk (4, 4) with its scale, if there is one."""
    if element is None:
        return None
    rotation, translation, scale = (
        _numbers(element.find(name)) for name in ("rotation", "translation", "scale")
    )
    if len(rotation) != 9 or len(translation) != 3:
        return None
    matrix = np.eye(4)
    matrix[:3, :3] = np.reshape(rotation, (3, 3)) * (scale[0] if scale else 1.0)
    matrix[:3, 3] = translation
    return matrix


def _pose(entry: ET.Element, world_from_chunk: Array | None) -> FoundPose:
    element = entry.find("transform")
    if element is None:
        return None, "the camera was not aligned"
    pose, fault = pose_of_matrix(_numbers(element), "transform")
    if pose is None or world_from_chunk is None:
        return pose, fault
    scale = np.cbrt(np.linalg.det(world_from_chunk[:3, :3]))
    placed = world_from_chunk @ pose
    placed[:3, :3] /= scale if scale else 1.0
    return placed, None


def _camera(sensor: ET.Element) -> CameraSource:
    kind = sensor.get("type", "frame")
    if kind in ("spherical", "cylindrical"):
        return PANORAMA_CAMERA if kind == "spherical" else no_camera(PANORAMA)
    calibration = next(
        (c for c in sensor.iterfind("calibration") if c.get("class") == "adjusted"),
        sensor.find("calibration"),
    )
    if calibration is None:
        return no_camera("its sensor has no calibration")
    names = ("f", "cx", "cy", "b1", "b2", "k1", "k2", "k3", "k4", "p1", "p2")
    found = {name: (_numbers(calibration.find(name)) or [0.0])[0] for name in names}
    f, cx, cy, b1, b2, k1, k2, k3, k4, p1, p2 = found.values()
    size = calibration.find("resolution")
    size = sensor.find("resolution") if size is None else size
    sides = [] if size is None else [size.get(side, "") for side in ("width", "height")]
    if not sides or not all(side.isdecimal() and len(side) < 8 for side in sides):
        return no_camera("its sensor has no resolution")
    width, height = map(float, sides)
    if abs(b2) > 1e-3 * abs(f):
        return no_camera("its sensor has skew (b2), which no camera model here knows")
    pinhole = (f + b1, f, width / 2 + cx, height / 2 + cy)
    if "fisheye" in kind:
        if p1 or p2:
            lens = (k1, k2, p2, p1, k3, k4, 0.0, 0.0)
            return known_camera("THIN_PRISM_FISHEYE", width, height, (*pinhole, *lens))
        return known_camera("OPENCV_FISHEYE", width, height, (*pinhole, k1, k2, k3, k4))
    if k4:
        return no_camera(
            "its sensor has k4, which no camera model here knows; undistort the images"
        )
    lens = (k1, k2, p2, p1, k3, 0.0, 0.0, 0.0)
    return known_camera("FULL_OPENCV", width, height, (*pinhole, *lens))

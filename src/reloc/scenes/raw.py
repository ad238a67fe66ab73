"""What a reader hands over: frames as a format tells of them, not yet checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from reloc.errors import CameraError
from reloc.geometry import Camera
from reloc.scenes.scene import Array, Mask, Model, Skipped

# Formats that store a focal length without an image size mean the size of the image at hand; they
# give a function of (width, height). It may raise CameraError to say why there is no camera.
CameraSource = Camera | Callable[[int, int], Camera]

PANORAMA = (
    "the image is a panorama (equirectangular or the like) of another shape than 360 by 180 "
    "degrees; cut it into perspective views"
)


@dataclass(frozen=True)
class RawDepth:
    """A depth image as a format tells of it.

    Attributes:
        path: 16-bit single-channel image.
        camera: its intrinsics; None when it is registered to the colour image.
        unit: scene units per stored step.
        confidence: image of the same size that says how far each pixel is to be relied on.
        least: what it says of pixels that count.
    """

    path: Path
    camera: CameraSource | None = None
    unit: float = 0.001
    confidence: Path | None = None
    least: int = 1


@dataclass(frozen=True)
class RawFrame:
    """One image as a format tells of it.

    Attributes:
        name: the path below the scene's folder, with forward slashes.
        image: the file, which may turn out to be missing or damaged.
        camera: intrinsics at any size of the same image, or at the size of the file.
        world_from_cam: (4, 4) float64, OpenCV axes, unchecked; None if there is none.
        pose_fault: why a pose that is there could not be read; None otherwise.
        part: what the format's own split says; ``neither`` keeps the frame out.
        depth: measured depth, if there is any.
        time: seconds, if the format tells.
        mask: what of the image is not mapped, if there is such.
    """

    name: str
    image: Path
    camera: CameraSource
    world_from_cam: Array | None
    pose_fault: str | None = None
    part: Literal["mapping", "query", "neither"] = "mapping"
    depth: RawDepth | None = None
    time: float | None = None
    mask: Mask | None = None


@dataclass(frozen=True)
class RawScene:
    """All that a reader found.

    Attributes:
        frames: in the order of the format.
        unit: ``meter`` where the format is metric, else ``unknown``.
        skipped: entries that did not even become a raw frame.
        notes: one-line remarks that a user should see.
        pose_notes: remarks on the format's own poses, moot when a pose set replaces them.
        model: the COLMAP model that the frames are of.
        tracked: whether the frames are one walk in its order, with the poses of a tracker, which
            may have jumped.
    """

    frames: tuple[RawFrame, ...]
    unit: Literal["metre", "unknown"] = "unknown"
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    pose_notes: tuple[str, ...] = ()
    model: Model | None = None
    tracked: bool = False


def no_camera(reason: str) -> CameraSource:
    """A camera source for frames without intrinsics: it raises CameraError with the reason."""

    def refuse(width: int, height: int) -> NoReturn:
        raise CameraError(reason)

    return refuse


# That of an equirectangular image, which is cut into views before frames are checked.
PANORAMA_CAMERA = no_camera(PANORAMA)


def known_camera(model: str, width: float, height: float, params: Sequence[float]) -> CameraSource:
    """The camera of numbers from a file, or the reason why they are none.

    Args:
        model: one of ``CAMERA_MODELS``.
        width: of the image in pixels.
        height: of the image in pixels.
        params: in COLMAP's order.
    """
    if not (0 < width < 1e6 and 0 < height < 1e6):
        return no_camera("camera has no usable image size")
    try:
        return Camera(model, round(width), round(height), tuple(params))
    except CameraError as error:
        return no_camera(str(error))


def image_camera(model: str, params: Sequence[float]) -> CameraSource:
    """A camera whose numbers, in COLMAP's order, are for whatever size the image has."""
    return lambda width, height: Camera(model, width, height, tuple(params))


def focal_camera(focal: float) -> CameraSource:
    """Square pixels and the principal point at the centre of whatever size the image has."""
    return lambda width, height: Camera.pinhole(width=width, height=height, fx=focal)


def matrix_camera(matrix: Array) -> CameraSource:
    """The camera of a (3, 3) calibration matrix, at the size that the image file has."""
    k = matrix / matrix[2, 2] if matrix[2, 2] else matrix
    if abs(k[0, 1]) > 1e-3 * abs(k[0, 0]):
        return no_camera("calibration matrix has skew, which no camera model here knows")
    return lambda width, height: Camera.pinhole(
        width=width, height=height, fx=k[0, 0], fy=k[1, 1], cx=k[0, 2], cy=k[1, 2]
    )

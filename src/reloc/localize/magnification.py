"""How much more one photo of a device magnifies than another, by what both say of their lens."""

import math

from reloc.geometry import Camera
from reloc.images.lens import Lens

# Focal lengths that are said twice agree so well; equivalents are whole millimetres.
SAME = 0.01


def magnifications(lens: Lens, other: Lens) -> tuple[float, ...]:
    """Focal length of a photo over that of another of the same device.

    A wrong equivalent (of a cropped sensor or picture) is wrong in both and does not matter.

    Args:
        lens: of the one.
        other: of the other.

    Returns:
        Mostly one ratio. Two where the device may or may not count what it magnifies after the lens
        into the equivalent; none for different devices, or where they do not tell.
    """
    if not lens.same_device(other):
        return ()
    zoom = lens.zoom / other.zoom
    millimetres = _ratio(lens.focal_mm, other.focal_mm)
    equivalents = _ratio(lens.equivalent_mm, other.equivalent_mm)
    if equivalents is None:
        return () if millimetres is None else (millimetres * zoom,)
    if is_near(zoom, 1.0):
        return (equivalents,)
    if millimetres is not None and not is_near(millimetres, 1.0):
        return (equivalents, equivalents * zoom)
    # Through the same glass the equivalents differ by what is counted in, or not at all.
    counted = abs(math.log(equivalents / zoom)) < abs(math.log(equivalents))
    return (equivalents if counted else equivalents * zoom,)


def is_same_glass(lens: Lens, other: Lens) -> bool:
    """Whether the photos differ, if at all, in what was magnified after the lens."""
    millimetres = _ratio(lens.focal_mm, other.focal_mm)
    return millimetres is not None and is_near(millimetres, 1.0)


def magnified(camera: Camera, factor: float, *, same_glass: bool) -> Camera:
    """A camera with another focal length, at the same size.

    Args:
        camera: at the size of the photo.
        factor: of the focal lengths.
        same_glass: the picture was magnified about its middle, distortion and all; otherwise
            nothing is known of how the lens distorts and where its axis is.
    """
    middle = (camera.width / 2, camera.height / 2)
    if not same_glass:
        return Camera.pinhole(
            width=camera.width, height=camera.height, fx=camera.fx * factor, fy=camera.fy * factor
        )
    count = len(camera.params) - len(camera.distortion) - 2
    focals = [focal * factor for focal in camera.params[:count]]
    center = [m + factor * (c - m) for m, c in zip(middle, (camera.cx, camera.cy), strict=True)]
    params = (*focals, *center, *camera.distortion)
    return Camera(camera.model, camera.width, camera.height, params)


def is_near(ratio: float, wanted: float, tolerance: float = SAME) -> bool:
    """Whether a ratio is another but for rounding."""
    return abs(ratio / wanted - 1) < tolerance


def _ratio(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a / b

"""Bad pictures on purpose: one picture as a worse one of the same place, and the truth about it.

Photometric changes leave camera and pose alone. The others change them along with the pixels: a
resampled picture has a resized camera, a zoomed one a longer focal length, a turned one a camera
that has rolled about its optical axis.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, pose_from, rotation_from_vector
from reloc.synthetic.photo import smear

Array = NDArray[np.float64]
Rgb = NDArray[np.uint8]
Rng = np.random.Generator

GAMMA = 2.2


@dataclass(frozen=True)
class Shot:
    """A picture and the truth about it.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        camera: intrinsics at that size.
        world_from_cam: (4, 4).
    """

    image: Rgb
    camera: Camera
    world_from_cam: Array


@dataclass(frozen=True)
class Corruption:
    """One way to spoil a picture.

    Attributes:
        unit: of the strength, for the axis of a plot.
        strengths: what is worth measuring, ascending.
        untouched: the strength that changes nothing; None where even the least changes something.
        apply: takes a shot, a strength and where chance comes from.
    """

    unit: str
    strengths: tuple[float, ...]
    untouched: float | None
    apply: Callable[[Shot, float, Rng], Shot]


def normalize_exposure(shot: Shot, stops: float, _: Rng) -> Shot:
    """As if the shutter had been open 2^stops times as long; clipped and rounded to eight bits."""
    light = np.linspace(0, 1, 256) ** GAMMA * 2.0**stops
    return replace(shot, image=_looked_up(shot.image, np.minimum(light, 1) ** (1 / GAMMA)))


def tinted(shot: Shot, strength: float, rng: Rng) -> Shot:
    """Red times e^strength and blue divided by it, or the other way round."""
    gain = np.exp(strength if rng.random() < 0.5 else -strength)
    levels = np.linspace(0, 1, 256)
    table = np.stack([levels * gain, levels, levels / gain], axis=-1)
    return replace(shot, image=_looked_up(shot.image, table[None]))


def smeared(shot: Shot, length: float, rng: Rng) -> Shot:
    """Moved straight during the exposure, by a length in pixels of an image 640 wide."""
    pixels = length * shot.camera.width / 640
    if pixels < 0.5:
        return shot
    kernel = smear(pixels, rng.uniform(0, np.pi))
    return replace(shot, image=cv2.filter2D(shot.image, -1, kernel, borderType=cv2.BORDER_REFLECT))


def noised(shot: Shot, deviation: float, rng: Rng) -> Shot:
    """Independent noise in each pixel and colour, of a deviation in grey values."""
    noise = deviation * rng.standard_normal(shot.image.shape)
    noisy = np.clip(np.rint(shot.image + noise), 0, 255)
    return replace(shot, image=noisy.astype(np.uint8))


def compressed(shot: Shot, quality: float, _: Rng) -> Shot:
    """Through JPEG of a quality, 1 to 100."""
    options = [cv2.IMWRITE_JPEG_QUALITY, round(quality)]
    # OpenCV has blue first.
    encoded = cv2.imencode(".jpg", shot.image[:, :, ::-1], options)[1]
    image = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert image is not None
    return replace(shot, image=np.ascontiguousarray(image[:, :, ::-1]))


def resampled(shot: Shot, factor: float, _: Rng) -> Shot:
    """The whole picture with so many times as many pixels a side."""
    width, height = (round(side * factor) for side in (shot.camera.width, shot.camera.height))
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = cv2.resize(shot.image, (width, height), interpolation=method)
    return replace(shot, image=image, camera=shot.camera.resized(width, height))


def zoomed(shot: Shot, factor: float, _: Rng) -> Shot:
    """Focal length times a factor, in a picture of the same size; what was not seen is black."""
    camera = shot.camera
    focals = len(camera.params) - 2 - len(camera.distortion)
    # Distortion acts on rays: pixels move straight from or to the principal point.
    params = (*(f * factor for f in camera.params[:focals]), *camera.params[focals:])
    principal = np.array([camera.cx, camera.cy])
    source = (_pixel_centers(camera) - principal) / factor + principal
    image = shot.image
    if factor < 0.75:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / factor)
    return replace(
        shot,
        image=_sampled(image, source),
        camera=Camera(camera.model, camera.width, camera.height, params),
    )


def rolled(shot: Shot, degrees: float, rng: Rng) -> Shot:
    """The camera turned about its optical axis, either way; what it did not see before is black."""
    angle = np.radians(degrees if rng.random() < 0.5 else -degrees)
    old_from_new = pose_from(rotation_from_vector([0.0, 0.0, angle]), np.zeros(3))
    rays = shot.camera.rays(_pixel_centers(shot.camera)) @ old_from_new[:2, :2].T
    return replace(
        shot,
        image=_sampled(shot.image, shot.camera.pixels(rays)),
        world_from_cam=shot.world_from_cam @ old_from_new,
    )


def covered(shot: Shot, share: float, rng: Rng) -> Shot:
    """A share of the area hidden behind one rectangle with a blotchy pattern."""
    if share <= 0:
        return shot
    height, width = shot.image.shape[:2]
    # The shape of the picture, but longer or wider by up to a third where there is room.
    stretch = np.exp(rng.uniform(-0.3, 0.3))
    wide = np.clip(np.sqrt(share) * stretch, share, 1.0)
    w, h = round(wide * width), round(share / wide * height)
    x, y = rng.integers(0, width - w + 1), rng.integers(0, height - h + 1)
    blotches = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    image = shot.image.copy()
    image[y : y + h, x : x + w] = cv2.resize(blotches, (w, h), interpolation=cv2.INTER_LINEAR)
    return replace(shot, image=image)


CORRUPTIONS = {
    "darkened": Corruption(
        "stops less light", (1, 2, 3, 4, 5), 0, lambda s, x, rng: normalize_exposure(s, -x, rng)
    ),
    "overexposed": Corruption("stops more light", (0.5, 1, 1.5, 2, 3), 0, normalize_exposure),
    "colour-shifted": Corruption("log gain of red over green", (0.15, 0.3, 0.5, 0.7), 0, tinted),
    "motion blur": Corruption("pixels at 640 wide", (4, 8, 16, 24, 32), 0, smeared),
    "noise": Corruption("deviation, grey values", (5, 10, 20, 30, 50), 0, noised),
    "JPEG": Corruption("quality", (3, 5, 10, 20, 40), None, compressed),
    "resampled": Corruption("factor of the size", (0.25, 0.5, 0.71, 1.41, 2), 1, resampled),
    "zoomed": Corruption("factor of the focal length", (0.5, 0.71, 1.41, 2), 1, zoomed),
    "turned": Corruption("degrees in the plane", (10, 20, 30, 45), 0, rolled),
    "covered": Corruption("share of the area", (0.1, 0.25, 0.4, 0.6, 0.75), 0, covered),
}


def _looked_up(image: Rgb, levels: Array) -> Rgb:
    table = np.clip(np.rint(levels * 255), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table), np.uint8)


def _pixel_centers(camera: Camera) -> Array:
    """All pixels (H * W, 2) of an image, row by row."""
    x, y = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    return np.stack([x.ravel(), y.ravel()], axis=1)


def _sampled(image: Rgb, pixels: Array) -> Rgb:
    """The image (H, W, 3) at pixels (H * W, 2) of itself, black outside and where there is none."""
    # OpenCV has pixel centres at whole numbers.
    grid = np.nan_to_num(pixels - 0.5, nan=-1e6).reshape(*image.shape[:2], 2).astype(np.float32)
    return np.asarray(cv2.remap(image, grid, None, cv2.INTER_LINEAR), np.uint8)

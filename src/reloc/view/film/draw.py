"""One picture of the film: points, and cameras as small pyramids."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, transformed
from reloc.view.points import render_points

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Color = tuple[int, int, int]

# Cosine: walls that are seen almost from their edge are tatters before what one looks at.
SLANTED = 0.3


@lru_cache(maxsize=2)
def backdrop(width: int, height: int) -> Image:
    """(H, W, 3) near black, a little lighter in the middle."""
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot((x - width / 2) / width, (y - 0.45 * height) / height)
    light = np.clip(1 - 1.5 * away, 0, 1)[..., None]
    # Noise of one step hides the bands that so few levels would make.
    noise = np.random.default_rng(0).uniform(0, 1, (height, width, 1))
    return (np.array([13, 15, 19]) + light * [13, 15, 19] + noise).astype(np.uint8)


def draw_points(
    points: Array,
    colors: Image,
    facing: Array,
    camera: Camera,
    pose: Array,
    *,
    radius: float | Array,
) -> Image:
    """The points that turn towards the film's camera, so that one looks into rooms.

    Args:
        points: (N, 3) in the world.
        colors: (N, 3) RGB.
        facing: (N, 3) direction to the side of each point that was seen.
        camera: of the film.
        pose: (4, 4) of that camera.
        radius: of a point, or of each (N,), scene units.
    """
    to_eye = pose[:3, 3] - points
    lengths = np.linalg.norm(to_eye, axis=1) * np.linalg.norm(facing, axis=1)
    towards = (to_eye * facing).sum(axis=1) > SLANTED * lengths
    return render_points(
        points[towards],
        colors[towards],
        camera,
        pose,
        radius=radius if np.ndim(radius) == 0 else np.asarray(radius)[towards],
        onto=backdrop(camera.width, camera.height),
    )


def draw_pyramid(
    image: Image,
    camera: Camera,
    pose: Array,
    *,
    of: Camera,
    at: Array,
    size: float,
    color: Color,
    strength: float = 1.0,
    width: int = 1,
) -> None:
    """Draws a camera as the pyramid of its view, in place.

    Args:
        image: (H, W, 3) RGB, changed.
        camera: of the film.
        pose: (4, 4) of the film's camera.
        of: the camera to draw.
        at: (4, 4) its pose.
        size: from its centre to the corners of its view, scene units.
        color: RGB.
        strength: 0 to 1, how much of the colour covers what is there.
        width: of the lines, pixels.
    """
    x, y = of.width / (2 * of.focal), of.height / (2 * of.focal)
    flat = np.array([[-x, -y, 1], [x, -y, 1], [x, y, 1], [-x, y, 1]])
    local = np.vstack([np.zeros(3), flat / np.linalg.norm(flat[0]) * size])
    in_view = transformed(inverted(pose), transformed(at, local))
    if in_view[:, 2].min() <= size:
        return
    pixels = camera.project(in_view)
    if np.abs(pixels).max() > 4 * camera.width:
        return
    low = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - width - 1, 0)
    high = np.ceil(pixels.max(axis=0)).astype(int) + width + 2
    patch = image[low[1] : high[1], low[0] : high[0]]
    if not patch.size:
        return
    # Blended on a small patch: coordinates with four binary places.
    fixed = np.rint((pixels - 0.5 - low) * 16).astype(np.int32)
    lines = [fixed[[0, k]] for k in range(1, 5)] + [fixed[[1, 2, 3, 4, 1]]]
    inked = np.ascontiguousarray(patch)
    inked = cv2.polylines(inked.copy(), lines, False, color, width, cv2.LINE_AA, 4)
    patch[:] = cv2.addWeighted(inked, strength, np.ascontiguousarray(patch), 1 - strength, 0)


def draw_segment(image: Image, camera: Camera, pose: Array, ends: Array, color: Color) -> None:
    """Draws a thin line between two points (2, 3) of the world, in place."""
    in_view = transformed(inverted(pose), ends)
    if in_view[:, 2].min() > 0:
        pixels = camera.project(in_view)
        if np.abs(pixels).max() < 4 * camera.width:
            fixed = np.rint((pixels - 0.5) * 16).astype(np.int32)
            cv2.polylines(image, [fixed], False, color, 1, cv2.LINE_AA, 4)


def draw_rays(
    image: Image,
    camera: Camera,
    pose: Array,
    eye: Array,
    points: Array,
    *,
    color: Color,
    strength: float,
) -> None:
    """Draws thin lines from an eye (3,) to points (N, 3), each with a dot at its end, in place.

    Args:
        image: (H, W, 3) RGB, changed.
        camera: of the film.
        pose: (4, 4) of the film's camera.
        eye: where they begin, world.
        points: where they end, world.
        color: RGB.
        strength: 0 to 1, how much of the colour covers what is there; dots cover twice as much.
    """
    in_view = transformed(inverted(pose), np.vstack([eye, points]))
    in_view = in_view[np.r_[True, in_view[1:, 2] > 0]]
    if len(in_view) < 2 or in_view[0, 2] <= 0:
        return
    pixels = camera.project(in_view)
    near = np.abs(pixels).max(axis=1) < 4 * camera.width
    if not near[0]:
        return
    fixed = np.rint((pixels[near] - 0.5) * 16).astype(np.int32)
    drawn, radius = image.copy(), max(1, round(camera.height / 360))
    lines = [np.stack([fixed[0], end]) for end in fixed[1:]]
    cv2.polylines(drawn, lines, False, color, 1, cv2.LINE_AA, 4)
    image[:] = cv2.addWeighted(drawn, strength, image, 1 - strength, 0)
    for x, y in fixed[1:].tolist():
        cv2.circle(drawn, (x, y), 16 * radius, color, -1, cv2.LINE_AA, 4)
    image[:] = cv2.addWeighted(drawn, strength, image, 1 - strength, 0)

"""What materials are painted from: noise of many scales, strokes, letters. All from a seed."""

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.synthetic.world import Color

Floats = NDArray[np.float32]
Rng = np.random.Generator


def floats(values: ArrayLike) -> Floats:
    """Anything as float32."""
    return np.asarray(values, dtype=np.float32)


def noise(
    rng: Rng,
    shape: tuple[int, int],
    texel: float,
    *,
    coarsest: float = 1.0,
    gain: float = 0.75,
    stretch: tuple[float, float] = (1.0, 1.0),
) -> Floats:
    """Noise (H, W) of unit deviation with an octave for every scale from texels up.

    Args:
        rng: where the randomness comes from.
        shape: of the result.
        texel: metres per texel.
        coarsest: largest scale in metres.
        gain: amplitude of an octave over that of the next coarser one.
        stretch: how many times longer the grains are along rows and along columns.
    """
    height, width = shape
    fine = max(1, round(height / stretch[0])), max(1, round(width / stretch[1]))
    octaves = int(np.clip(np.ceil(np.log2(max(coarsest / texel, 1.0))), 0, 12))
    result: Floats | None = None
    amplitude = 1.0
    for octave in range(octaves, -1, -1):
        size = max(1, -(-fine[0] >> octave)) + 1, max(1, -(-fine[1] >> octave)) + 1
        fresh = rng.random(size, dtype=np.float32) - floats(0.5)
        if result is None:
            result = fresh
        else:
            result = cv2.resize(result, size[::-1], interpolation=cv2.INTER_LINEAR)
            result = cv2.scaleAdd(fresh, amplitude, result)
        amplitude *= gain
    assert result is not None
    if stretch != (1.0, 1.0):
        result = cv2.resize(result, (width + 1, height + 1), interpolation=cv2.INTER_LINEAR)
    result = result[:height, :width]
    return (result - result.mean()) / max(float(result.std()), 1e-6)


def color(base: Color, rng: Rng, spread: float = 0.0) -> Floats:
    """A colour (3,) near another one."""
    return np.clip(floats(base) + rng.normal(0, spread, 3).astype(np.float32), 0.03, 0.97)


def vivid(rng: Rng) -> Floats:
    """Any colour (3,), from muted to strong."""
    spread = 0.28 if rng.random() < 0.2 else 0.13
    return floats(np.clip(rng.uniform(0.1, 0.9) + rng.normal(0, spread, 3), 0.03, 0.97))


def filled(shape: tuple[int, int], rgb: Floats) -> Floats:
    """An image (H, W, 3) of one colour."""
    return np.broadcast_to(floats(rgb), (*shape, 3)).copy()


def gradient(shape: tuple[int, int], top: Floats, bottom: Floats) -> Floats:
    """An image (H, W, 3) from one colour down to another."""
    share = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    return np.repeat(floats(top + share * (bottom - top)), shape[1], axis=1)


def toned(image: Floats, tone: Floats, amount: float) -> Floats:
    """An image made lighter and darker by noise, in place."""
    image *= (1 + floats(amount) * tone)[..., None]
    return image


def mixed(image: Floats, rgb: Floats, share: Floats) -> Floats:
    """An image with a share (H, W), 0 to 1, of each pixel in another colour, in place."""
    image += share[..., None] * (floats(rgb) - image)
    return image


def scuffs(image: Floats, rng: Rng, texel: float, *, per_m2: float, strength: float) -> Floats:
    """Draws scratches, drips and spots, in place: marks that make a surface one of its kind."""
    height, width = image.shape[:2]
    # No more marks than a face can show; otherwise large floors take long.
    for _ in range(min(int(rng.poisson(per_m2 * height * width * texel**2)), 300)):
        at = rng.uniform(0, 1, 2) * (width, height)
        kind = rng.random()
        rgb = (vivid(rng) if rng.random() < 0.3 else floats([rng.uniform(0.1, 0.9)] * 3)).tolist()
        if kind < 0.45:
            bend = rng.normal(0, 1, (8, 2)).cumsum(axis=0) * rng.uniform(0.005, 0.05) / texel
            points = np.round((at + bend) * 16).astype(np.int32)
            layer, draw = 1 if rng.random() < 0.7 else 2, cv2.polylines
            box = _bounds(points / 16, layer + 2, width, height)
            if box is None:
                continue
            x, y, patch = box[0], box[1], image[box[1] : box[3], box[0] : box[2]]
            over = patch.copy()
            shifted = points - np.array([x * 16, y * 16], np.int32)
            draw(over, [shifted.reshape(-1, 1, 2)], False, rgb, layer, cv2.LINE_AA, 4)
        else:
            radius = rng.lognormal(np.log(0.01), 0.7) / texel
            axes = np.maximum(radius * rng.uniform(0.4, 1.6, 2), 0.6)
            box = _bounds(at[None], float(axes.max()) + 2, width, height)
            if box is None:
                continue
            x, y, patch = box[0], box[1], image[box[1] : box[3], box[0] : box[2]]
            over = patch.copy()
            center = tuple(np.round((at - (x, y)) * 16).astype(int).tolist())
            size = tuple(np.round(axes * 16).astype(int).tolist())
            cv2.ellipse(over, center, size, rng.uniform(0, 180), 0, 360, rgb, -1, cv2.LINE_8, 4)
        patch += floats(strength * rng.uniform(0.3, 1)) * (over - patch)
    return image


def _bounds(
    points: NDArray[np.float64], margin: float, width: int, height: int
) -> tuple[int, int, int, int] | None:
    """x0, y0, x1, y1 of the part of an image around points, None if that is empty."""
    x0, y0 = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int).tolist()
    x1, y1 = np.ceil(points.max(axis=0) + margin).astype(int).tolist()
    x1, y1 = min(x1, width), min(y1, height)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def shapes(image: Floats, rng: Rng, count: int, largest: float) -> Floats:
    """Draws discs, boxes, triangles and lines in random colours, in place.

    Args:
        image: (H, W, 3).
        rng: where the randomness comes from.
        count: how many.
        largest: size of the largest as a share of the image's shorter side.
    """
    height, width = image.shape[:2]
    for _ in range(count):
        size = largest * min(height, width) * rng.uniform(0.1, 1)
        x, y = (rng.uniform(0, 1, 2) * (width, height)).tolist()
        rgb = vivid(rng).tolist()
        kind = rng.integers(4)
        if kind == 0:
            cv2.circle(image, (int(x), int(y)), max(1, int(size / 2)), rgb, -1, cv2.LINE_AA)
        elif kind == 3:
            end = (int(x + rng.normal(0, size)), int(y + rng.normal(0, size)))
            cv2.line(image, (int(x), int(y)), end, rgb, max(1, int(size / 12)), cv2.LINE_AA)
        else:
            angles = np.sort(rng.uniform(0, 2 * np.pi, 3 if kind == 1 else 4))
            ring = np.stack([x + size * np.cos(angles), y + size * np.sin(angles)], axis=1)
            cv2.fillPoly(image, [np.round(ring).astype(np.int32)], rgb, cv2.LINE_AA)
    return image


_LETTERS = np.array(list("ABCDEFGHIJKLMNOPRSTUVWXYZabcdefghijklmnoprstuvwxyz0123456789    "))


def words(rng: Rng, length: int) -> str:
    """Letters that mean nothing."""
    return "".join(rng.choice(_LETTERS, length))


def lettering(
    image: Floats, rng: Rng, box: tuple[int, int, int, int], line: int, rgb: Floats
) -> Floats:
    """Fills a box (x0, y0, x1, y1) with lines of text ``line`` texels high, in place."""
    x0, y0, x1, y1 = box
    if line < 5:  # Too small for letters: dashes of the same rhythm.
        for y in range(y0 + 1, y1 - 1, max(2, line)):
            x = x0
            while x < x1:
                step = int(rng.integers(1, 7))
                image[y, x : min(x + step, x1)] += 0.7 * (
                    floats(rgb) - image[y, x : min(x + step, x1)]
                )
                x += step + 1 + int(rng.random() < 0.2) * 3
        return image
    scale, thickness, font = line / 32, max(1, round(line / 12)), cv2.FONT_HERSHEY_SIMPLEX
    page = np.zeros((max(1, y1 - y0), max(1, x1 - x0)), np.uint8)
    for y in range(line, len(page) + 1, int(line * 1.3)):
        text = words(rng, max(1, int((x1 - x0) / (scale * 19) * rng.uniform(0.5, 1))))
        cv2.putText(page, text, (0, y - line // 4), font, scale, 255, thickness, cv2.LINE_AA)
    part = image[y0:y1, x0:x1]
    mixed(part, rgb, floats(page[: part.shape[0], : part.shape[1]] / 255))
    return image

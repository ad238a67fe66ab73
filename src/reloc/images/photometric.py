"""Random changes of how an image was taken: light, exposure, blur, noise, dirt.

All functions take and return grey uint8 images and draw from the generator they are given.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]


def relit(image: Gray, rng: np.random.Generator, *, strength: float = 1.0) -> Gray:
    """Another exposure: brightness, contrast, gamma and a slow gradient across the image."""
    lut = np.linspace(0.0, 1.0, 256)
    lut = lut ** np.exp(rng.uniform(-0.5, 0.5) * strength)
    contrast = np.exp(rng.uniform(-0.5, 0.5) * strength)
    lut = (lut - 0.5) * contrast + 0.5 + rng.uniform(-0.2, 0.2) * strength
    table = np.clip(lut * 255, 0, 255).astype(np.uint8)
    out = cv2.LUT(image, table)
    if rng.random() < 0.5 * strength:
        shade = np.exp(rng.uniform(-0.6, 0.6, (3, 3)) * strength).astype(np.float32)
        field = cv2.resize(shade, image.shape[::-1], interpolation=cv2.INTER_CUBIC)
        out = cv2.multiply(out, field, dtype=cv2.CV_8U)
    return out


def blurred(image: Gray, rng: np.random.Generator) -> Gray:
    """Out of focus, or moved during the exposure along a random straight line."""
    if rng.random() < 0.5:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    length = rng.uniform(2.0, 9.0)
    angle = rng.uniform(0, np.pi)
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size, size), np.float32)
    center = np.array([size / 2, size / 2])
    reach = 0.5 * (length - 1) * np.array([np.cos(angle), np.sin(angle)])
    a, b = center - reach - 0.5, center + reach - 0.5
    shift = 8  # fractional bits of cv2's fixed-point coordinates
    ends = [tuple(int(v) for v in np.round(p * 2**shift)) for p in (a, b)]
    cv2.line(kernel, ends[0], ends[1], (1.0,), 1, cv2.LINE_AA, shift)
    total = kernel.sum()
    return cv2.filter2D(image, -1, kernel / total) if total > 0 else image


def noised(image: Gray, rng: np.random.Generator) -> Gray:
    """Sensor noise of a random strength."""
    # Not cv2.randn: that draws from a generator of its own, and views would not repeat.
    noise = rng.standard_normal(image.shape, dtype=np.float32) * np.float32(rng.uniform(1.0, 12.0))
    return cv2.add(image, np.rint(noise).astype(np.int16), dtype=cv2.CV_8U)


def jpeg_compressed(image: Gray, rng: np.random.Generator) -> Gray:
    """Through JPEG of a random quality."""
    quality = int(rng.integers(25, 90))
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def retaken(image: Gray, rng: np.random.Generator) -> Gray:
    """The same picture taken again by another camera on another day: a mix of all of the above."""
    out = relit(image, rng, strength=0.7)
    if rng.random() < 0.4:
        out = blurred(out, rng)
    if rng.random() < 0.6:
        out = noised(out, rng)
    if rng.random() < 0.25:
        out = jpeg_compressed(out, rng)
    return out

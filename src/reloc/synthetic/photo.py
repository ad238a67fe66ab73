"""What a camera does to light: exposure, white balance, vignetting, blur, noise, eight bits."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rng = np.random.Generator


@dataclass(frozen=True)
class Conditions:
    """How one picture was taken.

    Attributes:
        lamps: strength of each lamp; more than the world has do no harm.
        exposure: brightness of the picture over that of a well exposed one.
        balance: gains of red, green and blue.
        contrast: exponent of the picture's tones, 1 leaves them.
        vignette: share of light lost in the corners.
        defocus: deviation of the blur in pixels of an image 640 wide.
        motion: length of the smear in the same pixels, and its angle in radians.
        noise: deviation of the noise in grey values of mid tones, 0 to 255.
        seed: of the noise.
    """

    lamps: tuple[float, ...] = (0.5, 0.5, 0.35, 0.15)
    exposure: float = 1.0
    balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    contrast: float = 1.0
    vignette: float = 0.0
    defocus: float = 0.0
    motion: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.0
    seed: int = 0


def any_conditions(rng: Rng, *, strength: float = 1.0) -> Conditions:
    """Conditions of a picture taken some time, with some camera.

    Args:
        rng: where the randomness comes from.
        strength: 1 covers day and night and phones of all kinds; 0 gives a perfect picture.
    """
    s = strength
    warm = float(np.exp(s * rng.normal(0, 0.09)))
    shaken = rng.random() < 0.35
    return Conditions(
        lamps=tuple(
            (np.array([0.5, 0.5, 0.35, 0.15]) * np.exp(s * rng.normal(0, 0.6, 4))).tolist()
        ),
        exposure=float(np.exp(s * rng.normal(0, 0.22))),
        balance=(warm, float(np.exp(s * rng.normal(0, 0.03))), 1 / warm),
        contrast=float(np.exp(s * rng.normal(0, 0.15))),
        vignette=float(s * rng.uniform(0, 0.35)),
        defocus=float(s * rng.choice([0.0, rng.uniform(0.2, 1.2)])),
        motion=(float(s * shaken * rng.uniform(0, 6)), float(rng.uniform(0, np.pi))),
        noise=float(s * rng.uniform(0.5, 6)),
        seed=int(rng.integers(2**62)),
    )


def develop(linear: NDArray[np.float32], conditions: Conditions) -> NDArray[np.uint8]:
    """A picture (H, W, 3) uint8 from linear light (H, W, 3)."""
    c = conditions
    height, width = linear.shape[:2]
    # Metered like a camera does, on a robust mean, so that dim rooms come out visible as well.
    meter = float(np.mean(np.minimum(linear, 3 * float(np.median(linear)) + 1e-6)))
    gain = 0.21 * c.exposure / max(meter, 1e-6)
    light = linear * np.asarray(np.multiply(c.balance, gain), np.float32)
    if c.vignette:
        x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
        light *= (1 - np.float32(c.vignette / 2) * (x + y))[..., None]
    scale = width / 640
    if c.defocus * scale > 0.15:
        light = cv2.GaussianBlur(light, (0, 0), c.defocus * scale)
    if c.motion[0] * scale > 0.7:
        light = cv2.filter2D(light, -1, smear(c.motion[0] * scale, c.motion[1]))
    # Roll off highlights instead of clipping them, then the square root that stands for gamma.
    light = light / (1 + np.maximum(light - 0.6, 0) * 0.7)
    picture = cv2.sqrt(np.maximum(light, 0))
    if c.contrast != 1.0:
        picture = cv2.pow(picture, c.contrast) * np.float32(0.45 ** (1 - c.contrast))
    if c.noise:
        grain = np.random.default_rng(c.seed).standard_normal(linear.shape, dtype=np.float32)
        picture += grain * (c.noise / 255 * np.sqrt(0.3 + picture))
    return np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)


def smear(length: float, angle: float) -> NDArray[np.float32]:
    """The kernel of a straight smear."""
    size = int(np.ceil(length)) | 1
    kernel = np.zeros((size + 2, size + 2), np.float32)
    middle = (size + 1) / 2
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    for share in np.linspace(-1, 1, 4 * size):
        x, y = middle + share * step
        i, j = int(np.floor(y)), int(np.floor(x))
        for di, wy in ((0, 1 - y + i), (1, y - i)):
            for dj, wx in ((0, 1 - x + j), (1, x - j)):
                if i + di < size + 2 and j + dj < size + 2:
                    kernel[i + di, j + dj] += wy * wx
    return kernel / kernel.sum()

"""Badly taken pictures brought nearer to those that a backbone learned from."""

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]

# Features fade where a picture is darker on average than those that the backbone learned from. Such
# a picture is brightened up to there, as far as its lights allow.
LEAST_MEAN = 70.0
LIGHTS = 99.0  # percentile
MOST_LIGHT = 250.0
# What is so bright is mostly clipped; its whites mislead less as greys.
MOST_MEAN = 175.0
MEAN_OF_CLIPPED = 80.0
# Pictures that the backbone learned from have noise up to 12; textures seem to be noise up to 11.
# What has more is averaged over patches that look alike, within this share of the noise; 75 ms of a
# core for 640x480.
MOST_NOISE = 15.0
ALIKE = 0.8
PATCH, AROUND = 5, 13  # pixels
# The difference of two second differences: blind to what bends little, it sees noise six times.
_NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def preprocess(image: Gray) -> Gray:
    """Denoises a grey picture (H, W) and normalizes its exposure, each where it is needed.

    A picture that needs neither is returned as it is.
    """
    return normalize_exposure(denoise(image))


def denoise(image: Gray) -> Gray:
    """A very noisy grey picture (H, W) with less of it; any other as it is.

    Buades, Coll and Morel, A non-local algorithm for image denoising, CVPR 2005.
    """
    noise = noise_level(image)
    if noise <= MOST_NOISE:
        return image
    return np.asarray(cv2.fastNlMeansDenoising(image, None, ALIKE * noise, PATCH, AROUND), np.uint8)


def noise_level(image: Gray) -> float:
    """Standard deviation of the noise in a grey picture (H, W), in grey values.

    Fine texture counts as noise. Immerkaer, Fast noise variance estimation, 1996.
    """
    differences = cv2.filter2D(image, cv2.CV_16S, _NOISE_KERNEL)
    return float(np.sqrt(np.pi / 2) / 6 * cv2.norm(differences, cv2.NORM_L1) / image.size)


def normalize_exposure(image: Gray) -> Gray:
    """Multiplies the light of a grey picture (H, W) that is very dark or very bright.

    Any other picture is returned as it is.
    """
    mean = cv2.mean(image)[0]
    if mean > MOST_MEAN:
        return cv2.convertScaleAbs(image, alpha=MEAN_OF_CLIPPED / mean)
    if not 0 < mean < LEAST_MEAN:
        return image
    lights = max(1.0, float(np.percentile(image, LIGHTS)))
    gain = min(LEAST_MEAN / mean, MOST_LIGHT / lights)
    return cv2.convertScaleAbs(image, alpha=gain) if gain > 1 else image

"""The kinds of landmark that landmark_kinds.py compares: how each finds and describes keypoints.

A kind is a way to find keypoints in mapping images and one to find them in a query. What is done
with them is the same for all: matches along epipolar lines, tracks, triangulation, a selection, and
descriptors of 32 bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import load_backbone
from reloc.backbone.network import ConvBackbone
from reloc.landmarks.keypoints import NORM, Keypoints, detect_keypoints, no_keypoints

Gray = NDArray[np.uint8]
Array32 = NDArray[np.float32]
Detector = Callable[..., Keypoints]

MOST = 2048
# Of SIFT's filters at the first octave, and of the layer at which corners are described.
SIGMA, LAYER = 1.6, 2
# The part of the corners that each size has: in the image, in half of it, in a quarter.
SHARES = (0.6, 0.25, 0.15)


@dataclass(frozen=True)
class Kind:
    """A kind of landmark.

    Attributes:
        mapping: finds keypoints in mapping images.
        query: finds them in queries.
        detector: a name of the former; kinds that share it share their maps.
    """

    mapping: Detector
    query: Detector
    detector: str


def native_sift(image: Gray, *, most: int = MOST) -> Keypoints:
    """SIFT of the whole image with OpenCV's precise upscaling."""
    detector = _sift(nfeatures=most, contrastThreshold=0.02, enable_precise_upscale=True)
    found, descriptors = detector.detectAndCompute(image, None)
    return _described(found[:most], descriptors, shift=0.5)


def small_sift(image: Gray, *, short_side: int, most: int = MOST) -> Keypoints:
    """The keypoints that maps have, of an image that is made smaller first."""
    height, width = image.shape
    factor = min(1.0, short_side / min(height, width))
    size = (round(factor * width), round(factor * height))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    found = detect_keypoints(small, most=most)
    scale = (np.array([width, height]) / size).astype(np.float32)
    return Keypoints(found.pixels * scale, found.sizes / np.float32(factor), found.descriptors)


def corners(image: Gray, *, most: int = MOST) -> Keypoints:
    """Corners of three sizes to a fraction of a pixel (Shi and Tomasi 1994), with RootSIFT.

    A corner is turned as the gradient around it is.
    """
    points = []
    for octave, (level, places) in enumerate(_corners(image, most)):
        smooth = cv2.GaussianBlur(level, (0, 0), 3.0).astype(np.float32)
        slopes = [_at(cv2.Sobel(smooth, cv2.CV_32F, dx, 1 - dx), places) for dx in (1, 0)]
        angles = np.degrees(np.arctan2(slopes[1], slopes[0])) % 360
        size = 2 * SIGMA * 2 ** (LAYER / 3) * 2**octave
        points += [
            cv2.KeyPoint(float(x), float(y), size, float(angle), 1.0, octave | LAYER << 8)
            for (x, y), angle in zip((places + 0.5) * 2**octave - 0.5, angles, strict=True)
        ]
    if not points:
        return no_keypoints()
    return _described(*_sift().compute(image, points), shift=0.5)


def learned(image: Gray, *, most: int = MOST) -> Keypoints:
    """Corners with what the first four layers of the backbone see there: 128 channels."""
    found = [places for _, places in _corners(image, most, shares=(1.0,))]
    if not found:
        return no_keypoints()
    with torch.inference_mode():
        pixels = torch.from_numpy(image)[None, None].float() / 255
        features = _first_layers()((pixels - 0.4) / 0.25)
        stride = 8
        # Cell i is around pixel number 8 i.
        size = torch.tensor(features.shape[:1:-1])
        grid = (torch.from_numpy(found[0]) / stride + 0.5) / size * 2 - 1
        seen = torch.nn.functional.grid_sample(features, grid[None, None], align_corners=False)
    units = torch.nn.functional.normalize(seen[0, :, 0].T).numpy()
    stored = np.clip(np.rint(NORM * units), 0, 255).astype(np.uint8)
    return Keypoints(found[0] + np.float32(0.5), np.full(len(units), 8, np.float32), stored)


@cache
def _first_layers() -> Callable[[Tensor], Tensor]:
    backbone = load_backbone(None)
    assert isinstance(backbone, ConvBackbone)
    return backbone.eval().stem[:4]


def _sift(**options: Any) -> Any:
    return cv2.SIFT_create(**options)  # type: ignore[attr-defined]  # missing in OpenCV's stubs


def _corners(
    image: Gray, most: int, shares: Sequence[float] = SHARES
) -> list[tuple[Gray, Array32]]:
    """Of each size the image, and corners (N, 2) in it, pixel centers at whole numbers."""
    found, level = [], image
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 10, 0.02)
    for share in shares:
        first = cv2.goodFeaturesToTrack(level, round(share * most), 0.003, 4)
        if first is None:
            break
        fine = cv2.cornerSubPix(level, first.copy(), (3, 3), (-1, -1), stop)
        lost = np.abs(fine - first).max(axis=2) > 2.5
        fine[lost] = first[lost]
        found.append((level, fine[:, 0]))
        half = (level.shape[1] // 2, level.shape[0] // 2)
        level = np.asarray(cv2.resize(level, half, interpolation=cv2.INTER_AREA), np.uint8)
    return found


def _at(values: Any, places: Array32) -> Array32:
    return np.asarray(cv2.remap(values, places[None], None, cv2.INTER_LINEAR)[0], np.float32)


def _described(points: Any, descriptors: Any, *, shift: float) -> Keypoints:
    """OpenCV's keypoints and their descriptors; ``shift`` from their pixels to ours."""
    if not points:
        return no_keypoints()
    pixels = np.array([point.pt for point in points], np.float32) + np.float32(shift)
    sizes = np.array([point.size for point in points], np.float32)
    own = descriptors[: len(points)]
    roots = np.sqrt(own / np.maximum(own.sum(axis=1, keepdims=True), 1e-6))
    return Keypoints(pixels, sizes, np.clip(np.rint(NORM * roots), 0, 255).astype(np.uint8))


def _same(detector: Detector, name: str) -> Kind:
    return Kind(detector, detector, name)


KINDS = {
    "SIFT, whole image": _same(native_sift, "native"),
    "SIFT, short side 480": _same(detect_keypoints, "480"),
    "SIFT, 1024 in queries": Kind(detect_keypoints, partial(detect_keypoints, most=1024), "480"),
    "SIFT, short side 360": _same(partial(small_sift, short_side=360), "360"),
    "SIFT, short side 240": _same(partial(small_sift, short_side=240), "240"),
    "corners, RootSIFT": _same(corners, "corners"),
    "corners, first layers": _same(learned, "learned"),
}

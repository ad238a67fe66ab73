"""What the fit takes of each photo: some of its features, with their viewing rays."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.errors import CameraError, ImageError
from reloc.images.augment import cell_pixels, plain_view
from reloc.images.files import read_image
from reloc.scenes.scene import Frame, Skipped

_MIN_CELLS = 16
_AHEAD = 6


@dataclass(frozen=True)
class Harvest:
    """Cells drawn from one photo.

    Attributes:
        frame: number of the frame.
        features: (n, C) bfloat16.
        rays: (n, 2) float64 viewing rays at z = 1, camera frame.
        focal: pixels of the view per unit at z = 1.
    """

    frame: int
    features: Tensor
    rays: NDArray[np.float64]
    focal: float


def harvested(
    frames: Sequence[tuple[int, Frame]],
    extractor: FeatureExtractor,
    *,
    short_side: int,
    cells: int,
    seed: int,
) -> Iterator[Harvest | Skipped]:
    """Harvests of numbered frames in order, read a few ahead; unusable photos come as skipped.

    Args:
        frames: numbers and frames; what is drawn from one depends on the seed and its number.
        extractor: the backbone.
        short_side: photos are resampled to this short side in pixels.
        cells: drawn from each, at most.
        seed: of the drawing.
    """
    read = partial(_read, short_side=short_side, stride=extractor.stride)
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(frames), _AHEAD):
            for photo in pool.map(read, frames[start : start + _AHEAD]):
                if isinstance(photo, Skipped):
                    yield photo
                    continue
                rng = np.random.default_rng([seed, photo.frame])
                usable = np.flatnonzero(np.isfinite(photo.rays).all(axis=1))
                picks = rng.permutation(usable)[:cells]
                features = extractor(photo.image).cpu()[torch.from_numpy(picks)]
                yield Harvest(photo.frame, features.bfloat16(), photo.rays[picks], photo.focal)


@dataclass(frozen=True)
class _Photo:
    """A photo at the size of the backbone, with the rays (cells, 2) of its cells, NaN if none."""

    frame: int
    image: NDArray[np.uint8]
    rays: NDArray[np.float64]
    focal: float


def _read(numbered: tuple[int, Frame], *, short_side: int, stride: int) -> _Photo | Skipped:
    number, frame = numbered
    camera = frame.camera
    try:
        image = read_image(frame.image, grey=True)
        if image.shape != (camera.height, camera.width):
            raise ImageError(f"{frame.image}: has another size than its camera")
        view = plain_view(image, short_side=short_side)
        pixels = view.original_pixels(cell_pixels(*view.image.shape, stride=stride))
        rays = camera.rays(pixels)
        rays[(pixels >= (camera.width, camera.height)).any(axis=1)] = np.nan
        if np.isfinite(rays).all(axis=1).sum() < _MIN_CELLS:
            raise CameraError(f"{frame.name}: hardly a pixel has a viewing ray")
        return _Photo(number, view.image, rays, camera.focal * view.scale)
    except (ImageError, CameraError) as error:
        return Skipped(frame.name, str(error))

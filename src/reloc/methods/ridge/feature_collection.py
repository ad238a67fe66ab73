"""What the fit takes of each photo: some of its features, with their viewing rays."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.errors import CameraError, ImageError
from reloc.mapping.views import PreparedView, prepare_view
from reloc.prefetching import prefetched
from reloc.scenes.scene import Frame, Skipped

_MIN_CELLS = 16
_AHEAD = 6


@dataclass(frozen=True)
class FrameSample:
    """Cells drawn from one photo.

    Attributes:
        frame: number of the frame.
        features: (n, C) bfloat16.
        pixels: (n, 2) of the photo.
        rays: (n, 2) float64 viewing rays at z = 1, camera frame.
        focal: pixels of the view per unit at z = 1.
    """

    frame: int
    features: Tensor
    pixels: NDArray[np.float64]
    rays: NDArray[np.float64]
    focal: float


def collect_samples(
    frames: Sequence[tuple[int, Frame]],
    extractor: FeatureExtractor,
    *,
    short_side: int,
    cells: int,
    seed: int,
    see: Callable[[PreparedView, Tensor], None],
) -> Iterator[FrameSample | Skipped]:
    """Samples of numbered frames in order, read a few ahead; unusable photos come as skipped.

    Args:
        frames: numbers and frames; what is drawn from one depends on the seed and its number.
        extractor: the backbone.
        short_side: photos are resampled to this short side in pixels.
        cells: drawn from each, at most.
        seed: of the drawing.
        see: is shown every view, with its local features (all cells, channels).
    """
    read = partial(_read, short_side=short_side, stride=extractor.stride)
    with prefetched(read, frames, ahead=_AHEAD) as made:
        for (_, frame), job in made:
            try:
                view = job.result()
            except (ImageError, CameraError) as error:
                yield Skipped(frame.name, str(error))
                continue
            rng = np.random.default_rng([seed, view.frame])
            picks = rng.permutation(np.flatnonzero(view.usable))[:cells]
            features, local = extractor.with_local(view.image)
            see(view, local)
            yield FrameSample(
                frame=view.frame,
                features=features.cpu()[torch.from_numpy(picks)].bfloat16(),
                pixels=view.pixels[picks],
                rays=view.rays[picks].astype(np.float64),
                focal=view.focal,
            )


def _read(numbered: tuple[int, Frame], *, short_side: int, stride: int) -> PreparedView:
    number, frame = numbered
    view = prepare_view(frame, number, kind="plain", short_side=short_side, stride=stride)
    if view.usable.sum() < _MIN_CELLS:
        raise CameraError(f"{frame.name}: hardly a pixel has a viewing ray")
    return view

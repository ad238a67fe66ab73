"""Sampling: features of some random cells of each view, with what a head has to know of them."""

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.backbone.descriptor import global_descriptor
from reloc.devices import to_device
from reloc.errors import SceneError
from reloc.images.image_cache import ImageCache
from reloc.mapping.views import PreparedView
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.view_reader import ViewReader
from reloc.methods.ace.view_schedule import ScheduledView
from reloc.scenes.scene import Frame
from reloc.stereo import InverseDepth


@dataclass(frozen=True)
class FeatureSamples:
    """Cells drawn from one view.

    Attributes:
        frame: number of the frame.
        features: (n, C), half precision.
        pixels: (n, 2) of the original image.
        rays: (n, 2) float32 viewing rays at z = 1, camera frame.
        inverse_depths: (n,) float32, 0 where nobody knows.
        focal: pixels of the view per unit at z = 1.
    """

    frame: int
    features: Tensor
    pixels: NDArray[np.float64]
    rays: NDArray[np.float32]
    inverse_depths: NDArray[np.float32]
    focal: float


def sample_features(
    view: PreparedView, features: Tensor, *, count: int, seed: list[int]
) -> FeatureSamples:
    """Draws cells with a usable ray.

    Args:
        view: whose cells are drawn.
        features: (cells, C) of all its cells.
        count: of cells, at most.
        seed: of the drawing.
    """
    drawn = np.random.default_rng(seed).permutation(np.flatnonzero(view.usable))[:count]
    half = torch.bfloat16 if features.dtype == torch.float32 else features.dtype
    return FeatureSamples(
        frame=view.frame,
        features=features[to_device(torch.from_numpy(drawn), features.device)].to(half),
        pixels=view.pixels[drawn],
        rays=view.rays[drawn],
        inverse_depths=view.inverse_depths[drawn],
        focal=view.focal,
    )


@dataclass(frozen=True)
class SampledView:
    """A view that the backbone has seen.

    Attributes:
        slot: its place in the schedule.
        view: what was seen.
        features: (cells, C) of all cells.
        samples: of those that were drawn.
        descriptor: (D,) what the frame looks like, if the view is plain.
    """

    slot: int
    view: PreparedView
    features: Tensor
    samples: FeatureSamples
    descriptor: NDArray[np.int8] | None


@dataclass(frozen=True)
class FeatureSampler:
    """Reads views, runs the backbone on them and draws cells.

    Attributes:
        reader: reads the views.
        extractor: runs the backbone.
        cells_per_view: features drawn from one view, at most.
        seed: of the drawing.
    """

    reader: ViewReader
    extractor: FeatureExtractor
    cells_per_view: int
    seed: int = 0

    @classmethod
    def of(
        cls, frames: Sequence[Frame], extractor: FeatureExtractor, options: MappingOptions
    ) -> "FeatureSampler":
        """Of some frames, whose images are decoded once as far as memory allows."""
        reader = ViewReader(
            frames,
            short_side=options.short_side,
            stride=extractor.stride,
            seed=options.seed,
            read=ImageCache().read,
        )
        return cls(reader, extractor, cells_per_view=options.cells_per_view, seed=options.seed)

    def sampled(
        self,
        schedule: Iterable[ScheduledView],
        *,
        stage: int,
        of: Collection[int],
        unusable: dict[int, str],
        depth: float = 1.0,
        inverse_depths: Mapping[int, InverseDepth] | None = None,
    ) -> Generator[SampledView, None, None]:
        """Views as scheduled, seen and sampled.

        Args:
            schedule: what is due.
            stage: number of the schedule; each has draws of its own.
            of: numbers of the frames that are wanted; the others are passed over.
            unusable: by number, why frames are of no use; those that turn out to be so join them.
            depth: typical depth of the scene, in scene units; moves the eye of novel views.
            inverse_depths: how far frames see, by number, where that is known.
        """
        views = self.reader.views(
            schedule, of=of, unusable=unusable, depth=depth, inverse_depths=inverse_depths
        )
        for slot, view in views:
            features = self.extractor(view.image)
            samples = sample_features(
                view, features, count=self.cells_per_view, seed=[self.seed, stage, slot]
            )
            descriptor = global_descriptor(features) if view.kind == "plain" else None
            yield SampledView(slot, view, features, samples, descriptor)

    def check_enough(self, unusable: Mapping[int, str], samples: int) -> None:
        """Raises SceneError if hardly any image could be used, or none gave a sample."""
        if len(self.reader.frames) - len(unusable) < 2 or samples == 0:
            reason = next(iter(unusable.values()), "no image could be read")
            raise SceneError(f"hardly any mapping image can be used; the first problem: {reason}")

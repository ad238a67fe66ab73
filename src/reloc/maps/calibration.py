"""Features of a place that is mapped already, for what looks at its images once more."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.errors import ImageError, SceneError
from reloc.images.augment import plain_view
from reloc.images.files import read_image
from reloc.maps import Region, SceneMap
from reloc.progress import Progress, silent
from reloc.sampling import evenly
from reloc.scenes.scene import Frame

VIEWS = 40
CELLS = 1000


def region_features(
    scene_map: SceneMap,
    frames: Sequence[Frame],
    extractor: FeatureExtractor,
    *,
    progress: Progress = silent,
) -> list[Tensor]:
    """Features (N, channels) float32 of plain views for each region of a map, on the CPU.

    Args:
        scene_map: made with the extractor's backbone.
        frames: of the scene; those that the map was made from are found by their names.
        extractor: runs the backbone.
        progress: told of regions.

    Raises:
        SceneError: a region has no frame whose image can be read.
    """
    by_name = {frame.name: frame for frame in frames}
    rng = np.random.default_rng(0)
    found = []
    for number, region in enumerate(scene_map.regions):
        own = [by_name[name] for name in _names(scene_map, region) if name in by_name]
        views = list(_features(evenly(own, VIEWS), extractor, scene_map.short_side, rng))
        if not views:
            raise SceneError("none of the scene's images is among those that the map was made from")
        found.append(torch.cat(views))
        progress("features", number + 1, len(scene_map.regions))
    return found


def _names(scene_map: SceneMap, region: Region) -> list[str]:
    rows = range(len(scene_map.cameras)) if region.frames is None else region.frames
    return [scene_map.cameras[row].name for row in rows]


def _features(
    frames: Sequence[Frame], extractor: FeatureExtractor, short_side: int, rng: np.random.Generator
) -> Iterator[Tensor]:
    for frame in frames:
        try:
            view = plain_view(read_image(frame.image, gray=True), short_side=short_side)
        except ImageError:
            continue
        features = extractor(view.image)
        cells = rng.choice(len(features), min(len(features), CELLS), replace=False)
        yield features[torch.from_numpy(cells)].float().cpu()

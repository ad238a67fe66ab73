"""Images to the inputs of an adapter: the frozen backbone, and the means over windows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.extractor import FeatureExtractor


class Stacker:
    """Inputs (h, w, D) of the adapter, float32 on the CPU, of a grey image (H, W)."""

    def __init__(self, extractor: FeatureExtractor, adapter: ContextAdapter) -> None:
        self.extractor, self.adapter = extractor, adapter

    @torch.no_grad()
    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Nothing of the adapter that is trained takes part."""
        rows, columns = (-(-side // self.extractor.stride) for side in image.shape)
        features = self.extractor(image).cpu().float().T
        stacked: Tensor = self.adapter.stack(features.reshape(1, -1, rows, columns))[0]
        return stacked

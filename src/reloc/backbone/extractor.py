"""A backbone made ready to run: on its device, in its precision, on plain uint8 images."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reloc.backbone.network import Backbone, ContextBackbone
from reloc.backbone.preprocessing import preprocess
from reloc.devices import inference_dtype, to_device


class FeatureExtractor:
    """Runs a backbone for inference, on pictures with their worst faults mended.

    Args:
        backbone: is copied, so that the caller's stays as it is.
        device: where to run.
    """

    def __init__(self, backbone: Backbone, *, device: torch.device) -> None:
        self.channels = backbone.channels
        self.stride = backbone.stride
        self.fingerprint = backbone.fingerprint
        self.device = device
        self.dtype = inference_dtype(device)
        if isinstance(backbone, nn.Module):
            backbone = copy.deepcopy(backbone).eval().to(device, self.dtype)
            nn.Module.to(backbone, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._backbone = backbone

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Features (cells, channels) of a grey image (H, W), row by row, on the device."""
        return self.with_local(image)[0]

    @torch.inference_mode()
    def with_local(self, image: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """Features as above, and those of the backbone before it adds context, if it does.

        The latter say better where exactly something is: they serve stereo.
        """
        pixels = to_device(torch.from_numpy(preprocess(image)), self.device)
        batch = (pixels.to(self.dtype) / 255)[None, None]
        batch = batch.contiguous(memory_format=torch.channels_last)
        if isinstance(self._backbone, ContextBackbone):
            features, local = self._backbone.with_local(batch)
        else:
            features = local = self._backbone(batch)
        return self._by_cell(features), self._by_cell(local)

    def _by_cell(self, grid: Tensor) -> Tensor:
        """Features (cells, channels) of a grid (1, channels, h, w).

        A backbone that is no module may compute elsewhere.
        """
        return grid[0].flatten(1).T.to(self.device)

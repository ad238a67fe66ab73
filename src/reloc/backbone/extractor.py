"""A backbone made ready to run: on its device, in its precision, on plain uint8 images."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reloc.backbone.network import Backbone
from reloc.devices import inference_dtype


class FeatureExtractor:
    """Runs a backbone for inference.

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

    @torch.inference_mode()
    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """Features (cells, channels) of a grey image (H, W), row by row, on the device."""
        pixels = torch.from_numpy(image).to(self.device, non_blocking=True)
        batch = (pixels.to(self.dtype) / 255)[None, None]
        features = self._backbone(batch.contiguous(memory_format=torch.channels_last))
        return features[0].flatten(1).T

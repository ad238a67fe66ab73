"""SIFT in every cell: a backbone that nobody had to train, to compare others with."""

import math

import cv2
import numpy as np
import torch
from torch import Tensor

# Pixels across a keypoint; a descriptor looks at about six times as many.
SIZE = 8.0


class DenseSift:
    """RootSIFT at cell centres, upright and at one scale; see ``reloc.backbone.Backbone``."""

    channels = 128
    stride = 8
    fingerprint = "dense-sift"

    def __call__(self, images: Tensor) -> Tensor:
        """Features (B, 128, ceil(H / 8), ceil(W / 8)) of length sqrt(128)."""
        rows, columns = (-(-side // self.stride) for side in images.shape[-2:])
        # OpenCV has pixel centres at whole numbers.
        keypoints = [
            cv2.KeyPoint(self.stride * (j + 0.5) - 0.5, self.stride * (i + 0.5) - 0.5, SIZE, 0.0)
            for i in range(rows)
            for j in range(columns)
        ]
        grids = []
        for image in images[:, 0].float().cpu().numpy():
            gray = np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)
            _, found = cv2.SIFT.create().compute(gray, keypoints)
            roots = np.sqrt(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-6))
            grids.append(roots.reshape(rows, columns, self.channels).transpose(2, 0, 1))
        features = torch.from_numpy(np.stack(grids)) * math.sqrt(self.channels)
        return features.to(images.device, images.dtype)

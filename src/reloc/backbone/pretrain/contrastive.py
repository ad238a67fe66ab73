"""Contrastive objective over dense correspondences between two views (InfoNCE).

A cell of view 1 and the place in view 2 that shows the same surface must have like features;
every other place in the batch, in the same pair or another, must not.
"""

import torch
from torch import Tensor
from torch.nn import functional


def features_at(features: Tensor, pixels: Tensor, *, stride: int) -> Tensor:
    """Bilinear features at pixel positions.

    Args:
        features: (B, C, h, w).
        pixels: (B, N, 2), x right and y down, pixel centres at +0.5.
        stride: pixels per cell.

    Returns:
        (B, N, C).
    """
    # No further out than the centres of the outermost cells: MPS pads with nothing but zeros.
    places = [
        pixels[..., axis].clamp(stride / 2, (cells - 0.5) * stride) * (2.0 / (cells * stride)) - 1.0
        for axis, cells in enumerate((features.shape[-1], features.shape[-2]))
    ]
    grid = torch.stack(places, dim=-1).unsqueeze(1).to(features.dtype)
    sampled = functional.grid_sample(features, grid, align_corners=False)
    return sampled[:, :, 0].transpose(1, 2)


def info_nce(first: Tensor, second: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE over matching rows.

    Args:
        first: (N, C) features of unit length.
        second: (N, C) features of unit length; row i matches row i of ``first``.
        temperature: divides the cosine similarity.

    Returns:
        The loss, and the share of rows whose nearest row is the matching one.
    """
    logits = (first @ second.T).float() / temperature
    labels = torch.arange(len(logits), device=logits.device)
    loss = functional.cross_entropy(logits, labels) + functional.cross_entropy(logits.T, labels)
    return loss / 2, (logits.detach().argmax(dim=1) == labels).float().mean()

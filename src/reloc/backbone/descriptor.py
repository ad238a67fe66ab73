"""What a whole image looks like, from the features that the backbone has computed anyway.

Second-order pooling (Carreira et al., ECCV 2012) in a random subspace: how pairs of feature
directions occur together tells places apart better than their mean does, and needs no vocabulary
that would have to be trained and shipped with every backbone.
"""

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.devices import to_device

# Directions of the subspace. With 48 of 256 the nearest mapping view was the right one as often as
# with VLAD of 64 words, which is fourteen times as long.
_DIRECTIONS = 48
# What the root mean square of a descriptor's entries becomes as int8; the largest are clipped.
_TYPICAL = 29.0


def global_descriptor(features: Tensor) -> NDArray[np.int8]:
    """Descriptor (D,) of an image from the features (cells, channels) of its plain view.

    The upper triangle of P' F' F P for features F and a fixed projection P; the signed square root
    of its entries; unit length; rounded to int8. Images are compared by ``similarity``.
    """
    projected = features.float() @ to_device(_projection(features.shape[1]), features.device)
    moments = projected.T @ projected / len(projected)
    rows, columns = np.triu_indices(moments.shape[0])
    values = moments.cpu().numpy()[rows, columns]
    values = np.sign(values) * np.sqrt(np.abs(values))
    values /= max(float(np.linalg.norm(values)), 1e-12)
    steps = _TYPICAL * np.sqrt(len(values))
    return np.clip(np.round(values * steps), -127, 127).astype(np.int8)


def descriptor_length(channels: int) -> int:
    """Entries of a descriptor of features of a length."""
    directions = min(_DIRECTIONS, channels)
    return directions * (directions + 1) // 2


def similarity(query: NDArray[np.int8], views: NDArray[np.int8]) -> NDArray[np.float32]:
    """Cosines (V,) of the angle between a descriptor (D,) and others (V, D)."""
    a, b = query.astype(np.float32), views.astype(np.float32)
    lengths = np.linalg.norm(a) * np.linalg.norm(b, axis=1)
    return (b @ a) / np.maximum(lengths, 1e-6)


@lru_cache(maxsize=4)
def _projection(channels: int) -> Tensor:
    """(channels, directions) with orthonormal columns, the same on every machine."""
    rng = np.random.default_rng(0)
    directions = min(_DIRECTIONS, channels)
    matrix = np.linalg.qr(rng.normal(size=(channels, directions)))[0]
    return torch.from_numpy(matrix).float()

"""Images as a user has them in Python: files, arrays and tensors."""

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.errors import ImageError
from reloc.files import StrPath

# A file; uint8 pixels (H, W) grey or (H, W, 3) RGB; or a tensor, see ``array_of``.
Image: TypeAlias = StrPath | NDArray[np.uint8] | Tensor


def array_of(image: Tensor) -> NDArray[np.uint8]:
    """Pixels (H, W) or (H, W, 3) of a tensor in PyTorch's layout.

    Args:
        image: (H, W) or (1, H, W) grey or (3, H, W) RGB on any device: uint8, or floating point
            from 0 to 1.

    Raises:
        ImageError: another shape or type, or values that are not from 0 to 1.
    """
    if image.ndim == 3 and image.shape[0] in (1, 3):
        image = image[0] if image.shape[0] == 1 else image.permute(1, 2, 0)
    elif image.ndim != 2:
        raise ImageError(
            f"a tensor of an image has the shape (H, W), (1, H, W) or (3, H, W), not "
            f"{tuple(image.shape)}"
        )
    image = image.detach().cpu()
    if image.is_floating_point():
        if not bool(((image >= 0) & (image <= 1)).all()):
            raise ImageError("a tensor of floating point holds an image from 0 to 1")
        image = (image.float() * 255).round().to(torch.uint8)
    if image.dtype != torch.uint8:
        raise ImageError(f"a tensor of an image is uint8 or floating point, not {image.dtype}")
    return np.ascontiguousarray(image.numpy())

"""Images of 16 bits in 8: those that use little of their range are stretched.

Sensors of 10 to 14 bits store their values in files of 16, of which the upper 8 bits may then
hold but a few grey levels.
"""

import numpy as np
from numpy.typing import NDArray

# Photos that span this much use their range: the upper 8 bits hold 64 grey levels or more.
WIDE = 1 << 14
# Of all values, so many are left out at either end: hot and dead pixels.
OUTLIERS = 0.001


def narrow_range(pixels: NDArray[np.uint16]) -> tuple[int, int] | None:
    """Least and greatest value of an image, outliers left out; None where they are far apart.

    Depends on the pixels alone, so that an image is stretched alike wherever it is read.
    """
    counts = np.cumsum(np.bincount(pixels.ravel(), minlength=1 << 16))
    total = int(counts[-1])
    low = int(np.searchsorted(counts, OUTLIERS * total, side="right"))
    high = int(np.searchsorted(counts, (1 - OUTLIERS) * total))
    return None if high - low >= WIDE else (low, high)


def stretched(pixels: NDArray[np.uint16], low: int, high: int) -> NDArray[np.uint8]:
    """Pixels with ``low`` as 0 and ``high`` as 255; never more levels than there were."""
    span = max(high - low, 255)
    table = np.clip((np.arange(1 << 16) - low) * (255 / span), 0, 255)
    return np.asarray(np.rint(table).astype(np.uint8)[pixels])

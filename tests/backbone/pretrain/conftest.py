"""A source of pairs for toys."""

import cv2
import numpy as np
import pytest

from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.view_pairs import Pair, cell_centers


class Shifted:
    """Two crops of one noise picture, a known shift apart: quick, and every pair overlaps."""

    def __init__(self, *, fail_at=None):
        noise = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
        self.picture = cv2.resize(noise, (240, 240), interpolation=cv2.INTER_CUBIC)
        self.fail_at = fail_at
        self.calls = 0

    def pair(self, seed):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        rng = np.random.default_rng(seed)
        x, y = rng.integers(16, 150, 2)
        dx, dy = rng.integers(-12, 13, 2)
        first = self.picture[y : y + 64, x : x + 64]
        second = self.picture[y + dy : y + dy + 64, x + dx : x + dx + 64]
        cells = cell_centers(64, 8)
        matches = cells - (dx, dy)
        keep = ((matches > 2) & (matches < 62)).all(axis=1)
        return Pair(first, second, cells[keep], matches[keep])


@pytest.fixture
def shifted():
    """The source, to be made."""
    return Shifted


@pytest.fixture
def contrast():
    """Makes the objective of contrast over that source."""
    return lambda **options: Contrast([WeightedSource(Shifted(**options), 1.0)])

"""Fixtures that several tests share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def shared_scenes() -> Path:
    """The folder of real scenes beside the checkout; tests that need it skip without it."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "scenes"
    if not folder.is_dir():
        pytest.skip("the real scenes are not on this machine")
    return folder


@pytest.fixture(scope="session")
def damaged() -> Callable[[bytes, int], bytes]:
    """Content with damage as disks and transfers do it: the same for the same seed.

    Zeroed blocks, flipped bits, a file cut short, blocks that changed places, one written twice.
    """

    def damage(content: bytes, seed: int) -> bytes:
        rng = np.random.default_rng(seed)
        octets = np.frombuffer(content, np.uint8).copy()
        size = min(int(2 ** rng.uniform(0, 19)), len(octets) // 2)
        first, second = (int(p) for p in rng.integers(0, len(octets) - size + 1, 2))
        kind = seed % 5
        if kind == 0:
            octets[first : first + size] = 0
        elif kind == 1:
            places = rng.integers(0, len(octets), rng.integers(1, 9))
            octets[places] ^= (1 << rng.integers(0, 8, len(places))).astype(np.uint8)
        elif kind == 2:
            octets = octets[: rng.integers(len(octets))]
        else:
            kept = octets[first : first + size].copy()
            if kind == 3:
                octets[first : first + size] = octets[second : second + size]
            octets[second : second + size] = kept
        return octets.tobytes()

    return damage

"""The figures of queries with and without depth."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.scenes.scene import Frame


def test_poses_count_whether_trusted_or_not(script: Callable[[str], ModuleType]) -> None:
    camera = Camera.pinhole(width=4, height=4, fx=4)
    frames = [Frame(str(n), Path("x"), camera, np.eye(4)) for n in range(5)]
    estimates = []
    for number in range(4):
        pose = np.eye(4)
        pose[0, 3] = number
        estimates.append(Estimate(str(number), number == 0, pose))
    text = script("depth_queries").figures(estimates, frames)
    assert text == "2.0000 | 1.0000 to 3.0000 | 0.000"

"""A small scene on disk for the verbs."""

from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def small_scene(tmp_path: Path) -> Path:
    """An ACE folder of three mapping frames, one without a pose, and two queries."""
    root = tmp_path / "small"
    for split, count in (("train", 3), ("test", 2)):
        for kind in ("rgb", "poses", "calibration"):
            (root / split / kind).mkdir(parents=True)
        for number in range(count):
            image = np.full((24, 32, 3), 40 * number, np.uint8)
            assert cv2.imwrite(str(root / split / "rgb" / f"{number}.png"), image)
            pose = np.eye(4)
            pose[0, 3] = number
            np.savetxt(root / split / "poses" / f"{number}.txt", pose)
            (root / split / "calibration" / f"{number}.txt").write_text("30")
    (root / "train" / "poses" / "2.txt").unlink()
    return root

"""Errors parted into what all share and what is each one's own."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from reloc.geometry import Camera, pose_from, rotation_from_vector
from reloc.localize.estimate import Estimate
from reloc.scenes import Frame


def test_a_common_shift_is_told_from_what_is_each_frames_own(
    script: Callable[[str], ModuleType],
) -> None:
    module = script("common_shift")
    rng = np.random.default_rng(0)
    camera = Camera.pinhole(width=40, height=30, fx=35)
    shift = np.array([0.0, -0.5, 0.3])
    frames, estimates = [], []
    for number in range(200):
        pose = pose_from(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3))
        frames.append(Frame(str(number), Path("x.png"), camera, pose))
        moved = pose.copy()
        moved[:3, 3] += pose[:3, :3] @ (shift + 0.1 * rng.normal(size=3))
        if number == 3:
            moved[:3, 3] += 40
        estimates.append(
            Estimate(
                str(number), localized=number != 4, world_from_cam=moved if number != 4 else None
            )
        )
    errors = module.displacements(frames, estimates)
    assert errors.shape == (199, 3)
    whole, rest, found = module.parted(errors, gross=5.0)
    np.testing.assert_allclose(found, shift, atol=0.03)
    assert whole == pytest.approx(np.linalg.norm(shift), abs=0.05)
    # The median length of three normal numbers is 1.54.
    assert rest == pytest.approx(0.154, rel=0.15)

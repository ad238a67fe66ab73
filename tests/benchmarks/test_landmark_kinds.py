"""Kinds of landmark see the same places, and first poses are off by what is told."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, pose_error, pose_from, rotation_from_vector
from reloc.scenes import Frame

Script = Callable[[str], ModuleType]


def test_a_first_pose_is_off_by_as_much_as_that_of_heads(script: Script) -> None:
    module = script("landmark_kinds")
    camera = Camera.pinhole(width=40, height=30, fx=35)
    pose = pose_from(rotation_from_vector([0.3, -0.2, 1.0]), [5.0, -2.0, 1.0])
    firsts = [
        module.disturbed(Frame(name, Path("x.png"), camera, pose), 8.0)
        for name in ("a.png", "b.png", "a.png")
    ]
    for first in firsts:
        far, turn = pose_error(first, pose)
        assert far == pytest.approx(0.02 * 8)
        assert turn == pytest.approx(1)
    assert np.array_equal(firsts[0], firsts[2])
    assert not np.allclose(firsts[0], firsts[1])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["SIFT, whole image", "SIFT, short side 240", "corners, RootSIFT"])
def test_a_kind_finds_keypoints_in_pixels_of_the_image(script: Script, kind: str) -> None:
    detect = script("landmark_detectors").KINDS[kind].query
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (60, 80)).astype(np.uint8)
    image = np.asarray(cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)
    # Turned by half, pixel (x, y) lies at (640 - x, 480 - y).
    one, other = detect(image), detect(np.ascontiguousarray(image[::-1, ::-1]))
    back = np.array([640, 480]) - other.pixels
    off = one.pixels[:, None] - back
    nearest = off[np.arange(len(off)), np.linalg.norm(off, axis=2).argmin(axis=1)]
    near = np.linalg.norm(nearest, axis=1) < 1
    assert near.sum() > 200
    assert np.abs(np.median(nearest[near], axis=0)).max() < 0.05

"""Patches are aligned to a fraction of a pixel, and give poses near a first one."""

from collections.abc import Callable
from types import ModuleType

import cv2
import numpy as np
import pytest

from reloc.geometry import pose_error, pose_from, rotation_from_vector
from reloc.images.files import read_image
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.landmarks.matching import LandmarkMatcher

Script = Callable[[str], ModuleType]


def test_a_patch_is_found_in_other_light(script: Script) -> None:
    module = script("landmark_patches")
    rng = np.random.default_rng(0)
    image = cv2.GaussianBlur(rng.normal(size=(120, 160)).astype(np.float32), (0, 0), 2.5) * 400
    image += 120
    middles = rng.uniform(30, 90, (60, 2))
    turned = np.array([[np.cos(0.2), np.sin(0.2)], [-np.sin(0.2), np.cos(0.2)]])
    slope = np.broadcast_to(turned, (60, 2, 2))
    patches = module.normalized(module.sampled(image, middles[:, None] + module.grid(0) @ slope))
    start = middles + rng.uniform(-1.5, 1.5, (60, 2))
    found, good = module.aligned(0.6 * image + 30, patches, start, slope, 0)
    assert good.mean() > 0.8
    assert np.quantile(np.linalg.norm(found - middles, axis=1)[good], 0.9) < 0.02
    flat = module.aligned(np.full_like(image, 90), patches, start, slope, 0)
    assert not flat[1].any()


@pytest.mark.slow
def test_patches_give_the_pose_of_another_photo(script: Script, wall_frames) -> None:
    module = script("landmark_patches")
    frames, query = wall_frames[::2], wall_frames[3]
    landmarks, _ = build_landmarks(frames, depth=3.0, options=LandmarkOptions(count=400))
    matcher = LandmarkMatcher(landmarks)
    patches = module.cut(landmarks, matcher, frames)
    assert np.abs(np.linalg.norm(patches.pixels, axis=2) - 1).max() < 1e-6
    # A step along an axis of a patch is a pixel of the photo that it is from.
    assert 0.008 < np.median(np.linalg.norm(patches.axes, axis=2)) < 0.012
    off = pose_from(rotation_from_vector([0.01, -0.005, 0.01]), [0.02, 0.01, -0.01])
    image = read_image(query.image, gray=True)
    pose = module.solve(patches, matcher, image, query.camera, query.world_from_cam @ off)
    far, turn = pose_error(pose, query.world_from_cam)
    assert far < 0.006
    assert turn < 0.1
    nothing = np.full_like(image, 100)
    assert module.solve(patches, matcher, nothing, query.camera, query.world_from_cam) is None

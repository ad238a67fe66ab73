"""Training images: the same ones however far they are read ahead."""

import threading
from contextlib import closing

import cv2
import numpy as np
import pytest
import torch

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.refine.images import TrainingImages
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=64, height=48, fx=50)


@pytest.fixture
def frames(tmp_path):
    """Seven frames, of which the images of two cannot be read."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(7):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (48, 64)).astype(np.uint8))
        made.append(Frame(path.name, path, CAMERA, np.eye(4)))
    for number in (1, 4):
        made[number].image.write_bytes(b"no image")
    return made


def images_of(frames):
    poses = centered_cam_from_world(frames, np.zeros(3))
    return TrainingImages(frames, poses, short_side=48, stride=8, seed=3)


def test_what_is_seen_depends_on_the_step_alone(frames):
    """In order, from the middle, with a change of kind, each image read by itself for comparison.

    That an image is bad is known once a step wanted it, not when it was read ahead of one.
    """
    asked = [(step, "augmented" if step < 20 else "plain") for step in (*range(24), 5, 6, 40)]
    known: dict[int, str] = {}
    with closing(images_of(frames)) as images:
        for step, kind in asked:
            seen = images.at(step, kind=kind)
            with closing(images_of(frames)) as alone:
                alone.bad.update(known)
                expected = alone.at(step, kind=kind)
                known = dict(alone.bad)
            assert seen.number == expected.number
            assert torch.equal(seen.image, expected.image)
            assert list(images.bad.items()) == list(known.items())
    assert [skipped.name for skipped in images.skipped] == ["1.png", "4.png"]


def test_closing_leaves_no_thread(frames):
    before = threading.active_count()
    with closing(images_of(frames)) as images:
        images.at(0, kind="plain")
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_no_usable_image_is_one_clear_error(frames):
    for frame in frames:
        frame.image.unlink()
    with closing(images_of(frames)) as images, pytest.raises(SceneError, match="no mapping image"):
        images.at(0, kind="plain")

"""How many of its own mapping frames a map finds."""

from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.geometry import Camera, look_at, transformed
from reloc.localize import Localizer, self_check
from reloc.localize.self_check import FRAMES, with_held_back, with_reliability
from reloc.maps import Region, SceneMap
from reloc.scenes.scene import Frame

from ..maps.test_landmark_tensors import made_landmarks

CAMERA = Camera.pinhole(width=160, height=120, fx=140)
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))


class Oracle:
    """A backbone that sees every image from the same place, as scene coordinates."""

    channels, stride, fingerprint = 3, 8, "oracle"

    def __call__(self, images):
        rows, columns = (-(-side // 8) for side in images.shape[-2:])
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
        points = np.c_[rays, np.ones(len(rays))] * (3 + np.sin(5 * rays[:, :1]) + rays[:, 1:])
        world = transformed(POSE, points)
        return torch.from_numpy(world.T.reshape(1, 3, rows, columns)).float()


class Echo(torch.nn.Module):
    """A head that takes features for coordinates."""

    channels, scale = 3, torch.tensor(3.0)

    def forward(self, features):
        return features


@pytest.fixture
def scene_map():
    head: Any = Echo()
    return SceneMap((Region(head, np.zeros(3)),), "oracle", 120, 4.0, "metre", ())


def frames(folder, offsets):
    """Frames whose poses are off by so many metres from where the map finds them."""
    path = folder / "photo.png"
    # With detail: of a photo without any no pose is believed.
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (120, 160), np.uint8))
    made = []
    for number, offset in enumerate(offsets):
        pose = POSE.copy()
        pose[0, 3] += offset
        made.append(Frame(f"{number}.png", path, CAMERA, pose))
    return made


@pytest.mark.parametrize(("offsets", "share"), [((0, 0.1, 0, 0.5), 0.75), ((2, 3), 0.0)])
def test_it_is_the_share_of_frames_that_are_found(scene_map, tmp_path, offsets, share):
    checked = with_reliability(scene_map, Oracle(), frames(tmp_path, offsets), device="cpu")
    assert checked.reliability == share
    assert scene_map.reliability == 1


def test_of_many_frames_a_sample_is_looked_at(scene_map, tmp_path):
    told = []
    with_reliability(
        scene_map,
        Oracle(),
        frames(tmp_path, [0.0] * 100),
        device="cpu",
        progress=lambda stage, done, total, **_: told.append((stage, done, total)),
    )
    assert told[-1] == ("checking", FRAMES, FRAMES)


def test_frames_without_an_image_are_not_found(scene_map, tmp_path):
    good, bad = frames(tmp_path, (0, 0))
    bad = replace(bad, image=tmp_path / "gone.png")
    assert with_reliability(scene_map, Oracle(), [good, bad], device="cpu").reliability == 0.5


def test_errors_of_frames_held_back_are_kept(scene_map, tmp_path):
    photos = frames(tmp_path, (0, 0.1, 0.5))
    photos.append(replace(photos[0], image=tmp_path / "gone.png"))
    measured = partial(
        with_held_back, way="held back", landmarks_without=lambda _: None, device="cpu"
    )
    told = measured(scene_map, Oracle(), photos).held_back
    assert told.way == "held back"
    assert told.errors == told.by_heads
    assert told.errors[3] is None
    assert [error[0] for error in told.errors[:3]] == pytest.approx([0, 0.1, 0.5], abs=1e-3)
    assert scene_map.held_back is None
    assert measured(scene_map, Oracle(), []) is scene_map


def test_each_frame_is_localized_by_landmarks_made_without_it(scene_map, tmp_path, monkeypatch):
    """Whatever the landmarks of the map are."""
    photos = frames(tmp_path, (0, 0))
    known = {frame.name: made_landmarks(count=3 + row) for row, frame in enumerate(photos)}
    used = []

    def localizer(told, *args, **options):
        used.append(told.landmarks)
        return Localizer(told, *args, **options)

    monkeypatch.setattr(self_check, "Localizer", localizer)
    told = with_held_back(
        replace(scene_map, landmarks=made_landmarks(count=9)),
        Oracle(),
        photos,
        way="left out",
        landmarks_without=lambda frame: known[frame.name],
        device="cpu",
    )
    assert (told.held_back.way, told.held_back.frames) == ("left out", 2)
    assert used == [None, *known.values()]
    assert len(told.landmarks) == 9

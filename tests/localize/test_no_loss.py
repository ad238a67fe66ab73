"""Where landmarks have nothing to say, poses are as good as by heads alone.

Rendered views of three kinds, with heads that know the surface in each to within centimetres, and
err together from patch to patch as heads do.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.geometry import Camera, pose_error, pose_from, rotation_from_vector, transformed
from reloc.landmarks import LandmarkOptions, build_landmarks
from reloc.localize import Localizer
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.scenes.scene import Frame
from reloc.synthetic import Conditions, bake, make_room, render
from reloc.synthetic.paths import looking
from reloc.synthetic.world import Material

pytestmark = pytest.mark.slow

CAMERA = Camera.pinhole(width=320, height=240, fx=260)
SHARP = Conditions(noise=2.0)
BLURRED = Conditions(noise=2.0, motion=(24.0, 0.6))


class Shown:
    """A backbone that tells, of the view it is shown, what is measured there, with noise."""

    channels, stride, fingerprint = 3, 8, "shown"

    def __init__(self):
        self.view, self.pose = None, None

    def __call__(self, images):
        rng = np.random.default_rng(0)
        y, x = np.mgrid[4:240:8, 4:320:8]
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1) + 0.0)
        depth = self.view.depth[y, x].ravel()[:, None]
        points = transformed(self.pose, np.c_[rays, np.ones(len(rays))] * depth)
        points += cv2.resize(0.08 * rng.normal(size=(4, 5, 3)), (40, 30)).reshape(-1, 3)
        wrong = rng.random(len(points)) < 0.5
        points[wrong] = rng.uniform(0, 4, (wrong.sum(), 3))
        return torch.from_numpy(points.T.reshape(1, 3, 30, 40)).float()


class Echo(torch.nn.Module):
    channels, scale = 3, torch.tensor(2.0)

    def forward(self, features):
        return features


@pytest.fixture(scope="module")
def room():
    return bake(make_room(3), texel=0.012, lumel=0.4)


@pytest.fixture(scope="module")
def hall():
    """The room without anything in it, all of one colour."""
    world = make_room(3)
    walls = replace(world.solids[0], materials=(Material("plain"),) * 6)
    return bake(replace(world, solids=(walls,)), texel=0.02, lumel=0.4)


def poses(baked, *, step, count=6, turn=0.12):
    """A walk along the middle of the room, or a turn on the spot."""
    middle = baked.world.size / 2
    return [
        looking(middle + [step * (n - count / 2), 0, 0.1], 0.3 + turn * n, -0.1, 0.0)
        for n in range(count)
    ]


def gray(view):
    return cv2.cvtColor(view.rgb, cv2.COLOR_RGB2GRAY)


def made_landmarks(baked, mapping, told):
    """Of views from the mapping poses, which are told to be others."""
    pictures = {}
    for number, pose in enumerate(mapping):
        view = render(baked, CAMERA, pose, conditions=replace(SHARP, seed=number), antialias=1)
        pictures[f"{number}.png"] = gray(view)
    frames = [
        Frame(name, Path(name), CAMERA, pose) for name, pose in zip(pictures, told, strict=True)
    ]
    return build_landmarks(
        frames, depth=2.0, options=LandmarkOptions(), read=lambda path: pictures[path.name]
    )[0]


def answers(baked, mapping, queries, *, conditions, told=None):
    """Estimates of the queries by heads alone, and by heads and landmarks; and how many these are.

    Each with its error in metres. Where landmarks are told other poses, heads still know the true.
    """
    landmarks = made_landmarks(baked, mapping, mapping if told is None else told)
    shown = Shown()
    head: Any = Echo()
    plain = SceneMap(
        (Region(head, np.zeros(3)),), "shown", 240, 2.0, "metre",
        tuple(MappingCamera(str(n), pose, CAMERA) for n, pose in enumerate(mapping)),
    )  # fmt: skip
    places = [
        Localizer(each, shown, device="cpu")
        for each in (plain, replace(plain, landmarks=landmarks if len(landmarks) else None))
    ]
    found = []
    for number, pose in enumerate(queries):
        weather = replace(conditions, seed=100 + number)
        shown.view = render(baked, CAMERA, pose, conditions=weather, antialias=1)
        shown.pose = pose
        estimates = [place.localize(gray(shown.view), CAMERA) for place in places]
        found.append([(e, pose_error(e.world_from_cam, pose)[0]) for e in estimates])
    return found, len(landmarks)


def between(mapping):
    """Poses beside those of the walk."""
    aside = np.eye(4)
    aside[:3, 3] = 0.05, 0.03, 0.02
    return [pose @ aside for pose in mapping[::2]]


def assert_nothing_is_lost(found):
    for (heads, _), (both, _) in found:
        assert both.localized
        assert not both.contradicted
        assert both.landmarks_alone or both.confidence >= heads.confidence
    alone, together = ([pair[n][1] for pair in found] for n in (0, 1))
    assert np.median(together) <= np.median(alone)
    assert max(together) < 2 * max(alone)


def test_in_a_bare_hall(hall):
    mapping = poses(hall, step=0.15)
    found, count = answers(hall, mapping, between(mapping), conditions=SHARP)
    assert count < 300
    assert all(heads.localized for (heads, _), _ in found)
    assert_nothing_is_lost(found)


def test_a_camera_that_only_turns(room):
    mapping = poses(room, step=0.0)
    found, count = answers(room, mapping, between(mapping), conditions=SHARP)
    assert count < 20
    assert_nothing_is_lost(found)


def test_motion_blur(room):
    mapping = poses(room, step=0.15)
    found, count = answers(room, mapping, between(mapping), conditions=BLURRED)
    assert count > 300
    assert_nothing_is_lost(found)


def test_poses_off_by_centimetres(room):
    mapping = poses(room, step=0.15, count=8)
    rng = np.random.default_rng(0)
    told = []
    for pose in mapping:
        turn, shift = (v / np.linalg.norm(v) for v in rng.normal(size=(2, 3)))
        told.append(pose @ pose_from(rotation_from_vector(np.radians(0.5) * turn), 0.02 * shift))
    found, count = answers(room, mapping, between(mapping), conditions=SHARP, told=told)
    assert count > 300
    assert_nothing_is_lost(found)


def test_and_in_a_room_seen_sharp_they_do_say_something(room):
    """The same as above without the blur."""
    mapping = poses(room, step=0.15)
    found, _ = answers(room, mapping, between(mapping), conditions=SHARP)
    assert all(both.landmark_inliers > 50 for _, (both, _) in found)
    assert np.median([e[1][1] / e[0][1] for e in found]) < 0.2

"""Pictures follow from their seed, and their depth is that of the geometry."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.geometry import Camera, look_at
from reloc.synthetic.bake import bake
from reloc.synthetic.photo import Conditions, any_conditions, develop
from reloc.synthetic.render import render, render_depth
from reloc.synthetic.rooms import make_room

CAMERA = Camera.pinhole(width=96, height=72, fx=80.0)


@pytest.fixture(scope="module")
def baked(bake_once):
    return bake_once(make_room(0))


@pytest.fixture(scope="module")
def pose(baked):
    return look_at(baked.world.size * (0.3, 0.4, 0.6), baked.world.size * (0.8, 0.7, 0.3))


@pytest.mark.slow
def test_the_same_seed_gives_the_same_pixels(baked, pose):
    conditions = any_conditions(np.random.default_rng(0))
    first = render(baked, CAMERA, pose, conditions=conditions)
    again = render(bake(make_room(0), texel=0.015, lumel=0.2), CAMERA, pose, conditions=conditions)
    assert first.rgb.shape == (72, 96, 3) and first.rgb.dtype == np.uint8
    assert (first.rgb == again.rgb).all() and (first.depth == again.depth).all()
    other = render(baked, CAMERA, pose, conditions=replace(conditions, seed=1))
    assert (first.rgb != other.rgb).any() and (first.depth == other.depth).all()


def test_pictures_have_light_and_texture(baked, pose):
    gray = render(baked, CAMERA, pose, conditions=Conditions()).rgb.mean(axis=2)
    assert 60 < gray.mean() < 190
    assert gray.std() > 15
    assert np.median(gray.reshape(9, 8, 12, 8).std(axis=(1, 3))) > 2


def test_depth_does_not_depend_on_how_the_picture_is_taken(baked, pose):
    depth = render(baked, CAMERA, pose, conditions=Conditions(), antialias=1).depth
    assert (depth == render(baked, CAMERA, pose, conditions=Conditions(), antialias=3).depth).all()
    assert (depth == render_depth(baked, CAMERA, pose)).all()
    assert np.isfinite(depth).all() and depth.min() > 0.1


def test_a_lens_with_distortion_sees_the_same_world(baked, pose):
    bent = Camera("SIMPLE_RADIAL", 96, 72, (80.0, 48.0, 36.0, -0.12))
    seen = render(baked, bent, pose, conditions=Conditions())
    straight = render(baked, CAMERA, pose, conditions=Conditions())
    # Where a pixel of the bent picture lies in the straight one; compare away from edges.
    at = np.stack(np.meshgrid(np.arange(20, 76, 4), np.arange(16, 56, 4)), -1).reshape(-1, 2)
    there = np.floor(CAMERA.pixels(bent.rays(at + 0.5))).astype(int)
    a, b = seen.depth[at[:, 1], at[:, 0]], straight.depth[there[:, 1], there[:, 0]]
    assert np.median(np.abs(a / b - 1)) < 0.01
    c, d = seen.rgb[at[:, 1], at[:, 0]].mean(1), straight.rgb[there[:, 1], there[:, 0]].mean(1)
    assert np.corrcoef(c, d)[0, 1] > 0.8


def test_pixels_without_a_ray_stay_black(baked, pose):
    folded = Camera("SIMPLE_RADIAL", 96, 72, (40.0, 48.0, 36.0, -0.25))
    assert np.isnan(folded.rays([[0.5, 0.5]])).any()
    seen = render(baked, folded, pose, conditions=Conditions())
    assert np.isinf(seen.depth[0, 0]) and (seen.rgb[0, 0] == 0).all()
    assert np.isfinite(seen.depth[36, 48]) and (seen.rgb[36, 48] > 0).all()


def test_polished_faces_shine_from_one_side_only(baked, pose):
    dull = replace(baked, gloss=torch.zeros_like(baked.gloss))
    shining, plain = (
        render(world, CAMERA, pose, conditions=Conditions()).rgb.astype(int)
        for world in (baked, dull)
    )
    brighter = (shining - plain).max(axis=2)
    assert (brighter > 5).sum() > 10 and np.median(np.abs(brighter)) < 8


def test_lamps_can_be_dimmed(baked, pose):
    lamps = np.eye(4)
    pictures = [
        render(baked, CAMERA, pose, conditions=Conditions(lamps=tuple(row))).rgb for row in lamps
    ]
    for i in range(4):
        for j in range(i):
            difference = pictures[i].astype(int) - pictures[j]
            assert np.abs(difference).mean() > 3


def test_developing_does_what_it_says():
    linear = np.random.default_rng(0).random((48, 64, 3), dtype=np.float32) * 0.5
    plain = develop(linear, Conditions())
    assert (plain == develop(linear * 7, Conditions())).mean() > 0.99  # metered
    assert develop(linear, Conditions(exposure=1.5)).mean() > plain.mean() + 10
    assert develop(linear, Conditions(defocus=20.0)).std() < 0.6 * plain.std()
    assert develop(linear, Conditions(motion=(60.0, 0.3))).std() < 0.8 * plain.std()
    dim = develop(linear, Conditions(vignette=0.5)).astype(int)
    assert dim[0, 0].mean() < plain[0, 0].mean()
    red = develop(linear, Conditions(balance=(1.3, 1.0, 0.7))).mean(axis=(0, 1))
    assert red[0] > red[1] > red[2]
    noisy = develop(linear, Conditions(noise=8.0)).astype(int) - plain
    assert 3 < noisy.std() < 12

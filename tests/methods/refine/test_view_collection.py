"""Whole views: which cells they hold, and where these look."""

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.backbone.network import ConvBackbone
from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.methods.refine.view_collection import collect_views
from reloc.progress import silent
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
ORIGIN = np.array([1e6, 0, 0])


@pytest.fixture
def frames(tmp_path):
    rng = np.random.default_rng(0)
    made = []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), rng.integers(0, 255, (48, 64), np.uint8).astype(np.uint8))
        pose = np.eye(4)
        pose[:3, 3] = ORIGIN + (number, 0, 0)
        made.append(Frame(path.name, path, CAMERA, pose))
    return made


@pytest.fixture
def extractor():
    return FeatureExtractor(ConvBackbone(channels=8, width=8).fuse(), device=torch.device("cpu"))


def collected(frames, extractor, **changes):
    options: dict[str, Any] = {"short_side": 48, "views": 8, "cells": 60, "seed": 0}
    options |= {"progress": silent} | changes
    return collect_views(frames, extractor, origin=ORIGIN, **options)


def test_every_frame_is_seen_from_where_it_stands(frames, extractor):
    views = collected(frames, extractor)
    assert len(views) == 8
    assert views.features.shape == (8, 60, 8)
    centers = -views.cam_from_world[:, :, 3]
    assert sorted(centers[:, 0].tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]
    # A view has 48 cells, of 60 that would find room.
    assert (views.usable.sum(dim=1) == 48).all()
    assert (views.focals == 50).all()
    corner = views.rays.amin(dim=1)
    torch.testing.assert_close(corner, torch.tensor([[-0.56, -0.4]]).expand_as(corner))


def test_the_seed_decides(frames, extractor):
    first, again, other = (collected(frames, extractor, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.rays, again.rays)
    assert not torch.equal(first.rays, other.rays)


def test_bad_images_are_left_out_and_nothing_else_is_an_error(frames, extractor):
    frames[1].image.write_bytes(b"no image")
    cv2.imwrite(str(frames[2].image), np.zeros((30, 30), np.uint8))
    views = collected(frames, extractor)
    assert set((-views.cam_from_world[:, 0, 3]).tolist()) == {0, 3}
    for frame in frames:
        frame.image.write_bytes(b"no image")
    with pytest.raises(SceneError, match="no mapping image can be read"):
        collected(frames, extractor)


def test_a_time_limit_ends_it(frames, extractor):
    assert 1 <= len(collected(frames, extractor, views=10**6, seconds=0.2)) < 10**5

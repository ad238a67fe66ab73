"""Localizing on a device: maps of one region and of several, libraries, landmarks, tensors."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.geometry import pose_error
from reloc.heads import MlpHead, RidgeHead
from reloc.heads.batched import BatchedHeads
from reloc.library import LibraryLocalizer, MapLibrary
from reloc.localize import Localizer, Query
from reloc.maps.scene_map import Region

from ..landmarks.conftest import CAMERA, make_cloud
from ..landmarks.test_matching import landmarks_of
from ..localize.test_localizer import LANDSCAPE, ORIGIN, POSE, Oracle, made_map, photo


def ignorant(channels=3):
    """Heads of both kinds, two of which are batched."""
    torch.default_generator.manual_seed(0)
    ridge = RidgeHead(channels=channels, anchors=20, neighbours=4)
    ridge.anchors.data.normal_()
    ridge.points.data.normal_()
    heads = [*(MlpHead(channels=channels, width=16, blocks=1) for _ in range(2)), ridge]
    return [head.requires_grad_(False).eval() for head in heads]


def is_right(estimate):
    translation, rotation = pose_error(estimate.world_from_cam, POSE)
    return translation < 5e-3 and rotation < 0.1


@pytest.fixture
def several():
    """A map of which one region knows the place."""
    known = made_map()
    others = tuple(Region(head, ORIGIN) for head in ignorant())
    return replace(known, regions=(*others, *known.regions))


def test_a_backbone_that_is_no_module_and_computes_on_the_host(world):
    place = Localizer(made_map(), Oracle(), device=world.device)
    assert is_right(place.localize(photo(), LANDSCAPE))
    assert place.extractor(photo()).device == world.device


def test_several_regions(several, world):
    place = Localizer(several, Oracle(), device=world.device)
    assert is_right(place.localize(photo(), LANDSCAPE))
    assert len(place.correspondences(photo(), LANDSCAPE))


def test_queries_in_threads_and_as_tensors_of_the_device(world):
    place = Localizer(made_map(), Oracle(), device=world.device)
    image = torch.from_numpy(photo()).to(world.device)
    found = place.localize_many([Query("a", image, LANDSCAPE), Query("b", image, LANDSCAPE)])
    assert all(map(is_right, found))
    # The time of the backbone is that of its work.
    assert any(line.endswith("synchronize") for line in world.waits())


@pytest.mark.slow
def test_a_library(several, world, tmp_path):
    library = MapLibrary(tmp_path / "library", create=True)
    lost = replace(several, regions=several.regions[:3])
    for name in ("a", "b"):
        lost.save(tmp_path / f"{name}.safetensors")
        library.add(tmp_path / f"{name}.safetensors", name=name)
    found = LibraryLocalizer(library, Oracle(), device=world.device).localize(photo(), LANDSCAPE)
    assert {"backbone", "head"} <= found.seconds.keys()


def test_landmarks(world, monkeypatch):
    """Heads that know nothing on the device, and landmarks, which are looked for on the host."""
    cloud = make_cloud()
    monkeypatch.setattr("reloc.localize.query.detect_keypoints", lambda image: cloud.keypoints[5])
    lost = replace(
        made_map(cameras=(CAMERA,)),
        regions=(Region(ignorant()[0], np.zeros(3)),),
        landmarks=landmarks_of(cloud)[0],
    )
    place = Localizer(lost, Oracle(CAMERA), device=world.device)
    found = place.localize(photo(CAMERA), CAMERA)
    assert found.landmark_inliers > 100
    assert pose_error(found.world_from_cam, cloud.views[5].world_from_cam)[0] < 0.05


def test_batched_heads_answer_for_some_of_them(world):
    dtype = torch.float16
    heads = BatchedHeads(ignorant(), device=world.device, dtype=dtype)
    features = torch.randn(50, 3).to(world.device, dtype)
    assert heads(features).shape == (3, 50, 3)
    world.notes.clear()
    for numbers in (None, [1], [2, 0], [1, 0]):
        assert heads(features, numbers).device == world.device
    if not world.is_mps:
        assert not world.waits()

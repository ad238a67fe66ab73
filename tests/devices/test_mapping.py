"""Mapping on a device: every method from photos to a map, and what looks on or goes on."""

from dataclasses import replace

import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.backbone.adapter import AdaptedBackbone, ContextAdapter
from reloc.landmarks import LandmarkOptions
from reloc.maps.calibration import region_features
from reloc.maps.compress import compressed
from reloc.methods import dispatch
from reloc.methods.ace.mapper import map_scene
from reloc.methods.ace.options import MappingOptions
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.refine import RefineMapOptions, refine_map
from reloc.methods.ridge import RidgeOptions, map_scene_ridge
from reloc.view.film.recording import Recorder

TOY = MappingOptions(
    views=40, steps=6, batch=64, width=16, blocks=1, short_side=64, cells_per_view=40,
    buffer_gb=0.1, heads=1,
)  # fmt: skip
# The buffer is in a file, since no memory is given to it.
SEVERAL = replace(TOY, heads=3, buffer_gb=1e-5)


def weights_are_of_the_host(scene_map):
    return all(
        p.device.type == "cpu" for region in scene_map.regions for p in region.head.parameters()
    )


@pytest.mark.slow
def test_one_head_with_all_that_a_map_holds(ring, backbone, world):
    """Preview points, which the map is asked for, and landmarks, of which noise has none."""
    made = dispatch.map_scene(
        ring, backbone, options=TOY, landmarks=LandmarkOptions(), device=world.device
    ).scene_map
    assert weights_are_of_the_host(made)
    assert "landmarks" in made.info


@pytest.mark.slow
def test_several_heads_filmed_interrupted_and_resumed(ring, backbone, world, tmp_path):
    film = Recorder(ring.mapping, backbone, short_side=64, device=world.device)

    def stop(snapshot):
        film(snapshot)
        if snapshot.steps == 9:
            raise KeyboardInterrupt

    where = {"options": SEVERAL, "device": world.device, "checkpoint": tmp_path / "state"}
    with pytest.raises(KeyboardInterrupt):
        map_scene(ring, backbone, **where, callback=stop)
    made = map_scene(ring, backbone, **where, resume=True, callback=film).scene_map
    assert weights_are_of_the_host(made)
    assert len(made.regions) == 3
    assert film.recording().snapshots[-1].fraction == 1


@pytest.mark.slow
def test_compression_by_what_the_images_show(ring, backbone, world):
    made = map_scene(ring, backbone, options=TOY, device=world.device).scene_map
    extractor = FeatureExtractor(backbone, device=world.device)
    features = region_features(made, ring.mapping[:4], extractor)
    assert weights_are_of_the_host(compressed(made, bits=4, features=features))


def test_a_closed_form(ring, backbone, world):
    adapter = ContextAdapter(inputs=8, channels=8, hidden=8, windows=(3, 5))
    network = AdaptedBackbone(backbone, adapter).eval()
    options = RidgeOptions(short_side=64, anchors=64)
    made = map_scene_ridge(ring, network, options=options, device=world.device).scene_map
    assert weights_are_of_the_host(made)


@pytest.mark.slow
def test_a_whole_network(ring, backbone, world):
    options = DsacStarOptions(
        steps=4, end_to_end=0.5, hypotheses=4, cells=40, width=16, blocks=1, short_side=64
    )
    made = map_scene_dsacstar(ring, backbone, options=options, device=world.device).scene_map
    assert weights_are_of_the_host(made)
    assert all(p.device.type == "cpu" for p in made.own_backbone.parameters())


@pytest.mark.parametrize("train_backbone", [False, True])
def test_refinement(ring, backbone, world, train_backbone):
    few = replace(SEVERAL, steps=2, views=24, heads=2)
    before = map_scene(ring, backbone, options=few, device=world.device).scene_map
    options = RefineMapOptions(
        steps=2, views=4, cells=40, batch=2, hypotheses=4, train_backbone=train_backbone
    )
    made = refine_map(before, ring, backbone, options=options, device=world.device).scene_map
    assert weights_are_of_the_host(made)
    assert not torch.equal(*(next(m.regions[0].head.parameters()).detach() for m in (before, made)))

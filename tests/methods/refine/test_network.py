"""Refinement of heads together with their backbone."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.backbone import load_backbone
from reloc.backbone.adapter import AdaptedBackbone, ContextAdapter
from reloc.errors import OptionError
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.methods.refine import RefineMapOptions, refine_map
from reloc.methods.refine.images import Cells
from reloc.methods.refine.pose_trainer import PoseTrainer
from reloc.methods.refine.scene_network import drawn_matches

SHORT = RefineMapOptions(
    steps=4, cells=48, batch=2, hypotheses=4, train_backbone=True, backbone_learning_rate=1e-3
)


def weights(scene_map):
    """Of the backbone and of each head, as vectors."""
    networks = [scene_map.own_backbone, *(region.head for region in scene_map.regions)]
    return [torch.cat([p.detach().flatten() for p in n.parameters()]) for n in networks]


def test_the_map_holds_the_backbone_that_it_was_refined_with(two_heads, tmp_path):
    scene_map, scene, backbone = two_heads
    looks = replace(scene_map.regions[0], views=np.ones((2, 5), np.int8))
    scene_map = replace(scene_map, regions=(looks, *scene_map.regions[1:]))
    given = [p.clone() for p in backbone.parameters()]
    result = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu")
    assert all(map(torch.equal, given, backbone.parameters()))
    refined = result.scene_map
    assert refined.backbone == refined.own_backbone.fingerprint != backbone.fingerprint
    before = weights(replace(scene_map, own_backbone=backbone))
    assert not any(map(torch.equal, before, weights(refined)))
    path = tmp_path / "refined.safetensors"
    refined.save(path)
    localizer = Localizer(SceneMap.load(path), load_backbone(), device="cpu")
    assert localizer.extractor.channels == 8
    assert not any(len(region.views) for region in refined.regions)
    assert result.steps == 4
    assert refined.info["refined"]["views"] == 8


@pytest.mark.slow
def test_a_map_with_a_backbone_of_its_own_is_refined_further(place):
    scene_map, scene, backbone = place
    once = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu").scene_map
    twice = refine_map(once, scene, load_backbone(), options=SHORT, device="cpu").scene_map
    assert len({scene_map.backbone, once.backbone, twice.backbone}) == 3


@pytest.mark.slow
def test_each_head_learns_from_its_own_frames(two_heads):
    scene_map, scene, backbone = two_heads
    options = replace(SHORT, batch=1, steps=1)
    before = weights(replace(scene_map, own_backbone=backbone))[1:]
    changed = set()
    for seed in range(6):
        seeded = replace(options, seed=seed)
        after = weights(refine_map(scene_map, scene, backbone, options=seeded).scene_map)[1:]
        changed.add(tuple(not torch.equal(a, b) for a, b in zip(before, after, strict=True)))
    assert changed == {(True, False), (False, True)}


def test_an_interrupted_refinement_goes_on_to_the_same_map(two_heads, tmp_path):
    scene_map, scene, backbone = two_heads
    path = tmp_path / "state"
    whole = refine_map(scene_map, scene, backbone, options=SHORT, device="cpu")

    def stop(stage, done, total, **_):
        if done == 2:
            raise KeyboardInterrupt

    arguments = {"options": SHORT, "device": "cpu", "checkpoint": path}
    with pytest.raises(KeyboardInterrupt):
        refine_map(scene_map, scene, backbone, progress=stop, **arguments)
    assert path.exists()
    resumed = refine_map(scene_map, scene, backbone, resume=True, **arguments)
    assert all(map(torch.equal, weights(whole.scene_map), weights(resumed.scene_map)))


def test_a_refinement_that_was_finished_is_not_done_again(place, tmp_path, monkeypatch):
    scene_map, scene, backbone = place
    arguments = {"options": SHORT, "device": "cpu", "checkpoint": tmp_path / "state"}
    whole = refine_map(scene_map, scene, backbone, **arguments)
    monkeypatch.setattr(PoseTrainer, "step", None)
    again = refine_map(scene_map, scene, backbone, resume=True, **arguments)
    assert all(map(torch.equal, weights(whole.scene_map), weights(again.scene_map)))
    assert again.scene_map.backbone == whole.scene_map.backbone


def test_a_backbone_with_an_adapter_is_refused(place):
    scene_map, scene, backbone = place
    adapted = AdaptedBackbone(backbone, ContextAdapter(inputs=8, channels=8, hidden=4))
    with pytest.raises(OptionError, match="with an adapter cannot be trained"):
        refine_map(replace(scene_map, backbone=adapted.fingerprint), scene, adapted, options=SHORT)


def test_cells_are_drawn_once_each_and_padded():
    cells = Cells(torch.rand(5, 2), torch.tensor([0.0, 1, 2, 3, 4]), 50.0, torch.eye(4)[:3])
    points = torch.arange(15.0).view(5, 3)
    generator = torch.Generator().manual_seed(0)
    few = drawn_matches(points, cells, count=3, generator=generator)
    assert few.usable.all() and few.measured is None
    assert len(np.unique(few.scene_coordinates[0, :, 0].numpy())) == 3
    padded = drawn_matches(points, cells, count=8, generator=generator, measured=True)
    assert padded.usable.sum() == 5
    assert sorted(padded.scene_coordinates[padded.usable][:, 0].tolist()) == [0, 3, 6, 9, 12]
    assert padded.ranged.sum() == 4
    torch.testing.assert_close(
        padded.measured[padded.ranged][:, :2] / padded.measured[padded.ranged][:, 2:],
        padded.rays[padded.ranged],
    )

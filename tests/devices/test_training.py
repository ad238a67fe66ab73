"""Training of backbones and adapters on a device, differentiable RANSAC, and rendering."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.backbone.adapter import AdaptedBackbone, ContextAdapter
from reloc.backbone.meta.episode_loss import Episode, EpisodeFitOptions, Rows, backward_episode
from reloc.backbone.pretrain.backbone_trainer import pretrain
from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.coordinates import Coordinates
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.geometry import Camera, look_at
from reloc.pose.ransac import RansacOptions, RefineOptions, expected_pose_losses, solve_poses
from reloc.synthetic import TrainingViews
from reloc.synthetic.bake import bake
from reloc.synthetic.photo import Conditions
from reloc.synthetic.render import render
from reloc.synthetic.rooms import make_room

from ..backbone.meta.test_adapter_trainer import Source
from ..backbone.pretrain.conftest import Shifted
from ..pose.ransac.conftest import made_problem

TOY = PretrainOptions(steps=4, pairs=2, size=64, points=24, channels=8, width=8)
SEARCH = RansacOptions(hypotheses=4)
BY_DEPTH = RansacOptions(
    hypotheses=4,
    threshold=0.04,
    by_depth=True,
    refine=RefineOptions(pixel_scale=None, depth_share=0.02),
)


@pytest.fixture(scope="module")
def room():
    """Four views of a wall of noise, 2 m ahead of each."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 96, 96)).astype(np.uint8)
    return TrainingViews(
        noise,
        np.full(noise.shape, 2.0, np.float32),
        np.tile([80.0, 80.0, 48.0, 48.0], (4, 1)),
        np.tile(np.eye(4), (4, 1, 1)),
        np.zeros((0, 2), np.int64),
        np.zeros(0, np.float32),
    )


@pytest.mark.parametrize("objective", ["contrast", "coordinates"])
def test_pretraining_interrupted_and_resumed(objective, room, world, tmp_path):
    def goal():
        if objective == "contrast":
            return Contrast([WeightedSource(Shifted(), 1.0)])
        return Coordinates([room], channels=8)

    def stop(stage, done, total, **figures):
        raise KeyboardInterrupt

    given = {"checkpoint": tmp_path / "state", "device": world.device}
    with pytest.raises(KeyboardInterrupt):
        pretrain(goal(), TOY, **given, progress=stop)
    network = pretrain(goal(), TOY, **given, resume=True)
    assert all(p.device.type == "cpu" for p in network.parameters())


def on(device, image):
    rows = image()
    moved = Rows(
        *(x.to(device) for x in (rows.inputs, rows.coordinates, rows.pixels, rows.anchors))
    )
    return lambda: moved


def test_an_episode_of_meta_training_has_the_gradient_of_the_host(world):
    episode = Source().episode(0, None)
    options = EpisodeFitOptions(neighbours=4)
    adapter = ContextAdapter(inputs=8, channels=8, hidden=8, windows=())
    there = copy.deepcopy(adapter).to(world.device)
    moved = Episode(
        *([on(world.device, i) for i in side] for side in (episode.support, episode.queries))
    )
    loss = backward_episode(adapter, episode, options)
    torch.testing.assert_close(backward_episode(there, moved, options).cpu(), loss)
    for ours, theirs in zip(there.parameters(), adapter.parameters(), strict=True):
        torch.testing.assert_close(ours.grad.cpu(), theirs.grad)


def test_an_adapter_begins_and_adds_context(backbone, world):
    adapter = ContextAdapter(inputs=8, channels=8, hidden=8, windows=(3, 5)).to(world.device)
    adapter.begin_at(torch.randn(100, 24).to(world.device))
    extractor = FeatureExtractor(AdaptedBackbone(backbone, adapter).eval(), device=world.device)
    features, local = extractor.with_local(np.full((50, 61), 100, np.uint8))
    assert features.device == local.device == world.device


@pytest.mark.parametrize("options", [SEARCH, BY_DEPTH], ids=["rgb", "rgbd"])
def test_differentiable_ransac(options, world):
    matches, truth = made_problem(images=2, noise=1.0, dtype=torch.float32)

    def computed(device):
        points = matches.scene_coordinates.to(device).requires_grad_()
        there = replace(matches.to(device), scene_coordinates=points)
        chance = torch.Generator(device).manual_seed(0)
        losses = expected_pose_losses(
            there, truth.to(device), options=options, meter=1.0, generator=chance
        )
        assert losses.device == there.rays.device
        losses.mean().backward()
        found = solve_poses(there, options=options, generator=chance)
        assert found.cam_from_world.device == there.rays.device
        return losses.detach().cpu(), points.grad.cpu(), found.found.cpu()

    losses, gradients, found = computed(world.device)
    assert found.all()
    assert (losses < 20).all() and gradients.abs().sum() > 0
    if not world.is_mps:  # where chance is another on the host
        for ours, theirs in zip((losses, gradients), computed("cpu"), strict=False):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.slow
def test_rendering(world):
    room = make_room(2)
    room = replace(room, solids=room.solids[:20])
    pose = look_at(room.size * (0.3, 0.4, 0.6), room.size * (0.8, 0.7, 0.3))
    camera = Camera.pinhole(width=48, height=36, fx=40.0)

    def rendered(device):
        baked = bake(room, texel=0.3, lumel=1.0, device=device)
        return render(baked, camera, pose, conditions=Conditions())

    there, here = rendered(world.device), rendered("cpu")
    np.testing.assert_array_equal(there.rgb, here.rgb)
    np.testing.assert_array_equal(there.depth, here.depth)

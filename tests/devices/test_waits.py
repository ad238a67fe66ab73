"""What never waits for the device: the steps of trainings, and the search of poses."""

import numpy as np
import pytest
import torch

from reloc.backbone.pretrain.backbone_trainer import BackboneTrainer
from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.heads.mlp import new_head
from reloc.mapping.poses import centered_cam_from_world
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.dsacstar import DsacStarOptions
from reloc.methods.dsacstar.network_trainer import SceneNetworkTrainer
from reloc.methods.refine.heads import seen_by_head
from reloc.methods.refine.images import TrainingImages
from reloc.methods.refine.options import RefineMapOptions
from reloc.methods.refine.pose_trainer import PoseTrainer
from reloc.methods.refine.scene_network import SceneNetwork
from reloc.methods.refine.view_collection import ViewFeatures
from reloc.pose.ransac import RansacOptions, expected_pose_losses, solve_poses

from ..backbone.pretrain.conftest import Shifted
from ..pose.ransac.conftest import made_problem
from .emulation import emulated


@pytest.fixture
def cuda():
    with emulated("cuda") as world:
        yield world


def waits_of_steps(world, trainer):
    """Those of steps after the first, in which optimisers take their memory."""
    trainer.step(0.1)
    world.notes.clear()
    for number in range(2, 5):
        trainer.step(number / 10)
    return dict(world.waits())


def toy_head():
    return new_head(channels=8, width=16, blocks=1, scale=1.0, seed=0)


def test_views_on_their_way_into_the_buffer(ring, cuda):
    poses = centered_cam_from_world(ring.mapping, np.zeros(3))
    buffer = FeatureBuffer.empty(100, channels=8, cam_from_world=poses, device=cuda.device)
    features = torch.randn(50, 8, dtype=torch.bfloat16).to(cuda.device)
    cuda.notes.clear()
    buffer.append(features, torch.randn(50, 2), 80.0, 1, torch.ones(50))
    assert cuda.waits() == {}


@pytest.mark.parametrize("by_depth", [False, True])
def test_the_search_of_poses(by_depth, cuda):
    matches, truth = made_problem(images=2, dtype=torch.float32)
    matches, truth = matches.to(cuda.device), truth.to(cuda.device)
    matches.scene_coordinates.requires_grad_()
    options = RansacOptions(hypotheses=4, by_depth=by_depth)
    cuda.notes.clear()
    expected_pose_losses(matches, truth, options=options, meter=1.0).mean().backward()
    solve_poses(matches, options=options)
    assert cuda.waits() == {}


def test_a_step_of_refinement(cuda):
    views = ViewFeatures(
        torch.randn(4, 40, 8, dtype=torch.float16),
        torch.randn(4, 40, 2),
        torch.ones(4, 40, dtype=torch.bool),
        torch.full((4,), 80.0),
        torch.eye(3, 4).repeat(4, 1, 1),
    )
    views = ViewFeatures(*(part.to(cuda.device) for part in vars(views).values()))
    head = toy_head().to(cuda.device)
    trainer = PoseTrainer(
        [(head, 1e-3)],
        seen_by_head(head, views, batch=2, amp=torch.bfloat16),
        RefineMapOptions(hypotheses=4),
        meter=1.0,
        short_side=480,
        device=cuda.device,
    )
    assert waits_of_steps(cuda, trainer) == {}


def test_a_step_of_a_whole_network(ring, backbone, cuda):
    poses = centered_cam_from_world(ring.mapping, np.zeros(3))
    images = TrainingImages(ring.mapping, poses, short_side=64, stride=8, seed=0)
    network = SceneNetwork(
        backbone, [toy_head()], images, head_of=[0] * len(poses), device=cuda.device
    )
    options = DsacStarOptions(end_to_end=0.75, hypotheses=4, cells=40, short_side=64)
    trainer = SceneNetworkTrainer(network, options, meter=1.0, depth=1.0)
    assert waits_of_steps(cuda, trainer) == {}
    images.close()


def test_a_step_of_pretraining(cuda):
    options = PretrainOptions(steps=9, pairs=2, size=64, points=24, channels=8, width=8)
    goal = Contrast([WeightedSource(Shifted(), 1.0)])
    trainer = BackboneTrainer(goal, options, device=cuda.device, rank=0, world=1)
    # PyTorch's average of the weights copies its count for each of their types, in three steps.
    assert list(waits_of_steps(cuda, trainer).values()) == [2 * 3]
    trainer.close()

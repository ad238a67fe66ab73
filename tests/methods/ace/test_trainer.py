"""Training a head on a buffer whose features tell the points apart."""

import numpy as np
import pytest
import torch

from reloc.geometry import inverted, look_at, transformed
from reloc.heads.mlp import new_head
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.trainer import HeadTrainer, TrainerOptions

CHANNELS, FOCAL = 24, 500.0


def toy_buffer(*, scale=1.0, views=12, cells=150):
    """Cameras in a ring look at random points; a feature is a code of the point's position."""
    rng = np.random.default_rng(0)
    codes, phases = rng.normal(0, 1.2, (3, CHANNELS)), rng.uniform(0, 6, CHANNELS)
    poses = np.stack(
        [look_at((3 * np.cos(a), 3 * np.sin(a), 0.5), (0, 0, 0)) for a in np.linspace(0, 6, views)]
    )
    scaled = poses.copy()
    scaled[:, :3, 3] *= scale
    buffer = FeatureBuffer.empty(
        views * cells,
        channels=CHANNELS,
        cam_from_world=torch.from_numpy(inverted(scaled)[:, :3]).float(),
        dtype=torch.float32,
    )
    for number, pose in enumerate(poses):
        points = rng.uniform(-1, 1, (cells, 3))
        cam = transformed(inverted(pose), points)
        rays = torch.from_numpy(cam[:, :2] / cam[:, 2:]).float()
        features = torch.from_numpy(np.sin(points @ codes + phases) * 1.4).float()
        buffer.append(features, rays, FOCAL, number)
    return buffer


def trainer_of(buffer, *, scale=1.0, **options):
    head = new_head(channels=CHANNELS, width=32, blocks=1, scale=3.0 * scale, seed=0)
    return HeadTrainer(head, buffer, TrainerOptions(**{"batch": 256, **options}), amp=torch.float32)


def trained(trainer, steps, *, first=0, total=None):
    for step in range(first, steps):
        trainer.step(step / (total or steps))
    return trainer


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.head.parameters()])


def test_it_learns_where_the_points_are():
    trainer = trainer_of(toy_buffer())
    trained(trainer, 1, total=200)
    before = trainer.state()
    after = trained(trainer, 200, first=1, total=200).state()
    assert trainer.steps == 200
    assert before.median_error > 60
    assert after.median_error < 12
    assert after.loss < before.loss
    assert after.inlier_share > 0.45 > before.inlier_share
    assert trainer.healthy()


@pytest.mark.parametrize("scale", [0.01, 100.0])
def test_the_unit_of_length_does_not_matter(scale):
    meters = trained(trainer_of(toy_buffer()), 12).state()
    other = trained(trainer_of(toy_buffer(scale=scale), scale=scale), 12).state()
    assert other.loss == pytest.approx(meters.loss, rel=0.02)
    assert other.median_error == pytest.approx(meters.median_error, rel=0.02)


def test_training_repeats_and_the_seed_decides():
    buffer = toy_buffer()
    one, two = (weights(trained(trainer_of(buffer), 6)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, weights(trained(trainer_of(buffer, seed=1), 6)))


def test_a_stored_state_goes_on_as_if_nothing_had_happened():
    buffer = toy_buffer()
    whole = trained(trainer_of(buffer), 8)
    state = trained(trainer_of(buffer), 4, total=8).state_dict()
    resumed = trainer_of(buffer)
    resumed.load_state_dict(state)
    assert resumed.steps == 4
    assert torch.equal(weights(trained(resumed, 8, first=4)), weights(whole))
    assert resumed.state() == whole.state()


def test_weights_that_are_not_finite_are_told():
    trainer = trainer_of(toy_buffer())
    with torch.no_grad():
        trainer.head.point.bias[0] = float("nan")
    assert not trainer.healthy()


def test_there_are_no_figures_before_the_first_step():
    state = trainer_of(toy_buffer()).state()
    assert np.isnan(state.loss)
    assert state.inlier_share == 0


def test_a_new_head_predicts_points_near_the_origin():
    head = new_head(channels=CHANNELS, width=64, blocks=2, scale=5.0, seed=3)
    with torch.no_grad():
        points = head(torch.randn(500, CHANNELS))
    assert points.norm(dim=1).max() < 5.0


def test_making_a_head_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    new_head(channels=4, width=8, blocks=1, scale=1.0, seed=1)
    assert torch.equal(torch.rand(3), expected)

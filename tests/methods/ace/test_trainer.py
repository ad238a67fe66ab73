"""Training a head on a buffer whose features tell the points apart."""

from dataclasses import astuple

import numpy as np
import pytest
import torch

from reloc.geometry import inverted, look_at, transformed
from reloc.heads.mlp import new_head
from reloc.methods.ace import optimizer
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.trainer import HeadsTrainer, TrainerOptions

from .plain_trainer import PlainTrainer

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


def toy_head(*, scale=1.0, seed=0):
    return new_head(channels=CHANNELS, width=32, blocks=1, scale=3.0 * scale, seed=seed)


def trainer_of(*buffers, scale=1.0, amp=torch.float32, **options):
    heads = [toy_head(scale=scale, seed=number) for number in range(len(buffers))]
    return HeadsTrainer(heads, buffers, TrainerOptions(**{"batch": 256, **options}), amp=amp)


def parts_of(buffer, count):
    """Overlapping shares of a buffer, with poses around different origins."""
    for number in range(count):
        poses = buffer.cam_from_world.clone()
        poses[:, :, 3] -= poses[:, :, :3] @ torch.full((3,), 0.1 * number)
        yield buffer.restricted(torch.arange(3 * number, 3 * number + 5), poses)


def trained(trainer, steps, *, first=0, total=None):
    for step in range(first, steps):
        trainer.step(step / (total or steps))
    return trainer


def flat(head):
    return torch.cat([p.detach().flatten() for p in head.parameters()])


def weights(trainer):
    return torch.cat([flat(head) for head in trainer.heads])


@pytest.fixture
def exact(monkeypatch):
    """Orthogonal factors in full precision: in half, the order of sums shows at once."""
    monkeypatch.setattr(optimizer, "training_dtype", lambda device: torch.float32)


def test_heads_become_together_what_they_become_one_by_one(exact):
    parts = list(parts_of(toy_buffer(), 3))
    joint = trainer_of(*parts)
    plain = [
        PlainTrainer(toy_head(seed=number), part, joint.options, amp=torch.float32)
        for number, part in enumerate(parts)
    ]
    for fraction in (0.0, 0.2, 0.4, 0.9):
        numbers = joint.sampler.numbers(joint.steps)
        joint.step(fraction)
        for one, part, state in zip(plain, parts, joint.states(), strict=True):
            expected = one.step(fraction, part.rows[numbers % len(part.rows)])
            assert astuple(state) == pytest.approx(expected, rel=1e-5)
    for one, head, average in zip(plain, joint.heads, joint.averages, strict=True):
        assert (flat(head) - flat(one.head)).abs().max() < 5e-6
        expected = torch.cat([mean.flatten() for mean in one.average])
        assert (flat(average) - expected).abs().max() < 5e-6


def test_half_precision_is_that_of_autocast():
    buffer = toy_buffer()
    joint = trainer_of(buffer, amp=torch.bfloat16)
    plain = PlainTrainer(toy_head(), buffer, joint.options, amp=torch.bfloat16)
    expected = plain.step(0.0, joint.sampler.numbers(0) % buffer.count)
    joint.step(0.0)
    assert astuple(joint.state()) == pytest.approx(expected, rel=1e-3)


def test_what_a_head_learns_does_not_depend_on_those_beside_it(exact):
    parts = list(parts_of(toy_buffer(), 3))
    together = trained(trainer_of(*parts), 4)
    alone = trained(trainer_of(parts[0]), 4)
    assert (flat(together.heads[0]) - flat(alone.heads[0])).abs().max() < 5e-6


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
    trainer.heads[0].point.bias[0] = float("nan")
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

"""Scene coordinates as an objective: what a batch says of its points, and that heads learn it."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone.pretrain.backbone_trainer import pretrain
from reloc.backbone.pretrain.coordinates import Coordinates, RoomHeads
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.errors import MapError, SceneError
from reloc.synthetic import TrainingViews

TOY = PretrainOptions(steps=4, pairs=2, size=64, points=40, channels=8, width=8, seed=3)
DEPTH, FOCAL, SIDE = 2.0, 100.0, 96


def room(seed, *, side=SIDE):
    """A wall at z = 2, seen by three cameras that look along z from z = 0."""
    rng = np.random.default_rng(seed)
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[:, 0, 3] = [-0.3, 0.0, 0.6]
    noise = rng.integers(0, 256, (3, 24, 24), dtype=np.uint8)
    return TrainingViews(
        images=np.stack(
            [cv2.resize(n, (side, side), interpolation=cv2.INTER_CUBIC) for n in noise]
        ),
        depths=np.full((3, side, side), DEPTH, np.float32),
        intrinsics=np.tile([FOCAL, FOCAL, side / 2, side / 2], (3, 1)),
        world_from_cam=poses,
        pairs=np.array([[0, 1]]),
        overlaps=np.array([0.5], np.float32),
    )


def coordinates():
    return Coordinates([room(0), room(1), room(2)], channels=8)


def test_points_lie_on_the_surface_around_the_middle_of_the_room():
    batch = coordinates().batch(TOY, 0)
    assert batch["views"].shape == (4, 1, 64, 64)
    assert batch["points"].shape == (4, 40, 3)
    torch.testing.assert_close(batch["points"][..., 2], torch.full((4, 40), DEPTH))
    # The cameras stand at x = 0.1 on the mean, and see 0.96 m to each side.
    assert batch["points"][..., 0].abs().max() < 0.5 + 0.96
    assert (batch["rooms"][::2] == batch["rooms"][1::2]).all()


def test_a_distance_between_points_takes_as_many_pixels_as_the_zoom_says():
    batch = coordinates().batch(TOY, 0)
    for pixels, points, zoom in zip(batch["pixels"], batch["points"], batch["zoom"], strict=True):
        apart = torch.pdist(pixels)
        ratio = (torch.pdist(points) * zoom[0])[apart > 20] / apart[apart > 20]
        # Crops are slanted and sheared by a little.
        assert ratio.median() == pytest.approx(1, abs=0.1)


def test_a_batch_depends_on_seed_and_step_alone_and_is_shared_by_processes():
    whole = coordinates().batch(TOY, 5)
    shares = [coordinates().batch(TOY, 5, rank=rank, world=2) for rank in range(2)]
    for name, tensor in whole.items():
        assert torch.equal(torch.cat([share[name] for share in shares]), tensor), name
    assert not torch.equal(coordinates().batch(TOY, 6)["views"], whole["views"])


def test_perfect_heads_have_no_loss_and_lost_ones_pay_little_more_for_being_further_off():
    objective, network = coordinates(), torch.nn.Conv2d(1, 8, 8, 8)
    batch = objective.batch(TOY, 0)

    class Known(torch.nn.Module):
        def __init__(self, off):
            super().__init__()
            self.off = off

        def forward(self, features, rooms):
            return batch["points"] + torch.tensor([self.off, 0.0, 0.0])

    losses = []
    for off in (0.0, 1.0, 2.0):
        objective.heads = Known(off)
        loss, right = objective.loss(network, batch, TOY)
        assert right == (off == 0)
        losses.append(float(loss))
    assert losses[0] < 0.01
    assert losses[1] < losses[2] < 1.5 * losses[1]


def test_a_head_learns_from_its_own_room_alone():
    heads = RoomHeads(3, channels=4, width=8)
    features = torch.randn(1, 5, 4)
    (heads(features, torch.tensor([1])) - 1.0).square().sum().backward()
    for bias in heads.biases:
        assert bias.grad[[0, 2]].abs().max() == 0
    assert heads.biases[-1].grad[1].abs().min() > 0


@pytest.mark.slow
def test_heads_and_backbone_learn_together_and_repeat(tmp_path):
    options = replace(TOY, steps=60, channels=16, width=16, learning_rate=5e-3)
    told = []
    networks = [
        pretrain(
            Coordinates([room(0)], channels=16),
            options,
            checkpoint=tmp_path / name,
            progress=lambda stage, done, total, **metrics: told.append(metrics["loss"]),
        )
        for name in ("a", "b")
    ]
    half = len(told) // 2
    assert told[half - 1] < 0.8 * told[0]
    assert told[:half] == told[half:]
    one, two = (torch.cat([p.flatten() for p in n.parameters()]) for n in networks)
    assert torch.equal(one, two)


def test_a_checkpoint_of_another_objective_is_refused(contrast, tmp_path):
    pretrain(coordinates(), replace(TOY, steps=1), checkpoint=tmp_path / "a")
    with pytest.raises(MapError, match="other options"):
        pretrain(contrast(), replace(TOY, steps=1), checkpoint=tmp_path / "a", resume=True)


def test_views_too_small_to_crop_are_refused():
    with pytest.raises(SceneError, match="8x8"):
        Coordinates([room(0, side=8)], channels=8).batch(replace(TOY, size=32), 0)

"""The contrastive objective: its batches, and its loss on features that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.errors import RelocError

TOY = PretrainOptions(pairs=2, size=64, points=24, channels=8, width=8, seed=3)


def test_a_batch_depends_on_seed_and_step_alone(contrast):
    one, two = (contrast().batch(TOY, 5) for _ in range(2))
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name
    assert one["first"].shape == one["second"].shape == (2, 1, 64, 64)
    assert one["pixels_first"].shape == one["pixels_second"].shape == (2, 24, 2)
    assert 0 <= one["first"].min() < 0.3 < 0.7 < one["first"].max() <= 1
    for other in (contrast().batch(TOY, 6), contrast().batch(replace(TOY, seed=4), 5)):
        assert not torch.equal(one["first"], other["first"])


def test_points_stay_with_their_pair(contrast):
    batch = contrast().batch(TOY, 0)
    shifts = batch["pixels_first"] - batch["pixels_second"]
    torch.testing.assert_close(shifts, shifts[:, :1].expand_as(shifts))
    assert not torch.equal(shifts[0, 0], shifts[1, 0])


def test_sources_are_drawn_by_weight(shifted):
    often, seldom = shifted(), shifted()
    two = [WeightedSource(often, 3.0), WeightedSource(seldom, 1.0)]
    Contrast(two).batch(replace(TOY, pairs=200), 0)
    assert 120 < often.calls < 180
    assert often.calls + seldom.calls == 200


def test_few_matches_fill_the_points_by_repetition(contrast):
    batch = contrast().batch(replace(TOY, points=100), 0)
    assert batch["pixels_first"].shape == (2, 100, 2)


def test_sources_that_never_overlap_are_refused(shifted):
    class Empty:
        def pair(self, seed):
            pair = shifted().pair(seed)
            return replace(pair, pixels_first=np.zeros((0, 2)), pixels_second=np.zeros((0, 2)))

    with pytest.raises(RelocError, match="overlap"):
        Contrast([WeightedSource(Empty(), 1.0)]).batch(TOY, 0)


def test_perfect_features_have_next_to_no_loss(contrast):
    """The step samples at the given pixels, in this order of views: an oracle proves it."""
    batch = contrast().batch(TOY, 1)
    shifts = (batch["pixels_first"] - batch["pixels_second"])[:, 0]

    class Oracle(torch.nn.Module):
        def forward(self, views):
            ticks = (torch.arange(8) + 0.5) * 8
            y, x = torch.meshgrid(ticks, ticks, indexing="ij")
            place = torch.stack([x, y]).expand(len(views), 2, 8, 8).clone()
            place[len(views) // 2 :] += shifts[:, :, None, None]
            place[1 :: len(views) // 2] += 500  # another pair, another place
            waves = (place[:, None] * torch.linspace(0.005, 0.08, 12)[:, None, None, None]).flatten(
                1, 2
            )
            return torch.cat([waves.sin(), waves.cos()], dim=1)

    _, correct = contrast().loss(Oracle(), batch, TOY)
    assert correct > 0.9

"""Batches of several heads: whose features they are, and what decides about them."""

import pytest
import torch

from reloc.methods.ace.batches import AHEAD, BatchSampler
from reloc.methods.ace.feature_buffer import FeatureBuffer

FRAMES, CELLS = 6, 10


@pytest.fixture
def buffer():
    """Features that tell their row, of frames whose poses tell their number."""
    poses = torch.zeros(FRAMES, 3, 4)
    poses[:, 0, 3] = torch.arange(FRAMES)
    made = FeatureBuffer.empty(
        FRAMES * CELLS, channels=1, cam_from_world=poses, dtype=torch.float32
    )
    for frame in range(FRAMES):
        rows = torch.arange(frame * CELLS, (frame + 1) * CELLS)[:, None].float()
        made.append(rows, rows.expand(-1, 2) / 100, 10.0 * frame, frame, rows[:, 0] * 2)
    return made


def parts_of(buffer):
    return [
        buffer.restricted(torch.tensor(frames), buffer.cam_from_world + 100 * number)
        for number, frames in enumerate([[0, 1, 2], [2, 5], [4]])
    ]


def test_each_head_gets_features_of_its_own_frames_with_all_that_belongs_to_them(buffer):
    sampler = BatchSampler(parts_of(buffer), size=200, seed=0)
    batch = sampler.batch(sampler.numbers(0))
    rows = batch.features[..., 0]
    frames = rows // CELLS
    for own, expected in zip(frames, ({0, 1, 2}, {2, 5}, {4}), strict=True):
        assert set(own.int().tolist()) == expected
    assert torch.equal(batch.rays, (rows / 100)[..., None].expand(-1, -1, 2))
    assert torch.equal(batch.focals, 10 * frames)
    assert torch.equal(batch.inverse_depths, 2 * rows)
    around = 100 * torch.arange(3.0)[:, None]
    assert torch.equal(batch.cam_from_world[..., 0, 3], frames + around)


def test_rows_are_drawn_evenly(buffer):
    sampler = BatchSampler([buffer], size=20_000, seed=0)
    rows = sampler.batch(sampler.numbers(0)).features.int().flatten()
    counts = torch.bincount(rows, minlength=FRAMES * CELLS).float()
    assert counts.min() > 0.75 * counts.mean()
    assert counts.max() < 1.25 * counts.mean()


def test_the_seed_and_the_step_decide_and_nothing_else(buffer):
    def numbers(step, seed=0):
        return BatchSampler([buffer], size=5, seed=seed).numbers(step)

    ahead = BatchSampler([buffer], size=5, seed=0)
    steps = [0, 1, AHEAD - 1, AHEAD, AHEAD + 1]
    for step in steps:
        assert torch.equal(ahead.numbers(step), numbers(step))
    assert len({tuple(numbers(step).tolist()) for step in steps}) == len(steps)
    assert not torch.equal(numbers(0), numbers(0, seed=1))

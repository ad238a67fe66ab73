"""Pre-training on a toy: repeatable, interruptible, and it does learn."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone.pretrain.pairs import Pair, cell_centres
from reloc.backbone.pretrain.trainer import (
    PretrainOptions,
    WeightedSource,
    contrastive_step,
    make_batch,
    pretrain,
)
from reloc.errors import MapError, RelocError

TOY = PretrainOptions(
    steps=6, pairs=2, size=64, points=24, channels=8, width=8, seed=3, checkpoint_every=2
)


class Shifted:
    """Two crops of one noise picture, a known shift apart: quick, and every pair overlaps."""

    def __init__(self, *, fail_at=None):
        noise = np.random.default_rng(0).integers(0, 256, (60, 60), dtype=np.uint8)
        self.picture = cv2.resize(noise, (240, 240), interpolation=cv2.INTER_CUBIC)
        self.fail_at = fail_at
        self.calls = 0

    def pair(self, seed):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        rng = np.random.default_rng(seed)
        x, y = rng.integers(16, 150, 2)
        dx, dy = rng.integers(-12, 13, 2)
        first = self.picture[y : y + 64, x : x + 64]
        second = self.picture[y + dy : y + dy + 64, x + dx : x + dx + 64]
        cells = cell_centres(64, 8)
        matches = cells - (dx, dy)
        keep = ((matches > 2) & (matches < 62)).all(axis=1)
        return Pair(first, second, cells[keep], matches[keep])


def sources(**options):
    return [WeightedSource(Shifted(**options), 1.0)]


def weights(network):
    return torch.cat([tensor.flatten().float() for tensor in network.state_dict().values()])


def test_a_batch_depends_on_seed_and_step_alone():
    one, two = (make_batch(sources(), TOY, 5) for _ in range(2))
    for name, tensor in vars(one).items():
        assert torch.equal(tensor, getattr(two, name)), name
    assert one.first.shape == one.second.shape == (2, 1, 64, 64)
    assert one.pixels_first.shape == one.pixels_second.shape == (2, 24, 2)
    assert 0 <= one.first.min() < 0.3 < 0.7 < one.first.max() <= 1
    for other in (make_batch(sources(), TOY, 6), make_batch(sources(), replace(TOY, seed=4), 5)):
        assert not torch.equal(one.first, other.first)


def test_points_stay_with_their_pair():
    batch = make_batch(sources(), TOY, 0)
    shifts = batch.pixels_first - batch.pixels_second
    torch.testing.assert_close(shifts, shifts[:, :1].expand_as(shifts))
    assert not torch.equal(shifts[0, 0], shifts[1, 0])


def test_sources_are_drawn_by_weight():
    two = [WeightedSource(Shifted(), 3.0), WeightedSource(Shifted(), 1.0)]
    make_batch(two, replace(TOY, pairs=200), 0)
    assert 120 < two[0].source.calls < 180
    assert two[0].source.calls + two[1].source.calls == 200


def test_few_matches_fill_the_points_by_repetition():
    batch = make_batch(sources(), replace(TOY, points=100), 0)
    assert batch.pixels_first.shape == (2, 100, 2)


def test_sources_that_never_overlap_are_refused():
    class Empty(Shifted):
        def pair(self, seed):
            pair = super().pair(seed)
            return replace(pair, pixels_first=np.zeros((0, 2)), pixels_second=np.zeros((0, 2)))

    with pytest.raises(RelocError, match="overlap"):
        make_batch([WeightedSource(Empty(), 1.0)], TOY, 0)


def test_training_repeats_exactly(tmp_path):
    one, two = (pretrain(sources(), TOY, checkpoint=tmp_path / name) for name in ("a", "b"))
    assert torch.equal(weights(one), weights(two))
    other = pretrain(sources(), replace(TOY, seed=4), checkpoint=tmp_path / "c")
    assert not torch.equal(weights(one), weights(other))


def test_training_returns_a_fused_network(tmp_path):
    network = pretrain(sources(), replace(TOY, steps=2), checkpoint=tmp_path / "new" / "a")
    assert not network.training
    assert not any("running" in name for name in network.state_dict())
    assert (network.channels, network.width) == (8, 8)
    assert torch.isfinite(weights(network)).all()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(tmp_path):
    whole = pretrain(sources(), TOY, checkpoint=tmp_path / "whole")
    # Batches of two pairs: the ninth pair belongs to step 5, after the checkpoint at step 4.
    with pytest.raises(KeyboardInterrupt):
        pretrain(sources(fail_at=9), TOY, checkpoint=tmp_path / "killed")
    rest = sources()
    resumed = pretrain(rest, TOY, checkpoint=tmp_path / "killed", resume=True)
    assert rest[0].source.calls == 2 * 2, "four of six steps were done already"
    assert torch.equal(weights(resumed), weights(whole))


def test_resuming_a_finished_run_trains_no_more(tmp_path):
    first = pretrain(sources(), TOY, checkpoint=tmp_path / "a")
    again = pretrain(sources(fail_at=1), TOY, checkpoint=tmp_path / "a", resume=True)
    assert torch.equal(weights(first), weights(again))


def test_resuming_without_a_checkpoint_starts(tmp_path):
    options = replace(TOY, steps=2)
    a = pretrain(sources(), options, checkpoint=tmp_path / "a")
    b = pretrain(sources(), options, checkpoint=tmp_path / "b", resume=True)
    assert torch.equal(weights(a), weights(b))


@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "checkpoint"
    pretrain(sources(), replace(TOY, steps=2), checkpoint=path)
    return path


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "text", "foreign", "pickle"])
def test_a_damaged_checkpoint_is_one_clear_error(checkpoint, damage, tmp_path):
    content = checkpoint.read_bytes()
    touched = tmp_path / "touched"

    class Evil:
        def __reduce__(self):
            return touched.write_text, ("run",)

    if damage == "foreign":
        torch.save({"state": [1, 2]}, checkpoint)
    elif damage == "pickle":
        torch.save({"options": Evil()}, checkpoint)
    else:
        checkpoint.write_bytes(
            {
                "empty": b"",
                "short": content[: len(content) // 2],
                "flipped": b"\0" * 200 + content[200:],
                "text": b"no checkpoint",
            }[damage]
        )
    with pytest.raises(MapError, match="damaged checkpoint; remove it") as caught:
        pretrain(sources(), replace(TOY, steps=2), checkpoint=checkpoint, resume=True)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not touched.exists()


def test_a_checkpoint_of_other_options_is_refused(checkpoint):
    with pytest.raises(MapError, match="other options"):
        pretrain(sources(), replace(TOY, steps=2, width=16), checkpoint=checkpoint, resume=True)


def test_how_often_checkpoints_are_made_may_change(checkpoint):
    options = replace(TOY, steps=2, checkpoint_every=1)
    pretrain(sources(fail_at=1), options, checkpoint=checkpoint, resume=True)


def test_progress_tells_loss_and_hits(tmp_path):
    told = []
    pretrain(
        sources(),
        TOY,
        checkpoint=tmp_path / "a",
        progress=lambda stage, done, total, **metrics: told.append((done, total, metrics)),
    )
    assert [row[:2] for row in told] == [(1, 6), (6, 6)]
    assert all(np.isfinite(m["loss"]) and 0 <= m["correct"] <= 1 for _, _, m in told)


def test_it_learns_to_match(tmp_path):
    options = replace(
        TOY, steps=40, pairs=4, channels=16, width=16, learning_rate=5e-3, checkpoint_every=100
    )
    told = []
    pretrain(
        sources(),
        options,
        checkpoint=tmp_path / "a",
        progress=lambda stage, done, total, **metrics: told.append(metrics["loss"]),
    )
    assert told[-1] < 0.75 * told[0]


def test_perfect_features_have_next_to_no_loss():
    """The step samples at the given pixels, in this order of views: an oracle proves it."""
    batch = make_batch(sources(), TOY, 1)
    shifts = (batch.pixels_first - batch.pixels_second)[:, 0]

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

    _, correct = contrastive_step(Oracle(), batch, TOY)
    assert correct > 0.9

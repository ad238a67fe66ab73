"""Pre-training on a toy: repeatable, interruptible, and it does learn."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.backbone.pretrain.backbone_trainer import pretrain
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.errors import MapError

TOY = PretrainOptions(
    steps=6, pairs=2, size=64, points=24, channels=8, width=8, seed=3, checkpoint_every=2
)


def weights(network):
    return torch.cat([tensor.flatten().float() for tensor in network.state_dict().values()])


@pytest.mark.slow
def test_training_repeats_exactly(contrast, tmp_path):
    one, two = (pretrain(contrast(), TOY, checkpoint=tmp_path / name) for name in ("a", "b"))
    assert torch.equal(weights(one), weights(two))
    other = pretrain(contrast(), replace(TOY, seed=4), checkpoint=tmp_path / "c")
    assert not torch.equal(weights(one), weights(other))


def test_training_returns_a_fused_network(contrast, tmp_path):
    network = pretrain(contrast(), replace(TOY, steps=2), checkpoint=tmp_path / "new" / "a")
    assert not network.training
    assert not any("running" in name for name in network.state_dict())
    assert (network.channels, network.width) == (8, 8)
    assert torch.isfinite(weights(network)).all()


def test_a_killed_run_goes_on_as_if_nothing_had_happened(contrast, tmp_path):
    whole = pretrain(contrast(), TOY, checkpoint=tmp_path / "whole")
    # Batches of two pairs: the ninth pair belongs to step 5, after the checkpoint at step 4.
    with pytest.raises(KeyboardInterrupt):
        pretrain(contrast(fail_at=9), TOY, checkpoint=tmp_path / "killed")
    rest = contrast()
    resumed = pretrain(rest, TOY, checkpoint=tmp_path / "killed", resume=True)
    assert rest.sources[0].source.calls == 2 * 2, "four of six steps were done already"
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.slow
def test_an_interrupted_run_loses_no_step(contrast, tmp_path):
    options, path = replace(TOY, checkpoint_every=100), tmp_path / "interrupted"
    whole = pretrain(contrast(), options, checkpoint=tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        pretrain(contrast(fail_at=7), options, checkpoint=path)
    rest = contrast()
    resumed = pretrain(rest, options, checkpoint=path, resume=True)
    assert rest.sources[0].source.calls == 2 * 3, "three of six steps were done already"
    assert torch.equal(weights(resumed), weights(whole))


def test_resuming_a_finished_run_trains_no_more(contrast, tmp_path):
    first = pretrain(contrast(), TOY, checkpoint=tmp_path / "a")
    again = pretrain(contrast(fail_at=1), TOY, checkpoint=tmp_path / "a", resume=True)
    assert torch.equal(weights(first), weights(again))


def test_resuming_without_a_checkpoint_starts(contrast, tmp_path):
    options = replace(TOY, steps=2)
    a = pretrain(contrast(), options, checkpoint=tmp_path / "a")
    b = pretrain(contrast(), options, checkpoint=tmp_path / "b", resume=True)
    assert torch.equal(weights(a), weights(b))


@pytest.fixture
def checkpoint(contrast, tmp_path):
    path = tmp_path / "checkpoint"
    pretrain(contrast(), replace(TOY, steps=2), checkpoint=path)
    return path


@pytest.mark.parametrize("damage", ["empty", "short", "flipped", "text", "foreign", "pickle"])
def test_a_damaged_checkpoint_is_one_clear_error(contrast, checkpoint, damage, tmp_path):
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
        pretrain(contrast(), replace(TOY, steps=2), checkpoint=checkpoint, resume=True)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not touched.exists()


def test_a_checkpoint_of_other_options_is_refused(contrast, checkpoint):
    with pytest.raises(MapError, match="other options"):
        pretrain(contrast(), replace(TOY, steps=2, width=16), checkpoint=checkpoint, resume=True)


def test_how_often_checkpoints_are_made_may_change(contrast, checkpoint):
    options = replace(TOY, steps=2, checkpoint_every=1)
    pretrain(contrast(fail_at=1), options, checkpoint=checkpoint, resume=True)


def test_progress_tells_loss_and_hits(contrast, tmp_path):
    told = []
    pretrain(
        contrast(),
        TOY,
        checkpoint=tmp_path / "a",
        progress=lambda stage, done, total, **metrics: told.append((done, total, metrics)),
    )
    assert [row[:2] for row in told] == [(1, 6), (6, 6)]
    assert all(np.isfinite(m["loss"]) and 0 <= m["correct"] <= 1 for _, _, m in told)


@pytest.mark.slow
def test_it_learns_to_match(contrast, tmp_path):
    options = replace(
        TOY, steps=40, pairs=4, channels=16, width=16, learning_rate=5e-3, checkpoint_every=100
    )
    told = []
    pretrain(
        contrast(),
        options,
        checkpoint=tmp_path / "a",
        progress=lambda stage, done, total, **metrics: told.append(metrics["loss"]),
    )
    assert told[-1] < 0.75 * told[0]

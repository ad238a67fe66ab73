"""Meta-training on made-up episodes: it learns, repeats and goes on after a kill."""

from dataclasses import replace

import pytest
import torch

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.meta.adapter_trainer import MetaOptions, meta_train
from reloc.backbone.meta.episode_loss import Episode, EpisodeFitOptions, Rows
from reloc.errors import MapError, OptionError

OPTIONS = MetaOptions(
    steps=40,
    learning_rate=2e-2,
    fit=EpisodeFitOptions(neighbours=4, ridge=0.1),
    checkpoint_every=10,
)


class Source:
    """Inputs of which four numbers tell the place and as many mislead."""

    def episode(self, seed, options):
        generator = torch.Generator().manual_seed(seed)
        places = torch.randn(40, 4, generator=generator)
        coordinates = torch.randn(40, 3, generator=generator)

        def image(number, anchors):
            chance = torch.Generator().manual_seed(seed * 100 + number)
            picks = torch.randperm(40, generator=chance)[:20]
            misleading = torch.randn(20, 4, generator=chance)
            inputs = torch.cat([places[picks], 2 * misleading], dim=1)
            rows = Rows(inputs, coordinates[picks], torch.full((20,), 200.0), torch.arange(anchors))
            return lambda: rows

        support = [image(n, 10) for n in range(5)]
        return Episode(support, [image(10 + n, 0) for n in range(2)])


class Stopped(Exception):
    pass


def adapter():
    torch.manual_seed(0)
    return ContextAdapter(inputs=8, channels=8, hidden=8, windows=())


def trained(path, options=OPTIONS, **more):
    module, losses = adapter(), []
    meta_train(
        module,
        Source(),
        options,
        checkpoint=path / "checkpoint.pt",
        progress=lambda stage, done, total, **figures: losses.append(figures),
        **more,
    )
    return module, losses


def weights(module):
    return torch.cat([p.detach().flatten() for p in module.parameters()])


@pytest.mark.slow
def test_it_learns_which_inputs_tell_the_place(tmp_path):
    module, losses = trained(tmp_path, validate=lambda module: {"share": 0.5})
    means = [figures["mean_loss"] for figures in losses if "mean_loss" in figures]
    assert means[-1] < means[0] - 0.1
    lengths = module.linear.weight.norm(dim=0)
    assert lengths[:4].mean() > 1.3 * lengths[4:].mean()
    assert sum("share" in figures for figures in losses) == 4


@pytest.mark.slow
def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path):
    (tmp_path / "whole").mkdir()
    whole, _ = trained(tmp_path / "whole")

    def stop(module):
        raise Stopped

    with pytest.raises(Stopped):
        trained(tmp_path, validate=stop)
    rest, losses = trained(tmp_path, resume=True)
    torch.testing.assert_close(weights(rest), weights(whole), rtol=0, atol=0)
    assert len(losses) < 5


def test_checkpoints_of_other_options_and_damaged_ones_are_refused(tmp_path):
    trained(tmp_path, replace(OPTIONS, steps=2))
    with pytest.raises(MapError, match="other options"):
        trained(tmp_path, OPTIONS, resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing")
    with pytest.raises(MapError, match="damaged"):
        trained(tmp_path, OPTIONS, resume=True)


def test_impossible_options_are_refused():
    with pytest.raises(OptionError):
        MetaOptions(steps=0)

"""The memory figure: both ways on the same made-up images, and a picture of it."""

from functools import partial

import torch

from reloc.backbone.adapter import ContextAdapter
from reloc.backbone.meta.episode_loss import (
    Episode,
    EpisodeFitOptions,
    backward_episode,
    episode_loss,
)


def test_both_ways_take_the_same_gradient(script):
    memory = script("meta_memory")
    torch.manual_seed(0)
    adapter = ContextAdapter(inputs=memory.CHANNELS, channels=16, hidden=8)
    episode = Episode(
        [partial(memory.made_up, seed, anchors=8) for seed in range(3)],
        [partial(memory.made_up, 9, anchors=0)],
    )
    backward_episode(adapter, episode, EpisodeFitOptions())
    found = adapter.linear.weight.grad.clone()
    adapter.zero_grad(set_to_none=True)
    episode_loss(adapter, episode, EpisodeFitOptions()).backward()
    expected = adapter.linear.weight.grad
    assert (found - expected).norm() < 1e-3 * expected.norm()


def test_a_picture_is_drawn(script, tmp_path):
    memory = script("meta_memory")
    rows = [
        {"method": method, "images": images, "mb": 10.0 * images}
        for method in memory.METHODS.values()
        for images in (1, 10)
    ]
    memory.plot(rows, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000

"""Chance as a function of the seed and the step: a resumed training draws what it would have."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

# A prime between the seeds, beyond the steps of most trainings.
_APART = 1_000_003


def seed_of_step(seed: int, step: int) -> int:
    """What everything random in a step is drawn from."""
    return seed * _APART + step


@contextmanager
def drawn_from(seed: int) -> Iterator[None]:
    """New weights on the host are drawn from a seed; PyTorch's own chance goes on as it was.

    ``torch.manual_seed`` would seed all devices anew, whoever draws on them.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield

"""Trainings whose weights are no longer finite."""

from torch import nn


def finite(*networks: nn.Module) -> bool:
    """Whether all weights are finite; waits for the device."""
    return all(bool(p.isfinite().all()) for network in networks for p in network.parameters())

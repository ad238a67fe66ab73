"""Sizes and schedule of a pre-training."""

from dataclasses import dataclass

from reloc.errors import OptionError


@dataclass(frozen=True)
class PretrainOptions:
    """How to train a backbone.

    Attributes:
        steps: optimiser steps.
        pairs: pairs of views per step.
        size: side of a view in pixels.
        points: correspondences per pair.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: AdamW's.
        temperature: of InfoNCE.
        channels: length of a feature.
        width: channels inside the network.
        seed: of weights and data.
        checkpoint_every: steps between checkpoints.
    """

    steps: int = 3000
    pairs: int = 12
    size: int = 224
    points: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    temperature: float = 0.06
    channels: int = 256
    width: int = 256
    seed: int = 0
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        if min(self.steps, self.pairs) < 1 or self.size < 32 or self.seed < 0:
            raise OptionError(
                "steps and pairs must be at least 1, size at least 32 and seed not negative"
            )

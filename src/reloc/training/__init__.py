"""What all trainings share: the loop, its time, learning rates and seeds."""

from reloc.training.divergence import finite
from reloc.training.ending import Ending, EndRule
from reloc.training.loop import Every, Trainer, train
from reloc.training.one_cycle import OneCycleTrainer
from reloc.training.rates import (
    BEFORE_DECAY,
    cosine_under_warmup,
    set_learning_rates,
    stable_then_falling,
)
from reloc.training.seeds import drawn_from, seed_of_step
from reloc.training.time_limit import TimeLimit

__all__ = [
    "BEFORE_DECAY",
    "EndRule",
    "Ending",
    "Every",
    "OneCycleTrainer",
    "TimeLimit",
    "Trainer",
    "cosine_under_warmup",
    "drawn_from",
    "finite",
    "seed_of_step",
    "set_learning_rates",
    "stable_then_falling",
    "train",
]

"""What all trainings share: the loop, its time, learning rates and seeds."""

from reloc.training.divergence import finite
from reloc.training.loop import Every, Trainer, train
from reloc.training.one_cycle import OneCycleTrainer
from reloc.training.rates import cosine_after_warmup, cosine_under_warmup, set_learning_rates
from reloc.training.seeds import drawn_from, seed_of_step
from reloc.training.time_limit import TimeLimit

__all__ = [
    "Every",
    "OneCycleTrainer",
    "TimeLimit",
    "Trainer",
    "cosine_after_warmup",
    "cosine_under_warmup",
    "drawn_from",
    "finite",
    "seed_of_step",
    "set_learning_rates",
    "train",
]

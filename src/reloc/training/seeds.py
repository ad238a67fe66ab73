"""Chance as a function of the seed and the step: a resumed training draws what it would have."""

# A prime between the seeds, beyond the steps of most trainings.
_APART = 1_000_003


def seed_of_step(seed: int, step: int) -> int:
    """What everything random in a step is drawn from."""
    return seed * _APART + step

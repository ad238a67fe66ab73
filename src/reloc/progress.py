"""How long work tells what it is doing: a callback, so that the core never prints."""

from typing import Protocol


class Progress(Protocol):
    """Called as work advances."""

    def __call__(self, stage: str, done: int, total: int, **metrics: float) -> None:
        """Tells how far the work is.

        Args:
            stage: what is being done, in a word or two ("features", "training").
            done: how much of it is done.
            total: how much there is; it may be corrected from call to call.
            **metrics: figures worth showing, for instance ``loss``.
        """
        ...


def silent(stage: str, done: int, total: int, **metrics: float) -> None:
    """A ``Progress`` that says nothing."""

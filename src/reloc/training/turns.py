"""Steps of several trainers in turns, here or side by side in threads."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

import torch

from reloc.devices import sharing_threads
from reloc.interruption import uninterrupted


class Steps(Protocol):
    """What takes steps; see ``loop.Trainer``."""

    def step(self, fraction: float) -> None:
        """One step at a fraction, 0 to 1, of the whole training."""


T = TypeVar("T", bound=Steps)


class Turns(Generic[T]):
    """Steps of each trainer in its turn until its fraction reaches 1; iterates over what made one.

    It may be iterated over again, once fractions are below 1 again.

    Args:
        trainers: whose steps do not depend on each other.
        fraction: of the training, at which the next step of a trainer is.
        pool: threads to make steps in; None to make them here.
        workers: steps at a time.
    """

    def __init__(
        self,
        trainers: Sequence[T],
        fraction: Callable[[T], float],
        pool: Executor | None = None,
        workers: int = 1,
    ) -> None:
        self._trainers = trainers
        self._waiting: deque[T] = deque()
        self._fraction = fraction
        self._crew = pool
        self._workers = workers
        self._running: dict[Future[None], T] = {}

    def __iter__(self) -> Iterator[T]:
        self._waiting = deque(self._trainers)
        return self._here() if self._crew is None else self._side_by_side(self._crew)

    def settle(self) -> None:
        """Waits for the steps that are being made: then all trainers are between two steps."""
        wait(self._running)

    def _here(self) -> Iterator[T]:
        while self._waiting:
            trainer = self._waiting.popleft()
            if (at := self._fraction(trainer)) < 1:
                trainer.step(at)
                self._waiting.append(trainer)
                yield trainer

    def _side_by_side(self, pool: Executor) -> Iterator[T]:
        self._start_as_many_as_fit(pool)
        while self._running:
            for job in wait(self._running, return_when=FIRST_COMPLETED).done:
                trainer = self._running.pop(job)
                job.result()
                self._waiting.append(trainer)
                yield trainer
            self._start_as_many_as_fit(pool)

    def _start_as_many_as_fit(self, pool: Executor) -> None:
        # A step that nobody remembers would go on while the state is saved.
        with uninterrupted():
            while self._waiting and len(self._running) < self._workers:
                trainer = self._waiting.popleft()
                if (at := self._fraction(trainer)) < 1:
                    self._running[pool.submit(trainer.step, at)] = trainer


@contextmanager
def turns(
    trainers: Sequence[T], fraction: Callable[[T], float], device: torch.device | None
) -> Iterator[Turns[T]]:
    """As many steps at a time as there are cores to share.

    A small network cannot keep several cores busy, several small ones can. What each of them learns
    does not depend on how many there are at a time.

    Args:
        trainers: all on one device.
        fraction: as that of ``Turns``.
        device: theirs; None to take one step at a time.
    """
    if device is None or len(trainers) < 2:
        yield Turns(trainers, fraction)
        return
    with sharing_threads(len(trainers), device) as (pool, workers):
        yield Turns(trainers, fraction, pool, workers)

"""The driver: hands jobs to workers, and writes down what comes of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reloc.files import StrPath
from reloc.fleet.jobs import Failure, JobTable, Tally
from reloc.fleet.manifest import MapJob
from reloc.fleet.places import present
from reloc.fleet.worker_pool import Running, WorkerPool, WorkerPoolOptions

SECONDS_BETWEEN_VIEWS = 1.0


@dataclass(frozen=True)
class FleetView:
    """How all jobs stand, and what runs."""

    tally: Tally
    running: tuple[Running, ...]


def map_fleet(
    jobs: Sequence[MapJob],
    table: JobTable,
    *,
    fingerprint: str,
    backbone: StrPath | None = None,
    pool: WorkerPoolOptions | None = None,
    callback: Callable[[FleetView], None] = lambda view: None,
) -> list[Failure]:
    """Makes the maps that are not there yet, on as many workers as there are.

    A worker that dies is replaced, and its job begun anew, at most ``MAX_ATTEMPTS`` times in a run.
    Bad input fails at once. Whatever ends this process, a later call goes on with what is left.

    Args:
        jobs: what to make.
        table: where it is written down.
        fingerprint: of the backbone.
        backbone: its weights, at the same path on all machines; None for the shipped ones.
        pool: the workers.
        callback: told about once a second how things stand.

    Returns:
        What failed, in the order of the jobs: maps, and before them those of their heads that are
        jobs of their own.

    Raises:
        OptionError: Ray is missing, cannot be reached or has no room for a worker; or fsspec is
            missing for what has a URL.
        OutputError: the table cannot be written any more.
    """
    tasks = {task.file: task for job in jobs for task in (*job.heads(), job)}
    table.enter(
        (file, task.fingerprint(fingerprint), None if task.head is None else task.out)
        for file, task in tasks.items()
    )
    done = table.done()
    there = present(done)
    # Heads are gone once they are joined.
    table.reopen(file for file in done if file not in there and tasks[file].out not in there)
    if waiting := table.tally().waiting:
        weights = None if backbone is None else Path(backbone)
        with WorkerPool(pool or WorkerPoolOptions(), backbone=weights, most=waiting) as workers:
            _work(workers, tasks, table, callback)
    callback(FleetView(table.tally(), ()))
    return table.failures()


def _work(
    pool: WorkerPool,
    jobs: dict[str, MapJob],
    table: JobTable,
    callback: Callable[[FleetView], None],
) -> None:
    shown = time.monotonic()
    while True:
        while pool.free and (out := table.take()) is not None:
            pool.begin(jobs[out])
        if not pool.busy:
            return
        for out, outcome in pool.ended():
            if outcome.state == "done":
                table.finished(out, seconds=outcome.seconds)
            elif outcome.state == "refused":
                table.refused(out, outcome.reason)
            else:
                table.crashed(out, outcome.reason)
        if time.monotonic() - shown >= SECONDS_BETWEEN_VIEWS:
            callback(FleetView(table.tally(), pool.running()))
            shown = time.monotonic()

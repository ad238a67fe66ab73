"""The workers as Ray actors: each a process with a backbone of its own, replaced when it dies."""

import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reloc.errors import OptionError
from reloc.fleet.manifest import MapJob
from reloc.fleet.session import Session
from reloc.fleet.worker import Activity, Outcome, Worker

# So long an outcome is waited for, and the answers of busy workers to what they are at.
SECONDS_FOR_OUTCOMES = 1.0
SECONDS_FOR_ANSWERS = 0.5
# A local Ray takes a third of the memory for objects by default; jobs and outcomes are tiny.
OBJECT_STORE_BYTES = 80 << 20


@dataclass(frozen=True)
class WorkerPoolOptions:
    """The workers, and what each takes of its machine.

    Attributes:
        workers: how many; None for as many as there is room for.
        cpus: cores of each.
        gpus: GPUs of each, which may be a fraction; without any it computes on the CPU.
        address: of a Ray cluster, as Ray understands it; None for the one that ``RAY_ADDRESS``
            names, or this machine alone.

    Raises:
        OptionError: an impossible number.
    """

    workers: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    address: str | None = None

    def __post_init__(self) -> None:
        if (self.workers is not None and self.workers < 1) or not self.cpus > 0 or self.gpus < 0:
            raise OptionError("workers and cpus must be positive, gpus not negative")


@dataclass(frozen=True)
class Running:
    """A job that runs: its file, and what its worker is at."""

    out: str
    activity: Activity


class WorkerPool:
    """Workers on Ray, until it is closed.

    Args:
        options: how many and how large.
        backbone: weights, at the same path on all machines; None for the shipped ones.
        most: workers that there is work for.

    Raises:
        OptionError: Ray is missing, cannot be reached or has no room for a worker.
    """

    def __init__(self, options: WorkerPoolOptions, *, backbone: Path | None, most: int) -> None:
        self._session: Session | None = None
        try:
            self._ray = self._connected(options)
        except BaseException:
            self._end_session()
            raise
        # Two threads: the second answers what the first is at.
        actor = self._ray.remote(
            num_cpus=options.cpus, num_gpus=options.gpus, max_restarts=0, max_concurrency=2
        )(Worker)
        self._hire = lambda: actor.remote(
            backbone,
            device="cuda" if options.gpus else "cpu",
            threads=max(1, int(options.cpus)),
        )
        # What each promise of an outcome is of.
        self._busy: dict[Any, tuple[MapJob, Any]] = {}
        try:
            size = min(most, _room(self._ray, options))
        except BaseException:
            self.close()
            raise
        self._idle = [self._hire() for _ in range(size)]

    def _connected(self, options: WorkerPoolOptions) -> Any:
        """Ray, connected. Raises OptionError."""
        alone = options.address is None and not os.environ.get("RAY_ADDRESS")
        ray = _imported(alone=alone)
        local: dict[str, Any] = {}
        if alone:
            # A machine of one core still makes one map at a time; more workers than cores are the
            # user's.
            cores = max(os.cpu_count() or 1, options.cpus * (options.workers or 1))
            self._session = Session()
            local = {
                "num_cpus": cores,
                "object_store_memory": OBJECT_STORE_BYTES,
                "_temp_dir": str(self._session.ray),
                "_node_ip_address": "127.0.0.1",
            }
        started = self._session.inherited() if self._session else nullcontext()
        try:
            with _own_signals(), started:
                ray.init(
                    address="local" if alone else options.address,
                    include_dashboard=False if alone else None,
                    log_to_driver=False,
                    logging_level="error",
                    **local,
                )
        except (OSError, RuntimeError, ValueError) as error:
            where = options.address or os.environ.get("RAY_ADDRESS") or "this machine"
            line = (str(error).splitlines() or [""])[0]
            raise OptionError(
                f"{where}: Ray cannot be reached or started ({line}); check the address, and set "
                "RAY_AUTH_MODE=token if the cluster wants a token"
            ) from error
        return ray

    @property
    def free(self) -> bool:
        """Whether somebody has nothing to do."""
        return bool(self._idle)

    @property
    def busy(self) -> bool:
        """Whether somebody has something to do."""
        return bool(self._busy)

    def begin(self, job: MapJob) -> None:
        """Hands a job to a worker that is free."""
        worker = self._idle.pop()
        self._busy[worker.make.remote(job)] = (job, worker)

    def ended(self) -> list[tuple[str, Outcome]]:
        """Files of jobs that ended, and how; waits a moment for one."""
        promises, _ = self._ray.wait(list(self._busy), timeout=SECONDS_FOR_OUTCOMES)
        return [self._end(promise) for promise in promises]

    def _end(self, promise: Any) -> tuple[str, Outcome]:
        job, worker = self._busy.pop(promise)
        try:
            outcome = self._ray.get(promise)
            self._idle.append(worker)
        except self._ray.exceptions.RayError as error:
            reason = f"{job.scene}: its worker died ({type(error).__name__})"
            outcome = Outcome("crashed", reason)
            self._ray.kill(worker)
            self._idle.append(self._hire())
        return job.file, outcome

    def running(self) -> tuple[Running, ...]:
        """What the workers are at, as far as they answer soon."""
        asked = {w.activity.remote(): job.file for job, w in self._busy.values()}
        if not asked:
            return ()
        answers, _ = self._ray.wait(
            list(asked), num_returns=len(asked), timeout=SECONDS_FOR_ANSWERS
        )
        found = []
        for answer in answers:
            try:
                found.append(Running(asked[answer], self._ray.get(answer)))
            except self._ray.exceptions.RayError:
                continue  # it died; its job will tell
        return tuple(sorted(found, key=lambda running: running.out))

    def close(self) -> None:
        """Sends all workers home."""
        try:
            self._ray.shutdown()
        finally:
            self._end_session()

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _imported(*, alone: bool) -> Any:
    """Ray. Raises OptionError."""
    # Nobody asked for reports to Ray's makers.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if alone and "ray" not in sys.modules:
        # Ray runs whatever it is sent: let nobody else in, and listen to this machine only. It
        # looks for both when it is imported, and only then.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
    except ImportError as error:
        raise OptionError(
            "map-many needs Ray; install it with pip install 'reloc[many]'"
        ) from error
    return ray


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself; what it did before it does again after the block."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _room(ray: Any, options: WorkerPoolOptions) -> int:
    """Workers that there is room for, as many as wanted at most. Raises OptionError for none."""
    until = time.monotonic() + 10
    while not (resources := ray.cluster_resources()).get("CPU") and time.monotonic() < until:
        time.sleep(0.1)
    rooms = [resources.get("CPU", 0.0) / options.cpus]
    if options.gpus:
        rooms.append(resources.get("GPU", 0.0) / options.gpus)
    room = int(min(rooms) + 1e-6)
    if room < 1:
        raise OptionError(
            f"no room for a worker of {options.cpus:g} cpus and {options.gpus:g} gpus; Ray has "
            f"{resources.get('CPU', 0):g} and {resources.get('GPU', 0):g}"
        )
    return min(room, options.workers or room)

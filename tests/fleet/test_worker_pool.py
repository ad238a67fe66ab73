"""What is asked of a crew. Its work is tested with the driver's."""

import builtins
import os
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from reloc.errors import OptionError
from reloc.fleet.manifest import MapJob
from reloc.fleet.worker_pool import WorkerPool, WorkerPoolOptions
from reloc.methods.ace import MappingOptions


def test_a_crew_needs_sensible_numbers() -> None:
    with pytest.raises(OptionError, match="positive"):
        WorkerPoolOptions(workers=0)
    with pytest.raises(OptionError, match="positive"):
        WorkerPoolOptions(cpus=float("nan"))
    with pytest.raises(OptionError, match="negative"):
        WorkerPoolOptions(gpus=-1)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without_ray(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError("No module named 'ray'")
        return whole(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    # Both are set for Ray, and must not stay for other tests.
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    with pytest.raises(OptionError, match=r"reloc\[many\]"):
        WorkerPool(WorkerPoolOptions(), backbone=None, most=1)


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux")
def test_alone_ray_is_private_and_gone_after_a_signal() -> None:
    """In a process of its own, which is told to end as a system that shuts down would."""
    process = subprocess.Popen([sys.executable, "-c", ALONE], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    listening, sockets = set(), sockets_below(process.pid)
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, address, _, state, *_, inode = line.split()[:10]
            if state == "0A" and inode in sockets:
                listening.add(address.partition(":")[0])
    assert listening
    assert listening <= {"0100007F", "0000000000000000FFFF00000100007F", f"{'0' * 24}01000000"}
    process.terminate()
    assert process.wait() == 1
    assert not folder.parent.exists()


ALONE = """
import signal, time
def stop(*_):
    raise KeyboardInterrupt
signal.signal(signal.SIGTERM, stop)
from reloc.fleet.worker_pool import WorkerPool, WorkerPoolOptions
try:
    with WorkerPool(WorkerPoolOptions(workers=1), backbone=None, most=1) as pool:
        print(pool._session.ray, flush=True)
        time.sleep(600)
except KeyboardInterrupt:
    raise SystemExit(1)
"""


def sockets_below(ancestor: int) -> set[str]:
    """Inodes of the sockets of a process and of all that it started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, waiting = set(), [ancestor]
    while waiting:
        process = waiting.pop()
        waiting += children.get(process, [])
        for handle in Path(f"/proc/{process}/fd").glob("*"):
            with suppress(OSError):
                target = str(handle.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_four_workers_share_a_gpu_of_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The GPU is one that Ray is told of: what is tested is who gets a share of it."""
    for name, value in (("USAGE_STATS_ENABLED", "0"), ("worker_niceness", "0")):
        monkeypatch.setenv(f"RAY_{name}", value)
    from ray.cluster_utils import Cluster

    class Shown:
        """Stands for a worker, which would want a real GPU; tells what it was given."""

        def __init__(self, backbone: None, *, device: str, threads: int) -> None:
            self.given = device, threads, os.getpid()

        def make(self, job: MapJob) -> tuple[str, int, int, str]:
            return *self.given, os.environ["CUDA_VISIBLE_DEVICES"]

    monkeypatch.setattr("reloc.fleet.worker_pool.Worker", Shown)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 6, "num_gpus": 1, "include_dashboard": False},
    )
    try:
        options = WorkerPoolOptions(gpus=0.25, address=cluster.address)
        with WorkerPool(options, backbone=None, most=6) as pool:
            for number in range(4):
                assert pool.free
                pool.begin(MapJob("scene", f"{number}.safetensors", MappingOptions()))
            # Nobody is sent home before the last has answered.
            assert not pool.free
            given: list[Any] = []
            while pool.busy:
                given += [outcome for _, outcome in pool.ended()]
        assert [(device, threads, gpu) for device, threads, _, gpu in given] == [
            ("cuda", 1, "0")
        ] * 4
        assert len({pid for _, _, pid, _ in given}) == 4
        with pytest.raises(OptionError, match="no room"):
            WorkerPool(WorkerPoolOptions(gpus=2, address=cluster.address), backbone=None, most=1)
    finally:
        cluster.shutdown()

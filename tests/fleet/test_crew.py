"""What is asked of a crew. Its work is tested with the driver's."""

import builtins
import os
from typing import Any

import pytest

from reloc.errors import OptionError
from reloc.fleet.crew import Crew, CrewOptions
from reloc.fleet.manifest import MapJob
from reloc.mapping import MappingOptions


def test_a_crew_needs_sensible_numbers() -> None:
    with pytest.raises(OptionError, match="positive"):
        CrewOptions(workers=0)
    with pytest.raises(OptionError, match="positive"):
        CrewOptions(cpus=float("nan"))
    with pytest.raises(OptionError, match="negative"):
        CrewOptions(gpus=-1)


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
        Crew(CrewOptions(), backbone=None, most=1)


@pytest.mark.slow
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

    monkeypatch.setattr("reloc.fleet.crew.Worker", Shown)
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 6, "num_gpus": 1, "include_dashboard": False},
    )
    try:
        options = CrewOptions(gpus=0.25, address=cluster.address)
        with Crew(options, backbone=None, most=6) as crew:
            for number in range(4):
                assert crew.free
                crew.begin(MapJob("scene", f"{number}.safetensors", MappingOptions()))
            # Nobody is sent home before the last has answered.
            assert not crew.free
            given: list[Any] = []
            while crew.busy:
                given += [outcome for _, outcome in crew.ended()]
        assert [(device, threads, gpu) for device, threads, _, gpu in given] == [
            ("cuda", 1, "0")
        ] * 4
        assert len({pid for _, _, pid, _ in given}) == 4
        with pytest.raises(OptionError, match="no room"):
            Crew(CrewOptions(gpus=2, address=cluster.address), backbone=None, most=1)
    finally:
        cluster.shutdown()

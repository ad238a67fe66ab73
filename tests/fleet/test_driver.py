"""A few small scenes on Ray, with a worker killed on the way."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from reloc.backbone import load_backbone
from reloc.fleet import FleetView, JobTable, MapJob, WorkerPoolOptions, map_fleet
from reloc.maps import SceneMap
from reloc.methods.ace import MappingOptions

SMALL = MappingOptions(
    heads=1, views=12, steps=60, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
)


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_all_maps_are_there_though_a_worker_dies(
    made_scene: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray's workers stand behind all other processes, which on a busy machine takes minutes.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    hall = made_scene(mapping=12, queries=2, depth=False)
    jobs = [
        MapJob(
            str(hall),
            str(tmp_path / f"{number}.safetensors"),
            # Long enough that one is seen at work.
            replace(SMALL, heads=2, steps=400),
            parallel_heads=number == 0,
        )
        for number in range(2)
    ]
    bad = MapJob(str(tmp_path / "none"), str(tmp_path / "bad.safetensors"), SMALL)
    fingerprint = load_backbone().fingerprint
    killed: list[int] = []

    def callback(view: FleetView) -> None:
        heads = [running for running in view.running if ".heads" in running.out]
        if heads and not killed:
            killed.append(heads[0].activity.pid)
            os.kill(killed[0], signal.SIGKILL)

    with JobTable(tmp_path / "jobs") as table:
        pool = WorkerPoolOptions(workers=2)
        failures = map_fleet(
            [*jobs, bad], table, fingerprint=fingerprint, pool=pool, callback=callback
        )
        assert killed
        assert [failure.out for failure in failures] == [bad.out]
        assert "none" in failures[0].reason
        assert table.tally().done == 4
    apart, alone = (SceneMap.load(Path(job.out)) for job in jobs)
    for one, other in zip(apart.regions, alone.regions, strict=True):
        for a, b in zip(one.head.parameters(), other.head.parameters(), strict=True):
            assert torch.equal(a, b)
    assert sorted(path.name for path in tmp_path.glob("*.safetensors*")) == [
        "0.safetensors",
        "1.safetensors",
    ]
    with JobTable(tmp_path / "jobs") as table:
        # Nobody is asked to work, though the heads are gone.
        nowhere = WorkerPoolOptions(address="127.0.0.1:1")
        assert map_fleet(jobs, table, fingerprint=fingerprint, pool=nowhere) == []


def test_nothing_is_begun_where_all_is_done(tmp_path: Path) -> None:
    job = MapJob(str(tmp_path / "room"), str(tmp_path / "a.safetensors"), SMALL)
    Path(job.out).touch()
    with JobTable(tmp_path / "jobs") as table:
        table.enter([(job.out, job.fingerprint("x"), None)])
        table.finished(str(table.take()), seconds=1.0)
        # A crew that cannot be: nobody is asked to work.
        nowhere = WorkerPoolOptions(address="127.0.0.1:1")
        assert map_fleet([job], table, fingerprint="x", pool=nowhere) == []

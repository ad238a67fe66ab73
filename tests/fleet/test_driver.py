"""A few small scenes on Ray, with a worker killed on the way."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from reloc.backbone import load_backbone
from reloc.fleet import CrewOptions, FleetView, JobTable, MapJob, map_fleet
from reloc.mapping import MappingOptions
from reloc.synthetic.scene import write_synthetic_scene

SMALL = MappingOptions(
    heads=1, views=12, steps=60, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
)


@pytest.mark.slow
def test_all_maps_are_there_though_a_worker_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ray's workers stand behind all other processes, which on a busy machine takes minutes.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    write_synthetic_scene(
        tmp_path / "room", mapping=5, queries=0, width=160, height=120, depth=False
    )
    jobs = [
        MapJob(
            str(tmp_path / "room"),
            str(tmp_path / f"{seed}.safetensors"),
            replace(SMALL, seed=seed),
        )
        for seed in range(3)
    ]
    # Long enough that it is seen at work.
    jobs[0] = replace(jobs[0], options=replace(SMALL, steps=400))
    bad = MapJob(str(tmp_path / "none"), str(tmp_path / "bad.safetensors"), SMALL)
    fingerprint = load_backbone().fingerprint
    killed: list[int] = []

    def watch(view: FleetView) -> None:
        if view.running and not killed:
            killed.append(view.running[0].activity.pid)
            os.kill(killed[0], signal.SIGKILL)

    with JobTable(tmp_path / "jobs") as table:
        crew = CrewOptions(workers=2)
        failures = map_fleet([*jobs, bad], table, fingerprint=fingerprint, crew=crew, watch=watch)
        assert killed
        assert [failure.out for failure in failures] == [bad.out]
        assert "none" in failures[0].reason
        assert table.tally().done == 3


def test_nothing_is_begun_where_all_is_done(tmp_path: Path) -> None:
    job = MapJob(str(tmp_path / "room"), str(tmp_path / "a.safetensors"), SMALL)
    Path(job.out).touch()
    with JobTable(tmp_path / "jobs") as table:
        table.enter([(job.out, job.fingerprint("x"))])
        table.finished(str(table.take()), seconds=1.0)
        # A crew that cannot be: nobody is asked to work.
        nowhere = CrewOptions(address="127.0.0.1:1")
        assert map_fleet([job], table, fingerprint="x", crew=nowhere) == []

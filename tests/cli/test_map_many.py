"""``reloc map-many``, as a user calls it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from reloc.cli.map_many import lines_of
from reloc.fleet import FleetView, JobTable, Running, Tally
from reloc.fleet.worker import Activity
from reloc.maps import SceneMap

SMALL: dict[str, Any] = {
    "heads": 1,
    "views": 12,
    "batch": 64,
    "width": 32,
    "blocks": 1,
    "short_side": 120,
}


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's workers stand behind all other processes, which on a busy machine takes minutes."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


def manifest_of(folder: Path, scene: Path, *changes: dict[str, object], steps: int) -> Path:
    """A manifest of a map for each of the changes, all of one scene."""
    job = {"scene": str(scene), "steps": steps, **SMALL}
    lines = [
        {**job, "map": f"maps/{n}.safetensors", "seed": n, **change}
        for n, change in enumerate(changes)
    ]
    path = folder / "many.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_the_same_command_goes_on_after_the_driver_was_killed(
    made_scene: Callable[..., Path], tmp_path: Path
) -> None:
    hall = made_scene(mapping=12, queries=2, depth=False)
    manifest = manifest_of(tmp_path, hall, {}, {"heads": 2, "parallel_heads": True}, steps=150)
    command = [sys.executable, "-m", "reloc", "map-many", str(manifest), "--workers", "1"]
    first, second = (tmp_path / "maps" / f"{number}.safetensors" for number in range(2))
    heads = tmp_path / "maps" / "1.safetensors.heads"
    driver = subprocess.Popen([*command, "--quiet"])
    while not (heads / "0.safetensors").exists():
        assert driver.poll() is None
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL
    written = first.stat().st_mtime_ns
    assert not second.exists()
    with JobTable(f"{manifest}.jobs") as table:
        assert table.tally().total == 4
        assert 1 <= table.tally().done < 4
    kept = tmp_path / "kept"
    os.link(heads / "0.safetensors", kept)

    log = tmp_path / "log.jsonl"
    run = subprocess.run([*command, "--json-log", log], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "2 of 2 maps" in run.stdout
    assert first.stat().st_mtime_ns == written
    assert sorted(path.name for path in first.parent.iterdir()) == [first.name, second.name]
    whole, head = SceneMap.load(second), SceneMap.load(kept).head
    assert len(whole.regions) == 2
    assert whole.info["steps"] == 2 * 150
    for one, other in zip(whole.head.parameters(), head.parameters(), strict=True):
        assert torch.equal(one, other)
    last = json.loads(log.read_text().splitlines()[-1])
    assert (last["stage"], last["done"], last["failed"]) == ("jobs", 4, 0)


@pytest.mark.slow
@pytest.mark.usefixtures("one_ray")
def test_failed_scenes_are_told_with_the_reason(
    reloc: Callable[..., Any], small_scene: Path, tmp_path: Path
) -> None:
    manifest = manifest_of(tmp_path, small_scene, {"heads": 2, "parallel_heads": True}, steps=10)
    run = reloc("map-many", manifest, "--workers", 1)
    assert "1 of 1 maps failed" in run.refusal()
    made = str(tmp_path / "maps" / "0.safetensors")
    lines = [line for line in run.out.replace("\n", " ").split("failed ") if made in line]
    assert [line.partition(":")[0] for line in lines] == [
        f"{made}.heads/0.safetensors",
        f"{made}.heads/1.safetensors",
        made,
    ]
    assert "missing: 0, 1" in lines[-1]
    assert "0 of 1 maps" in run.out


def test_bad_input_is_one_clear_line(reloc: Callable[..., Any], tmp_path: Path) -> None:
    assert "cannot be read" in reloc("map-many", tmp_path / "none.toml").refusal()
    manifest = manifest_of(tmp_path, tmp_path / "scene", {}, steps=10)
    assert "positive" in reloc("map-many", manifest, "--workers", 0).refusal()
    with JobTable(tmp_path / "held"):
        run = reloc("map-many", manifest, "--jobs", tmp_path / "held")
        assert "another map-many" in run.refusal()
    assert "local file" in reloc("map-many", manifest, "--jobs", "mysql://a/b").refusal()


def test_the_view_says_how_all_jobs_stand() -> None:
    running = [
        Running("a.safetensors", Activity(1)),
        Running("b.safetensors", Activity(2, "training", 30, 60)),
    ]
    view = FleetView(Tally(waiting=5, running=2, done=3), tuple(running))
    assert lines_of(view) == [
        "jobs: 3/10, 2 running, 5 waiting, 0 failed",
        "  a.safetensors: starting",
        "  b.safetensors: training 50 %",
    ]
    crowd = FleetView(Tally(running=40), tuple(20 * running))
    assert lines_of(crowd)[-1] == "  and 10 more"

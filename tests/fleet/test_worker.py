"""One worker, without Ray."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from reloc.cli.main import main
from reloc.fleet.manifest import MapJob
from reloc.fleet.worker import Worker
from reloc.landmarks import LandmarkOptions
from reloc.maps import SceneMap
from reloc.methods.ace import PRESETS, MappingOptions
from reloc.methods.landmarks import MadeLandmarks

SMALL = MappingOptions(
    heads=1, views=12, steps=30, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
)


@pytest.fixture(scope="module")
def room(made_scene: Callable[..., Path]) -> Path:
    """A synthetic scene; not to be written to."""
    return made_scene(mapping=7, queries=3, depth=False)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    threads = torch.get_num_threads()
    yield Worker(None, device="cpu", threads=1)
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def hall(made_scene: Callable[..., Path]) -> Path:
    """A synthetic scene with frames for two heads; not to be written to."""
    return made_scene(mapping=12, queries=2, depth=False)


def weights(path: Path) -> list[torch.Tensor]:
    return [p for region in SceneMap.load(path).regions for p in region.head.parameters()]


def same(one: Path, other: Path) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


@pytest.mark.slow
def test_a_map_is_that_of_the_verb(
    room: Path, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PRESETS, "draft", SMALL)
    alone = tmp_path / "alone.safetensors"
    job = MapJob(str(room), str(tmp_path / "a"), SMALL, landmarks=0)
    options = ("--method", "mlp", "--preset", "draft", "--device", "cpu", "--landmarks", "0")
    assert main(["map", str(room), str(alone), *options]) == 0
    assert worker.make(job).state == "done"
    assert same(alone, Path(job.out))
    other = replace(job, out=str(tmp_path / "b"), options=replace(SMALL, seed=1))
    assert worker.make(other).state == "done"
    assert not same(alone, Path(other.out))


def test_a_map_of_the_job_is_kept_and_any_other_replaced(
    room: Path, worker: Worker, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "a.safetensors"
    job = MapJob(f"file://{room}", f"file://{out}", SMALL, landmarks=0)
    assert worker.make(job).state == "done"
    first = out.read_bytes()
    assert worker.make(job).state == "done"
    assert out.read_bytes() == first
    out.write_bytes(first[:1000])
    assert worker.make(job).state == "done"
    assert SceneMap.load(out).info["scene"] == room.name
    assert worker.make(MapJob(job.scene, job.out, SMALL, query="test.txt")).state == "refused"
    assert sorted(path.name for path in out.parent.iterdir()) == ["a.safetensors"]


@pytest.mark.slow
def test_heads_made_by_jobs_are_joined_to_the_very_map_of_one_worker(
    hall: Path, worker: Worker, tmp_path: Path
) -> None:
    options = replace(SMALL, heads=2, views=24)
    alone = MapJob(str(hall), str(tmp_path / "alone.safetensors"), options)
    shared = MapJob(str(hall), str(tmp_path / "shared.safetensors"), options, parallel_heads=True)
    assert worker.make(alone).state == "done"
    first, second = shared.heads()
    assert worker.make(second).state == "done"
    early = worker.make(shared)
    assert early.state == "refused"
    assert "missing: 0" in early.reason
    assert worker.make(first).state == "done"
    assert worker.make(shared).state == "done"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["alone.safetensors", "shared.safetensors"]
    one, other = (SceneMap.load(Path(job.out)) for job in (alone, shared))
    assert len(one.regions) == len(other.regions) == 2
    assert same(Path(alone.out), Path(shared.out))
    for mine, theirs in zip(one.regions, other.regions, strict=True):
        assert mine.frames == theirs.frames
        np.testing.assert_array_equal(mine.origin, theirs.origin)
        np.testing.assert_array_equal(mine.views, theirs.views)
    assert one.info.keys() == other.info.keys()


@pytest.mark.slow
def test_heads_of_a_map_that_is_there_are_not_made_again(
    hall: Path, worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a death between the map and the table, or when the table was lost."""
    options = replace(SMALL, heads=2, views=24)
    shared = MapJob(str(hall), str(tmp_path / "a.safetensors"), options, parallel_heads=True)
    marked = []

    def make_landmarks(*_: Any, options: LandmarkOptions, **__: Any) -> MadeLandmarks:
        marked.append(options.count)
        return MadeLandmarks(told={} if options.count else None)

    monkeypatch.setattr("reloc.methods.mapping_plan.make_landmarks", make_landmarks)
    assert [worker.make(job).state for job in (*shared.heads(), shared)] == ["done"] * 3
    assert [n for n in marked if n] == [10_000], "made once, when all heads are there"
    monkeypatch.setattr("reloc.fleet.worker.map_scene", lambda *_, **__: 1 / 0)
    Path(shared.heads()[0].file).parent.mkdir()
    Path(shared.heads()[0].file).write_bytes(b"left over")
    assert [worker.make(job).state for job in (*shared.heads(), shared)] == ["done"] * 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.slow
def test_lists_are_files_of_the_scene(room: Path, worker: Worker, tmp_path: Path) -> None:
    held_back = tmp_path / "held.txt"
    held_back.write_text("train/rgb/00000.jpg\n")
    job = MapJob(
        str(room), str(tmp_path / "a.safetensors"), SMALL, query=str(held_back), landmarks=0
    )
    outcome = worker.make(job)
    assert outcome.state == "done", outcome.reason
    assert "train/rgb/00000.jpg" not in [c.name for c in SceneMap.load(Path(job.out)).cameras]


def test_bad_input_is_refused_and_other_trouble_is_not(
    worker: Worker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = MapJob(str(tmp_path / "none"), str(tmp_path / "a.safetensors"), SMALL)
    assert worker.make(job).state == "refused"
    monkeypatch.setattr("reloc.fleet.worker.open_scene", lambda root, **lists: 1 / 0)
    outcome = worker.make(job)
    assert outcome.state == "crashed"
    assert "ZeroDivisionError" in outcome.reason


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_no_half_of_a_map(room: Path, tmp_path: Path) -> None:
    # The kill comes when the map is being written: the last moment, and the worst.
    script = (
        "import os, shutil, sys\n"
        "from pathlib import Path\n"
        "from reloc.fleet.manifest import MapJob\n"
        "from reloc.fleet.worker import Worker\n"
        "from reloc.methods.ace import MappingOptions\n"
        "def half(source, target):\n"
        "    Path(target).write_bytes(Path(source).read_bytes()[:1000])\n"
        "    os.kill(os.getpid(), 9)\n"
        "shutil.copyfile = half\n"
        f"options = MappingOptions(**{vars(SMALL)!r})\n"
        "Worker(None, device='cpu').make(MapJob(sys.argv[1], sys.argv[2], options, landmarks=0))\n"
    )
    out = tmp_path / "out" / "a.safetensors"
    command = [sys.executable, "-c", script, str(room), str(out)]
    assert subprocess.run(command).returncode == -9
    assert not out.exists()

"""``reloc meta-train``, on rooms of a few pixels."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.backbone import load_backbone
from reloc.geometry import look_at
from reloc.synthetic import TrainingViews, write_views


@pytest.fixture
def rooms(tmp_path):
    """Two rooms of twelve views of 64 pixels."""
    rng = np.random.default_rng(0)
    for room in range(2):
        poses = [look_at((np.cos(n), np.sin(n), 0.1 * n), (0, 0, 0)) for n in range(12)]
        views = TrainingViews(
            images=rng.integers(0, 256, (12, 64, 64), dtype=np.uint8),
            depths=rng.uniform(1, 2, (12, 64, 64)).astype(np.float32),
            intrinsics=np.tile([60.0, 60.0, 32.0, 32.0], (12, 1)),
            world_from_cam=np.stack(poses),
            pairs=np.zeros((0, 2), np.int64),
            overlaps=np.zeros(0, np.float32),
        )
        write_views(tmp_path / "rooms" / f"room-{room:06d}-12.npz", views)
    return tmp_path / "rooms"


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def arguments(out, rooms, *more):
    toy = ("--rooms", "2", "--rooms-folder", str(rooms), "--steps", "2")
    return ("meta-train", str(out), *toy, *more)


def test_an_adapter_is_written_and_loads_as_a_backbone(reloc, rooms, tmp_path):
    out = tmp_path / "out"
    run = reloc(*arguments(out, rooms))
    assert run.status == 0, run.err
    backbone = load_backbone(out / "adapter.safetensors")
    assert run.out.rstrip().endswith(f"fingerprint {backbone.fingerprint}")
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["done"] for line in lines] == [1, 2]


@pytest.mark.slow
def test_the_same_rooms_give_the_same_adapter(reloc, rooms, tmp_path):
    runs = [reloc(*arguments(tmp_path / name, rooms, "--quiet")) for name in ("one", "again")]
    one, again = (run.out.split("fingerprint ")[1] for run in runs)
    assert [run.err for run in runs] == ["", ""]
    assert one == again


@pytest.mark.slow
def test_it_is_validated_on_a_scene(reloc, rooms, made_place, tmp_path):
    out = tmp_path / "out"
    run = reloc(*arguments(out, rooms, "--validate", made_place))
    assert run.status == 0, run.err
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["meta-training", "meta-training", "validation"]
    assert "median_of_extent" in lines[-1]


def test_impossible_options_are_refused(reloc, rooms, tmp_path):
    assert "rooms" in reloc("meta-train", tmp_path / "out", "--rooms", 0).refusal()
    (rooms / "room-000001-12.npz").write_bytes(b"nothing")
    assert "room-000001" in reloc(*arguments(tmp_path / "out", rooms)).refusal()


@pytest.mark.slow
def test_two_processes_take_the_steps_of_one(reloc, rooms, one_thread, tmp_path):
    # Noise has no principal directions of its own, so those of the start depend on how many threads
    # add up; torchrun gives every process one, however many there are.
    assert reloc(*arguments(tmp_path / "one", rooms)).status == 0
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone")
    command = (*torchrun, "--nproc-per-node", "2", "-m", "reloc")
    done = subprocess.run(
        [*command, *arguments(tmp_path / "two", rooms)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    one, two = (load_file(tmp_path / name / "adapter.safetensors") for name in ("one", "two"))
    for name, weights in one.items():
        torch.testing.assert_close(two[name], weights, rtol=1e-2, atol=1e-4)

"""The scenes and the checks of the benchmark of many maps; Ray is not started."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from reloc.backbone import load_backbone
from reloc.fleet import read_manifest
from reloc.fleet.worker import Worker
from reloc.scenes import open_scene


@pytest.fixture
def fleet(script: Callable[[str], ModuleType]) -> ModuleType:
    return script("fleet")


@pytest.mark.slow
def test_maps_are_told_apart_to_the_last_bit(fleet: ModuleType, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    scenes = fleet.write_scenes(tmp_path / "scenes", 2)
    one, other = (open_scene(scene).mapping_centers() for scene in scenes)
    assert len(one) == len(other) == fleet.FRAMES
    assert not np.allclose(one, other)
    first, second = read_manifest(fleet.write_manifest(tmp_path, scenes))
    assert (first.options.seed, second.options.seed) == (0, 1)
    assert not fleet.whole(first)
    assert Worker(None, device="cpu", threads=1).make(first).state == "done"
    assert fleet.whole(first)
    assert not fleet.differs(first, load_backbone())
    seed = replace(first, options=replace(first.options, seed=7))
    assert fleet.differs(seed, load_backbone())
    torch.set_num_threads(threads)


def test_only_processes_below_the_command_are_killed(fleet: ModuleType) -> None:
    assert fleet.ancestors(4, {4: 3, 3: 2, 2: 1, 1: 0, 9: 1}) == [3, 2, 1]
    # A stranger that is called as Ray's workers are.
    code = "import time; print(flush=True); time.sleep(60)"
    stranger = subprocess.Popen(
        ["ray::Worker.make", "-c", code], executable=sys.executable, stdout=subprocess.PIPE
    )
    try:
        assert stranger.stdout is not None
        stranger.stdout.readline()
        assert fleet.working(os.getpid()) == [stranger.pid]
        assert fleet.working(stranger.pid) == []
    finally:
        stranger.kill()
        stranger.wait()

"""Commands that are killed: old or new content, and a training that goes on."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="kills what it forks"),
]
# In a room that is painted and lit coarsely, of which there are no landmarks to be had.
COARSE = """
import sys
from dataclasses import replace
from functools import partial
sys.path.insert(0, sys.argv.pop(1))
from reloc.synthetic import scene
scene.bake = partial(scene.bake, texel=0.015, lumel=0.2)
import kills
none = lambda case: replace(case, arguments=f"{case.arguments} --landmarks 0")
kills.CASES = tuple(none(case) if case.name == "map" else case for case in kills.CASES)
kills.main()
"""
# A folder that is filled where everybody sees it, from a scene that is there.
CARELESS = """
import shutil, sys
from contextlib import contextmanager
sys.path.insert(0, sys.argv.pop(1))
from reloc.scenes import writers

@contextmanager
def visible(path):
    path.mkdir()
    yield path

writers.atomic_folder = visible
import kills, kill_runs
scene = sys.argv.pop()
kills.inputs = lambda folder, cases: [shutil.copytree(scene, folder / "scene")][:0]
kill_runs.CALLS = ("mkdir",)
kills.main()
"""


def killed(script, folder, *arguments, code=COARSE):
    scripts = Path(script("kills").__file__).parent
    return subprocess.run(
        [sys.executable, "-c", code, scripts, folder, *map(str, arguments)],
        capture_output=True, text=True, timeout=900, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def test_a_killed_map_goes_on_to_the_same_bits_and_a_scene_is_whole_or_not_there(script, tmp_path):
    run = killed(script, tmp_path / "a", "--kills", 0, "--calls", 2, "--only", "map", "convert")
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split("|")[1:-1] for line in run.stdout.splitlines() if line.startswith("| ")]
    assert [row[0].strip() for row in rows[1:]] == ["`map`", "`convert`", "all"]
    assert sum(int(cell) for cell in rows[-1][1:3]) == 6


def test_half_of_a_folder_is_seen(script, made_scene, tmp_path):
    scene = made_scene(mapping=7, queries=3)
    options = ("--kills", 0, "--only", "convert", scene)
    run = killed(script, tmp_path / "a", *options, code=CARELESS)
    assert run.returncode == 1, run.stderr
    assert "folder is neither old nor new" in run.stdout

"""What a type checker tells users of the public interface."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

DOWNSTREAM = """
from pathlib import Path

import numpy as np
import torch

import reloc
from reloc import (
    Backbone,
    Camera,
    Estimate,
    Localizer,
    MapLibrary,
    Query,
    RawFrame,
    RawScene,
    RefineMapOptions,
    RelocError,
    RidgeOptions,
    evaluate,
    load_backbone,
    map_scene,
    open_scene,
    preset_options,
    read_image,
    refine_map,
    register_backbone,
    register_reader,
)


@register_backbone("own")
class Own(torch.nn.Module):
    channels = 1
    stride = 8
    fingerprint = "own-1"

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(images, 8, ceil_mode=True)


@register_reader
class Recording:
    LAYOUT = "recording"
    LOOKS_FOR = "recording.txt"

    def matches(self, root: Path) -> bool:
        return (root / "recording.txt").is_file()

    def read(self, root: Path) -> RawScene:
        camera = Camera.pinhole(width=640, height=480, fx=525)
        return RawScene((RawFrame("a.png", root / "a.png", camera, np.eye(4)),), unit="metre")


def told(stage: str, done: int, total: int, **metrics: float) -> None:
    print(stage, done, total, metrics)


def mapped(folder: str, out: Path) -> list[Estimate]:
    scene = open_scene(folder, images="images")
    own: Backbone = Own()
    options = preset_options("draft", time_limit=60)
    result = map_scene(scene, own, options=options, progress=told)
    result = map_scene(scene, options=RidgeOptions())
    refined = refine_map(result.scene_map, scene, options=RefineMapOptions(steps=5))
    refined.scene_map.save(out)
    localizer = Localizer.from_file(out, load_backbone("rooms"), device="cpu")
    found = localizer.localize(read_image("photo.jpg"), scene.mapping[0].camera)
    pose = found.cam_from_world
    if pose is not None:
        print(pose @ reloc.geometry.look_at((1, 0, 0), (0, 0, 0)))
    try:
        MapLibrary("maps", create=True).add(out, place="home")
    except RelocError as error:
        print(error, reloc.__version__)
    queries = [Query(frame.name, frame.image, frame.camera) for frame in scene.queries]
    estimates = list(localizer.localize_many(queries, strict=True))
    evaluation = evaluate(
        estimates,
        scene.queries,
        scene_extent=scene.extent(),
        map_bytes=0,
        mapping_seconds=None,
        unit=scene.unit,
    )
    print(evaluation.recall)
    return estimates
"""
# What the project does not ask of itself.
STRICTER = "# mypy: warn-return-any, disallow-untyped-calls"
WRONG = """

reloc.Relocator
open_scene(3)
Query("a", "a.jpg").camera.width
own: Backbone = 3
Localizer(load_backbone())
"""


@pytest.mark.slow
def test_users_are_type_checked_strictly(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "downstream.py"
    program.write_text(STRICTER + DOWNSTREAM + WRONG)
    # With the project's own options, so that what its check has read is not read again.
    done = subprocess.run(
        [sys.executable, "-m", "mypy", program],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    first = (STRICTER + DOWNSTREAM).count("\n") + 3
    lines = [int(n) for n in re.findall(r"downstream\.py:(\d+): error", done.stdout)]
    assert lines == [*range(first, first + 5)], done.stdout + done.stderr

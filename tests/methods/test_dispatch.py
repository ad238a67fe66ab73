"""Mapping from Python gives what ``reloc map`` writes, whatever the method."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.cli.main import main
from reloc.errors import OptionError
from reloc.fleet.manifest import MapJob
from reloc.fleet.worker import Worker
from reloc.maps.scene_map import PreviewPoints
from reloc.methods import dispatch
from reloc.methods.ace import PRESETS, MappingOptions, MappingResult, mapper
from reloc.methods.dsacstar import DsacStarOptions
from reloc.methods.ridge import RidgeOptions
from reloc.scenes import open_scene

TOY = MappingOptions(
    heads=1, views=12, steps=10, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
)
COMMANDS = {
    "mlp": (TOY, ["--preset", "draft"]),
    "ridge": (RidgeOptions(seed=3, short_side=120), ["--method", "ridge", "--seed", "3"]),
    "dsacstar": (
        DsacStarOptions(steps=2, width=32, blocks=0, short_side=120),
        ["--method", "dsacstar", "--steps", "2", "--width", "32", "--blocks", "0"],
    ),
}


@pytest.fixture(scope="module")
def room(made_scene):
    """A synthetic scene; not to be written to."""
    return made_scene(mapping=7, queries=3, depth=False)


@pytest.fixture
def looked(monkeypatch):
    """A sketch that even a map of a few steps gets, and how many views were asked for."""
    asked = []

    def with_preview(localizer, frames, *, views, progress):
        asked.append(views)
        points = np.full((2, 3), float(len(frames)))
        return replace(localizer.map, preview=PreviewPoints(points, np.zeros((2, 3), np.uint8)))

    monkeypatch.setattr(dispatch, "with_preview", with_preview)
    return asked


@pytest.mark.usefixtures("small_views")
@pytest.mark.parametrize("method", COMMANDS)
def test_python_gives_the_map_of_the_command_line(method, room, looked, monkeypatch, tmp_path):
    monkeypatch.setitem(PRESETS, "draft", TOY)
    options: Any
    options, command = COMMANDS[method]
    written = tmp_path / "command.safetensors"
    assert main(["map", str(room), str(written), "--device", "cpu", "--quiet", *command]) == 0
    made = dispatch.map_scene(open_scene(str(room)), options=options, device="cpu").scene_map
    made.save(str(tmp_path / "python.safetensors"))
    one, other = load_file(written), load_file(tmp_path / "python.safetensors")
    assert "sketch.points" in one
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert looked == [48, 48]


def test_a_worker_of_a_fleet_makes_the_same(room, looked, tmp_path):
    threads = torch.get_num_threads()
    out = tmp_path / "fleet.safetensors"
    assert Worker(None, device="cpu").make(MapJob(str(room), str(out), TOY)).state == "done"
    assert torch.get_num_threads() == threads
    made = dispatch.map_scene(open_scene(room), options=TOY, device="cpu").scene_map
    made.save(tmp_path / "python.safetensors")
    one, other = load_file(out), load_file(tmp_path / "python.safetensors")
    assert "sketch.points" in one
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_one_head_of_several_has_no_sketch(room, looked):
    made = dispatch.map_scene(open_scene(room), options=TOY, head=0, device="cpu").scene_map
    assert made.preview is None
    assert not looked


def test_time_is_left_for_the_sketch(room, monkeypatch):
    limits, views = [], []

    def mapped(scene, backbone, *, options, **_):
        limits.append(options.time_limit)
        made: Any = "a map"
        return MappingResult(made)

    monkeypatch.setattr(mapper, "map_scene", mapped)
    monkeypatch.setattr(dispatch, "Localizer", lambda *_, **__: None)
    monkeypatch.setattr(dispatch, "with_preview", lambda *_, **given: views.append(given["views"]))
    for limit in (5.0, 30.0, 600.0):
        dispatch.map_scene(open_scene(room), options=replace(TOY, time_limit=limit), device="cpu")
    assert limits == [5.0, pytest.approx(28.2), 596.0]
    assert views == [16, 21, 48]


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (RidgeOptions(), {"checkpoint": "a.partial"}),
        (RidgeOptions(), {"head": 0}),
        (DsacStarOptions(steps=1), {"callback": print}),
    ],
)
def test_what_a_method_does_not_take_is_refused(options, given, room):
    with pytest.raises(OptionError, match="leave") as raised:
        dispatch.map_scene(open_scene(room), options=options, **given)
    assert "\n" not in str(raised.value)

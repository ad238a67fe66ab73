"""Mapping from Python gives what ``reloc map`` writes, whatever the method."""

from dataclasses import replace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from reloc.cli.main import main
from reloc.errors import OptionError
from reloc.fleet.manifest import MapJob
from reloc.fleet.worker import Worker
from reloc.landmarks import LandmarkOptions
from reloc.maps.held_back import HeldBack
from reloc.maps.scene_map import PreviewPoints
from reloc.methods import completion, dispatch, mapping_plan
from reloc.methods.ace import PRESETS, MappingOptions, MappingResult, mapper
from reloc.methods.dsacstar import DsacStarOptions
from reloc.methods.held_back import PartedScene
from reloc.methods.landmarks import MadeLandmarks
from reloc.methods.mapping_plan import CHECKED, SECONDS_PER_CHECKED
from reloc.methods.ridge import DRAFT, RidgeOptions
from reloc.scenes import open_scene

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map

TOY = MappingOptions(
    heads=1, views=12, steps=10, batch=64, width=32, blocks=1, short_side=120, cells_per_view=60
)
COMMANDS = {
    "mlp": (TOY, ["--method", "mlp", "--preset", "draft"]),
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

    monkeypatch.setattr(completion, "with_preview", with_preview)
    return asked


@pytest.mark.usefixtures("small_views")
@pytest.mark.parametrize(
    "method",
    ["ridge", *(pytest.param(method, marks=pytest.mark.slow) for method in ("mlp", "dsacstar"))],
)
def test_python_gives_the_map_of_the_command_line(method, room, looked, monkeypatch, tmp_path):
    monkeypatch.setitem(PRESETS, "draft", TOY)
    options: Any
    options, command = COMMANDS[method]
    written = tmp_path / "command.safetensors"
    # Landmarks are the same work whatever the method.
    count = 10_000 if method == "mlp" else 0
    command = [*command, "--landmarks", str(count), "--device", "cpu", "--quiet"]
    assert main(["map", str(room), str(written), *command]) == 0
    landmarks = LandmarkOptions(count=count)
    scene = open_scene(str(room))
    made = dispatch.map_scene(scene, options=options, landmarks=landmarks, device="cpu").scene_map
    made.save(str(tmp_path / "python.safetensors"))
    one, other = load_file(written), load_file(tmp_path / "python.safetensors")
    assert "sketch.points" in one
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert looked == [48, 48]


@pytest.mark.slow
def test_a_worker_of_a_fleet_makes_the_same(room, looked, tmp_path):
    threads = torch.get_num_threads()
    out = tmp_path / "fleet.safetensors"
    job = MapJob(str(room), str(out), TOY, landmarks=0)
    assert Worker(None, device="cpu").make(job).state == "done"
    assert torch.get_num_threads() == threads
    none = LandmarkOptions(count=0)
    result = dispatch.map_scene(open_scene(room), options=TOY, landmarks=none, device="cpu")
    result.scene_map.save(tmp_path / "python.safetensors")
    one, other = load_file(out), load_file(tmp_path / "python.safetensors")
    assert "sketch.points" in one
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_one_head_of_several_has_no_sketch(room, looked):
    made = dispatch.map_scene(open_scene(room), options=TOY, head=0, device="cpu").scene_map
    assert made.preview is None
    assert made.landmarks is None
    assert not looked


@pytest.mark.parametrize("method", COMMANDS)
def test_every_method_keeps_landmarks_unless_told_otherwise(method, room, monkeypatch, tmp_path):
    """What the command line and Python ask for, whatever comes before it."""
    asked, made = [], MappingResult(made_map())

    def mapped(*_, landmarks=None, **__):
        return made if landmarks is None else landmarks(1.0).given_to(made)

    for where, name in (
        (mapper, "map_scene"),
        (dispatch, "map_scene_ridge"),
        (dispatch, "map_scene_dsacstar"),
    ):
        monkeypatch.setattr(where, name, mapped)
    monkeypatch.setattr(completion, "Localizer", lambda scene_map, *_, **__: scene_map)
    info = {"frames": 7, "skipped": 0, "features": 1, "inlier_share": 0.0}
    monkeypatch.setattr(
        completion, "with_preview", lambda scene_map, *_, **__: replace(scene_map, info=info)
    )

    def make_landmarks(*_, options, **__):
        asked.append(options.count)
        return MadeLandmarks(told={} if options.count else None)

    monkeypatch.setattr(mapping_plan, "make_landmarks", make_landmarks)
    monkeypatch.setattr("reloc.cli.map_._work", lambda info: "")
    options: Any
    scene, (options, command) = open_scene(room), COMMANDS[method]
    out = str(tmp_path / "a.safetensors")
    for extra in ([], ["--landmarks", "0"]):
        assert main(["map", str(room), out, "--device", "cpu", "--quiet", *command, *extra]) == 0
    for landmarks in (None, LandmarkOptions(count=0)):
        dispatch.map_scene(scene, options=options, landmarks=landmarks, device="cpu")
    assert [count for count in asked if count] == [10_000, 10_000]


def test_heads_learn_from_the_frames_that_are_not_held_back_and_landmarks_are_of_all(
    room, monkeypatch
):
    limits, learned, given = [], [], []
    scene = open_scene(room)

    def mapped(scene, backbone, *, options, landmarks, **_):
        limits.append(options.time_limit)
        learned.append(scene)
        return landmarks(1.0).given_to(MappingResult(made_map()))

    def make_landmarks(frames, *, held_back, **_):
        given.append((frames, held_back))
        return MadeLandmarks(told={})

    monkeypatch.setattr(mapper, "map_scene", mapped)
    monkeypatch.setattr(completion, "with_preview", lambda localizer, *_, **__: localizer.map)
    monkeypatch.setattr(completion, "Localizer", lambda scene_map, *_, **__: Mock(map=scene_map))
    monkeypatch.setattr(mapping_plan, "make_landmarks", make_landmarks)
    monkeypatch.setattr(completion, "with_held_back", lambda scene_map, *_, **__: scene_map)
    rest = replace(scene, mapping=scene.mapping[1:])
    parted = PartedScene(rest, scene.mapping[:1], np.arange(1, 7))
    monkeypatch.setattr(mapping_plan, "part", Mock(return_value=parted))
    dispatch.map_scene(scene, options=replace(TOY, time_limit=600.0), device="cpu")
    assert learned == [rest]
    assert given == [(scene.mapping, scene.mapping[:1])]
    of_landmarks = 7 * (0.04 + 0.1 * 0.0192)
    assert limits == [pytest.approx(600 - 4 - CHECKED * SECONDS_PER_CHECKED - of_landmarks)]


@pytest.mark.parametrize("known", [True, False])
def test_the_points_of_a_map_in_closed_form_are_landmarks(room, monkeypatch, known):
    """Seeing more of them with its head would take longer than the fit."""
    scene_map = made_map()
    landmarks = made_landmarks(around=scene_map.origin) if known else None
    drawn = []

    def with_landmark_preview(scene_map, landmarks, frames):
        drawn.append(landmarks)
        return scene_map

    monkeypatch.setattr(dispatch, "map_scene_ridge", lambda *_, **__: MappingResult(scene_map))
    told = MadeLandmarks(landmarks, {})
    monkeypatch.setattr(mapping_plan, "make_landmarks", lambda *_, **__: told)
    monkeypatch.setattr(completion, "with_held_back", lambda scene_map, *_, **__: scene_map)
    monkeypatch.setattr(completion, "Localizer", lambda scene_map, *_, **__: scene_map)
    monkeypatch.setattr(completion, "with_preview", lambda made, *_, **__: made)
    monkeypatch.setattr(completion, "with_landmark_preview", with_landmark_preview)
    dispatch.map_scene(open_scene(room), options=DRAFT, device="cpu")
    assert drawn == ([landmarks] if known else [])


@pytest.mark.parametrize(("count", "seconds"), [(0, 0), (100, 7 * (0.04 + 0.1 * 0.0192))])
def test_time_is_left_for_the_sketch_and_landmarks(room, monkeypatch, count, seconds):
    limits, views, checked = [], [], []

    def mapped(scene, backbone, *, options, **_):
        limits.append(options.time_limit)
        return MappingResult(replace(made_map(), info={"landmarks": {}}))

    monkeypatch.setattr(mapper, "map_scene", mapped)
    monkeypatch.setattr(completion, "Localizer", lambda *_, **__: None)
    monkeypatch.setattr(
        completion, "with_preview", lambda *_, **given: views.append(given["views"])
    )
    scene = open_scene(room)
    parted = PartedScene(scene, scene.mapping * 4, np.arange(7))
    monkeypatch.setattr(mapping_plan, "part", Mock(return_value=parted))
    monkeypatch.setattr(
        completion, "with_held_back", lambda *given, **_: checked.append(len(given[2]))
    )
    for limit in (5.0, 30.0, 600.0):
        options, wanted = replace(TOY, time_limit=limit), LandmarkOptions(count=count)
        dispatch.map_scene(scene, options=options, landmarks=wanted, device="cpu")
    spent = [seconds + SECONDS_PER_CHECKED * count for count in (1, 4, CHECKED)]
    expected = [5.0, 28.2 - spent[1], 596.0 - spent[2]]
    assert limits == [pytest.approx(limit) for limit in expected]
    assert views == [16, 21, 48]
    assert checked == [1, 4, CHECKED]


@pytest.mark.parametrize(
    ("error", "told"),
    [((0.001, 0.1), {"good": True, "more": None}), (None, {"good": False, "more": 2.0})],
)
def test_what_is_asked_for_may_be_met_by_the_finished_map(room, monkeypatch, error, told):
    """The training, which sees fewer frames by few of their cells, ended without it."""
    scene = open_scene(room)
    parted = PartedScene(scene, scene.mapping[:1], np.arange(1, 7))
    made = replace(made_map(), info={"good": False, "more": 2.0})
    held_back = HeldBack("held back", (error,), (None,))
    monkeypatch.setattr(mapping_plan, "part", Mock(return_value=parted))
    monkeypatch.setattr(mapper, "map_scene", lambda *_, **__: MappingResult(made))
    monkeypatch.setattr(completion, "Localizer", lambda scene_map, *_, **__: scene_map)
    monkeypatch.setattr(completion, "with_preview", lambda scene_map, *_, **__: scene_map)
    monkeypatch.setattr(
        completion, "with_held_back", lambda made, *_, **__: replace(made, held_back=held_back)
    )
    options, none = replace(TOY, until="2cm 1deg"), LandmarkOptions(count=0)
    finished = dispatch.map_scene(scene, options=options, landmarks=none, device="cpu")
    assert finished.scene_map.info == told


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

"""Arguments in the wrong order, and maps of other scenes."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.cli.pairs import other_scene
from reloc.maps import SceneMap
from reloc.scenes import open_scene


@pytest.mark.parametrize(
    ("verb", "rest"),
    [("eval", []), ("export", ["out.ply"]), ("refine", ["out.safetensors"]), ("film", ["a.gif"])],
)
def test_a_map_behind_the_scene_is_seen(reloc, made_map, made_place, verb, rest):
    message = reloc(verb, made_place, made_map, *rest).refusal()
    assert f"{made_place}: is no map, but {made_map} is; name the map first" in message
    assert f"reloc {verb} MAP SCENE" in message


def test_a_map_behind_photos_is_seen(reloc, made_map, made_place):
    message = reloc("localize", made_place / "test" / "rgb", made_map).refusal()
    assert message.endswith("name the map first: reloc localize MAP IMAGE...")


def test_a_map_in_place_of_the_scene_to_map_is_seen(reloc, made_map, made_place):
    message = reloc("map", made_map, made_place).refusal()
    assert message == f"{made_map}: is a map; name the scene first: reloc map SCENE MAP"


@pytest.fixture(scope="module")
def pair(made_map, made_place):
    return SceneMap.load(made_map), open_scene(made_place)


def test_a_map_and_its_scene_in_any_split_belong_together(pair):
    scene_map, scene = pair
    assert other_scene(scene_map, scene) is None
    few = replace(scene, mapping=scene.mapping[:1], queries=scene.mapping[1:])
    assert other_scene(scene_map, few) is None
    # Queries alone may be of any capture of the place; old maps do not say what they are of.
    assert other_scene(scene_map, replace(scene, mapping=())) is None
    assert other_scene(replace(scene_map, cameras=()), scene) is None


def moved(frame, distance):
    pose = np.array(frame.world_from_cam)
    pose[0, 3] += distance
    return replace(frame, world_from_cam=pose)


def test_poses_may_be_refined_but_not_be_others(pair):
    scene_map, scene = pair
    size = max(scene_map.extent, scene_map.scale)
    for share, seen in ((0.01, False), (0.5, True)):
        other = replace(scene, mapping=tuple(moved(f, share * size) for f in scene.mapping))
        assert (other_scene(scene_map, other) is not None) is seen
    few = (moved(scene.mapping[0], size), *scene.mapping[1:])
    assert other_scene(scene_map, replace(scene, mapping=few)) is None


def test_other_photos_are_another_scene(pair):
    scene_map, scene = pair
    renamed = tuple(replace(f, name=f"other/{f.name}") for f in scene.mapping)
    doubt = other_scene(scene_map, replace(scene, mapping=renamed))
    assert doubt.startswith("none of its 7 mapping photos is in")


def test_the_warning_comes_before_the_work(reloc, made_map, place):
    for number, file in enumerate(sorted((place / "train" / "poses").iterdir())):
        pose = np.loadtxt(file)
        pose[:3, 3] += 100 + number
        np.savetxt(file, pose)
    run = reloc("eval", made_map, place, "--device", "cpu")
    assert run.status == 0
    assert run.err.startswith(f"warning: {made_map}: 7 of 7 photos")

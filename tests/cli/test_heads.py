"""``reloc heads``: listing and changing the heads of a map."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.geometry import pose_from
from reloc.maps import SceneMap


def count(path):
    return len(SceneMap.load(path).regions)


def test_heads_are_listed_added_replaced_and_dropped(reloc, made_map, tmp_path):
    run = reloc("heads", made_map)
    assert run.status == 0, run.err
    assert "mlp" in run.out
    path = tmp_path / "set.safetensors"
    assert reloc("heads", made_map, "--add", made_map, "--out", path).status == 0
    assert (count(path), count(made_map)) == (2, 1)
    assert reloc("heads", path, "--replace", 1, "--add", path).status == 0
    assert count(path) == 3
    run = reloc("heads", path, "--drop", 0, 2)
    assert run.status == 0, run.err
    assert count(path) == 1


def test_a_set_of_heads_localizes(reloc, made_map, made_place, tmp_path):
    path = tmp_path / "set.safetensors"
    reloc("heads", made_map, "--add", made_map, "--out", path)
    reloc("heads", path, "--add", made_map)
    run = reloc("localize", path, made_place / "train" / "rgb" / "00003.jpg", "--device", "cpu")
    assert '"localized": true' in run.out


def test_what_cannot_be_is_one_clear_line(reloc, made_map, tmp_path):
    assert "needs --add" in reloc("heads", made_map, "--replace", 0).refusal()
    assert "nothing to change" in reloc("heads", made_map, "--out", tmp_path / "a").refusal()
    assert "needs a head" in reloc("heads", made_map, "--drop", 0).refusal()
    assert "no such map" in reloc("heads", tmp_path / "none").refusal()
    assert count(made_map) == 1


def test_the_place_for_the_result_is_looked_at_before_a_map_is_read(
    reloc, made_map, tmp_path, monkeypatch
):
    monkeypatch.setattr(SceneMap, "load", pytest.fail)
    for change in (("--add", made_map), ("--drop", 0)):
        refusal = reloc("heads", made_map, *change, "--out", tmp_path).refusal()
        assert "is a folder" in refusal
        assert "safetensors" not in refusal


def test_the_frames_of_maps_that_are_added_are_checked(reloc, made_map, tmp_path):
    scene_map, path = SceneMap.load(made_map), tmp_path / "other.safetensors"
    foreign = [replace(c, name=f"other/{c.name}") for c in scene_map.cameras]
    replace(scene_map, cameras=tuple(foreign)).save(path)
    run = reloc("heads", made_map, "--add", path, "--out", tmp_path / "both")
    assert run.status == 0, run.err
    assert "note: no image is in both maps" in run.out
    shift = pose_from(np.eye(3), (0, 2.0, 0))
    moved = [replace(c, world_from_cam=shift @ c.world_from_cam) for c in scene_map.cameras]
    replace(scene_map, cameras=tuple(moved)).save(path)
    for options in ((), ("--replace", 0)):
        refusal = reloc("heads", made_map, "--add", path, "--out", tmp_path / "no", *options)
        assert "in two frames: 7 images that both hold stand 2 m" in refusal.refusal()
    assert not (tmp_path / "no").exists()

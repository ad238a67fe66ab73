"""Heads of a few steps know next to nothing of a room; the landmarks of the same map do."""

import json
from dataclasses import replace

import numpy as np
import pytest

from reloc import Localizer, MappingOptions, Query, SceneMap, map_scene
from reloc.cli.main import main
from reloc.errors import OptionError
from reloc.geometry import pose_error
from reloc.landmarks import LandmarkOptions

pytestmark = pytest.mark.slow


def estimates(scene_map, room):
    queries = [Query(frame.name, frame.image, frame.camera) for frame in room.queries]
    return list(Localizer(scene_map, device="cpu").localize_many(queries))


def test_landmarks_make_poses_exact(map_file, room):
    found = estimates(SceneMap.load(map_file), room)
    by_landmarks = [(e, f) for e, f in zip(found, room.queries, strict=True) if e.landmark_inliers]
    errors = np.array([pose_error(e.world_from_cam, f.world_from_cam) for e, f in by_landmarks])
    assert len(by_landmarks) >= 5
    assert np.median(errors[:, 0]) < 0.01
    assert errors[:, 0].max() < 0.05
    assert errors[:, 1].max() < 0.5
    for estimate, _ in by_landmarks:
        assert estimate.localized
        assert estimate.confidence > 0.7
        assert estimate.covariance is not None
    assert not any(e.localized for e in found if not e.landmark_inliers)
    assert all("landmarks" in e.seconds for e in found)


def test_without_them_the_same_heads_find_nothing(map_file, room):
    plain = replace(SceneMap.load(map_file), landmarks=None)
    found = estimates(plain, room)
    assert not any(e.localized for e in found)
    assert all(e.landmark_inliers == 0 and "landmarks" not in e.seconds for e in found)


def test_the_map_says_how_its_landmarks_came_about(map_file):
    scene_map = SceneMap.load(map_file)
    counts = scene_map.info["landmarks"]
    assert counts["views"] == 40
    assert counts["matches"] > counts["confirmed"] > counts["points"] >= counts["kept"]
    assert counts["kept"] == len(scene_map.landmarks)
    assert "landmarks" in scene_map.info["seconds"]


def test_the_command_line_says_how_many_agree(map_file, room, capsys):
    photo = str(room.queries[0].image)
    assert main(["localize", str(map_file), photo, "--device", "cpu", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["localized"]
    assert told["landmark_inliers"] > 30


def test_a_head_alone_has_none(room):
    with pytest.raises(OptionError, match="leave out head or landmarks"):
        map_scene(
            room, options=MappingOptions(heads=2), head=0, landmarks=LandmarkOptions(), device="cpu"
        )

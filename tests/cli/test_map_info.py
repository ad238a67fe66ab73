"""``reloc info`` of a map."""

import json
from dataclasses import replace

import pytest

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


@pytest.fixture
def map_file(tmp_path):
    plain, path = made_map(), tmp_path / "attic.safetensors"
    counts = {"frames": 7, "views": 7, "matches": 90, "confirmed": 80, "points": 60, "kept": 50}
    info = {**plain.info, "landmarks": counts, "frames": 9}
    replace(plain, landmarks=made_landmarks(around=plain.origin), info=info).save(path)
    return path


def test_what_became_of_matches_is_told(reloc, map_file):
    done = reloc("info", map_file)
    assert done.status == 0, done.err
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "map attic.safetensors (0.02 MB)" in lines
    assert "scene attic, 9 mapping frames" in lines
    assert "heads 1 mlp, 16 bits for a weight" in lines
    told = "landmarks 50 of 60 points from 7 frames; of 90 matches a third frame confirmed 80"
    assert told in " ".join(lines)


def test_json_has_the_numbers(reloc, map_file):
    facts = json.loads(reloc("info", map_file, "--json").out)
    assert (facts["landmarks"], facts["landmarks_made"]["points"]) == (50, 60)
    assert facts["bytes"] == map_file.stat().st_size


def test_a_map_may_say_little_of_itself(reloc, map_file):
    replace(made_map(), info={"landmarks": "many"}).save(map_file)
    done = reloc("info", map_file)
    assert done.status == 0, done.err
    assert "unknown, unknown mapping frames" in " ".join(done.out.split())


def test_what_is_no_map_is_refused_in_a_line(reloc, map_file):
    assert "is a map" in reloc("info", map_file, "--advice").refusal()
    map_file.write_bytes(b"nothing")
    assert "damaged or no map" in reloc("info", map_file).refusal()

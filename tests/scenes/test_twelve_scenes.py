"""Reading 12-Scenes."""

import numpy as np
import pytest

from reloc.errors import CameraError, SceneError
from reloc.scenes import open_scene

INFO = """m_versionNumber = 4
m_sensorName = StructureSensor
m_colorWidth = 64
m_colorHeight = 48
m_depthWidth = 32
m_depthHeight = 24
m_depthShift = 1000
m_calibrationColorIntrinsic = 71 0 33 0 0 69 23 0 0 0 1 0 0 0 0 1
m_calibrationDepthIntrinsic = 30 0 16 0 0 31 12 0 0 0 1 0 0 0 0 1
m_frames.size = 4
"""
SPLIT = "sequence0 [frames=2]  [start=0 ; end=1]\nsequence1 [frames=2]  [start=2 ; end=3]\n"


@pytest.fixture
def root(tmp_path, place):
    for number in range(4):
        stem = tmp_path / "data" / f"frame-{number:06d}"
        place.image(stem.with_suffix(".color.jpg"))
        place.depth(stem.with_suffix(".depth.png"), 32, 24)
        place.text(stem.with_suffix(".pose.txt"), place.pose(number))
    place.text(tmp_path / "info.txt", INFO)
    place.text(tmp_path / "split.txt", SPLIT)
    return tmp_path


def test_first_sequence_is_for_queries_and_all_reproject(root, place, seen_by):
    scene = open_scene(root)
    assert (scene.layout, scene.unit) == ("12scenes", "metre")
    for number, frame in enumerate((*scene.queries, *scene.mapping)):
        assert frame.name == f"data/frame-{number:06d}.color.jpg"
        expected = place.pinhole_pixels(number, 71, 69, 33, 23)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)
    assert len(scene.queries) == 2


def test_depth_has_its_own_camera(root):
    depth = open_scene(root).mapping[0].depth
    assert (depth.camera.params, depth.unit) == ((30, 31, 16, 12), 0.001)


def test_without_a_split_all_frames_map(root):
    (root / "split.txt").unlink()
    assert len(open_scene(root).mapping) == 4


@pytest.mark.parametrize("word", ["INF", "-INF", "1.#INF", "NaN", "-1.#IND"])
def test_lost_tracking_is_skipped(root, place, word):
    place.text(root / "data/frame-000002.pose.txt", f"{word} " * 16)
    scene = open_scene(root)
    assert [s.name for s in scene.skipped] == ["data/frame-000002.color.jpg"]


def test_frames_outside_of_the_split_are_left_out(root, place):
    place.text(root / "split.txt", SPLIT.replace("end=3", "end=2"))
    assert [s.name for s in open_scene(root).skipped] == ["data/frame-000003.color.jpg"]


@pytest.mark.parametrize("line", ["spam", "sequence0 [frames=9]", "sequence0 [start=x ; end=1]"])
def test_malformed_split(root, place, line):
    place.text(root / "split.txt", line)
    with pytest.raises(SceneError, match=r"split\.txt:1"):
        open_scene(root)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m_calibrationColorIntrinsic", "elsewhere"),
        ("71 0 33", "71 0"),
        ("71 0 33", "nan 0 33"),
        ("71 0 33", "0 0 33"),
        ("m_colorWidth = 64", "m_colorWidth = spam"),
        ("m_depthShift = 1000", "m_depthShift = 0"),
    ],
)
def test_damaged_info_is_an_error(root, place, old, new):
    place.text(root / "info.txt", INFO.replace(old, new))
    with pytest.raises(CameraError, match=r"info\.txt"):
        open_scene(root)

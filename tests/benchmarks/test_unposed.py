"""Poses found anew are brought onto the given ones, and captures stripped of their poses."""

import numpy as np
import pytest

from reloc.geometry import Camera, look_at, pose_from, rotation_from_vector
from reloc.images.files import write_image
from reloc.scenes import Frame, Scene
from reloc.sfm.captures import capture_without_poses


@pytest.fixture
def unposed(script):
    return script("unposed")


@pytest.fixture
def given():
    """Poses along a straight way, which leaves a turn around it open to centres alone."""
    steps = np.linspace(0, 3, 20)
    return np.array([look_at(np.array([x, 0.0, 0.0]), np.array([x, 5.0, 0.3])) for x in steps])


def test_poses_come_back_whatever_world_they_are_in(unposed, given):
    similarity = pose_from(rotation_from_vector((0.4, -1.0, 2.0)), np.array([3.0, 1, -2]))
    similarity[:3, :3] *= 7.0
    found = unposed.transformed(given, similarity)
    found[4, :3, 3] += 20.0  # one that is wrong
    back = unposed.transformed(found, unposed.onto(found, given))
    right = np.arange(20) != 4
    assert np.abs(back - given)[right].max() < 0.02
    assert np.allclose(back[:, :3, :3] @ back[:, :3, :3].transpose(0, 2, 1), np.eye(3))


def test_captures_hold_all_photos_and_no_poses(unposed, tmp_path):
    camera, frames = Camera.pinhole(width=64, height=48, fx=60), []
    for number in range(4):
        path = tmp_path / f"{number}.png"
        write_image(path, np.full((48, 64, 3), 60 * number, np.uint8))
        frames.append(Frame(f"images/{number}.png", path, camera, np.eye(4)))
    scene = Scene("s", tmp_path, "colmap", mapping=tuple(frames[1:]), queries=(frames[0],))
    names = unposed.photos_of(scene, tmp_path / "photos")
    assert [frame.name for frame in names.values()] == [frame.name for frame in frames]
    assert (tmp_path / "photos" / "query.txt").read_text() == "0000.png\n"
    capture = capture_without_poses(tmp_path / "photos")
    assert [path.name for path in capture.photos] == list(names)
    shown = unposed.video_of(scene, tmp_path / "s.mp4")
    assert capture_without_poses(tmp_path / "s.mp4").kind == "video"
    assert shown["000000.jpg"] is frames[1]


def test_the_table_shows_what_is_measured_so_far(unposed):
    row = {
        "name": "fox", "images": 50, "posed": 49, "pose_percent_of_extent": 0.131,
        "pose_deg": 0.16, "pose_seconds": 33.2,
    }  # fmt: skip
    given = {"percent_of_extent": 0.02, "deg": 0.016, "within_3_percent_5_deg": 100.0}
    line = unposed.table([{**row, "given": {**given, "map_seconds": 20.0}}]).splitlines()[2]
    assert line == (
        "| `fox` | 50 | 98 % | 0.13 %, 0.16° | 0.02 %, 0.016° | - | - | 100 %, - | 33 s | - |"
    )

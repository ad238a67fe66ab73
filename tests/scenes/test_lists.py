"""Query lists and pose sets over any layout."""

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.localize import Estimate
from reloc.localize.pose_files import write_poses
from reloc.scenes import open_scene

IDENTITY = "1 0 0 0 0 0 0"


@pytest.fixture
def root(tmp_path, place):
    """An ACE folder of six mapping frames."""
    for number in range(6):
        place.image(tmp_path / f"train/rgb/{number}.jpg")
        place.text(tmp_path / f"train/poses/{number}.txt", place.pose(number))
        place.text(tmp_path / f"train/calibration/{number}.txt", [[70.0]])
    return tmp_path


def _queries(root, content, place):
    return open_scene(root, query=place.text(root / "my list.txt", content))


def test_listed_images_are_queries_and_the_others_map(root, place):
    scene = _queries(root, "# held out\ntrain/rgb/1.jpg\n\n./train/rgb/4.jpg\n", place)
    assert [f.name for f in scene.queries] == ["train/rgb/1.jpg", "train/rgb/4.jpg"]
    assert len(scene.mapping) == 4


def test_the_suffix_does_not_matter(root, place):
    assert len(_queries(root, "train/rgb/1.png\n", place).queries) == 1


def test_windows_line_ends_and_byte_order_mark(root):
    (root / "list.txt").write_bytes(b"\xef\xbb\xbftrain\\rgb\\1.jpg\r\ntrain/rgb/2.jpg\r\n")
    assert len(open_scene(root, query=root / "list.txt").queries) == 2


def test_absolute_paths_below_the_scene(root, place):
    assert len(_queries(root, f"{root}/train/rgb/1.jpg\n", place).queries) == 1


def test_missing_leading_folders_are_found_where_only_one_frame_fits(root, place):
    assert [f.name for f in _queries(root, "1.jpg\n", place).queries] == ["train/rgb/1.jpg"]
    for kind in ("rgb/1.jpg", "poses/1.txt", "calibration/1.txt"):
        target = root / "test" / kind
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((root / "train" / kind).read_bytes())
    with pytest.raises(SceneError, match="none of its 1 names"):
        _queries(root, "1.jpg\n", place)


def test_unknown_names_are_told(root, place):
    scene = _queries(root, "train/rgb/1.jpg\ntrain/rgb/77.jpg\n../../1.jpg\n", place)
    assert len(scene.queries) == 1
    assert [s.name for s in scene.skipped] == ["train/rgb/77.jpg", "../../1.jpg"]
    assert any("2 of 3 names" in note for note in scene.notes)


@pytest.mark.parametrize("content", ["", "# nothing\n", "no/such.jpg\n"])
def test_lists_that_name_nothing_are_errors(root, place, content):
    with pytest.raises(SceneError, match=r"my list\.txt"):
        _queries(root, content, place)


def test_query_txt_is_used_by_itself_and_a_given_list_wins(root, place):
    place.text(root / "query.txt", "train/rgb/0.jpg\n")
    scene = open_scene(root)
    assert [f.name for f in scene.queries] == ["train/rgb/0.jpg"]
    assert any("query.txt" in note for note in scene.notes)
    assert [f.name for f in _queries(root, "train/rgb/5.jpg", place).queries] == ["train/rgb/5.jpg"]


def test_a_list_may_be_named_relative_to_the_scene(root, place, tmp_path_factory, monkeypatch):
    place.text(root / "held/out.txt", "train/rgb/0.jpg\n")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert len(open_scene(root, query="held/out.txt").queries) == 1


def test_missing_list(root):
    with pytest.raises(SceneError, match="no such file"):
        open_scene(root, query=root / "none.txt")
    with pytest.raises(SceneError, match="no such file"):
        open_scene(root, poses=root / "none.txt")


def test_binary_list(root):
    (root / "list.txt").write_bytes(bytes(range(256)))
    with pytest.raises(SceneError, match="not a text file"):
        open_scene(root, query=root / "list.txt")


def test_pose_set_is_camera_from_world(root, place):
    # The camera looks along world x from (5, 0, 0): world x is its z, world y its -x.
    half = np.sqrt(0.5)
    file = place.text(root / "set.txt", f"train/rgb/0.jpg {half} 0 {-half} 0 0 0 -5\n")
    (frame,) = open_scene(root, poses=file).mapping
    np.testing.assert_allclose(frame.world_from_cam[:3, 3], (5, 0, 0), atol=1e-9)
    np.testing.assert_allclose(frame.world_from_cam[:3, 2], (1, 0, 0), atol=1e-9)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "a.jpg 1 2 3\n",
        f"a.jpg {IDENTITY} 525 7 8 9\n",
        f"{IDENTITY}\n",
        "a.jpg 1 0 0 x 0 0 0\n",
    ],
)
def test_malformed_pose_sets(root, place, content):
    with pytest.raises(SceneError, match=r"set\.txt"):
        open_scene(root, poses=place.text(root / "set.txt", content))


def test_pose_set_of_another_scene(root, place):
    with pytest.raises(SceneError, match="none of its 1 names"):
        open_scene(root, poses=place.text(root / "set.txt", f"elsewhere/9.jpg {IDENTITY}\n"))


@pytest.mark.parametrize(
    "values",
    [
        "0 0 0 0 0 0 0",
        "nan 0 0 0 0 0 0",
        "1 0 0 0 inf 0 0",
        "1e300 1e300 0 0 1 1 1",
        "1 0 0 0 1e200 0 0",
        "1 0 0 0 0 0 0 0",
        "1 0 0 0 0 0 0 -9",
        "1 0 0 0 0 0 0 nan",
    ],
)
def test_unusable_entries_of_a_pose_set_are_skipped(root, place, values):
    text = f"train/rgb/0.jpg {IDENTITY}\ntrain/rgb/1.jpg {values}\n"
    scene = open_scene(root, poses=place.text(root / "set.txt", text))
    assert [f.name for f in scene.mapping] == ["train/rgb/0.jpg"]
    assert "train/rgb/1.jpg" in {s.name for s in scene.skipped}


def test_absolute_paths_of_another_machine_in_a_query_list(root, place):
    scene = _queries(root, "C:\\me\\room\\train\\rgb\\1.jpg\n/data/train/rgb/4.png\n", place)
    assert [f.name for f in scene.queries] == ["train/rgb/1.jpg", "train/rgb/4.jpg"]
    assert len([note for note in scene.notes if "another machine" in note]) == 1


@pytest.mark.parametrize(
    ("name", "tail", "focal"),
    [
        ("train/rgb/{}.jpg", " 81.5 5000", 81.5),
        ("/data/place/rgb/{}.jpg", " 81.5 5000", 81.5),
        ("{}.jpg", " 0.21 0.013 900", 70),
        ("{}.jpg", " nan nan 900", 70),
        ("/data/place/images/{}.jpg", " 81.5", 81.5),
        ("17 train/rgb/{}.jpg", "", 70),
        ("images/my {}.jpg", " 81.5", 81.5),
    ],
)
def test_pose_lists_as_other_programs_write_them(root, place, name, tail, focal):
    lines = [f"{name.format(n)} 1 0 0 0 {-n} 0 0{tail}\n" for n in range(6)]
    scene = open_scene(root, poses=place.text(root / "set.txt", "".join(lines)))
    assert [f.world_from_cam[0, 3] for f in scene.mapping] == [0, 1, 2, 3, 4, 5]
    assert {f.camera.fx for f in scene.mapping} == {focal}
    assert len([n for n in scene.notes if "confidences in set.txt are" in n]) == (
        len(tail.split()) > 1
    )
    assert not scene.skipped


def test_names_with_spaces_are_names(root, place):
    for kind, suffix in (("rgb", "jpg"), ("poses", "txt"), ("calibration", "txt")):
        for number in range(6):
            path = root / f"train/{kind}/{number}.{suffix}"
            path.rename(path.with_name(f"my {number}.{suffix}"))
    lines = [f"train/rgb/my {n}.jpg 1 0 0 0 {-n} 0 0\n" for n in range(6)]
    scene = open_scene(root, poses=place.text(root / "set.txt", "".join(lines)))
    assert [f.name for f in scene.mapping] == [f"train/rgb/my {n}.jpg" for n in range(6)]
    assert scene.notes == ("poses are those of set.txt",)


@pytest.mark.parametrize("tail", ["70 0", "70 -1", "70 nan", "0.1 0.1 0"])
def test_poses_without_confidence_are_skipped(root, place, tail):
    text = f"train/rgb/0.jpg {IDENTITY} 70 12\ntrain/rgb/1.jpg {IDENTITY} {tail}\n"
    scene = open_scene(root, poses=place.text(root / "set.txt", text))
    assert [f.name for f in scene.mapping] == ["train/rgb/0.jpg"]
    reasons = {s.name: s.reason for s in scene.skipped}
    assert reasons["train/rgb/1.jpg"] == "without confidence in set.txt"


def test_what_localize_writes_for_ace_is_a_pose_set(root, place):
    frames = open_scene(root).mapping
    estimates = [Estimate(f.name, True, place.pose(9), inliers=77, confidence=0.9) for f in frames]
    write_poses(root / "ace.txt", estimates, frames, format="ace")
    scene = open_scene(root, poses=root / "ace.txt")
    assert len(scene.mapping) == 6
    np.testing.assert_allclose(scene.mapping[0].world_from_cam, place.pose(9), atol=1e-9)


def test_numbers_after_a_dot_are_no_suffix(tmp_path, place):
    for number in range(3):
        place.image(tmp_path / f"images/frame.{number:04d}.png")
    place.text(tmp_path / "sparse/0/cameras.txt", "1 PINHOLE 64 48 70 70 32 24\n")
    lines = [f"{n + 1} 1 0 0 0 {n} 0 0 1 frame.{n:04d}.png\n\n" for n in range(3)]
    place.text(tmp_path / "sparse/0/images.txt", "".join(lines))
    scene = _queries(tmp_path, "frame.0001\nframe.0002.JPG\nframe.0007\n", place)
    names = ["images/frame.0001.png", "images/frame.0002.png"]
    assert [frame.name for frame in scene.queries] == names
    assert [skipped.name for skipped in scene.skipped] == ["frame.0007"]

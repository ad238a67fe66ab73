"""Finding the layout of a folder."""

import json
import subprocess
import sys

import pytest

from reloc.errors import SceneError
from reloc.scenes import LAYOUTS, open_scene


def _ace(place, root):
    place.image(root / "train/rgb/0.png")
    place.text(root / "train/poses/0.txt", place.pose(0))
    place.text(root / "train/calibration/0.txt", [[70.0]])


def _transforms(place, root):
    place.image(root / "images/0.png")
    entry = {"file_path": "images/0.png", "transform_matrix": place.pose(0).tolist(), "fl_x": 70}
    place.text(root / "transforms.json", json.dumps({"frames": [entry]}))


def test_empty_folder_lists_what_is_known(tmp_path):
    with pytest.raises(SceneError) as error:
        open_scene(tmp_path)
    message = str(error.value)
    assert "found nothing" in message and "\n" not in message
    assert all(layout in message for layout in LAYOUTS)


def test_unknown_layout_lists_what_was_found(tmp_path, place):
    place.text(tmp_path / "seq-01.zip", "still packed")
    with pytest.raises(SceneError, match=r"found seq-01\.zip"):
        open_scene(tmp_path)


def test_a_folder_of_scenes_names_them(tmp_path, place):
    _ace(place, tmp_path / "kitchen")
    _transforms(place, tmp_path / "hall")
    with pytest.raises(SceneError, match=r"hall/ \(transforms\), kitchen/ \(ace\)"):
        open_scene(tmp_path)


def test_missing_folder_and_a_file(tmp_path, place):
    with pytest.raises(SceneError, match="no such folder"):
        open_scene(tmp_path / "none")
    with pytest.raises(SceneError, match="is a file"):
        open_scene(place.text(tmp_path / "transforms.json", "{}"))


def test_several_layouts_are_told_and_can_be_chosen(tmp_path, place):
    _ace(place, tmp_path)
    _transforms(place, tmp_path)
    scene = open_scene(tmp_path)
    assert scene.layout == "ace" and any("transforms" in note for note in scene.notes)
    assert open_scene(tmp_path, layout="transforms").layout == "transforms"


def test_a_layout_that_does_not_fit_or_exist(tmp_path, place):
    _ace(place, tmp_path)
    with pytest.raises(SceneError, match=r"no colmap scene; looked for"):
        open_scene(tmp_path, layout="colmap")
    with pytest.raises(SceneError, match="known are ace"):
        open_scene(tmp_path, layout="spam")


def test_name_is_that_of_the_folder_even_for_the_current_one(tmp_path, place, monkeypatch):
    _ace(place, tmp_path / "kitchen")
    monkeypatch.chdir(tmp_path / "kitchen")
    scene = open_scene(".")
    assert scene.name == "kitchen" and scene.mapping[0].image.is_file()


def test_readers_do_not_load_torch():
    """Listing a scene must not cost the seconds that importing torch takes."""
    code = "import sys, reloc.scenes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_layout_of_recordings_asked_for_a_folder(tmp_path, place):
    _ace(place, tmp_path)
    for layout in ("rosbag", "sens"):
        with pytest.raises(SceneError, match=f"no recording of layout {layout}"):
            open_scene(tmp_path, layout=layout)

"""What is taken for a capture without poses."""

import shutil

import numpy as np
import pytest

from reloc.errors import ImageError
from reloc.sfm.captures import capture_facts, capture_text, capture_without_poses


def test_a_folder_of_photos_is_one_and_so_is_a_video(walked, film):
    photos = capture_without_poses(walked / "photos")
    assert (photos.kind, len(photos.photos)) == ("photos", 12)
    assert capture_facts(photos) == {
        "kind": "photos", "poses": False, "photos": 12, "readable": 12,
        "sizes": [{"width": 320, "height": 240, "photos": 12}],
    }  # fmt: skip
    assert "12 photos (320x240) without poses; `reloc map" in capture_text(
        photos, capture_facts(photos)
    )
    video = capture_without_poses(film)
    assert video.kind == "video"
    assert capture_facts(video)["frames"] == 24
    assert "24 frames, 2 s" in capture_text(video, capture_facts(video))


def test_what_has_poses_is_none(walked, tmp_path):
    shutil.copytree(walked / "photos", tmp_path / "kitchen" / "train" / "rgb")
    assert capture_without_poses(tmp_path / "kitchen") is None
    assert capture_without_poses(tmp_path) is None, "a folder of scenes"


def test_photos_may_lie_in_folders(walked):
    assert len(capture_without_poses(walked).photos) == 12


def test_what_holds_no_images_is_none(tmp_path):
    np.save(tmp_path / "poses.npy", np.eye(4))
    assert capture_without_poses(tmp_path) is None
    assert capture_without_poses(tmp_path / "missing") is None
    assert capture_without_poses(tmp_path / "poses.npy") is None


def test_a_missing_video_is_told(tmp_path):
    with pytest.raises(ImageError, match=r"walk.mp4: no such video"):
        capture_without_poses(tmp_path / "walk.mp4")

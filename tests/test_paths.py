"""Paths are strings or anything that names a path, wherever a user gives one."""

import numpy as np
import pytest

from reloc.checkpoint import checkpoint_of, kept_until_done
from reloc.evaluation import evaluate, read_evaluation, write_evaluation
from reloc.files import check_new_folder, check_writable
from reloc.geometry import Camera
from reloc.images.files import image_size, read_image, write_image
from reloc.localize import Estimate
from reloc.localize.pose_files import read_estimates, read_tum, write_poses
from reloc.scenes import Frame, open_scene
from reloc.scenes.scene import Scene
from reloc.scenes.writers import write_scene
from reloc.view.film import check_film_path

POSE = np.eye(4)


class Place:
    """What names a path and is neither a string nor a Path."""

    def __init__(self, path):
        self.path = str(path)

    def __fspath__(self):
        return self.path


@pytest.mark.parametrize("given", [str, Place], ids=["string", "path-like"])
def test_files_go_by_whatever_names_them(given, tmp_path):
    def at(name):
        return given(tmp_path / name)

    write_image(at("a.png"), np.zeros((30, 40), np.uint8))
    assert image_size(at("a.png")) == (40, 30)
    assert read_image(at("a.png")).shape == (30, 40, 3)
    camera = Camera.pinhole(width=40, height=30, fx=40)
    frames = (Frame("a.png", tmp_path / "a.png", camera, POSE),)
    estimates = [Estimate("a.png", localized=True, world_from_cam=POSE)]
    evaluation = evaluate(
        estimates, frames, scene_extent=1.0, map_bytes=0, mapping_seconds=None, unit="metre"
    )
    write_evaluation(at("eval.json"), evaluation)
    assert read_evaluation(at("eval.json")).localized == 1
    for form, read in (("json", read_estimates), ("tum", read_tum)):
        write_poses(at(form), estimates, frames, format=form)
        assert len(read(at(form))) in (1, 2)
    write_scene(Scene("a", tmp_path, "own", frames), at("scene"), to="colmap")
    (tmp_path / "list.txt").write_text("a.png\n")
    opened = open_scene(at("scene"), query=at("list.txt"), images=at("scene/images"))
    assert [frame.name for frame in opened.queries] == ["images/a.png"]
    check_writable(at("map.safetensors"))
    check_new_folder(at("new"))
    check_film_path(at("film.mp4"))
    checkpoint = checkpoint_of(at("map.safetensors"))
    checkpoint.touch()
    with kept_until_done(given(checkpoint)):
        pass
    assert not checkpoint.exists()

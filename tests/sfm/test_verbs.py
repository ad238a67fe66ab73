"""``reloc pose``, ``map`` and ``info`` of captures without poses, as a user calls them."""

import json
import shutil
import sys

import numpy as np
import pytest

from reloc.cli.main import main
from reloc.maps import SceneMap
from reloc.methods.ace import PRESETS, MappingOptions
from reloc.scenes import open_scene


@pytest.fixture
def reloc(capsys):
    def run(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.mark.slow
def test_a_video_becomes_a_colmap_model(reloc, film, tmp_path):
    status, out, err = reloc("pose", film, tmp_path / "model")
    assert status == 0, err
    assert "poses of 12 of 12 images" in out
    assert "ready for `reloc map" in out
    stages = {line.partition(":")[0] for line in err.splitlines()}
    assert stages == {
        "looking over the video", "taking frames", "looking at images", "matching images",
        "finding poses", "refining poses",
    }  # fmt: skip
    scene = open_scene(tmp_path / "model")
    assert len(scene.mapping) == 12
    assert scene.mapping[0].image.is_file()
    status, out, _ = reloc("pose", film, tmp_path / "model", "--quiet")
    assert "there already" in out


@pytest.mark.slow
def test_photos_become_a_map_beside_their_poses(reloc, walked, posed, tmp_path, monkeypatch):
    toy = MappingOptions(
        views=12, steps=10, batch=64, width=32, blocks=1, short_side=64, cells_per_view=60
    )
    monkeypatch.setitem(PRESETS, "draft", toy)
    shutil.copytree(posed, tmp_path / "kitchen.poses", symlinks=True)
    (tmp_path / "query.txt").write_text("photo 05.jpg\n")
    status, out, err = reloc(
        "map", walked / "photos", tmp_path / "kitchen.safetensors", "--method", "mlp",
        "--preset", "draft", "--landmarks", 0,
        "--device", "cpu", "--quiet", "--query", tmp_path / "query.txt",
    )  # fmt: skip
    assert status == 0, err
    assert "note: poses of 12 of 12 images" in out
    assert "there are no metres" in out
    made = SceneMap.load(tmp_path / "kitchen.safetensors")
    assert made.info["frames"] == 11


def test_info_says_what_to_do(reloc, walked, film, tmp_path):
    status, out, _ = reloc("info", walked / "photos")
    assert status == 0
    assert "12 photos (320x240) without poses; `reloc map" in out
    _, out, _ = reloc("info", film, "--json")
    assert json.loads(out)["frames"] == 24
    status, _, err = reloc("info", film, "--advice")
    assert status == 2
    assert "has no poses" in err


@pytest.mark.parametrize("option", [("--images", "photos"), ("--poses", "poses.txt")])
def test_poses_and_images_do_not_go_with_photos_alone(reloc, walked, tmp_path, option):
    status, _, err = reloc("map", walked / "photos", tmp_path / "map.safetensors", *option)
    assert status == 2
    assert "take neither poses nor images" in err


def test_one_line_without_pycolmap(reloc, walked, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    status, _, err = reloc("map", walked / "photos", tmp_path / "map.safetensors")
    assert status == 2
    assert err.count("\n") == 1
    assert 'pip install "reloc[sfm]"' in err


def test_what_is_no_capture_is_refused(reloc, tmp_path):
    np.save(tmp_path / "poses.npy", np.eye(4))
    status, _, err = reloc("pose", tmp_path, tmp_path / "out")
    assert status == 2
    assert "no video and no folder of photos without poses" in err
    status, _, err = reloc("pose", tmp_path / "absent", tmp_path / "out")
    assert status == 2
    assert "absent: no such file or folder" in err

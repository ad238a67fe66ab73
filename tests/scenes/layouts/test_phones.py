"""Other apps on phones, and data sets that were made with them."""

import json

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene
from tests.scenes.layouts import phones
from tests.scenes.layouts.walks import hold, write


def test_nerfcapture_is_metric_and_its_depth_is_not_trusted(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.nerfcapture(walk)))
    assert (scene.layout, scene.unit) == ("transforms", "metre")
    hold(walk, scene)
    assert scene.mapping[3].time == pytest.approx(100.6)


def test_scanner_app_has_images_for_some_poses(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.scanner_app(walk)))
    assert (scene.layout, scene.unit, scene.skipped) == ("scanner-app", "metre", ())
    hold(walk, scene, depths=8)


def test_scanner_app_tells_a_damaged_frame(walk, tmp_path):
    root = write(tmp_path, phones.scanner_app(walk))
    (root / "frame_00004.json").write_text('{"cameraPoseARFrame": [1, 0,')
    with pytest.raises(SceneError, match=r"frame_00004\.json: not valid JSON"):
        open_scene(root)


@pytest.mark.parametrize("as_video", [False, True])
def test_scancapture(walk, tmp_path, as_video):
    scene = open_scene(write(tmp_path, phones.scancapture(walk, as_video=as_video)))
    assert (scene.layout, scene.unit) == ("scancapture", "metre")
    hold(walk, scene)


def test_scancapture_leaves_out_what_was_not_tracked(walk, tmp_path):
    root = write(tmp_path, phones.scancapture(walk))
    path = root / "poses.txt"
    path.write_text(path.read_text().replace("normal", "limited_excessive_motion", 2))
    scene = open_scene(root)
    hold(walk, scene, numbers=range(2, 8))
    assert {entry.reason for entry in scene.skipped} == {"tracking was not normal"}


def test_arkitscenes_leads_from_the_world_to_the_camera(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.arkitscenes(walk)))
    assert (scene.layout, scene.unit) == ("arkitscenes", "metre")
    hold(walk, scene, depths=8)


def test_scannet_and_poses_of_minus_infinity(walk, tmp_path):
    root = write(tmp_path, phones.scannet(walk))
    (root / "pose/6.txt").write_text("-inf -inf -inf -inf\n" * 4)
    scene = open_scene(root)
    assert (scene.layout, scene.unit) == ("scannet", "metre")
    hold(walk, scene, numbers=[0, 2, 3, 4, 5, 6, 7], depths=7)
    # Numbers, so that 10 comes after 9.
    assert [frame.image.stem for frame in scene.mapping][3:6] == ["9", "10", "11"]


def test_scannet_with_intrinsics_beside_the_images(walk, tmp_path):
    root = write(tmp_path, phones.scannet(walk))
    for kind in ("color", "depth"):
        (root / f"intrinsic/intrinsic_{kind}.txt").rename(root / f"intrinsics_{kind}.txt")
    hold(walk, open_scene(root), depths=8)


@pytest.mark.parametrize("as_folder", [False, True])
def test_sens_files(walk, tmp_path, as_folder):
    path = tmp_path / "scene0000_00/scene0000_00.sens"
    write(path.parent, {path.name: phones.sens(walk)})
    scene = open_scene(path.parent if as_folder else path)
    assert (scene.layout, scene.unit, scene.name) == ("sens", "metre", "scene0000_00")
    # Numbers of 32 bits.
    hold(walk, scene, depths=8, most_pixels=0.02)


def test_sens_files_that_are_cut_short_or_of_another_version(walk, tmp_path):
    content = phones.sens(walk)
    path = tmp_path / "a.sens"
    for cut in (2, 20, 300, 360, len(content) // 2, len(content) - 200):
        path.write_bytes(content[:cut])
        with pytest.raises(SceneError, match=r"a\.sens: damaged or cut short"):
            open_scene(path)
    path.write_bytes(b"\x03" + content[1:])
    with pytest.raises(SceneError, match=r"a\.sens: is of version 3"):
        open_scene(path)
    for at in (4, 283, 299, 307, 311, 399, 407):  # sizes and counts of things
        path.write_bytes(content[:at] + b"\xff" * 8 + content[at + 8 :])
        with pytest.raises(SceneError, match=r"a\.sens: "):
            open_scene(path)
    assert [p.name for p in tmp_path.iterdir()] == ["a.sens"]


def test_scannetpp_pairs_by_name(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.scannetpp(walk)))
    assert (scene.layout, scene.unit, scene.notes) == ("scannet++", "metre", ())
    hold(walk, scene, depths=8)


def test_scannetpp_with_poses_for_some_images_or_none(walk, tmp_path):
    root = write(tmp_path, phones.scannetpp(walk))
    path = root / "pose_intrinsic_imu.json"
    entries = json.loads(path.read_text())
    del entries["frame_000030"]
    path.write_text(json.dumps(entries))
    scene = open_scene(root)
    hold(walk, scene, numbers=[0, 1, 2, 4, 5, 6, 7], depths=7)
    assert scene.notes[0].startswith("1 images have no pose")
    path.write_text(json.dumps({"frame_000005": entries["frame_000005"]}))
    with pytest.raises(SceneError, match="has no entry for any image, such as frame_000000"):
        open_scene(root)


def test_pixels_that_the_phone_is_not_sure_of_do_not_count(walk, tmp_path):
    from reloc.scenes.depth import read_depth_map

    root = write(tmp_path, phones.scanner_app(walk))
    sure = read_depth_map(open_scene(root).mapping[0].depth).values
    for path in root.glob("conf_*.png"):
        path.unlink()
    whole = read_depth_map(open_scene(root).mapping[0].depth).values
    assert np.isnan(sure).mean() == pytest.approx(1 / 3, abs=0.05)
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(sure[np.isfinite(sure)], whole[np.isfinite(sure)])

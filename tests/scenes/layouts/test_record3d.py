"""Record3D: an archive by another name, names that are numbers, matrices by columns."""

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from reloc.scenes import open_scene
from reloc.scenes.layouts.record3d_depth import raw_size
from tests.scenes.layouts import phones
from tests.scenes.layouts.walks import Walk, hold, write

NO_LZFSE = "depth is compressed by LZFSE; for it: pip install 'reloc[phones]'"


def has_lzfse() -> bool:
    try:
        import lzfse  # noqa: F401
    except ImportError:
        return False
    return True


def test_a_file_as_it_leaves_the_phone(walk, tmp_path):
    path = tmp_path / "2024-05-01--10-00-00.r3d"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in phones.record3d(walk).items():
            archive.writestr(name, content)
    scene = open_scene(path)
    assert (scene.layout, scene.unit, scene.name) == ("record3d", "metre", "2024-05-01--10-00-00")
    hold(walk, scene, depths=8 if has_lzfse() else 0)
    assert has_lzfse() or scene.notes == (NO_LZFSE,)


def test_one_matrix_for_all_frames_and_depth_in_exr_files(walk, tmp_path):
    scene = open_scene(write(tmp_path, phones.record3d(walk, each=False, exr=True)))
    hold(walk, scene)
    assert scene.notes == ("depth in EXR files is not read; a .r3d file has it, too",)


def test_names_are_sorted_as_numbers(walk, tmp_path):
    twice = replace(
        walk,
        **{
            name: np.concatenate([getattr(walk, name)] * 2)
            for name in ("poses", "images", "depths", "small")
        },
        times=(*walk.times, *(time + 10 for time in walk.times)),
    )
    assert isinstance(twice, Walk)
    scene = open_scene(write(tmp_path, phones.record3d(twice, exr=True)))
    assert [frame.name for frame in scene.mapping][8:11] == ["rgb/8.jpg", "rgb/9.jpg", "rgb/10.jpg"]
    hold(walk, replace(scene, mapping=scene.mapping[8:]))


def test_images_without_a_pose_and_damaged_depth(walk, tmp_path):
    root = write(tmp_path, phones.record3d(walk))
    top = json.loads((root / "metadata").read_text())
    top["poses"][1] = [float("nan")] * 7
    top["poses"][2] = "lost"
    top["poses"].pop()
    (root / "metadata").write_text(json.dumps(top))
    (root / "rgbd/4.depth").write_bytes(b"no depth")
    scene = open_scene(root)
    hold(walk, scene, numbers=[0, 3, 4, 5, 6], depths=4 if has_lzfse() else 0)
    assert "metadata has 7 poses for 8 images" in scene.notes
    if has_lzfse():
        assert "1 frames: depth is damaged and left out" in scene.notes


@pytest.mark.parametrize("size", [(10**9, 10**9), ("wide", 3), (None, None)])
def test_impossible_sizes_of_depth(walk, tmp_path, size):
    root = write(tmp_path, phones.record3d(walk))
    top = json.loads((root / "metadata").read_text())
    top["dw"], top["dh"] = size
    (root / "metadata").write_text(json.dumps(top))
    scene = open_scene(root)
    hold(walk, scene)
    assert not has_lzfse() or "depth left out: the metadata has no usable dw and dh" in scene.notes


def test_streams_that_lie_about_their_size(walk):
    """Before memory is taken, with or without the package that unpacks."""
    raw = raw_size(b"bvx-" + (5).to_bytes(4, "little") + b"depth" + b"bvx$")
    assert raw == 5
    assert raw_size(b"bvx-" + (2**32 - 1).to_bytes(4, "little") + b"depth" + b"bvx$") is None
    assert raw_size(b"") is None and raw_size(b"bvx-") is None
    if has_lzfse():
        import lzfse

        for size in (1, 100, 5000, walk.small[0].nbytes, 500_000):
            content = np.tile(walk.small[0].ravel(), 200).tobytes()[:size]
            assert raw_size(lzfse.compress(content)) == size

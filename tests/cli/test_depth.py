"""``reloc localize --depth`` and ``reloc eval --depth``, as a user calls them."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from reloc.geometry import pose_error
from reloc.maps import SceneMap
from reloc.scenes import open_scene


@pytest.fixture
def frame(deep_place):
    return open_scene(deep_place).mapping[2]


def only_row(run):
    assert run.status == 0, run.err
    return json.loads(run.out)


def distance(row, frame):
    return pose_error(np.array(row["world_from_cam"]), frame.world_from_cam)[0]


@pytest.mark.slow
def test_a_file_of_depth_changes_the_pose_for_the_better(reloc, made_map, deep_place):
    frames = open_scene(deep_place).mapping
    errors = []
    for frame in frames:
        plain = only_row(reloc("localize", made_map, frame.image))
        deep = only_row(reloc("localize", made_map, frame.image, "--depth", frame.depth.path))
        errors.append((distance(plain, frame), distance(deep, frame)))
        assert deep["world_from_cam"] != plain["world_from_cam"]
    assert np.median(errors, axis=0)[1] < 0.1


@pytest.mark.slow
def test_a_folder_is_paired_by_name_and_need_not_be_complete(reloc, made_map, deep_place, tmp_path):
    frames = open_scene(deep_place).mapping
    folder = tmp_path / "depth"
    folder.mkdir()
    for frame in frames[:3]:
        (folder / f"{frame.image.stem}.depth.png").write_bytes(frame.depth.path.read_bytes())
    images = deep_place / "train" / "rgb"
    plain = reloc("localize", made_map, images).out.splitlines()
    deep = reloc("localize", made_map, images, "--depth", folder).out.splitlines()
    same = [
        json.loads(a)["world_from_cam"] == json.loads(b)["world_from_cam"]
        for a, b in zip(plain, deep, strict=True)
    ]
    assert same == [False] * 3 + [True] * 4


def test_one_bad_depth_file_is_a_matter_of_its_image(reloc, made_map, deep_place, tmp_path):
    frames = open_scene(deep_place).mapping[:4]
    folder = tmp_path / "depth"
    folder.mkdir()
    wide = np.full((60, 160), 1000, np.uint16)  # of another shape
    contents = [b"no image", frames[1].depth.path.read_bytes()[:500], None, None]
    for frame, content in zip(frames, contents, strict=True):
        path = folder / f"{frame.image.stem}.png"
        path.write_bytes(frame.depth.path.read_bytes() if content is None else content)
    cv2.imwrite(str(folder / f"{frames[2].image.stem}.png"), wide)
    run = reloc("localize", made_map, *(f.image for f in frames), "--depth", folder)
    assert run.status == 0, run.err
    found = [json.loads(line) for line in run.out.splitlines()]
    assert [row["localized"] for row in found] == [False] * 3 + [True]
    for row, reason in zip(found, ("readable", "cut short", "another shape"), strict=False):
        assert reason in row["reason"]


@pytest.mark.slow
def test_unit_resolution_and_camera_of_the_depth_may_differ(reloc, made_map, frame, tmp_path):
    expected = only_row(reloc("localize", made_map, frame.image, "--depth", frame.depth.path))
    stored = cv2.imread(str(frame.depth.path), cv2.IMREAD_UNCHANGED)
    variants = {
        "metres.tiff": (stored.astype(np.float32) / 1000, ()),
        "fine.png": (stored * 5, ("--depth-unit", "0.0002")),
        "large.png": (stored.repeat(2, axis=0).repeat(2, axis=1), ()),
        "cropped.png": (stored[:, 40:120], ("--depth-camera", f"{frame.camera.fx},"
                        f"{frame.camera.fy},{frame.camera.cx - 40},{frame.camera.cy}")),
    }  # fmt: skip
    for name, (values, options) in variants.items():
        path = tmp_path / name
        assert cv2.imwrite(str(path), values)
        row = only_row(reloc("localize", made_map, frame.image, "--depth", path, *options))
        found, wanted = np.array(row["world_from_cam"]), np.array(expected["world_from_cam"])
        assert pose_error(found, wanted)[0] < 0.05, name


def test_depth_that_cannot_be_used_is_refused_in_one_line(
    reloc, made_map, frame, tmp_path, deep_place
):
    def refusal(values, *options, images=(frame.image,)):
        path = tmp_path / "depth.png"
        assert cv2.imwrite(str(path), values)
        return reloc("localize", made_map, *images, "--depth", path, *options).refusal()

    good = np.full((120, 160), 2000, np.uint16)
    assert "not one pixel was measured" in refusal(good * 0)
    assert "cannot tell the unit" in refusal(good // 100)
    assert "depth-unit is mm, m" in refusal(good, "--depth-unit", "feet")
    cv2.imwrite(str(tmp_path / "narrow.png"), good[:, :90])
    narrow = ("--depth", tmp_path / "narrow.png", "--depth-unit", "mm")
    reason = only_row(reloc("localize", made_map, frame.image, *narrow))["reason"]
    assert "another shape; give that of the depth with --depth-camera" in reason
    assert "one depth file for 2 images" in refusal(good, images=(frame.image, frame.image))
    assert "single channel" in refusal(np.zeros((120, 160, 3), np.uint8))
    other = tmp_path / "other"
    other.mkdir()
    gone = reloc("localize", made_map, frame.image, "--depth", other / "gone")
    assert "no such depth file or folder" in gone.refusal()
    empty = reloc("localize", made_map, frame.image, "--depth", other)
    assert "no file there is called as one of the 1 images" in empty.refusal()
    alone = reloc("localize", made_map, frame.image, "--depth-unit", "mm")
    assert "need --depth PATH" in alone.refusal()


def test_an_empty_depth_among_several_is_told_of_with_its_image(
    reloc, made_map, deep_place, tmp_path
):
    frames = open_scene(deep_place).mapping[:2]
    cv2.imwrite(str(tmp_path / frames[0].depth.path.name), np.zeros((120, 160), np.uint16))
    (tmp_path / frames[1].depth.path.name).write_bytes(frames[1].depth.path.read_bytes())
    run = reloc("localize", made_map, *(f.image for f in frames), "--depth", tmp_path)
    first, second = map(json.loads, run.out.splitlines())
    assert not first["localized"]
    assert "not one pixel was measured" in first["reason"]
    assert second["localized"]


def test_a_map_without_meters_refuses_depth(reloc, made_map, frame, tmp_path):
    path = tmp_path / "unknown.safetensors"
    replace(SceneMap.load(made_map), unit="unknown").save(path)
    run = reloc("localize", path, frame.image, "--depth", frame.depth.path)
    assert "the map is not in metres" in run.refusal()


@pytest.mark.slow
def test_depth_goes_with_the_maps_of_a_library_that_are_in_meters(reloc, made_map, frame, tmp_path):
    depth = ("--depth", frame.depth.path)
    alone = only_row(reloc("localize", made_map, frame.image, *depth))
    path = tmp_path / "unknown.safetensors"
    replace(SceneMap.load(made_map), unit="unknown").save(path)
    assert reloc("library", "add", tmp_path / "maps", path).status == 0
    refusal = reloc("localize", tmp_path / "maps", frame.image, *depth).refusal()
    assert "the map is not in metres" in refusal
    assert reloc("library", "add", tmp_path / "maps", made_map, "--place", "here").status == 0
    here = only_row(reloc("localize", tmp_path / "maps", frame.image, *depth, "--place", "here"))
    assert here["world_from_cam"] == alone["world_from_cam"]


@pytest.mark.slow
def test_eval_uses_the_depth_of_the_scene_if_it_is_told_to(
    reloc, made_map, made_place, deep_place, tmp_path
):
    figures = []
    for name, options in (("rgb", ()), ("rgbd", ("--depth",))):
        path = tmp_path / name
        run = reloc("eval", made_map, deep_place, "--json", path, "--quiet", *options)
        assert run.status == 0, run.err
        figures.append(path.read_text())
    assert figures[0] != figures[1]
    assert "no query has depth" in reloc("eval", made_map, made_place, "--depth").refusal()

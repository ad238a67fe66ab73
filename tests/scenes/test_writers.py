"""Scenes written in each format and read back: poses, projections, split, names and depth."""

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import pytest

from reloc.errors import ImageError, OptionError, OutputError, SceneError
from reloc.geometry import (
    Camera,
    inverted,
    look_at,
    pose_from,
    rotation_from_quaternion,
    transformed,
)
from reloc.scenes import Depth, Frame, Scene, open_scene
from reloc.scenes.writers import SCENE_FORMATS, write_scene

LANDSCAPE = Camera.pinhole(width=64, height=48, fx=60.25, fy=58.5, cx=33.1, cy=22.7)
PORTRAIT = Camera.pinhole(width=48, height=64, fx=60.25, fy=61, cx=22.7, cy=33.1)
SMALL = Camera("SIMPLE_PINHOLE", 32, 32, (1 / 3 * 100, 16.0, 16.0))
SIMPLE_RADIAL = Camera("SIMPLE_RADIAL", 64, 48, (60.0, 31.0, 25.0, -0.08))
RADIAL = Camera("RADIAL", 48, 64, (60.0, 24.5, 31.0, 0.05, -0.02))
OPENCV = Camera("OPENCV", 64, 48, (60.0, 61.0, 31.0, 25.0, 0.05, -0.02, 1e-3, -2e-3))
FULL = Camera("FULL_OPENCV", 64, 48, (60.0, 61.0, 31.0, 25.0, 0.05, -0.02, 1e-3, 2e-3, 0, 0, 0, 0))
FULL_K4 = replace(FULL, params=(*FULL.params[:8], 0.01, 0.02, 0.0, 0.0))
FISHEYE = Camera("OPENCV_FISHEYE", 64, 48, (40.0, 41.0, 31.0, 25.0, 0.02, -0.01, 0.003, 0.001))
SIMPLE_FISHEYE = Camera("SIMPLE_RADIAL_FISHEYE", 64, 48, (40.0, 31.0, 25.0, 0.02))
RADIAL_FISHEYE = Camera("RADIAL_FISHEYE", 64, 48, (40.0, 31.0, 25.0, 0.02, 0.01))
THIN = Camera(
    "THIN_PRISM_FISHEYE", 64, 48, (40.0, 41.0, 31.0, 25.0, 0.1, 0.01, 0, 0, 0.02, 0.003, 0, 0)
)
THIN_PRISM = replace(THIN, params=(*THIN.params[:10], 1e-3, 1e-3))
# What there are readers of.
READ_BACK = [to for to in SCENE_FORMATS if to != "kapture"]
FOV = Camera("FOV", 64, 48, (40.0, 41.0, 31.0, 25.0, 0.6))


def make_scene(
    root: Path,
    cameras: Sequence[Camera],
    *,
    folder: str = "images/",
    unit: Literal["metre", "unknown"] = "metre",
) -> Scene:
    """Frames on a circle, one for each camera and mapping; the last two are queries."""
    rng = np.random.default_rng(1)
    frames = []
    for number, camera in enumerate(cameras):
        name = f"{folder}frame_{number:02d}.png"
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 255, (camera.height, camera.width, 3), dtype=np.uint8)
        path.write_bytes(cv2.imencode(".png", pixels)[1].tobytes())
        angle = 0.7 * number
        pose = look_at((3 * np.cos(angle), 3 * np.sin(angle), 1.234567890123), (0.1, 0.2, 0.3))
        frames.append(Frame(name=name, image=path, camera=camera, world_from_cam=pose))
    return Scene(
        name=root.name,
        root=root,
        layout="test",
        mapping=tuple(frames[:-2]),
        queries=tuple(frames[-2:]),
        unit=unit,
    )


def assert_same_frames(written: Sequence[Frame], source: Sequence[Frame]) -> None:
    """Same images in the same order, same poses to 1e-9, same projections to 1e-6 pixels."""
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (50, 3))
    assert len(written) == len(source)
    for got, want in zip(written, source, strict=True):
        assert got.image.read_bytes() == want.image.read_bytes()
        np.testing.assert_allclose(got.world_from_cam, want.world_from_cam, rtol=0, atol=1e-9)
        assert (got.camera.width, got.camera.height) == (want.camera.width, want.camera.height)
        seen = transformed(inverted(want.world_from_cam), points)
        assert (seen[:, 2] > 0).all()
        np.testing.assert_allclose(
            got.camera.project(transformed(inverted(got.world_from_cam), points)),
            want.camera.project(seen),
            rtol=0,
            atol=1e-6,
        )


PINHOLES = (LANDSCAPE, PORTRAIT, SMALL, LANDSCAPE)
OPENCV_KIN = (LANDSCAPE, SIMPLE_RADIAL, RADIAL, OPENCV, FULL, PORTRAIT)
FISHEYE_KIN = (FISHEYE, SIMPLE_FISHEYE, RADIAL_FISHEYE, THIN)
ALL_MODELS = (*OPENCV_KIN, *FISHEYE_KIN, FULL_K4, THIN_PRISM, FOV)


@pytest.mark.parametrize(
    ("to", "cameras"),
    [
        ("ace", PINHOLES),
        ("colmap", PINHOLES),
        ("transforms", PINHOLES),
        ("colmap", ALL_MODELS),
        ("transforms", OPENCV_KIN),
        ("transforms", FISHEYE_KIN),
    ],
)
def test_what_is_written_reads_back_the_same(tmp_path, to, cameras):
    source = make_scene(tmp_path / "source", cameras)
    written = write_scene(source, tmp_path / "out", to=to)
    scene = open_scene(written.folder)
    assert scene.layout == to
    assert not scene.skipped
    assert_same_frames(scene.mapping, source.mapping)
    assert_same_frames(scene.queries, source.queries)
    assert (written.mapping, written.queries) == (len(cameras) - 2, 2)


@pytest.mark.parametrize("to", ["colmap", "transforms"])
def test_names_in_an_images_folder_are_kept(tmp_path, to):
    source = make_scene(tmp_path / "source", PINHOLES)
    scene = open_scene(write_scene(source, tmp_path / "out", to=to).folder)
    assert [f.name for f in scene.mapping] == [f.name for f in source.mapping]
    assert [f.name for f in scene.queries] == [f.name for f in source.queries]


def test_transforms_keep_the_split_without_the_query_list(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES, folder="seq 1/")
    out = write_scene(source, tmp_path / "out", to="transforms").folder
    (out / "query.txt").unlink()
    scene = open_scene(out)
    assert [f.name for f in scene.queries] == [f"images/{f.name}" for f in source.queries]
    assert_same_frames(scene.mapping, source.mapping)


@pytest.mark.parametrize("to", ["colmap", "transforms"])
def test_names_of_another_layout_do_not_mislead_the_reader(tmp_path, to):
    source = make_scene(tmp_path / "source", PINHOLES, folder="train/rgb/")
    scene = open_scene(write_scene(source, tmp_path / "out", to=to).folder)
    assert scene.layout == to
    assert_same_frames(scene.mapping, source.mapping)


def test_transforms_name_one_camera_model(tmp_path):
    def model(cameras: Sequence[Camera], name: str) -> str:
        source = make_scene(tmp_path / name, cameras)
        out = write_scene(source, tmp_path / f"{name}-out", to="transforms").folder
        return json.loads((out / "transforms.json").read_text())["camera_model"]

    assert model(PINHOLES, "pinhole") == "PINHOLE"
    assert model(OPENCV_KIN, "opencv") == "OPENCV"
    assert model(FISHEYE_KIN, "fisheye") == "OPENCV_FISHEYE"


def test_ace_folders_become_part_of_the_name_and_stay_unique(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES, folder="seq-01/")
    twin = tmp_path / "source" / "seq-01-frame_00.png"
    twin.write_bytes(source.mapping[1].image.read_bytes())
    source = replace(
        source,
        mapping=(*source.mapping, replace(source.mapping[1], name=twin.name, image=twin)),
    )
    scene = open_scene(write_scene(source, tmp_path / "out", to="ace").folder)
    assert sorted(frame.name for frame in scene.mapping) == [
        "train/rgb/seq-01-frame_00-2.png",
        "train/rgb/seq-01-frame_00.png",
        "train/rgb/seq-01-frame_01.png",
    ]
    by_name = {Path(frame.name).stem: frame for frame in scene.mapping}
    assert_same_frames([by_name["seq-01-frame_00-2"]], [source.mapping[2]])


def test_colmap_model_reads_in_pycolmap(tmp_path):
    pycolmap = pytest.importorskip("pycolmap")
    source = make_scene(tmp_path / "source", ALL_MODELS)
    out = write_scene(source, tmp_path / "out", to="colmap").folder
    model = pycolmap.Reconstruction(str(out / "sparse" / "0"))
    images = {image.name: image for image in model.images.values()}
    assert len(images) == len(ALL_MODELS)
    points = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 3))
    for frame in source.mapping + source.queries:
        image = images[frame.name.removeprefix("images/")]
        cam_from_world = image.cam_from_world
        cam_from_world = cam_from_world() if callable(cam_from_world) else cam_from_world
        seen = transformed(inverted(frame.world_from_cam), points)
        np.testing.assert_allclose(
            np.vstack([cam_from_world.matrix(), [0, 0, 0, 1]]),
            inverted(frame.world_from_cam),
            rtol=0,
            atol=1e-9,
        )
        camera = model.cameras[image.camera_id]
        assert camera.model.name == frame.camera.model
        np.testing.assert_allclose(
            camera.img_from_cam(seen), frame.camera.project(seen), rtol=0, atol=1e-6
        )


def test_equal_cameras_are_written_once(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    out = write_scene(source, tmp_path / "out", to="colmap").folder
    lines = (out / "sparse" / "0" / "cameras.txt").read_text().splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 3


@pytest.mark.parametrize(
    ("to", "cameras", "reason"),
    [
        ("ace", (LANDSCAPE, SIMPLE_RADIAL, LANDSCAPE, LANDSCAPE), "distortion of a SIMPLE_RADIAL"),
        ("ace", (FISHEYE, FISHEYE, FISHEYE), "distortion of a OPENCV_FISHEYE"),
        ("transforms", (FULL_K4, OPENCV, OPENCV), "distortion of a FULL_OPENCV"),
        ("transforms", (THIN_PRISM, FISHEYE, FISHEYE), "distortion of a THIN_PRISM_FISHEYE"),
        ("transforms", (FOV, FOV, FOV), "distortion of a FOV"),
        ("transforms", (OPENCV, FISHEYE, FISHEYE), "one camera model"),
        ("transforms", (LANDSCAPE, FISHEYE, FISHEYE), "one camera model"),
    ],
)
def test_cameras_without_a_place_are_refused_with_the_way_out(tmp_path, to, cameras, reason):
    source = make_scene(tmp_path / "source", cameras)
    with pytest.raises(SceneError, match=rf"{reason}.*convert to colmap"):
        write_scene(source, tmp_path / "out", to=to)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_ideal_fisheye_is_no_pinhole(tmp_path):
    ideal = Camera("OPENCV_FISHEYE", 64, 48, (40.0, 40.0, 32.0, 24.0, 0, 0, 0, 0))
    with pytest.raises(SceneError, match="distortion"):
        write_scene(make_scene(tmp_path / "source", (ideal,) * 3), tmp_path / "out", to="ace")


def test_zero_distortion_is_a_pinhole_for_ace(tmp_path):
    plain = Camera("OPENCV", 64, 48, (40.0, 41.0, 32.0, 24.0, 0, 0, 0, 0))
    source = make_scene(tmp_path / "source", (plain,) * 3)
    scene = open_scene(write_scene(source, tmp_path / "out", to="ace").folder)
    assert_same_frames(scene.mapping, source.mapping)


def with_depth(scene: Scene, *, unit: float, invalid: tuple[int, ...], camera: Camera) -> Scene:
    stored = np.full((camera.height, camera.width), 1500, np.uint16)
    stored[0, :4] = (0, 7, 65535, 40000)
    path = scene.root / "depth.png"
    assert cv2.imwrite(str(path), stored)
    depth = Depth(path=path, camera=camera, unit=unit, invalid=invalid)
    first, *rest = scene.mapping
    return replace(scene, mapping=(replace(first, depth=depth), *rest))


@pytest.mark.parametrize(
    ("unit", "invalid", "expected"),
    [(0.001, (0, 65535), [0, 7, 0, 40000, 1500]), (0.002, (7,), [0, 0, 0, 0, 3000])],
)
def test_ace_depth_is_in_millimetres(tmp_path, unit, invalid, expected):
    source = make_scene(tmp_path / "source", PINHOLES)
    half = LANDSCAPE.resized(32, 24)
    source = with_depth(source, unit=unit, invalid=invalid, camera=half)
    scene = open_scene(write_scene(source, tmp_path / "out", to="ace").folder)
    assert [frame.depth is not None for frame in scene.mapping] == [True, False]
    stored = cv2.imread(str(scene.mapping[0].depth.path), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.shape == (24, 32)
    assert stored[0, :5].tolist() == expected


def test_ace_depth_of_another_camera_is_drawn_as_the_color_camera_sees_it(tmp_path):
    other = Camera.pinhole(width=64, height=48, fx=70)
    source = make_scene(tmp_path / "source", PINHOLES)
    source = with_depth(source, unit=0.001, invalid=(0, 7), camera=other)
    written = write_scene(source, tmp_path / "out", to="ace")
    depth = open_scene(written.folder).mapping[0].depth
    stored = cv2.imread(str(depth.path), cv2.IMREAD_UNCHANGED)
    assert stored.shape == (48, 64)
    assert stored[24, 32] == 1500
    # The other camera's view is narrower.
    assert (stored[:, 0] == 0).all() and (stored == 1500).mean() > 0.6


def test_ace_leaves_out_depth_without_a_meter(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES, unit="unknown")
    source = with_depth(source, unit=0.001, invalid=(0,), camera=LANDSCAPE)
    written = write_scene(source, tmp_path / "out", to="ace")
    assert any("left out the depth" in note for note in written.notes)
    assert any("take the unit for the metre" in note for note in written.notes)


@pytest.mark.parametrize(("to", "kept"), [("ace", 2), ("colmap", 1), ("transforms", 1)])
def test_queries_without_a_pose_stay_where_the_format_has_a_place(tmp_path, to, kept):
    source = make_scene(tmp_path / "source", PINHOLES)
    unposed = replace(source.queries[0], world_from_cam=None)
    source = replace(source, queries=(unposed, source.queries[1]))
    written = write_scene(source, tmp_path / "out", to=to)
    scene = open_scene(written.folder)
    assert len(scene.queries) == written.queries == kept
    assert any("left out 1 query" in note for note in written.notes) == (kept == 1)
    if kept == 2:
        assert scene.queries[0].world_from_cam is None


def test_kapture_has_the_frames_in_its_tables(tmp_path):
    """As the specification of kapture 1.1 has them: poses from the world to the camera."""
    source = make_scene(tmp_path / "source", (LANDSCAPE, OPENCV, LANDSCAPE, PORTRAIT))
    written = write_scene(source, tmp_path / "out", to="kapture")
    tables = {}
    for name in ("sensors", "records_camera", "trajectories"):
        first, *lines = (written.folder / "sensors" / f"{name}.txt").read_text().splitlines()
        assert first == "# kapture format: 1.1"
        tables[name] = [line.split(", ") for line in lines if not line.startswith("#")]
    cameras = {row[0]: row[3:] for row in tables["sensors"]}
    assert len(cameras) == 3
    poses = {tuple(row[:2]): np.array(row[2:], float) for row in tables["trajectories"]}
    frames = (*source.mapping, *source.queries)
    for row, frame in zip(tables["records_camera"], frames, strict=True):
        model, width, height, *params = cameras[row[1]]
        read = Camera(model, int(width), int(height), tuple(map(float, params)))
        assert read == frame.camera
        image = written.folder / "sensors" / "records_data" / row[2]
        assert image.read_bytes() == frame.image.read_bytes()
        numbers = poses[row[0], row[1]]
        cam_from_world = pose_from(rotation_from_quaternion(numbers[:4]), numbers[4:])
        np.testing.assert_allclose(inverted(cam_from_world), frame.world_from_cam, atol=1e-12)
    listed = (written.folder / "query.txt").read_text().split()
    assert [Path(name).name for name in listed] == ["frame_02.png", "frame_03.png"]
    comma = replace(source, mapping=(replace(source.mapping[0], name="images/a,b.png"),))
    with pytest.raises(SceneError, match="comma"):
        write_scene(comma, tmp_path / "other", to="kapture")


def test_a_scene_without_queries_has_no_query_list(tmp_path):
    source = replace(make_scene(tmp_path / "source", PINHOLES), queries=())
    for to in READ_BACK:
        out = write_scene(source, tmp_path / to, to=to).folder
        assert not (out / "query.txt").exists()
        scene = open_scene(out)
        assert (len(scene.mapping), len(scene.queries)) == (2, 0)


def test_a_taken_folder_is_left_alone(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(OutputError, match="already there; remove it or choose another"):
        write_scene(source, out, to="colmap")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    (tmp_path / "out").mkdir()
    assert len(open_scene(write_scene(source, tmp_path / "out", to="colmap").folder).mapping) == 2


def test_a_missing_image_leaves_nothing_behind(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    source.queries[1].image.unlink()
    with pytest.raises(ImageError, match=r"frame_03\.png: no such image"):
        write_scene(source, tmp_path / "out", to="colmap")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "a/../../x.png", "a\nb.png", ""])
def test_names_that_lead_out_are_refused(tmp_path, name):
    source = make_scene(tmp_path / "source", PINHOLES)
    source = replace(source, mapping=(replace(source.mapping[0], name=name),))
    with pytest.raises(SceneError, match="the name"):
        write_scene(source, tmp_path / "out", to="transforms")


@pytest.mark.parametrize("name", ["my images/", "no-break\u00a0space/"])
def test_names_with_spaces_can_be_written(tmp_path, name):
    source = make_scene(tmp_path / "source", PINHOLES, folder=name)
    for to in READ_BACK:
        scene = open_scene(write_scene(source, tmp_path / to, to=to).folder)
        assert (len(scene.mapping), len(scene.queries)) == (2, 2)


def test_names_that_are_not_utf8_can_be_written(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES, folder="images/caf\udce9 ")
    for to in SCENE_FORMATS:
        out = write_scene(source, tmp_path / to, to=to).folder
        images = [os.fsencode(path) for path in out.rglob("*.png")]
        assert len(images) == 4
        assert all(b"caf\xe9 frame_" in path for path in images)
    assert b"\0caf\xe9 frame_00.png\0" in (
        b"\0" + (tmp_path / "colmap" / "sparse" / "0" / "images.bin").read_bytes()[8 + 64 :]
    )


def test_the_same_name_twice_is_refused(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    source = replace(source, queries=(source.mapping[0],))
    with pytest.raises(SceneError, match="two frames are called"):
        write_scene(source, tmp_path / "out", to="colmap")


def test_unknown_formats_and_unposed_scenes_are_refused(tmp_path):
    source = make_scene(tmp_path / "source", PINHOLES)
    with pytest.raises(OptionError, match="choose one of ace, colmap, kapture, transforms"):
        write_scene(source, tmp_path / "out", to="nvm")
    unposed = tuple(replace(frame, world_from_cam=None) for frame in source.queries)
    with pytest.raises(SceneError, match="no frame has a pose"):
        write_scene(replace(source, mapping=(), queries=unposed), tmp_path / "out", to="ace")


def test_real_scenes_survive_the_round_trip(tmp_path, shared_scenes):
    for name, to in (("fox", "colmap"), ("hololens", "transforms"), ("office", "ace")):
        source = open_scene(shared_scenes / name)
        source = replace(source, mapping=source.mapping[:5], queries=source.queries[:3])
        scene = open_scene(write_scene(source, tmp_path / name, to=to).folder)
        by_bytes = {frame.image.read_bytes(): frame for frame in scene.mapping}
        again = [by_bytes[frame.image.read_bytes()] for frame in source.mapping]
        assert_same_world(again, source.mapping)
        assert len(scene.queries) == 3


def assert_same_world(written: Sequence[Frame], source: Sequence[Frame]) -> None:
    rays = np.random.default_rng(0).uniform(-0.3, 0.3, (50, 2))
    for got, want in zip(written, source, strict=True):
        np.testing.assert_allclose(got.world_from_cam, want.world_from_cam, rtol=0, atol=1e-9)
        np.testing.assert_allclose(
            got.camera.pixels(rays), want.camera.pixels(rays), rtol=0, atol=1e-6
        )

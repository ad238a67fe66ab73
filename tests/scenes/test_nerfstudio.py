"""What is written as transforms.json, against the rules of nerfstudio's own parser.

The rules are those of its ``nerfstudio_dataparser``, restated: which splits it wants, that depth is
for all frames or for none, how it finds files, and what it does to depth and points.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera, inverted, look_at, transformed
from reloc.scenes import Depth, Frame, Scene, open_scene
from reloc.scenes.writers import write_scene
from reloc.scenes.writers.source_points import source_points

COLOR = Camera.pinhole(width=64, height=48, fx=60, cx=31, cy=25)
LENS = Camera("OPENCV", 64, 48, (60, 61, 31, 25, 0.05, -0.02, 0.001, 0.002))
DEPTH_CAMERA = Camera.pinhole(width=40, height=30, fx=30, cx=20.5, cy=14)


def make_scene(root: Path, *, queries: int = 2, depths: int = 0, camera: Camera = COLOR) -> Scene:
    """Six frames on a circle, of which the first ones have depth that grows along x."""
    frames = []
    for number in range(6):
        name = f"images/{5 - number}.png"
        (root / "images").mkdir(parents=True, exist_ok=True)
        image = np.full((camera.height, camera.width, 3), 20 * number, np.uint8)
        assert cv2.imwrite(str(root / name), image)
        depth = None
        if number < depths:
            stored = np.tile(1000 + 10 * np.arange(40, dtype=np.uint16), (30, 1))
            stored[3, 4] = 65535
            assert cv2.imwrite(str(root / f"{number}.png"), stored)
            depth = Depth(root / f"{number}.png", DEPTH_CAMERA, unit=0.002)
        pose = look_at((3 * np.cos(number), 3 * np.sin(number), 0.5), (0, 0, 0))
        frames.append(Frame(name, root / name, camera, pose, depth))
    cut = 6 - queries
    return Scene("s", root, "test", tuple(frames[:cut]), tuple(frames[cut:]), unit="metre")


def as_nerfstudio(root: Path) -> dict[str, Any]:
    """The images of each split and their depth, as nerfstudio's parser finds them."""
    meta = json.loads((root / "transforms.json").read_text())
    frames = sorted(meta["frames"], key=lambda frame: root / frame["file_path"])
    for frame in frames:
        assert (root / frame["file_path"]).is_file()
        assert {"fl_x", "fl_y", "cx", "cy", "w", "h"} <= frame.keys()
        assert np.shape(frame["transform_matrix"]) == (4, 4)
    assert meta["camera_model"] in ("PINHOLE", "OPENCV", "OPENCV_FISHEYE")
    with_depth = [frame for frame in frames if "depth_file_path" in frame]
    assert len(with_depth) in (0, len(frames))
    assert all((root / frame["depth_file_path"]).is_file() for frame in with_depth)
    images = [frame["file_path"] for frame in frames]
    splits = {}
    listed = {f"{split}_filenames" in meta for split in ("train", "val", "test")}
    assert len(listed) == 1  # all three, or none
    for split in ("train", "val", "test") if listed == {True} else ():
        names = meta[f"{split}_filenames"]
        assert names
        assert set(names) <= set(images)
        splits[split] = set(names)
    return {"meta": meta, "splits": splits, "depth": {f["file_path"]: f for f in with_depth}}


def test_queries_validate_and_test(tmp_path):
    out = write_scene(make_scene(tmp_path / "s"), tmp_path / "out", to="transforms").folder
    splits = as_nerfstudio(out)["splits"]
    assert splits["val"] == splits["test"] == {"images/0.png", "images/1.png"}
    assert splits["train"] == {f"images/{number}.png" for number in (2, 3, 4, 5)}
    assert len(open_scene(out).queries) == 2


def test_without_queries_the_split_is_left_to_nerfstudio(tmp_path):
    source = make_scene(tmp_path / "s", queries=0)
    out = write_scene(source, tmp_path / "out", to="transforms").folder
    assert as_nerfstudio(out)["splits"] == {}
    assert len(open_scene(out).mapping) == 6


@pytest.mark.parametrize("camera", [COLOR, LENS, DEPTH_CAMERA])
def test_depth_is_of_the_color_camera_in_thousandths(tmp_path, camera):
    source = make_scene(tmp_path / "s", depths=6, camera=camera)
    written = write_scene(source, tmp_path / "out", to="transforms")
    assert not any("depth" in note for note in written.notes)
    depths = as_nerfstudio(written.folder)["depth"]
    entry = depths[source.mapping[0].name]
    stored = cv2.imread(str(written.folder / entry["depth_file_path"]), cv2.IMREAD_ANYDEPTH)
    assert (stored.shape, stored.dtype) == ((entry["h"], entry["w"]), np.uint16)
    # Along the ray of a pixel the depth camera, which stands in the same spot, sees the same.
    for x, y in ((30.5, 20.5), (20.5, 25.5), (35.5, 12.5)):
        ray = camera.rays([(x, y)])
        column, _ = np.floor(DEPTH_CAMERA.pixels(ray)[0]).astype(int)
        assert stored[int(y), int(x)] == 2 * (1000 + 10 * column)
    if camera == DEPTH_CAMERA:
        assert stored[3, 4] == 0


def test_depth_of_some_frames_only_is_left_out_with_a_word(tmp_path):
    written = write_scene(make_scene(tmp_path / "s", depths=2), tmp_path / "out", to="transforms")
    assert any("depth of 2 frames" in note and "4 have none" in note for note in written.notes)
    assert as_nerfstudio(written.folder)["depth"] == {}
    assert not (written.folder / "depth").exists()


def test_depth_too_far_for_the_files_is_told(tmp_path):
    source = make_scene(tmp_path / "s", depths=6).scaled(40)
    source = replace(source, unit="metre")
    for to in ("ace", "transforms"):
        notes = write_scene(source, tmp_path / to, to=to).notes
        assert any("beyond 65.534 units in 6 frames" in note for note in notes)


def test_colmap_and_ace_tell_what_they_leave_out(tmp_path):
    source = make_scene(tmp_path / "s", depths=3)
    notes = write_scene(source, tmp_path / "colmap", to="colmap").notes
    assert any("left out the depth of 3 frames" in note for note in notes)
    source = colmap_scene(tmp_path / "model", camera=COLOR)
    notes = write_scene(source, tmp_path / "ace", to="ace").notes
    assert any("left out 30 points" in note for note in notes)


def colmap_scene(root: Path, *, camera: Camera = LENS, name: str = "{}.png") -> Scene:
    """A COLMAP model of 30 points that all six images see, half a pixel off, and one stray each."""
    pycolmap = pytest.importorskip("pycolmap")
    made = make_scene(root, camera=camera)
    rng = np.random.default_rng(3)
    points = rng.uniform(-0.5, 0.5, (30, 3))
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model=camera.model, width=64, height=48, params=camera.params, camera_id=7)
    )
    orders: dict[int, np.ndarray] = {}
    frames = sorted((*made.mapping, *made.queries), key=lambda frame: frame.name)
    for number, frame in enumerate(frames, start=11):
        image = pycolmap.Image(
            name=name.format(Path(frame.name).stem), camera_id=7, image_id=number
        )
        frame.image.rename(frame.image.with_name(image.name))
        seen = camera.project(transformed(inverted(frame.world_from_cam), points))
        order = rng.permutation(30)  # the index of a point differs from image to image
        pixels = [(1.0, 2.0), *(seen[order] + (0.3, 0.4))]
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in pixels])
        model.add_image_with_trivial_frame(
            image, pycolmap.Rigid3d(inverted(frame.world_from_cam)[:3, :4])
        )
        orders[number] = order
    for row, point in enumerate(points):
        track = [
            pycolmap.TrackElement(number, 1 + int(np.flatnonzero(order == row)[0]))
            for number, order in orders.items()
        ]
        model.add_point3D(point, pycolmap.Track(track), np.array([row, 2 * row, 255], np.uint8))
    (root / "sparse" / "0").mkdir(parents=True)
    model.write_binary(root / "sparse" / "0")
    (root / "query.txt").write_text(f"images/{name.format(0)}\nimages/{name.format(1)}\n")
    return open_scene(root)


@pytest.mark.parametrize("name", ["{}.png", "photo {}.png"])
def test_a_colmap_model_keeps_points_and_tracks(tmp_path, colmap_model, name):
    source = colmap_scene(tmp_path / "s", name=name)
    written = write_scene(source, tmp_path / "out", to="colmap")
    assert written.notes == ()
    # A space ends a field of a text model.
    suffix = "bin" if " " in name else "txt"
    assert (written.folder / "sparse" / "0" / f"points3D.{suffix}").is_file()
    model = colmap_model(written.folder)
    original = colmap_points(tmp_path / "s")
    copied = colmap_points(written.folder)
    assert len(copied) == 30
    for color, (xyz, seen) in original.items():
        np.testing.assert_allclose(copied[color][0], xyz, atol=1e-12)
        assert copied[color][1] == seen
    np.testing.assert_allclose([point.error for point in model.points3D.values()], 0.5, atol=1e-6)


def colmap_points(root: Path) -> dict[tuple[int, ...], tuple[np.ndarray, dict[str, Any]]]:
    """Position, and pixel by image name, of each point, by its colour."""
    pycolmap = pytest.importorskip("pycolmap")
    model = pycolmap.Reconstruction(root / "sparse" / "0")
    return {
        tuple(point.color.tolist()): (
            point.xyz,
            {
                model.images[e.image_id].name: tuple(
                    model.images[e.image_id].points2D[e.point2D_idx].xy.round(9).tolist()
                )
                for e in point.track.elements
            },
        )
        for point in model.points3D.values()
    }


def test_points_that_too_few_images_see_are_left_out_with_a_word(tmp_path, colmap_model):
    source = colmap_scene(tmp_path / "s")
    only = replace(source, mapping=source.mapping[:1], queries=())
    written = write_scene(only, tmp_path / "out", to="colmap")
    assert any("left out 30 of 30 points" in note for note in written.notes)
    assert colmap_model(written.folder).num_points3D() == 0


def test_sightings_are_in_pixels_of_images_made_smaller(tmp_path, colmap_model):
    colmap_scene(tmp_path / "s")
    for path in (tmp_path / "s" / "images").iterdir():
        assert cv2.imwrite(str(path), np.zeros((24, 32, 3), np.uint8))
    written = write_scene(open_scene(tmp_path / "s"), tmp_path / "out", to="colmap")
    model = colmap_model(written.folder)
    np.testing.assert_allclose([point.error for point in model.points3D.values()], 0.25, atol=0.01)


def test_points_of_other_poses_are_left_out_with_a_word(tmp_path):
    source = colmap_scene(tmp_path / "s").scaled(2)
    for to in ("colmap", "transforms"):
        written = write_scene(source, tmp_path / to, to=to)
        assert any("left out the points, which belong to other poses" in n for n in written.notes)
        assert not (written.folder / "sparse_pc.ply").exists()


def test_damaged_points_cost_no_more_than_themselves(tmp_path):
    source = colmap_scene(tmp_path / "s")
    path = tmp_path / "s" / "sparse" / "0" / "points3D.bin"
    path.write_bytes(path.read_bytes()[:-5])
    written = write_scene(source, tmp_path / "out", to="colmap")
    assert any("left out the points: " in note and "cut short" in note for note in written.notes)


def test_points_become_the_point_cloud_of_transforms_and_stay(tmp_path):
    source = colmap_scene(tmp_path / "s")
    written = write_scene(source, tmp_path / "out", to="transforms")
    assert any("left out which images see the 30 points" in note for note in written.notes)
    meta = as_nerfstudio(written.folder)["meta"]
    found = source_points(source).sparse
    assert found is not None
    points, colors = read_points_of_ply(written.folder / meta["ply_file_path"])
    np.testing.assert_allclose(points, found.xyz, atol=1e-6)
    np.testing.assert_array_equal(colors, found.rgb)
    # In the world of the frames, so that each point lands where the image shows it.
    frame = open_scene(written.folder).mapping[0]
    seen = frame.camera.project(transformed(inverted(frame.world_from_cam), points))
    want = {tuple(p) for p in (found.seen_by(source.mapping[0]).pixels - (0.3, 0.4)).round(2)}
    assert {tuple(p) for p in seen.round(2)} == want

    again = open_scene(written.folder)
    twice = write_scene(again, tmp_path / "again", to="transforms")
    ply = (written.folder / "sparse_pc.ply").read_bytes()
    assert (twice.folder / "sparse_pc.ply").read_bytes() == ply
    notes = write_scene(again, tmp_path / "model", to="colmap").notes
    assert any("left out the points of sparse_pc.ply" in note for note in notes)
    (written.folder / "sparse_pc.ply").unlink()
    notes = write_scene(again, tmp_path / "third", to="transforms").notes
    assert any("'sparse_pc.ply' is not in the scene" in note for note in notes)


def read_points_of_ply(path: Path) -> Sequence[np.ndarray]:
    """Positions and colours of a PLY as open3d finds them by the names of its properties."""
    header, data = path.read_bytes().split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    kinds = {"float": "<f4", "double": "<f8", "uchar": "u1"}
    rows = np.frombuffer(data, [(name, kinds[kind]) for _, kind, name in map(str.split, lines[3:])])
    assert lines[2] == f"element vertex {len(rows)}"
    return [
        np.stack([rows[name] for name in names], axis=1)
        for names in (("x", "y", "z"), ("red", "green", "blue"))
    ]

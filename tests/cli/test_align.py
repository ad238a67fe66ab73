"""``reloc align``: what is given becomes an alignment of the map, exactly; the rest is refused."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from reloc.alignment import Geodetic, Similarity
from reloc.alignment.earth import enu, from_enu
from reloc.geometry import Camera, inverted, look_at, rotation_from_vector, transformed
from reloc.heads import MlpHead
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.scenes import open_scene

from ..maps.test_landmark_tensors import made_landmarks

CAMERA = Camera.pinhole(width=64, height=48, fx=50)
# From metres with z up to the map's own world.
WORLD = Similarity(2.5, rotation_from_vector((0.7, -0.4, 1.9)), np.array([3.0, 1.0, -2.0]))
HOME = Geodetic(48.2, 16.37, 180.0)
COUNT = 12


def true_poses():
    """Level cameras around a square of 20 m, in metres with z up."""
    turns = np.linspace(0, 2 * np.pi, COUNT, endpoint=False)
    centers = [(10 * np.cos(t), 8 * np.sin(t), 1.6 + 0.1 * np.sin(3 * t)) for t in turns]
    return [look_at(center, (0.3, 0.2, 1.0)) for center in centers]


def name(number):
    return f"images/{number:02d}.jpg"


@pytest.fixture
def plain(tmp_path):
    """A map in units of 40 cm whose z is not up."""
    torch.manual_seed(0)
    path = tmp_path / "square.safetensors"
    cameras = tuple(
        MappingCamera(name(n), WORLD.pose(pose), CAMERA) for n, pose in enumerate(true_poses())
    )
    SceneMap(
        regions=(Region(MlpHead(channels=4, width=4, blocks=0), np.zeros(3)),),
        backbone="toy",
        short_side=480,
        extent=50.0,
        unit="unknown",
        cameras=cameras,
    ).save(path)
    return path


def alignment_of(path):
    return SceneMap.load(path).alignment


def assert_level(alignment, tolerance=1e-4):
    np.testing.assert_allclose(alignment.up, WORLD.rotation[:, 2], atol=tolerance)


def assert_true(alignment, offset=(0, 0, 0), tolerance=1e-4):
    """It is the inverse of WORLD, moved."""
    points = np.random.default_rng(0).normal(0, 5, (10, 3))
    found = alignment.aligned_from_world.points(WORLD.points(points))
    np.testing.assert_allclose(found, points + offset, atol=tolerance)


def test_by_itself_it_says_up_by_the_cameras_and_keeps_the_rest(plain, reloc):
    before = SceneMap.load(plain)
    run = reloc("align", plain)
    assert run.status == 0, run.err
    assert "z is up by 12 cameras" in run.out
    assert "metres are not known" in run.out
    after = SceneMap.load(plain)
    assert_level(after.alignment)
    np.testing.assert_array_equal(after.cameras[3].world_from_cam, before.cameras[3].world_from_cam)
    assert after.alignment.metres_by is None


def test_up_is_as_given(plain, reloc):
    assert reloc("align", plain, "--up", "(0,-1,0)").status == 0
    np.testing.assert_allclose(alignment_of(plain).up, (0, -1, 0), atol=1e-12)
    assert "x,y,z" in reloc("align", plain, "--up", "0,0").refusal()
    assert "no direction" in reloc("align", plain, "--up", "0,0,0").refusal()


@pytest.mark.parametrize("by_name", [True, False])
def test_a_distance_gives_metres(plain, reloc, by_name):
    poses = true_poses()
    apart = np.linalg.norm(poses[1][:3, 3] - poses[6][:3, 3])
    places = ["01.jpg", name(6)]
    if not by_name:
        centers = [WORLD.pose(poses[n])[:3, 3] for n in (1, 6)]
        places = ["(" + ",".join(map(str, center)) + ")" for center in centers]
    run = reloc("align", plain, "--distance", *places, apart)
    assert run.status == 0, run.err
    alignment = alignment_of(plain)
    assert alignment.aligned_from_world.scale == pytest.approx(1 / WORLD.scale, rel=1e-5)
    assert_level(alignment)
    assert "by a distance of" in json.loads(reloc("info", plain, "--json").out)["aligned"]


def test_distances_of_nothing_are_refused(plain, reloc):
    before = plain.read_bytes()
    assert "are one place" in reloc("align", plain, "--distance", "01.jpg", name(1), 2).refusal()
    assert "no metres" in reloc("align", plain, "--distance", "01.jpg", "02.jpg", 0).refusal()
    assert "is called" in reloc("align", plain, "--distance", "x.jpg", "02.jpg", 1).refusal()
    assert "two places" in reloc("align", plain, "--distance", "01.jpg").refusal()
    assert plain.read_bytes() == before


def camera_lines(rows, offset=(100, 200, 300)):
    centers = [(true_poses()[row][:3, 3] + offset).tolist() for row in rows]
    return [
        f"{row:02d}.jpg {x!r} {y!r} {z!r}" for row, (x, y, z) in zip(rows, centers, strict=True)
    ]


def point_lines(kind, offset=(100, 200, 300)):
    """Corners of a box: as pairs of points, or as pixels of two frames each that see it."""
    corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (0.5, 1.5)])
    lines = []
    for corner in corners:
        told = " ".join(repr(float(value)) for value in corner + offset)
        if kind == "pairs":
            lines.append(" ".join(map(repr, WORLD.points(corner)[0].tolist())) + " " + told)
        else:
            for row in (0, 2, 5):
                local = transformed(inverted(true_poses()[row]), corner[None])
                u, v = CAMERA.project(local)[0].tolist()
                lines.append(f"{told} {u!r} {v!r} {row:02d}.jpg")
    return lines


@pytest.mark.parametrize("kind", ["cameras", "pairs", "pixels"])
def test_control_points_of_each_kind_give_the_place(plain, reloc, tmp_path, kind):
    lines = camera_lines(range(0, COUNT, 2)) if kind == "cameras" else point_lines(kind)
    file = tmp_path / "points.txt"
    file.write_text("\n".join(["# marked by hand", *lines]))
    run = reloc("align", plain, "--points", file)
    assert run.status == 0, run.err
    assert_true(alignment_of(plain), (100, 200, 300))
    assert f"of {6 if kind == 'cameras' else 8} positions agree" in run.out


def test_a_wrong_control_point_is_named_and_left_out(plain, reloc, tmp_path):
    lines = camera_lines(range(COUNT))
    lines[4] = "04.jpg 0 0 0"
    file = tmp_path / "points.csv"
    file.write_text("name,x,y,z\n" + "\n".join(line.replace(" ", ",") for line in lines))
    run = reloc("align", plain, "--points", file)
    assert "left out 04.jpg (" in run.out
    assert_true(alignment_of(plain), (100, 200, 300))


def test_two_control_points_do_with_up(plain, reloc, tmp_path):
    file = tmp_path / "points.txt"
    file.write_text("\n".join(camera_lines([1, 7])))
    assert "two do with --up" in reloc("align", plain, "--points", file).refusal()
    run = reloc("align", plain, "--points", file, "--up", "cameras")
    assert "more tell how well" in run.out
    assert_true(alignment_of(plain), (100, 200, 300), tolerance=1e-3)
    assert alignment_of(plain).deviation is None


def gps_table(path, rows, *, noise=0.0, heights=True):
    rng, lines = np.random.default_rng(0), ["name,latitude,longitude,height"]
    for row in rows:
        place = from_enu(true_poses()[row][:3, 3] + rng.normal(0, noise, 3), HOME)
        line = f"{row:02d}.jpg,{place.latitude!r},{place.longitude!r}"
        lines.append(f"{line},{place.height!r}" if heights else line)
    path.write_text("\n".join(lines))
    return path


@pytest.mark.parametrize("heights", [True, False])
def test_positions_on_earth_give_the_place(plain, reloc, tmp_path, heights):
    run = reloc("align", plain, "--gps", gps_table(tmp_path / "gps.csv", range(9), heights=heights))
    assert run.status == 0, run.err
    alignment = alignment_of(plain)
    assert alignment.aligned_from_world.scale == pytest.approx(1 / WORLD.scale, rel=1e-4)
    for pose in true_poses():
        told = alignment.geopose(WORLD.pose(pose))["position"]
        east, north, up = enu(Geodetic(told["lat"], told["lon"], told["h"]), HOME) - pose[:3, 3]
        assert np.hypot(east, north) < 0.002
        assert not heights or abs(up) < 0.1


def test_positions_on_a_street_need_no_more_than_up(plain, reloc, tmp_path):
    """Two cameras are on a line; a fit without gravity would turn about it."""
    run = reloc("align", plain, "--gps", gps_table(tmp_path / "gps.csv", [0, 6]))
    assert run.status == 0, run.err
    assert_level(alignment_of(plain))


def test_metres_that_are_known_are_not_changed_by_receivers(plain, reloc, tmp_path):
    path = tmp_path / "metric.safetensors"
    replace(SceneMap.load(plain), unit="metre").save(path)
    table = gps_table(tmp_path / "gps.csv", range(COUNT))
    # Of a map that is 2.5 times too large nothing fits, and no turn is surer for it.
    reloc("align", path, "--gps", table)
    aligned = alignment_of(path)
    assert aligned is None or aligned.aligned_from_world.scale == 1
    poses = true_poses()
    apart = np.linalg.norm(poses[0][:3, 3] - poses[5][:3, 3])
    run = reloc("align", plain, "--gps", table, "--distance", "00.jpg", "05.jpg", apart)
    assert "by a distance" in run.out
    assert_level(alignment_of(plain))


def test_receivers_in_a_room_are_refused(plain, reloc, tmp_path):
    table = gps_table(tmp_path / "gps.csv", range(COUNT), noise=40)
    assert "further apart" in reloc("align", plain, "--gps", table).refusal()
    assert alignment_of(plain) is None


def degrees_of(value):
    whole = int(abs(value))
    minutes = int((abs(value) - whole) * 60)
    return (whole, minutes, round((abs(value) - whole - minutes / 60) * 3600, 5))


def test_photos_tell_where_they_were_taken(plain, reloc, tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for row, pose in enumerate(true_poses()):
        exif = Image.Exif()
        if row != 3:  # one phone had no fix
            place = from_enu(pose[:3, 3], Geodetic(-33.5, -70.6, 5.0))
            exif.get_ifd(0x8825).update(
                {
                    1: "S",
                    2: degrees_of(place.latitude),
                    3: "W",
                    4: degrees_of(place.longitude),
                    5: b"\0",
                    6: place.height,
                }
            )
        Image.new("L", (8, 6)).save(photos / f"{row:02d}.jpg", exif=exif)
    run = reloc("align", plain, "--gps", photos)
    assert run.status == 0, run.err
    assert "of 11 positions agree" in run.out
    told = alignment_of(plain).geopose(WORLD.pose(true_poses()[3]))["position"]
    found = enu(Geodetic(*told.values()), Geodetic(-33.5, -70.6, 5.0))
    np.testing.assert_allclose(found, true_poses()[3][:3, 3], atol=0.05)
    bare = tmp_path / "bare"
    bare.mkdir()
    Image.new("L", (8, 6)).save(bare / "01.jpg")
    assert "none of 1 photos" in reloc("align", plain, "--gps", bare).refusal()


def test_degrees_of_control_points_are_degrees(plain, reloc, tmp_path):
    lines = []
    for row in range(0, COUNT, 3):
        place = from_enu(true_poses()[row][:3, 3], HOME)
        lines.append(f"{row:02d}.jpg {place.latitude!r} {place.longitude!r} {place.height!r}")
    file = tmp_path / "points.txt"
    file.write_text("\n".join(lines))
    run = reloc("align", plain, "--points", file, "--wgs84")
    assert run.status == 0, run.err
    told = alignment_of(plain).geopose(WORLD.pose(true_poses()[5]))["position"]
    np.testing.assert_allclose(
        enu(Geodetic(*told.values()), HOME), true_poses()[5][:3, 3], atol=1e-3
    )


def test_depth_gives_metres(plain, reloc, tmp_path):
    """Landmarks on the floor, and depth of that floor; one frame looks at a thing before it."""
    rng = np.random.default_rng(0)
    floor = np.column_stack([rng.uniform(-4, 4, (400, 2)), np.zeros(400)])
    known = made_landmarks(400)
    up = WORLD.rotation[:, 2].astype(np.float32)
    known = replace(
        known,
        points=WORLD.points(floor),
        directions=np.tile(up, (400, 1)),
        spreads=np.full(400, 1.5, np.float32),
    )
    replace(SceneMap.load(plain), landmarks=known).save(plain)
    folder = tmp_path / "depth"
    folder.mkdir()
    v, u = np.mgrid[:240, :320] + 0.5
    rays = CAMERA.resized(320, 240).rays(np.column_stack([u.ravel(), v.ravel()]))
    for row, pose in enumerate(true_poses()):
        down = np.column_stack([rays, np.ones(len(rays))]) @ pose[:3, :3].T
        depth = np.where(down[:, 2] < -0.02, -pose[2, 3] / np.minimum(down[:, 2], -0.02), 0)
        if row == 4:
            depth[:] = 1.0
        stored = np.where(depth < 60, 1000 * depth, 0).reshape(240, 320).astype(np.uint16)
        assert cv2.imwrite(str(folder / f"{row:02d}.depth.png"), stored)
        (folder / f"{row:02d}.jpg").touch()  # the photo itself
    run = reloc("align", plain, "--depth", folder)
    assert run.status == 0, run.err
    scale = alignment_of(plain).aligned_from_world.scale
    assert scale == pytest.approx(1 / WORLD.scale, rel=0.01)
    (folder / "none").mkdir()
    assert "no file there" in reloc("align", plain, "--depth", folder / "none").refusal()


def test_what_was_known_is_kept_forgotten_and_written_elsewhere(plain, reloc, tmp_path):
    reloc("align", plain, "--up", "1,0,0")
    out = tmp_path / "other.safetensors"
    assert reloc("align", plain, "--distance", "00.jpg", "01.jpg", 3, "--out", out).status == 0
    assert alignment_of(plain).metres_by is None
    np.testing.assert_allclose(alignment_of(out).up, (1, 0, 0), atol=1e-12)
    assert alignment_of(out).up_by == "as given"
    assert "not aligned" in reloc("align", out, "--drop").out
    assert alignment_of(out) is None
    assert json.loads(reloc("info", out, "--json").out)["alignment"] is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--points", "a", "--gps", "b"), "both tell the place"),
        (("--distance", "a", "b", "1", "--depth", "c"), "both tell the scale"),
        (("--wgs84",), "goes with --points"),
        (("--depth-unit", "mm"), "goes with --depth"),
        (("--drop", "--up", "0,0,1"), "forgets all"),
    ],
)
def test_options_that_exclude_each_other_are_refused(plain, reloc, options, says):
    assert says in reloc("align", plain, *options).refusal()


def test_files_that_say_nothing_are_one_line(plain, reloc, tmp_path):
    file = tmp_path / "points.txt"
    file.write_text("1 2 3 4 5 6\nx y\n")
    assert "line 2: no control point" in reloc("align", plain, "--points", file).refusal()
    file.write_text("1 2 3 4 5 99.jpg\n")
    assert "line 1: no mapping frame" in reloc("align", plain, "--points", file).refusal()
    file.write_text("1 2 3 4 5 01.jpg\n")
    assert "one side only" in reloc("align", plain, "--points", file).refusal()
    file.write_text("01.jpg 95 10\n")
    assert "no position on Earth" in reloc("align", plain, "--gps", file).refusal()
    file.write_text("else.jpg 9 10\n")
    assert "tells of no mapping frame" in reloc("align", plain, "--gps", file).refusal()


def test_of_a_scene_an_aligned_copy_is_written(small_scene, reloc, tmp_path):
    assert "--out DIR" in reloc("align", small_scene).refusal()
    out = tmp_path / "aligned"
    run = reloc("align", small_scene, "--up", "0,-1,0", "--out", out)
    assert run.status == 0, run.err
    before, after = open_scene(small_scene), open_scene(out)
    assert len(after.mapping) == len(before.mapping) == 2
    for frame in after.mapping:
        # What was up in the picture is up in the world.
        np.testing.assert_allclose(frame.world_from_cam[:3, 1], (0, 0, -1), atol=1e-9)

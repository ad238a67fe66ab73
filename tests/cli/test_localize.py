"""``reloc localize``: images in, poses out, and what is said of images that are none."""

import json
import os
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np
import pytest
from PIL import Image

from reloc.backbone import save_backbone
from reloc.backbone.network import ConvBackbone
from reloc.cli.overlays import Overlays
from reloc.geometry import Camera, pose_error
from reloc.images.lens import Lens
from reloc.localize import Localizer
from reloc.localize.pose_files import read_ace, read_estimates, read_tum
from reloc.maps import SceneMap
from reloc.scenes import open_scene

CAMERA = "131.2"


def rows(run):
    assert run.status == 0, run.err
    return [json.loads(line) for line in run.out.splitlines()]


def test_an_aligned_map_tells_where_that_is(reloc, made_map, made_place, tmp_path):
    path = tmp_path / "aligned.safetensors"
    assert reloc("align", made_map, "--up", "0,1,0", "--out", path).status == 0
    photo = made_place / "train" / "rgb" / "00003.jpg"
    (row,) = rows(reloc("localize", path, photo, "--camera", CAMERA, "--device", "cpu"))
    alignment = SceneMap.load(path).alignment
    expected = alignment.aligned_from_world.pose(row["world_from_cam"])
    np.testing.assert_allclose(row["aligned_from_cam"], expected, atol=1e-9)
    assert "geopose" not in row


def test_a_list_of_hloc_in_a_list_of_hloc_out(reloc, made_map, made_place, tmp_path):
    photos = made_place / "train" / "rgb"
    listing, out = tmp_path / "queries.txt", tmp_path / "poses.txt"
    camera = f"SIMPLE_PINHOLE 160 120 {CAMERA} 80 60"
    listing.write_text(f"rgb/00003.jpg {camera}\nrgb/00001.jpg {camera}\n")
    options = ("--images", photos.parent, "--out", out, "--format", "hloc", "--device", "cpu")
    assert "--images DIR" in reloc("localize", made_map, listing).refusal()
    run = reloc("localize", made_map, listing, *options)
    assert run.status == 0, run.err
    lines = [line.split() for line in out.read_text().splitlines()]
    assert [line[0] for line in lines] == ["00003.jpg", "00001.jpg"]
    assert all(len(line) == 8 for line in lines)


@pytest.fixture
def several_cameras(made_map, tmp_path):
    """The same map made from two cameras, so that none is at hand for a query."""
    scene_map = SceneMap.load(made_map)
    first, *others = scene_map.cameras
    other = replace(first, camera=Camera.pinhole(width=160, height=120, fx=99))
    path = tmp_path / "several.safetensors"
    replace(scene_map, cameras=(other, *others)).save(path)
    return path


def test_cameras_of_many_photos_by_name(reloc, several_cameras, made_place, tmp_path):
    photos = sorted((made_place / "train" / "rgb").iterdir())[:2]
    cameras = tmp_path / "cameras of photos.txt"
    cameras.write_text(f"{photos[0].name} {CAMERA}\nanother.jpg 99\n")
    run = reloc("localize", several_cameras, *photos, "--camera", cameras, "--device", "cpu")
    named, other = rows(run)
    assert (named["localized"], named["camera_source"]) == (True, "given")
    assert not other["localized"]
    assert "2 cameras for" in other["reason"]


def test_a_folder_gives_a_json_line_each_with_the_true_poses(reloc, made_map, made_place):
    found = rows(reloc("localize", made_map, made_place / "train" / "rgb"))
    scene = open_scene(made_place)
    assert [row["image"] for row in found] == [f.image.as_posix() for f in scene.mapping]
    for row, frame in zip(found, scene.mapping, strict=True):
        translation, rotation = pose_error(np.array(row["world_from_cam"]), frame.world_from_cam)
        assert row["localized"]
        assert translation < 0.2
        assert rotation < 2
        assert row["inliers"] > 0
        assert 0.5 <= row["confidence"] <= 1


def test_black_and_foreign_photos_are_not_localized(reloc, made_map, tmp_path):
    rng = np.random.default_rng(0)
    photos = {
        "black": np.zeros((120, 160, 3), np.uint8),
        "white": np.full((120, 160, 3), 255, np.uint8),
        "noise": rng.integers(0, 256, (120, 160, 3), dtype=np.uint8),
        "clouds": cv2.resize(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8), (160, 120)),
    }
    for name, pixels in photos.items():
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    for row in rows(reloc("localize", made_map, tmp_path)):
        assert not row["localized"], row["image"]
        assert row["world_from_cam"] is None
        assert row["covariance"] is None
        assert row["reason"]
        assert row["confidence"] < 0.5


def test_bad_images_are_answered_with_the_reason_and_the_others_as_ever(
    reloc, made_map, place, tmp_path
):
    images = place / "train" / "rgb"
    whole = (images / "00001.jpg").read_bytes()
    (images / "00001.jpg").write_bytes(whole[: len(whole) // 2])
    (images / "00002.jpg").write_bytes(b"")
    (images / "00003.jpg").write_bytes(b"no image at all")
    tall = cv2.resize(cv2.imread(str(images / "00000.jpg")), (120, 160))
    cv2.imwrite(str(images / "00004.jpg"), tall)
    out = tmp_path / "out.json"
    run = reloc("localize", made_map, images, "--out", out)
    assert run.status == 0
    assert run.out == f"{out}: 3 of 7 localized\n"
    found = {row.image.rsplit("/", 1)[1]: row for row in read_estimates(out)}
    assert [found[f"0000{n}.jpg"].localized for n in range(7)] == [True] + [False] * 4 + [True] * 2
    for number, reason in enumerate(("cut short", "empty", "readable", "another shape"), start=1):
        assert reason in found[f"0000{number}.jpg"].reason
        assert f"0000{number}.jpg" in found[f"0000{number}.jpg"].reason


@pytest.mark.parametrize("suffix", ["mp4", "avi"])
def test_frames_of_a_video_have_times(reloc, made_map, made_place, tmp_path, suffix):
    path = tmp_path / f"walk.{suffix}"
    code = {"mp4": "mp4v", "avi": "MJPG"}[suffix]
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (160, 120))
    for image in sorted((made_place / "train" / "rgb").iterdir()):
        video.write(cv2.imread(str(image)))
    video.release()
    out = tmp_path / "poses.tum"
    run = reloc("localize", made_map, path, "--every", 3, "--out", out, "--format", "tum")
    assert run.status == 0, run.err
    times, poses = read_tum(out)
    assert len(poses) >= 2
    assert set(np.round(times, 6)) <= {0.0, 0.3, 0.6}
    names = [row["image"] for row in rows(reloc("localize", made_map, path, "--every", 3))]
    assert names == [f"{path.as_posix()}#{n:06d}" for n in (0, 3, 6)]


@pytest.mark.slow
def test_formats_hold_the_same_poses(reloc, made_map, made_place, tmp_path):
    images = made_place / "train" / "rgb"
    outs = {name: tmp_path / name for name in ("json", "tum", "ace", "colmap")}
    for name, out in outs.items():
        assert reloc("localize", made_map, images, "--out", out, "--format", name).status == 0
    estimates = read_estimates(outs["json"])
    poses = np.array([e.world_from_cam for e in estimates])
    np.testing.assert_allclose(read_tum(outs["tum"])[1], poses, atol=1e-6)
    np.testing.assert_allclose([e.world_from_cam for e in read_ace(outs["ace"])], poses, atol=1e-6)
    lines = (outs["colmap"] / "images.txt").read_text().splitlines()
    assert sum(line.endswith(".jpg") for line in lines) == len(poses)
    camera = (outs["colmap"] / "cameras.txt").read_text().splitlines()[-1].split()
    assert camera[1:4] == ["PINHOLE", "160", "120"]


def test_resized_photos_get_the_maps_camera_at_their_size(reloc, made_map, made_place, tmp_path):
    """Also in the COLMAP model, whose reader has nothing else to go by."""
    photo = cv2.imread(str(made_place / "train" / "rgb" / "00000.jpg"))
    cv2.imwrite(str(tmp_path / "large.png"), cv2.resize(photo, (320, 240)))
    out = tmp_path / "model"
    run = reloc("localize", made_map, tmp_path / "large.png", "--out", out, "--format", "colmap")
    assert run.out == f"{out}: 1 of 1 localized\n"
    own = SceneMap.load(made_map).query_camera()
    line = (out / "cameras.txt").read_text().splitlines()[-1].split()
    assert line[1:4] == ["PINHOLE", "320", "240"]
    assert float(line[4]) == pytest.approx(2 * own.fx)


@pytest.mark.parametrize(
    "camera",
    [
        CAMERA,
        "131.2,131.2,80,60",
        "PINHOLE 160 120 131.2 131.2 80 60",
        "1 SIMPLE_PINHOLE 640 480 524.8 320 240",
        "OPENCV 160 120 131.2 131.2 80 60 0 0 0 0",
        "FILE",
    ],
)
def test_a_camera_may_be_given_in_several_ways(
    reloc, several_cameras, made_place, tmp_path, camera
):
    if camera == "FILE":
        (tmp_path / "k.txt").write_text("131.2 0 80\n0 131.2 60\n0 0 1\n")
        camera = tmp_path / "k.txt"
    image = made_place / "train" / "rgb" / "00002.jpg"
    (row,) = rows(reloc("localize", several_cameras, image, "--camera", camera))
    assert row["localized"]


def test_of_several_cameras_the_one_that_fits_the_image_is_taken(
    reloc, several_cameras, made_place
):
    (row,) = rows(reloc("localize", several_cameras, made_place / "train/rgb/00002.jpg"))
    assert row["localized"]
    assert row["camera_source"] == "map"


def test_a_query_without_a_camera_says_so(reloc, several_cameras, made_place, tmp_path):
    pixels = cv2.imread(str(made_place / "train/rgb/00000.jpg"))
    cv2.imwrite(str(tmp_path / "wide.png"), pixels[:90])
    scene_map = SceneMap.load(several_cameras)
    first, *others = scene_map.cameras
    first = replace(first, camera=first.camera.resized(320, 180))
    replace(scene_map, cameras=(first, *others)).save(several_cameras)
    square = cv2.resize(pixels, (120, 120))
    cv2.imwrite(str(tmp_path / "square.png"), square)
    (row,) = rows(reloc("localize", several_cameras, tmp_path / "square.png"))
    assert not row["localized"]
    assert "no camera at hand" in row["reason"]
    assert "--camera" in row["reason"]


def tagged(path, photo, *, lens=None, orientation=None, make=None, model=None):
    """A copy of a photo with EXIF."""
    exif = Image.Exif()
    for tag, value in ((0x010F, make), (0x0110, model)):
        if value is not None:
            exif[tag] = value
    if lens is not None:
        exif.get_ifd(0x8769)[0xA405] = lens
    if orientation is not None:
        exif[0x0112] = orientation
    photo.save(path, exif=exif, quality=95)
    return path


@pytest.mark.slow
def test_exif_decides_where_the_size_is_the_maps_and_the_image_where_it_stays_open(
    reloc, made_map, made_place, tmp_path
):
    with Image.open(made_place / "train/rgb/00002.jpg") as photo:
        path = tagged(tmp_path / "a.jpg", photo, lens=100)
    (row,) = rows(reloc("localize", made_map, path))
    # Of its lens the map knows nothing, and the photo is one that it was made from.
    assert row["localized"]
    assert row["camera_source"] == "map"
    scene_map, known = SceneMap.load(made_map), tmp_path / "known.safetensors"
    lens = Lens("Acme", "Phone", None, 28.0)
    cameras = tuple(replace(c, lens=lens) for c in scene_map.cameras)
    replace(scene_map, cameras=cameras).save(known)
    with Image.open(path) as photo:
        foreign = tagged(tmp_path / "b.jpg", photo, lens=100, make="Other")
        zoomed = tagged(tmp_path / "c.jpg", photo, lens=56, make="Acme", model="Phone")
    found = [rows(reloc("localize", known, p))[0]["camera_source"] for p in (foreign, zoomed)]
    assert found == ["exif", "scaled"]


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [6, 8])
def test_a_photo_stored_on_its_side_is_found_with_either_camera(
    reloc, made_map, made_place, tmp_path, orientation
):
    turn = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}[orientation]
    with Image.open(made_place / "train/rgb/00002.jpg") as photo:
        photo.save(tmp_path / "upright.png")
        path = tagged(tmp_path / "side.png", photo.transpose(turn), orientation=orientation)
    (upright_row,) = rows(reloc("localize", made_map, tmp_path / "upright.png"))
    own = SceneMap.load(made_map).query_camera()
    wanted = np.array(upright_row["world_from_cam"])
    spins = {6: [[0, -1, 0], [1, 0, 0], [0, 0, 1]], 8: [[0, 1, 0], [-1, 0, 0], [0, 0, 1]]}
    spin = np.array(spins[orientation])
    upright_camera = f"{own.fx},{own.fy},{own.cx},{own.cy}"
    stored_camera = f"PINHOLE 120 160 {own.fy} {own.fx} 60 80"
    for options in ((), ("--camera", upright_camera), ("--camera", stored_camera)):
        (row,) = rows(reloc("localize", made_map, path, *options))
        found = np.array(row["world_from_cam"])
        np.testing.assert_allclose(found[:3, 3], wanted[:3, 3], atol=0.02)
        np.testing.assert_allclose(found[:3, :3], wanted[:3, :3] @ spin, atol=0.01)


@pytest.mark.parametrize(
    "camera", ["wide", "-5", "nan", "1,2", "PINHOLE 160 120 131", "PINHOLE 160 x 1 1 1 1"]
)
def test_a_camera_that_is_none_is_refused(reloc, made_map, made_place, camera):
    images = made_place / "test" / "rgb"
    run = reloc("localize", made_map, images, f"--camera={camera}")
    assert run.refusal()


def test_a_camera_of_another_shape_is_told_for_each_image(reloc, made_map, made_place):
    run = reloc(
        "localize", made_map, made_place / "test/rgb", "--camera", "PINHOLE 90 90 80 80 4 4"
    )
    for row in rows(run):
        assert not row["localized"]
        assert "another shape" in row["reason"]


def test_images_must_be_named_and_there(reloc, made_map, tmp_path):
    assert "no images given" in reloc("localize", made_map).refusal()
    assert "no such image" in reloc("localize", made_map, tmp_path / "gone.jpg").refusal()
    (tmp_path / "empty").mkdir()
    assert "holds no images" in reloc("localize", made_map, tmp_path / "empty").refusal()
    (tmp_path / "a.txt").write_text("text")
    assert "lies about it" in reloc("localize", made_map, tmp_path / "a.txt").refusal()
    (tmp_path / "a.csv").write_text("text")
    assert "neither" in reloc("localize", made_map, tmp_path / "a.csv").refusal()
    (tmp_path / "a.mp4").write_bytes(b"")
    message = reloc("localize", made_map, tmp_path / "a.mp4").refusal()
    assert str(tmp_path / "a.mp4") in message


def test_formats_other_than_json_need_a_file(reloc, made_map, made_place):
    run = reloc("localize", made_map, made_place / "test", "--format", "tum")
    assert "--out FILE" in run.refusal()


@pytest.mark.parametrize("damage", ["gone", "empty", "truncated", "text", "hostile"])
def test_maps_that_are_none_are_refused(reloc, made_map, made_place, tmp_path, damage):
    path = tmp_path / "bad.safetensors"
    whole = made_map.read_bytes()
    content = {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "text": b"not a map",
        "hostile": (2**62).to_bytes(8, "little") + whole[8:],
    }
    if damage in content:
        path.write_bytes(content[damage])
    message = reloc("localize", path, made_place / "test" / "rgb").refusal()
    assert str(path) in message
    assert "make" in message


def test_a_map_of_another_backbone_is_refused(reloc, made_map, made_place, tmp_path):
    other = tmp_path / "other.safetensors"
    save_backbone(ConvBackbone(channels=256, width=16).fuse(), other)
    message = reloc("localize", made_map, made_place / "test", "--backbone", other).refusal()
    assert "backbone" in message
    assert "map the scene again" in message


@pytest.mark.parametrize("name", ["json", "tum", "ace", "colmap"])
def test_an_output_below_a_file_is_refused(reloc, made_map, made_place, tmp_path, name):
    (tmp_path / "file").write_text("whole")
    out = tmp_path / "file" / "out"
    images = made_place / "train" / "rgb"
    run = reloc("localize", made_map, images, "--out", out, "--format", name, "--quiet")
    assert str(out) in run.refusal()
    assert (tmp_path / "file").read_text() == "whole"


@pytest.mark.parametrize("name", ["json", "tum", "ace", "colmap"])
def test_what_cannot_be_written_is_refused_before_a_map_is_read(reloc, made_place, tmp_path, name):
    image = made_place / "test" / "rgb" / "00000.jpg"
    out = tmp_path / "out"
    gone = tmp_path / "no map"
    options = ("--out", out, "--format", name)
    assert "given twice" in reloc("localize", gone, image, image, *options).refusal()
    out.mkdir()
    (out / "full").write_text("")
    assert str(out) in reloc("localize", gone, image, *options).refusal()


def test_a_name_that_ends_its_line_is_refused_before_a_map_is_read(reloc, tmp_path):
    image = tmp_path / "a\nb.jpg"
    image.write_bytes(b"")
    run = reloc("localize", "none", image, "--out", tmp_path / "out", "--format", "ace")
    assert "does not fit this format" in run.refusal()


def test_videos_of_one_trajectory_are_refused_before_a_map_is_read(reloc, tmp_path):
    for name in ("a.avi", "b.avi"):
        video = cv2.VideoWriter(
            str(tmp_path / name), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120)
        )
        for gray in (0, 200):
            video.write(np.full((120, 160, 3), gray, np.uint8))
        video.release()
    out = ("--out", tmp_path / "out.tum", "--format", "tum")
    first, second = tmp_path / "a.avi", tmp_path / "b.avi"
    assert "videos overlap" in reloc("localize", "none", first, second, *out).refusal()
    gone = tmp_path / "gone.avi"
    assert "gone.avi: no such" in reloc("localize", "none", first, gone, *out).refusal()


def test_results_are_kept_when_it_ends_early(reloc, made_map, made_place, tmp_path, monkeypatch):
    images, out = made_place / "train" / "rgb", tmp_path / "out.json"
    whole = Localizer.localize_many

    def stopped(self, queries):
        yield from islice(whole(self, queries), 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(Localizer, "localize_many", stopped)
    run = reloc("localize", made_map, images, "--out", out, "--quiet")
    assert run.status == 1
    assert run.err.splitlines() == [
        f"note: {out} holds the 3 images until here",
        "reloc: interrupted",
    ]
    names = sorted(path.as_posix() for path in images.iterdir())
    assert [estimate.image for estimate in read_estimates(out)] == names[:3]


def test_no_image_ends_the_batch(reloc, made_map, place, tmp_path, monkeypatch):
    """Nor does its camera, its depth or its overlay."""
    folder = place / "train" / "rgb"
    whole = (folder / "00000.jpg").read_bytes()
    for name in ("00002.jpg", "00003.jpg", "00004.jpg", "00005.jpg", "00006.jpg"):
        (folder / name).unlink()
    os.mkfifo(folder / "00002.jpg")
    (folder / "00003.jpg").symlink_to(folder / "nothing.jpg")
    (folder / "00004.pgm").write_bytes(b"P5 1048577 1 255\n" + bytes(1048577))
    (folder / "00005.jpg").mkdir()
    raw = folder / os.fsdecode("视图.jpg".encode("gbk"))
    raw.write_bytes(whole)
    drawn = Overlays._write

    def failing(self, item, *others):
        if item.name.endswith("00001.jpg"):
            raise cv2.error("cannot draw")
        drawn(self, item, *others)

    monkeypatch.setattr(Overlays, "_write", failing)
    out = tmp_path / "drawn"
    run = reloc("localize", made_map, folder, "--camera", CAMERA, "--overlay", out)
    found = {row["image"]: row for row in rows(run)}
    assert list(found) == sorted(p.as_posix() for p in folder.iterdir() if p.name != "00005.jpg")
    localized = [name for name, row in found.items() if row["localized"]]
    good = [folder / "00000.jpg", folder / "00001.jpg", raw]
    assert localized == [path.as_posix() for path in good]
    for name, reason in (("00002.jpg", "pipe"), ("00003.jpg", "link to"), ("00004.pgm", "size")):
        assert reason in found[(folder / name).as_posix()]["reason"]
    assert "1 images could not be drawn" in run.err and "00001.jpg: " in run.err
    assert (out / f"{raw.name}.jpg").is_file()

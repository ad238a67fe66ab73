"""Reading COLMAP models, against models that pycolmap writes."""

import os
import struct

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.images.files import write_image
from reloc.scenes import open_scene, read_points
from reloc.scenes.colmap import points_seen
from reloc.scenes.scene import Frame
from reloc.scenes.writers.colmap import write_model
from reloc.scenes.writers.colmap_binary import write_binary_model

pycolmap = pytest.importorskip("pycolmap")

DISTORTED = {
    "SIMPLE_PINHOLE": (70, 31, 25),
    "PINHOLE": (70, 90, 30, 27),
    "SIMPLE_RADIAL": (70, 31, 25, 0.1),
    "RADIAL": (70, 31, 25, 0.1, -0.05),
    "OPENCV": (70, 90, 31, 25, 0.1, -0.05, 0.01, -0.02),
    "OPENCV_FISHEYE": (70, 90, 31, 25, 0.1, -0.05, 0.01, -0.02),
    "FULL_OPENCV": (70, 90, 31, 25, 0.1, -0.05, 0.01, -0.02, 0.03, 0.02, 0.01, -0.01),
    "FOV": (70, 90, 31, 25, 0.5),
    "SIMPLE_RADIAL_FISHEYE": (70, 31, 25, 0.1),
    "RADIAL_FISHEYE": (70, 31, 25, 0.1, -0.05),
    "THIN_PRISM_FISHEYE": (70, 90, 31, 25, 0.1, -0.05, 0.01, -0.02, 0.03, 0.02, 0.01, -0.01),
}


def _pose(cam_from_world):
    return pycolmap.Rigid3d(cam_from_world[:3, :4])


@pytest.fixture
def model(place):
    """One image per camera model, every third one portrait, and the points with tracks."""
    model = pycolmap.Reconstruction()
    for number, (name, params) in enumerate(DISTORTED.items(), start=1):
        width, height = (48, 64) if number % 3 == 0 else (64, 48)
        camera = pycolmap.Camera(
            model=name, width=width, height=height, params=params, camera_id=number
        )
        model.add_camera_with_trivial_rig(camera)
        image = pycolmap.Image(name=f"walk one/{number:02d}.png", camera_id=number, image_id=number)
        pose = inverted(place.pose(number))
        seen = [camera.img_from_cam(pose[:3, :3] @ p + pose[:3, 3]) for p in place.points]
        image.points2D = pycolmap.Point2DList([pycolmap.Point2D(xy) for xy in seen])
        model.add_image_with_trivial_frame(image, _pose(pose))
    for at, point in enumerate(place.points):
        track = pycolmap.Track([pycolmap.TrackElement(i, at) for i in model.images])
        model.add_point3D(point, track, np.array([at, 2 * at, 255], np.uint8))
    return model


@pytest.fixture
def written(tmp_path, place, model):
    """Writes the model and its images; gives the scene's folder."""

    def write(folder="sparse/0", *, text=False, images="images", rigs=True):
        target = tmp_path / folder
        target.mkdir(parents=True, exist_ok=True)
        (model.write_text if text else model.write_binary)(str(target))
        if not rigs:
            for kind in ("rigs", "frames"):
                for path in target.glob(f"{kind}.*"):
                    path.unlink()
        for image in model.images.values():
            camera = model.cameras[image.camera_id]
            place.image(tmp_path / images / image.name, camera.width, camera.height)
        return tmp_path

    return write


def _expected(model, name):
    image = next(i for i in model.images.values() if name.endswith(i.name))
    pose, camera = image.cam_from_world(), model.cameras[image.camera_id]
    points = [model.points3D[number].xyz for number in sorted(model.points3D)]
    return np.array([camera.img_from_cam(pose * xyz) for xyz in points])


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("rigs", [False, True])
def test_every_camera_model_reprojects(written, model, seen_by, text, rigs):
    root = written(text=text, rigs=rigs)
    assert (root / "sparse/0" / ("rigs.txt" if text else "rigs.bin")).exists() == rigs
    scene = open_scene(root)
    assert (scene.layout, scene.unit) == ("colmap", "unknown")
    assert len(scene.mapping) == len(DISTORTED) and not scene.skipped
    for frame in scene.mapping:
        assert frame.name.startswith("images/walk one/")
        np.testing.assert_allclose(seen_by(frame), _expected(model, frame.name), atol=1e-6)


@pytest.mark.parametrize("text", [False, True])
def test_images_of_a_rig_have_poses_of_their_own(tmp_path, place, text):
    rig = pycolmap.Rig(rig_id=1)
    model = pycolmap.Reconstruction()
    for number in (1, 2):
        model.add_camera(
            pycolmap.Camera(
                model="PINHOLE", width=64, height=48, params=(70, 70, 32, 24), camera_id=number
            )
        )
    rig.add_ref_sensor(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, 1))
    right_from_left = np.eye(4)
    right_from_left[:3, 3] = (-0.2, 0.01, 0.02)
    rig.add_sensor(pycolmap.sensor_t(pycolmap.SensorType.CAMERA, 2), _pose(right_from_left))
    model.add_rig(rig)
    frame = pycolmap.Frame(frame_id=1, rig_id=1)
    frame.rig_from_world = _pose(inverted(place.pose(0)))
    images = [pycolmap.Image(name=f"{n}.png", camera_id=n, image_id=n, frame_id=1) for n in (1, 2)]
    for image in images:
        frame.add_data_id(image.data_id)
        place.image(tmp_path / "images" / image.name)
    model.add_frame(frame)
    for image in images:
        model.add_image(image)
    (tmp_path / "sparse/0").mkdir(parents=True)
    (model.write_text if text else model.write_binary)(str(tmp_path / "sparse/0"))

    left, right = sorted(open_scene(tmp_path).mapping, key=lambda f: f.name)
    np.testing.assert_allclose(left.world_from_cam, place.pose(0), atol=1e-9)
    expected = place.pose(0) @ inverted(right_from_left)
    np.testing.assert_allclose(right.world_from_cam, expected, atol=1e-9)


@pytest.mark.parametrize("text", [False, True])
def test_images_are_told_which_points_they_saw(written, model, text):
    model.images[1].reset_point3D_for_point2D(0)
    for at in range(3, len(model.points3D)):
        model.images[2].reset_point3D_for_point2D(at)
    seen = points_seen(open_scene(written(text=text)).model)
    expected = [model.points3D[number].xyz for number in sorted(model.points3D)]
    np.testing.assert_allclose(seen["images/walk one/03.png"], expected, atol=1e-9)
    np.testing.assert_allclose(seen["images/walk one/01.png"], expected[1:], atol=1e-9)
    np.testing.assert_allclose(seen["images/walk one/02.png"], expected[:3], atol=1e-9)
    assert len(seen) == len(DISTORTED)


@pytest.mark.parametrize("folder", ["sparse/0", "sparse", "colmap/sparse/0", "."])
def test_model_is_found(written, folder):
    assert len(open_scene(written(folder)).mapping) == len(DISTORTED)


@pytest.mark.parametrize("images", ["images", ".", "colmap/images"])
def test_images_are_found(written, images):
    assert len(open_scene(written(images=images)).mapping) == len(DISTORTED)


@pytest.mark.parametrize("text", [False, True])
def test_points(written, model, text):
    points = read_points(written(text=text) / "sparse/0")
    for at, point_id in enumerate(points.ids):
        truth = model.points3D[int(point_id)]
        np.testing.assert_allclose(points.xyz[at], truth.xyz, atol=1e-9)
        np.testing.assert_array_equal(points.rgb[at], truth.color)
        assert points.error[at] == pytest.approx(truth.error)
        assert points.track_length[at] == truth.track.length()
    assert len(points.ids) == len(model.points3D)


def test_images_of_another_size_get_a_scaled_camera(written, place, model, seen_by):
    root = written()
    for number in (2, 8):
        place.image(root / f"images/walk one/{number:02d}.png", 128, 96)
    scene = open_scene(root)
    assert any("2 frames" in note for note in scene.notes)
    for frame in scene.mapping:
        if frame.camera.width == 128:
            expected = 2 * _expected(model, frame.name)
            np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "reason"), [((48, 64), "turned by 90"), ((64, 64), "image is 64x64")]
)
def test_images_of_another_shape_are_skipped(written, place, size, reason):
    root = written()
    place.image(root / "images/walk one/01.png", *size)
    (skipped,) = open_scene(root).skipped
    assert skipped.name == "images/walk one/01.png" and reason in skipped.reason


def test_missing_empty_and_damaged_images_are_skipped(written):
    root = written()
    (root / "images/walk one/01.png").unlink()
    (root / "images/walk one/02.png").write_bytes(b"")
    (root / "images/walk one/03.png").write_bytes(b"no image at all")
    reasons = {s.name[-6:-4]: s.reason for s in open_scene(root).skipped}
    assert "no such image" in reasons["01"]
    assert "empty" in reasons["02"]
    assert "not a readable image" in reasons["03"]


def test_missing_image_folder_is_one_clear_error(written):
    with pytest.raises(SceneError, match=r"no usable frame.*no such image.*01\.png"):
        open_scene(written(images="elsewhere"))


@pytest.mark.parametrize("kind", ["cameras", "images", "points3D"])
def test_files_cut_anywhere_are_an_error(written, kind):
    root = written()
    path = root / "sparse/0" / f"{kind}.bin"
    whole = path.read_bytes()
    for size in [*range(0, 130, 7), len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(SceneError, match=f"{kind}.bin"):
            read_points(path.parent) if kind == "points3D" else open_scene(root)


def _camera_bytes(count=1, model_id=1, width=64, params=(70, 70, 32, 24)):
    head = struct.pack("<QIiQQ", count, 1, model_id, width, 48)
    return head + struct.pack(f"<{len(params)}d", *params)


def _image_bytes(count=1, name=b"a.png\0", camera=1, points=0, wxyz=(1, 0, 0, 0)):
    head = struct.pack("<QI4d3dI", count, 1, *wxyz, 0, 0, 0, camera)
    return head + name + struct.pack("<Q", points)


def _hostile(tmp_path, place, cameras, images):
    place.image(tmp_path / "images/a.png")
    (tmp_path / "sparse/0").mkdir(parents=True)
    (tmp_path / "sparse/0/cameras.bin").write_bytes(cameras)
    (tmp_path / "sparse/0/images.bin").write_bytes(images)
    return tmp_path


def test_handwritten_model_is_read(tmp_path, place):
    root = _hostile(tmp_path, place, _camera_bytes(), _image_bytes())
    assert len(open_scene(root).mapping) == 1


@pytest.mark.parametrize(
    ("cameras", "images"),
    [
        (_camera_bytes(count=2**63), _image_bytes()),
        (_camera_bytes(model_id=99), _image_bytes()),
        (_camera_bytes(model_id=-1), _image_bytes()),
        (_camera_bytes(width=0), _image_bytes()),
        (_camera_bytes(width=2**64 - 1), _image_bytes()),
        (_camera_bytes(params=(np.nan, 70, 32, 24)), _image_bytes()),
        (_camera_bytes(params=(-1, 70, 32, 24)), _image_bytes()),
        (_camera_bytes(model_id=17, params=(64, 48)), _image_bytes()),
        (_camera_bytes(), _image_bytes(count=2**64 - 1)),
        (_camera_bytes(), _image_bytes(points=2**63)),
        (_camera_bytes(), _image_bytes(name=b"a" * 100_000)),
        (_camera_bytes(), _image_bytes(name=b"\0")),
        (_camera_bytes(), _image_bytes(name=b"../../etc/passwd\0")),
        (_camera_bytes(), _image_bytes(name=b"/etc/passwd\0")),
        (_camera_bytes(), _image_bytes(name=b"\xff\xfe.png\0")),
        (_camera_bytes(), _image_bytes(camera=5)),
        (_camera_bytes(), _image_bytes(wxyz=(0, 0, 0, 0))),
        (_camera_bytes(), _image_bytes(wxyz=(np.nan, 0, 0, 0))),
        (_camera_bytes(), _image_bytes(wxyz=(1e300, 1e300, 0, 0))),
        (b"", b""),
    ],
)
def test_hostile_models_are_an_error(tmp_path, place, cameras, images):
    with pytest.raises(SceneError):
        open_scene(_hostile(tmp_path, place, cameras, images))


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("cameras.txt", "1 PINHOLE x 48 70 70 32 24"),
        ("cameras.txt", "1"),
        ("images.txt", "1 1 0 0 0 0 0 0 1\n\n"),
        ("images.txt", "1 spam 0 0 0 0 0 0 1 a.png\n\n"),
    ],
)
def test_malformed_text_names_the_line(written, file, text):
    root = written(text=True)
    (root / "sparse/0" / file).write_text(f"# comment\n{text}\n")
    with pytest.raises(SceneError, match=rf"{file}:2: not a line"):
        open_scene(root)


def test_text_model_of_a_camera_that_lacks_parameters_is_skipped(written):
    root = written(text=True)
    path = root / "sparse/0/cameras.txt"
    path.write_text(path.read_text().replace("2 PINHOLE 64 48 70", "2 PINHOLE 64 48"))
    (skipped,) = open_scene(root).skipped
    assert "takes 4 parameters" in skipped.reason


def test_binary_where_text_should_be(written):
    root = written(text=True)
    (root / "sparse/0/images.txt").write_bytes(b"\xff\xfe\x00" * 99)
    with pytest.raises(SceneError, match=r"images\.txt"):
        open_scene(root)


def test_duplicates_keep_the_first(tmp_path, place):
    first = _image_bytes(count=2)
    root = _hostile(tmp_path, place, _camera_bytes(), first + _image_bytes(wxyz=(0, 1, 0, 0))[8:])
    scene = open_scene(root)
    np.testing.assert_allclose(scene.mapping[0].world_from_cam, np.eye(4))
    assert "same name" in scene.skipped[0].reason


def test_model_without_points_file(written):
    root = written()
    (root / "sparse/0/points3D.bin").unlink()
    assert len(open_scene(root).mapping) == len(DISTORTED)
    with pytest.raises(SceneError, match="points3D"):
        read_points(root / "sparse/0")


def _text_model(place, root, count=6, folder="sparse/0", points=None):
    """A text model whose images are named by number; ``points`` gives an image's second line."""
    place.text(root / folder / "cameras.txt", "1 PINHOLE 64 48 70 70 32 24\n")
    place.text(root / folder / "points3D.txt", "7 0.1 0.2 0.3 1 2 3 0.5 1 0\n")
    lines = []
    for number in range(count):
        pose = inverted(place.pose(number))
        values = [*quaternion_from_rotation(pose[:3, :3]), *pose[:3, 3]]
        lines.append(f"{number + 1} {' '.join(map(str, values))} 1 {number}.png\n")
        second = "1.5 2.5 7 3.5 4.5 -1" if points is None else points(number)
        lines += [] if second is None else [second + "\n"]
        place.image(root / f"images/{number}.png")
    place.text(root / folder / "images.txt", "# comment\n" + "".join(lines))
    return root


@pytest.mark.parametrize(
    "points",
    [
        lambda number: None,
        lambda number: None if number == 3 else "1.5 2.5 7 3.5 4.5 -1 5.5 6.5 8",
        lambda number: None if number == 3 else "",
        lambda number: None if number % 2 else "1.5 2.5 7",
        lambda number: "",
    ],
)
def test_lines_of_points_may_be_missing(tmp_path, place, points):
    scene = open_scene(_text_model(place, tmp_path, points=points))
    assert [frame.name for frame in scene.mapping] == [f"images/{n}.png" for n in range(6)]
    assert not scene.skipped
    for number, frame in enumerate(scene.mapping):
        np.testing.assert_allclose(frame.world_from_cam, place.pose(number), atol=1e-9)
    seen = points_seen(scene.model)
    expected = [int("7" in (points(number) or "").split()) for number in range(6)]
    assert [len(seen[frame.name]) for frame in scene.mapping] == expected


@pytest.mark.parametrize("second", ["1.5 2.5", "1.5 2.5 x", "1.5 2.5 7 3.5", "# 1", "spam"])
def test_a_line_that_is_neither_points_nor_an_image_is_named(tmp_path, place, second):
    root = _text_model(place, tmp_path, points=lambda number: second if number == 1 else "")
    if second.startswith("#"):
        assert len(open_scene(root).mapping) == 6
        return
    with pytest.raises(SceneError, match=r"images\.txt:5: not a line"):
        open_scene(root)


def test_an_image_whose_name_is_a_number_is_no_line_of_points(tmp_path, place):
    root = _text_model(place, tmp_path, points=lambda number: None)
    path = root / "sparse/0/images.txt"
    path.write_text(path.read_text().replace(".png", ""))
    assert [frame.name for frame in open_scene(root).mapping] == [
        f"images/{n}.png" for n in range(6)
    ]


@pytest.mark.parametrize("parent", ["sparse", "colmap/sparse"])
def test_the_largest_of_several_models_is_read_and_a_path_chooses(tmp_path, place, parent):
    root = _text_model(place, tmp_path / "place", 3, f"{parent}/0")
    _text_model(place, root, 8, f"{parent}/1")
    _text_model(place, root, 5, f"{parent}/10")
    place.text(root / parent / "1/points3D.txt", "7 9 9 9 1 2 3 0.5 1 0\n")
    place.text(root / "query.txt", "images/0.png\n")
    scene = open_scene(root)
    assert (len(scene.mapping), scene.model.folder) == (7, root / parent / "1")
    assert [note for note in scene.notes if "the largest of 3 models" in note]
    np.testing.assert_allclose(points_seen(scene.model)["images/1.png"], [[9, 9, 9]])

    chosen = open_scene(root / parent / "10")
    assert (chosen.name, chosen.root, chosen.layout) == ("place", root, "colmap")
    assert (len(chosen.mapping), len(chosen.queries)) == (4, 1)
    assert [frame.name for frame in chosen.queries] == ["images/0.png"]
    np.testing.assert_allclose(points_seen(chosen.model)["images/1.png"], [[0.1, 0.2, 0.3]])


def test_a_damaged_model_beside_a_good_one_is_not_the_largest(tmp_path, place):
    root = _text_model(place, tmp_path, 3)
    _text_model(place, root, 5, "sparse/1")
    place.text(root / "sparse/1/images.txt", "spam\n")
    assert len(open_scene(root).mapping) == 3
    with pytest.raises(SceneError, match=r"sparse/1/images\.txt:1"):
        open_scene(root / "sparse/1")


def test_a_model_in_the_working_folder_belongs_to_the_scene_around_it(tmp_path, place, monkeypatch):
    root = _text_model(place, tmp_path / "place")
    monkeypatch.chdir(root / "sparse/0")
    scene = open_scene(".")
    assert scene.name == "place" and len(scene.mapping) == 6


def test_images_made_smaller_get_smaller_cameras(tmp_path, place, seen_by):
    root = _text_model(place, tmp_path)
    (root / "images").rename(root / "images_2")
    for number in range(6):
        place.image(root / f"images_2/{number}.png", 32, 24)
    scene = open_scene(root)
    assert [frame.name for frame in scene.mapping] == [f"images_2/{n}.png" for n in range(6)]
    for number, frame in enumerate(scene.mapping):
        expected = place.pinhole_pixels(number, 35, 35, 16, 12)
        np.testing.assert_allclose(seen_by(frame), expected, atol=1e-6)
    assert len(scene.notes) == 2


def test_a_folder_of_images_apart_from_the_model(tmp_path, place):
    root = _text_model(place, tmp_path, folder="outputs/sfm")
    with pytest.raises(SceneError, match="say where the images are with --images"):
        open_scene(root / "outputs/sfm")
    scene = open_scene(root / "outputs/sfm", images=root / "images")
    assert [frame.name for frame in scene.mapping] == [f"{n}.png" for n in range(6)]
    assert scene.mapping[0].image == root / "images/0.png" and scene.notes == ()
    assert len(points_seen(scene.model)["0.png"]) == 1


def test_panoramas_say_what_to_do(tmp_path, place):
    root = _text_model(place, tmp_path)
    place.text(root / "sparse/0/cameras.txt", "1 EQUIRECTANGULAR 64 48 64 48\n")
    with pytest.raises(SceneError, match="cut it into perspective views"):
        open_scene(root)


@pytest.mark.parametrize("suffix", [".bin", ".txt"])
def test_names_that_are_not_utf8_are_found(tmp_path, suffix):
    """Among them one with half a letter that looks like a backslash."""
    raw = ["视图.jpg".encode("gbk"), "表.jpg".encode("shift-jis"), "ä.jpg".encode("latin-1")]
    camera = Camera.pinhole(width=32, height=24, fx=30)
    (tmp_path / "images").mkdir()
    frames = []
    for number, name in enumerate(map(os.fsdecode, raw)):
        pose = np.eye(4)
        pose[0, 3] = number
        write_image(tmp_path / "images" / name, np.zeros((24, 32), np.uint8))
        frames.append(Frame(name, tmp_path / "images" / name, camera, pose))
    write = write_binary_model if suffix == ".bin" else write_model
    write(tmp_path / "sparse" / "0", frames, {frame.name: frame.name for frame in frames})
    (tmp_path / "query.txt").write_bytes(b"images/" + raw[2] + b"\n")
    scene = open_scene(tmp_path)
    assert not scene.skipped
    assert [os.fsencode(frame.name) for frame in scene.mapping] == [b"images/" + n for n in raw[:2]]
    assert [os.fsencode(frame.name) for frame in scene.queries] == [b"images/" + raw[2]]


def test_a_model_in_a_folder_of_any_name(written):
    root = written("reconstruction", text=True)
    assert len(open_scene(root).mapping) == len(DISTORTED)
    # A scene of its own is none of the folder around it.
    (root / "reconstruction/images").mkdir()
    with pytest.raises(SceneError, match="no known scene layout"):
        open_scene(root)


def test_commas_behind_numbers(written):
    root = written(text=True)
    plain = open_scene(root).mapping
    path = root / "sparse/0/images.txt"
    lines = path.read_text().splitlines()
    for at in range(4, len(lines), 2):
        *numbers, name = lines[at].split(maxsplit=9)
        lines[at] = " ".join([*(f"{number}," for number in numbers), name])
    path.write_text("\n".join(lines) + "\n")
    for frame, same in zip(open_scene(root).mapping, plain, strict=True):
        np.testing.assert_array_equal(frame.world_from_cam, same.world_from_cam)

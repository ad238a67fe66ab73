"""The way from an image to a pose, with networks that know the answer."""

import threading
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

from reloc.errors import CameraError, ImageError, MapError, OptionError
from reloc.geometry import (
    Camera,
    inverted,
    look_at,
    pose_error,
    pose_from,
    rotation_from_vector,
    transformed,
)
from reloc.geometry.turns import turned_camera
from reloc.heads.mlp import MlpHead
from reloc.images.lens import Lens
from reloc.landmarks.keypoints import no_keypoints
from reloc.localize.cameras import fitting_camera
from reloc.localize.localizer import Localizer
from reloc.localize.query import Query
from reloc.maps.scene_map import MappingCamera, Region, SceneMap

from ..landmarks.conftest import make_cloud
from ..landmarks.test_matching import landmarks_of

LANDSCAPE = Camera("OPENCV", 400, 300, (330, 350, 215, 140, -0.18, 0.05, 0.002, -0.001))
PORTRAIT = Camera("OPENCV", 300, 440, (350, 330, 140, 235, -0.12, 0.03, -0.001, 0.002))
ORIGIN = np.array([1.0e6, -2.0e6, 300.0])  # a world frame of surveyors
POSE = pose_from(np.eye(3), ORIGIN) @ look_at((1.0, -4, 0.7), (0.2, 0, 0))


class Oracle:
    """A backbone whose features are the true scene coordinates, relative to the origin."""

    channels, stride, fingerprint = 3, 8, "oracle"

    def __init__(self, camera=LANDSCAPE, pose=POSE, *, outliers=0.3):
        self.camera, self.pose, self.outliers = camera, pose, outliers

    def __call__(self, images):
        height, width = images.shape[-2:]
        rows, columns = -(-height // 8), -(-width // 8)
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        pixels = np.stack([x.ravel(), y.ravel()], axis=1)
        pixels = pixels * (self.camera.width / width, self.camera.height / height)
        rays = np.nan_to_num(self.camera.rays(pixels))
        rng = np.random.default_rng(0)
        depth = 3 + np.sin(5 * rays[:, :1]) + rays[:, 1:]
        points = transformed(self.pose, np.c_[rays, np.ones(len(rays))] * depth) - ORIGIN
        wrong = rng.random(len(points)) < self.outliers
        points[wrong] = rng.uniform(-5, 5, (wrong.sum(), 3))
        return torch.from_numpy(points.T.reshape(1, 3, rows, columns)).float()


class Echo(torch.nn.Module):
    """A head that takes features for coordinates."""

    channels, scale = 3, torch.tensor(3.0)

    def forward(self, features):
        return features


def made_map(*, cameras=(LANDSCAPE,), short_side=300, head=None, **changes):
    head = head or Echo()
    scene_map = SceneMap(
        regions=(Region(head, ORIGIN),),
        backbone="oracle",
        short_side=short_side,
        extent=4.0,
        unit="metre",
        cameras=tuple(MappingCamera(f"{n}.jpg", POSE, c) for n, c in enumerate(cameras)),
    )
    return replace(scene_map, **changes)


def localizer(oracle=None, **options):
    return Localizer(made_map(**options), oracle or Oracle(), device="cpu")


def photo(camera=LANDSCAPE, *, channels=None):
    shape = (camera.height, camera.width) + ((channels,) if channels else ())
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("camera", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
@pytest.mark.parametrize("short_side", [200, 300, 410])
def test_true_coordinates_give_the_true_pose(camera, short_side):
    """Through resampling, distortion, an off-centre principal point and a far-off origin."""
    estimate = localizer(Oracle(camera), short_side=short_side).localize(
        photo(camera), camera, name="a.jpg"
    )
    translation, rotation = pose_error(estimate.world_from_cam, POSE)
    assert translation < 5e-4
    assert rotation < 0.01
    assert estimate.localized
    assert estimate.image == "a.jpg"
    assert estimate.reason is None
    assert 0.6 < estimate.inlier_share < 0.8
    assert 0.5 <= estimate.confidence <= 1
    assert estimate.covariance.shape == (6, 6)
    assert np.linalg.eigvalsh(estimate.covariance).min() >= 0
    assert set(estimate.seconds) == {"read", "backbone", "head", "pose"}
    assert all(value >= 0 for value in estimate.seconds.values())


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
def test_color_gray_and_files_are_the_same_to_it(tmp_path):
    place, gray = localizer(), photo()
    locked = gray.copy()
    locked.flags.writeable = False  # as arrays of Pillow are
    color = np.repeat(gray[:, :, None], 3, axis=2)
    cv2.imwrite(str(tmp_path / "a.png"), gray)
    file = tmp_path / "a.png"
    tensors = [torch.from_numpy(gray), torch.from_numpy(color).permute(2, 0, 1)]
    tensors += [tensors[0][None], tensors[1].double() / 255]
    images = (gray, color, file, str(file), gray[::-1, ::-1], locked, *tensors)
    queries = [Query("a", image) for image in images]
    poses = [estimate.world_from_cam for estimate in place.localize_many(queries)]
    for pose in poses[1:]:
        np.testing.assert_allclose(pose, poses[0], atol=1e-6)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(300, 400, 3), "shape"),
        (torch.zeros(2, 3, 300, 400), "shape"),
        (torch.zeros(300, 400, dtype=torch.int32), "uint8 or floating point"),
        (torch.full((300, 400), 200.0), "from 0 to 1"),
        (torch.full((300, 400), torch.nan), "from 0 to 1"),
        (torch.zeros(0, 400, dtype=torch.uint8), "non-empty"),
        ([[0, 1], [2, 3]], "non-empty uint8 array"),
        ("no-such-photo.jpg", "no such image"),
    ],
)
def test_what_is_no_image_is_refused_in_one_line(image, said):
    with pytest.raises(ImageError, match=said) as raised:
        localizer().localize(image)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_file_is_named_by_its_path_and_its_exif_is_heard(tmp_path, kind):
    """The map has no camera of this shape, so only EXIF can tell the focal length."""
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLengthIn35mmFilm] = 30
    Image.fromarray(photo(PORTRAIT)).save(path, exif=exif)
    estimate = localizer().localize(kind(path))
    assert (estimate.image, estimate.camera_source) == (path.as_posix(), "exif")
    assert estimate.camera.focal == pytest.approx(30 / 43.27 * np.hypot(300, 440), rel=1e-3)
    with pytest.raises(CameraError, match="shape"):
        localizer().localize(photo(PORTRAIT))


def test_the_maps_camera_serves_images_of_any_size_of_its_shape():
    estimate = localizer().localize(cv2.resize(photo(), (800, 600)))
    assert pose_error(estimate.world_from_cam, POSE)[0] < 5e-4


def test_noise_is_not_localized():
    estimate = localizer(Oracle(outliers=1.0)).localize(photo())
    assert not estimate.localized
    assert estimate.confidence < 0.5
    assert estimate.reason
    assert "\n" not in estimate.reason


@pytest.mark.slow
def test_poses_of_a_map_that_is_not_reliable_are_not_believed():
    sure = localizer().localize(photo())
    doubted = Localizer(made_map(reliability=0.2), Oracle(), device="cpu").localize(photo())
    assert sure.localized and not doubted.localized
    assert doubted.confidence == pytest.approx(0.2 * sure.confidence)
    assert "its own mapping frames" in doubted.reason
    np.testing.assert_array_equal(doubted.world_from_cam, sure.world_from_cam)


def test_estimates_come_in_order_and_bad_queries_do_not_stop_the_rest(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    queries = [
        Query("good", photo()),
        Query("broken", tmp_path / "bad.jpg"),
        Query("missing", tmp_path / "none.jpg"),
        Query("other shape", photo(PORTRAIT)),
        Query("floats", photo() / 255.0),
        Query("good again", photo()),
    ]
    estimates = list(localizer().localize_many(queries))
    assert [e.image for e in estimates] == [q.name for q in queries]
    assert [e.localized for e in estimates] == [True, False, False, False, False, True]
    for estimate in estimates[1:5]:
        assert estimate.world_from_cam is None
        assert estimate.reason
        assert "\n" not in estimate.reason
    assert "bad.jpg" in estimates[1].reason
    assert "none.jpg" in estimates[2].reason


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["network", "head", "pose"])
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried [...]"),
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_image_for_which_memory_does_not_suffice_is_an_estimate(monkeypatch, stage, error):
    def exhausted(*_, **__):
        raise error

    place = localizer()
    owner, name = {
        "network": (place, "extractor"),
        "head": (place.place, "heads"),
        "pose": (place.place, "estimate"),
    }[stage]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, exhausted)
        estimates = list(place.localize_many([Query("a", photo()), Query("b", photo())]))
        with pytest.raises(ImageError, match="image: too large"):
            place.localize(photo())
    assert [(e.image, e.localized) for e in estimates] == [("a", False), ("b", False)]
    assert estimates[1].reason.startswith("b: too large")
    assert place.localize(photo()).localized


def test_other_faults_of_the_network_are_no_lack_of_memory(monkeypatch):
    def broken(*arguments):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    place = localizer()
    monkeypatch.setattr(place, "extractor", broken)
    with pytest.raises(RuntimeError, match="shapes"):
        next(place.localize_many([Query("a", photo())]))


def test_queries_are_read_as_they_are_needed():
    asked = []

    def endless():
        number = 0
        while True:
            asked.append(number)
            yield Query(str(number), photo())
            number += 1

    answers = localizer().localize_many(endless())
    assert [next(answers).image for _ in range(3)] == ["0", "1", "2"]
    answers.close()
    assert len(asked) < 15


def test_many_and_one_agree():
    place = localizer()
    one = place.localize(photo())
    many = list(place.localize_many([Query(str(n), photo()) for n in range(5)]))
    for estimate in many:
        np.testing.assert_array_equal(estimate.world_from_cam, one.world_from_cam)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((300, 400)),
        np.zeros((300, 400), np.uint16),
        np.zeros((0, 400), np.uint8),
        np.zeros((300, 400, 4), np.uint8),
        np.zeros((3, 300, 400), np.uint8),
        np.zeros(400, np.uint8),
        np.zeros((1, 300, 400, 3), np.uint8),
    ],
    ids=lambda image: f"{image.shape}{image.dtype}",
)
def test_arrays_that_are_no_images_are_refused(image):
    place = localizer()
    with pytest.raises(ImageError, match="an image"):
        place.localize(image, LANDSCAPE)
    with pytest.raises(ImageError, match="an image"):
        place.correspondences(image, LANDSCAPE)


def test_a_map_of_another_backbone_is_refused():
    with pytest.raises(MapError, match=r"cafe.*oracle") as caught:
        localizer(backbone="cafe")
    assert "\n" not in str(caught.value)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match="device"):
        Localizer(made_map(), Oracle(), device="abacus")


def test_the_map_and_its_head_stay_as_they_are():
    head = MlpHead(channels=3, width=8, scale=2.0)
    scene_map = made_map(head=head.train())
    place = Localizer(scene_map, Oracle(), device="cpu")
    place.localize(photo())
    assert head.training
    assert place.map.head is head


def test_correspondences_are_pixels_rays_and_points_that_agree():
    found = localizer(Oracle(outliers=0.0)).correspondences(photo(), LANDSCAPE)
    count = len(found.scene_coordinates)
    assert count > 1500
    assert found.rays.shape == found.pixels.shape == (count, 2)
    seen = LANDSCAPE.project(transformed(inverted(POSE), found.scene_coordinates))
    np.testing.assert_allclose(seen, found.pixels, atol=0.01)
    np.testing.assert_allclose(LANDSCAPE.pixels(found.rays), found.pixels, atol=1e-3)
    assert found.focal == pytest.approx(LANDSCAPE.focal)
    assert (found.pixels > 0).all()
    assert (found.pixels < (400, 300)).all()


def test_the_pose_turns_with_the_world():
    turn = pose_from(rotation_from_vector([0.1, 0.2, 1.0]), (0, 0, 0))
    moved = turn.copy()
    moved[:3, 3] = ORIGIN - turn[:3, :3] @ ORIGIN
    estimate = localizer(Oracle(pose=moved @ POSE)).localize(photo())
    assert pose_error(estimate.world_from_cam, moved @ POSE)[0] < 5e-4


@pytest.mark.parametrize("size", [(800, 600), (401, 300), (200, 150)])
def test_a_camera_fits_images_of_its_shape(size):
    camera = fitting_camera(LANDSCAPE, width=size[0], height=size[1], name="a.jpg")
    assert (camera.width, camera.height) == size
    assert camera.fx == pytest.approx(330 * size[0] / 400)
    assert camera.cy == pytest.approx(140 * size[1] / 300)


def test_a_camera_with_one_focal_length_fits_rounded_sizes():
    camera = Camera("SIMPLE_RADIAL", 853, 480, (700, 426, 240, -0.05))
    assert fitting_camera(camera, width=1920, height=1080, name="a").fx == pytest.approx(1576, 2e-3)


def test_the_same_size_gives_the_same_camera():
    assert fitting_camera(LANDSCAPE, width=400, height=300, name="a.jpg") is LANDSCAPE


@pytest.mark.parametrize("size", [(300, 400), (400, 290), (640, 360)])
def test_a_camera_of_another_shape_is_refused(size):
    with pytest.raises(CameraError, match=r"a\.jpg.*another shape") as caught:
        fitting_camera(LANDSCAPE, width=size[0], height=size[1], name="a.jpg")
    assert "\n" not in str(caught.value)


def test_no_camera_at_hand_is_said():
    with pytest.raises(CameraError, match="image: no camera at hand"):
        localizer(cameras=()).localize(photo())


def test_of_several_cameras_the_size_decides():
    estimate = localizer(cameras=(PORTRAIT, LANDSCAPE)).localize(photo())
    assert pose_error(estimate.world_from_cam, POSE)[0] < 5e-4


OTHER_LENS = replace(LANDSCAPE, params=(264, 280, *LANDSCAPE.params[2:]))


@pytest.mark.parametrize("cameras", [(OTHER_LENS, LANDSCAPE), (LANDSCAPE, OTHER_LENS)])
def test_of_several_cameras_that_may_be_the_image_tells_the_right_one(cameras):
    estimate = localizer(cameras=cameras).localize(photo())
    assert pose_error(estimate.world_from_cam, POSE)[0] < 5e-4
    assert (estimate.camera, estimate.camera_source) == (LANDSCAPE, "map")
    assert set(estimate.seconds) == {"read", "backbone", "head", "pose"}


@pytest.mark.slow
def test_every_estimate_says_where_its_camera_comes_from():
    place = localizer()
    given = place.localize(photo(), LANDSCAPE)
    assert (given.camera, given.camera_source) == (LANDSCAPE, "given")
    assert place.localize(photo()).camera_source == "map"
    assert localizer(Oracle(outliers=1.0)).localize(photo()).camera_source == "map"


def stored_turned(path, turn, *, tag):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = tag
    Image.fromarray(np.rot90(photo(), turn)).save(path, exif=exif)
    return path


TAGS = {1: 6, 2: 3, 3: 8}


@pytest.mark.parametrize(
    ("turn", "given"),
    [(t, g) for t in TAGS for g in ("none", "stored", "upright") if (t, g) != (2, "upright")],
)
def test_a_photo_stored_turned_gives_the_pose_of_its_stored_pixels(tmp_path, turn, given):
    path = stored_turned(tmp_path / "a.png", turn, tag=TAGS[turn])
    stored = turned_camera(LANDSCAPE, -turn)
    camera = {"none": None, "stored": stored, "upright": LANDSCAPE}[given]
    rays = stored.rays(np.random.default_rng(0).uniform(50, 250, (40, 2)))
    upright = rays @ rotation_from_vector([0, 0, turn * np.pi / 2])[:2, :2].T
    depth = 3 + np.sin(5 * upright[:, :1]) + upright[:, 1:]
    points = transformed(POSE, np.c_[upright, np.ones(40)] * depth)
    (estimate,) = localizer().localize_many([Query("a", path, camera)])
    assert estimate.localized
    assert estimate.camera_source == ("map" if camera is None else "given")
    seen = estimate.camera.project(transformed(inverted(estimate.world_from_cam), points))
    np.testing.assert_allclose(seen, stored.pixels(rays), atol=0.05)


class Upright(Oracle):
    """Sees nothing in a picture that is upside down: the sky is bright."""

    def __call__(self, images):
        above, below = images[0, 0].float().chunk(2)
        self.outliers = 0.3 if above.mean() > below.mean() else 1.0
        return super().__call__(images)


def test_a_tag_that_is_wrong_does_not_turn_a_photo_away(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 3
    pixels = photo() // 2
    pixels[:150] += 100
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    (estimate,) = localizer(Upright()).localize_many([Query("a", tmp_path / "a.png")])
    assert estimate.localized
    assert pose_error(estimate.world_from_cam, POSE)[0] < 5e-4


class Watched(Oracle):
    """Keeps the sizes of the views that it sees."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.sizes = []

    def __call__(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        return super().__call__(images)


def magnifying(factor):
    focals = (factor * f for f in LANDSCAPE.params[:2])
    return replace(LANDSCAPE, params=(*focals, *LANDSCAPE.params[2:4], 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("factor", "size"), [(0.1, (600, 800)), (0.5, (600, 800)), (0.7, (300, 400)),
                         (1.45, (300, 400)), (2.0, (150, 200)), (1000, (75, 100))]
)  # fmt: skip
def test_a_zoomed_query_is_looked_at_as_large_as_the_mapping_photos_show_things(factor, size):
    camera = magnifying(factor)
    oracle = Watched(camera)
    estimate = localizer(oracle).localize(photo(), camera)
    assert oracle.sizes[0] == size
    if factor < 10:
        assert pose_error(estimate.world_from_cam, POSE)[0] < 5e-3
        assert estimate.localized


@pytest.mark.slow
def test_a_long_picture_of_a_wide_lens_is_no_larger_than_a_view_may_be():
    wide = Camera.pinhole(width=9000, height=300, fx=60)
    oracle = Watched(wide)
    localizer(oracle, short_side=300).localize(np.zeros((300, 9000), np.uint8), wide)
    assert oracle.sizes[0][0] * oracle.sizes[0][1] <= 3200 * 1440


class UprightOnly(Watched):
    """Sees nothing in a view that does not lie as its photo does: the sky is bright."""

    def __call__(self, images):
        height = images.shape[-2]
        above, below = images[0, 0, : height // 4].mean(), images[0, 0, -height // 4 :].mean()
        self.outliers = 0.3 if above > below + 0.2 else 1.0
        return super().__call__(images)


def sky(camera):
    picture = photo(camera) // 2
    picture[: camera.height // 4] += 127
    return picture


@pytest.mark.slow
@pytest.mark.parametrize("turn", [1, 2, 3])
def test_a_query_that_lies_otherwise_is_found_in_another_turn(turn):
    place = localizer(UprightOnly(PORTRAIT))
    stored = turned_camera(PORTRAIT, -turn)
    estimate = place.localize(np.rot90(sky(PORTRAIT), turn), stored)
    assert estimate.localized
    rays = stored.rays(np.random.default_rng(0).uniform(50, 250, (40, 2)))
    upright = rays @ rotation_from_vector([0, 0, turn * np.pi / 2])[:2, :2].T
    depth = 3 + np.sin(5 * upright[:, :1]) + upright[:, 1:]
    points = transformed(POSE, np.c_[upright, np.ones(40)] * depth)
    seen = stored.project(transformed(inverted(estimate.world_from_cam), points))
    np.testing.assert_allclose(seen, stored.pixels(rays), atol=0.1)
    assert estimate.seconds["backbone"] > 0


@pytest.mark.slow
def test_only_what_is_not_found_is_looked_at_again():
    found, lost = UprightOnly(), UprightOnly()
    assert localizer(found).localize(sky(LANDSCAPE)).localized
    assert found.sizes == [(300, 400)]
    assert not localizer(lost).localize(photo()).localized
    assert lost.sizes == [(300, 400), (300, 400), (400, 300), (400, 300)]


@pytest.mark.slow
def test_where_gravity_is_known_a_photo_is_looked_at_once(tmp_path):
    lens = Lens(turn=0)
    frame = MappingCamera("0.jpg", POSE, LANDSCAPE, lens)
    path = stored_turned(tmp_path / "a.png", 0, tag=1)
    for cameras, looks in (((frame,), 1), ((replace(frame, lens=None),), 4)):
        oracle = Watched(outliers=1.0)
        place = Localizer(made_map(), oracle, device="cpu")
        place = Localizer(replace(place.map, cameras=cameras), oracle, device="cpu")
        assert not place.localize(path).localized
        assert len(oracle.sizes) == looks


def with_landmarks(**options):
    """The map with landmarks that no picture shows."""
    landmarks, _ = landmarks_of(make_cloud(points=50))
    return made_map(landmarks=landmarks, **options)


@pytest.mark.slow
def test_keypoints_are_found_while_the_network_works(monkeypatch):
    """The network waits for them; one after the other would wait forever."""
    looking, answers = threading.Event(), []

    def detect(image):
        looking.set()
        answers.append(threading.current_thread())
        return no_keypoints()

    class Waiting(Oracle):
        def __call__(self, images):
            assert looking.wait(timeout=60)
            return super().__call__(images)

    monkeypatch.setattr("reloc.localize.query.detect_keypoints", detect)
    place = Localizer(with_landmarks(), Waiting(), device="cpu")
    assert place.localize(photo()).localized
    assert len(answers) == 1
    assert answers[0] is not threading.main_thread()
    assert not answers[0].is_alive()
    assert all(e.localized for e in place.localize_many(Query(str(n), photo()) for n in range(5)))
    assert len(answers) == 6


def test_an_error_of_the_keypoints_reaches_the_caller(monkeypatch):
    def failing(image):
        raise error

    monkeypatch.setattr("reloc.localize.query.detect_keypoints", failing)
    place = Localizer(with_landmarks(), Oracle(), device="cpu")
    error: Exception = MemoryError()
    with pytest.raises(ImageError, match="image: too large"):
        place.localize(photo())
    error = ValueError("a fault")
    with pytest.raises(ValueError, match="a fault"):
        place.localize(photo())


def test_a_map_without_landmarks_asks_for_no_keypoints(monkeypatch):
    monkeypatch.setattr("reloc.localize.query.detect_keypoints", pytest.fail)
    assert localizer().localize(photo()).localized

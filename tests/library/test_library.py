"""Libraries: maps go in and come out, the latest stay, and images find theirs."""

import errno
import re
import sqlite3
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image

import reloc.localize.query as query_module
from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.backbone.descriptor import global_descriptor
from reloc.errors import CameraError, ImageError, MapError, OptionError, OutputError
from reloc.geometry import Camera, look_at, pose_from, transformed
from reloc.heads import MlpHead
from reloc.landmarks.keypoints import no_keypoints
from reloc.library import Hint, LibraryLocalizer, MapLibrary, is_library
from reloc.library.staging import Staged, staged
from reloc.library.store import FolderStore
from reloc.localize import DepthFile, Localizer, Query
from reloc.localize.landmark_solver import LandmarkSolution, LandmarkSolver
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.scenes.depth import DepthMap

from ..landmarks.conftest import make_cloud
from ..landmarks.test_matching import landmarks_of

CAMERA = Camera.pinhole(width=320, height=240, fx=280)
POSE = look_at((1.0, -4, 0.7), (0.2, 0, 0))


# Pictures neither so dark nor so bright that their light would be changed.
GRAY = 100


class Oracle:
    """A backbone that gives true scene coordinates, in the frame of the place whose grey it sees.

    The last channel is the place, so that descriptors can tell places apart.
    """

    channels, stride, fingerprint = 4, 8, "oracle"

    def __call__(self, images):
        rows, columns = (-(-side // 8) for side in images.shape[-2:])
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
        points = transformed(POSE, np.c_[rays, np.ones(len(rays))] * (3 + rays[:, 1:]))
        place = round(float(images.mean()) * 255) - GRAY
        values = np.c_[points, np.full(len(points), float(place))]
        return torch.from_numpy(values.T.reshape(1, 4, rows, columns)).float()


class Knows(MlpHead):
    """A head that knows one place and answers nonsense for features of others."""

    def __init__(self, place):
        super().__init__(channels=4, width=1, blocks=0)
        self.place = place

    def forward(self, features):
        device, features = features.device, features.cpu()
        nonsense = torch.rand(len(features), 3, generator=torch.Generator().manual_seed(1)) * 9
        known = (features[:, 3:] - self.place).abs() < 0.5
        return torch.where(known, features[:, :3], nonsense).to(device)

    def spec(self):
        return {**super().spec(), "place": self.place}


def photo(place):
    # Squares about the grey: of a flat picture no pose is believed.
    squares = np.indices((240, 320)) // 20
    return (GRAY + place + 30 * (squares.sum(axis=0) % 2) - 15).astype(np.uint8)


def descriptor(place):
    pixels = torch.full((1, 1, 240, 320), (GRAY + place) / 255)
    return global_descriptor(Oracle()(pixels)[0].flatten(1).T)


def place_map(place, *, views=True, backbone="oracle", camera=CAMERA, unit="metre", landmarks=None):
    region = Region(
        Knows(place).requires_grad_(False),
        np.zeros(3),
        **({"views": descriptor(place)[None]} if views else {}),
    )
    cameras = (MappingCamera("a.jpg", POSE, camera),)
    return SceneMap((region,), backbone, 240, 4.0, unit, cameras, landmarks=landmarks)


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Nine places; their heads are made anew when a map is read."""
    maps = {}

    def put(library, place, name=None, at=None, **options):
        name = name or f"place-{place}"
        made = place_map(place, **options)
        file = tmp_path / "made" / f"{name}.safetensors"
        plain = MlpHead(channels=4, width=1, blocks=0)
        SceneMap(
            tuple(Region(plain, r.origin, r.frames, r.views) for r in made.regions),
            made.backbone, made.short_side, made.extent, made.unit, made.cameras,
        ).save(file)  # fmt: skip
        maps[name] = made
        return library.add(file, name=name, place=at or ("odd" if place % 2 else "even"))

    library_: Any = MapLibrary(tmp_path / "shelf", create=True)
    for place in range(1, 10):
        put(library_, place)
    library_.put = lambda *a, **k: put(library_, *a, **k)
    load = SceneMap.load
    monkeypatch.setattr(
        "reloc.library.library.SceneMap.load",
        lambda path: (
            maps[path.stem.partition("@")[0]] if path.parent.name == "shelf" else load(path)
        ),
    )
    return library_


def localizer(library, **options):
    return LibraryLocalizer(library, Oracle(), device="cpu", **options)


@pytest.mark.parametrize("place", [1, 5, 9])
@pytest.mark.parametrize("camera", [CAMERA, None])
def test_an_image_finds_its_map(library, place, camera):
    (estimate,) = localizer(library, candidates=3).localize_many([Query("a", photo(place), camera)])
    assert estimate.place == f"place-{place}"
    assert estimate.localized
    np.testing.assert_allclose(estimate.world_from_cam, POSE, atol=1e-3)
    assert set(estimate.seconds) == {"read", "backbone", "head", "pose"}


def test_a_photo_stored_on_its_side_finds_its_map(library, tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(photo(5).T).save(tmp_path / "a.png", exif=exif)
    (estimate,) = localizer(library).localize_many([Query("a", tmp_path / "a.png")])
    assert (estimate.place, estimate.camera_source) == ("place-5", "map")
    assert (estimate.camera.width, estimate.camera.height) == (240, 320)
    turned = pose_from([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (0, 0, 0))
    np.testing.assert_allclose(estimate.world_from_cam, POSE @ turned, atol=1e-3)


def test_a_hint_rules_out_all_others(library):
    (right,) = localizer(library, hint=Hint("odd")).localize_many([Query("a", photo(3), CAMERA)])
    assert right.place == "place-3"
    (wrong,) = localizer(library, hint=Hint("even")).localize_many([Query("a", photo(3), CAMERA)])
    assert not wrong.localized
    with pytest.raises(MapError, match="hint"):
        localizer(library, hint=Hint("nowhere"))


@pytest.mark.slow
def test_foreign_and_bad_images_are_refused_one_by_one(library, tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    queries = [
        Query("foreign", photo(60), CAMERA),
        Query("bad", tmp_path / "bad.jpg"),
        Query("good", photo(2), CAMERA),
    ]
    estimates = list(localizer(library).localize_many(queries))
    assert [e.localized for e in estimates] == [False, False, True]
    assert all("\n" not in e.reason for e in estimates[:2])


def test_maps_without_views_are_found_by_hint_alone(library):
    library.put(50, "blind", views=False)
    assert "blind" not in [n for n, _ in library.similar(descriptor(50), count=99)]
    (estimate,) = localizer(library, candidates=10).localize_many([Query("a", photo(50), CAMERA)])
    assert estimate.place == "blind"


def test_the_latest_maps_stay_in_memory(library):
    library._memory = 3 * 4 * sum(p.numel() for p in library.load("place-1").head.parameters())
    for place in (2, 3, 1, 4):
        library.load(f"place-{place}")
    assert library.kept() == {"place-3", "place-1", "place-4"}


@pytest.mark.slow
def test_a_replaced_map_is_read_again(library):
    place = localizer(library)
    assert next(place.localize_many([Query("a", photo(5), CAMERA)])).localized
    library.put(77, "place-5")
    assert not next(place.localize_many([Query("a", photo(5), CAMERA)])).localized


def test_a_removed_map_is_gone(library, tmp_path):
    library.remove("place-4")
    assert len(library.entries()) == 8
    assert not list((tmp_path / "shelf").glob("place-4*"))
    with pytest.raises(OptionError, match="place-4"):
        library.remove("place-4")
    with pytest.raises(MapError):
        MapLibrary(tmp_path / "shelf").load("../made/place-1")


def test_what_does_not_belong_is_refused(library, tmp_path):
    with pytest.raises(MapError, match="backbone"):
        library.put(3, "foreign", backbone="other")
    with pytest.raises(OptionError, match="name"):
        library.put(3, "a", camera=CAMERA) and library.add(
            tmp_path / "made" / "a.safetensors", name="../a"
        )
    with pytest.raises(OptionError, match="latitude"):
        library.add(tmp_path / "made" / "a.safetensors", latitude=1.0)
    with pytest.raises(MapError, match="no library"):
        MapLibrary(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_map_that_is_aligned_to_the_earth_is_found_near_its_place(library, tmp_path):
    library.put(3, "a")
    path = tmp_path / "made" / "a.safetensors"
    placed = Alignment(Similarity(), origin=Geodetic(47.0, 8.5, 400.0))
    replace(SceneMap.load(path), alignment=placed).save(path)
    entry = library.add(path)
    assert (entry.latitude, entry.longitude) == pytest.approx((47.0, 8.5), abs=1e-3)
    assert [e.name for e in library.entries(Hint(None, 47.0, 8.5, 500.0))] == ["a"]
    assert library.add(path, latitude=1.0, longitude=2.0).latitude == 1.0


def test_a_map_whose_views_fit_no_others_is_refused(library, tmp_path):
    def written(*lengths, channels=4):
        plain = MlpHead(channels=channels, width=1, blocks=0)
        regions = tuple(
            Region(plain, np.zeros(3), views=np.ones((2, length), np.int8)) for length in lengths
        )
        path = tmp_path / "odd.safetensors"
        SceneMap(regions, "oracle", 240, 4.0, "metre", ()).save(path)
        return path

    with pytest.raises(MapError, match="views have 6 numbers"):
        library.add(written(6, channels=3))
    with pytest.raises(MapError, match="damaged"):
        library.add(written(10, 7))
    with pytest.raises(OptionError, match="place"):
        library.add(written(10), place="\udcff")
    with pytest.raises(OptionError, match="heading"):
        library.add(written(10), heading=float("nan"))
    assert len(library.entries()) == 9
    assert not [file for file in library._store.files() if "odd" in file]
    # One that an earlier version let in is left out; all others are found.
    with library._index.changing() as change:
        change.put(replace(library.entry("place-1"), name="odd"), np.ones((2, 7), np.int8))
    (estimate,) = localizer(library).localize_many([Query("a", photo(5), CAMERA)])
    assert estimate.place == "place-5"


def test_a_map_with_a_backbone_of_its_own_is_refused(library, tmp_path, monkeypatch):
    own = replace(place_map(3), own_backbone=object())
    monkeypatch.setattr("reloc.library.library.SceneMap.load", lambda path: own)
    with pytest.raises(MapError, match="backbone of its own"):
        library.add(tmp_path / "made" / "place-3.safetensors")


def test_a_change_that_is_cut_short_leaves_what_was(library, tmp_path, monkeypatch):
    before = {name: (tmp_path / "shelf" / name).stat() for name in library._store.files()}
    publish = type(library._store).publish

    def cut_short(*arguments):
        publish(*arguments)
        raise KeyboardInterrupt

    entry = library.entry("place-3")
    monkeypatch.setattr(type(library._store), "publish", cut_short)
    with pytest.raises(KeyboardInterrupt):
        library.add(tmp_path / "made" / "place-4.safetensors", name="place-3")
    assert library.entry("place-3") == entry
    assert sorted(library._store.files()) == sorted(before)


def test_a_map_that_another_process_replaces_is_read_all_the_same(library, tmp_path, monkeypatch):
    local = type(library._store).local

    def replaced_meanwhile(store, name, **options):
        if name.startswith("place-2@"):
            monkeypatch.setattr(type(library._store), "local", local)
            other.add(tmp_path / "made" / "place-3.safetensors", name="place-2")
        return local(store, name, **options)

    other = MapLibrary(tmp_path / "shelf")
    monkeypatch.setattr(type(library._store), "local", replaced_meanwhile)
    assert library.load("place-2") is not None
    other.remove("place-2")
    with pytest.raises(MapError, match="no map called"):
        library.load("place-2")


def test_a_map_that_another_process_removes_is_left_out(library, tmp_path):
    place = localizer(library, candidates=9)
    MapLibrary(tmp_path / "shelf").remove("place-2")
    (estimate,) = place.localize_many([Query("a", photo(5), CAMERA)])
    assert estimate.place == "place-5"


def test_the_same_file_under_two_names_is_kept_until_the_last_is_gone(library, tmp_path):
    file = tmp_path / "made" / "place-1.safetensors"
    library.add(file, name="Twin")
    library.add(file, name="twin")
    library.remove("Twin")
    again = MapLibrary(tmp_path / "shelf")
    assert (tmp_path / "shelf" / again.entry("twin").file).exists()
    again.add(file, name="twin")
    assert (tmp_path / "shelf" / again.entry("twin").file).exists()


def test_a_library_of_the_version_before_goes_on(tmp_path, version_1):
    library_ = tmp_path / "shelf"
    library_.mkdir()
    region = Region(MlpHead(channels=4, width=8, blocks=0), np.zeros(3))
    made = SceneMap((region,), "toy", 480, 10.0, "metre", ())
    made.save(library_ / "attic.safetensors")
    with closing(sqlite3.connect(library_ / "library.sqlite", isolation_level=None)) as connection:
        connection.executescript(version_1)
    library = MapLibrary(library_)
    assert library.load("attic").extent == 10.0
    library.add(library_ / "attic.safetensors", name="cellar")
    assert library.load("attic").extent == 10.0
    # The map itself may be its source: the file stays.
    library.add(library_ / "attic.safetensors")
    assert (library_ / "attic.safetensors").exists()
    assert library.entry("attic").sha256 is not None
    library.remove("attic")
    assert [entry.name for entry in library.entries()] == ["cellar"]


def test_libraries_are_told_from_maps(library, tmp_path):
    assert is_library(tmp_path / "shelf")
    assert is_library("memory://bucket/maps")
    assert not is_library(tmp_path / "made" / "place-1.safetensors")
    assert not is_library(tmp_path)


def test_an_image_without_any_camera_is_told(library, tmp_path):
    library.put(60, "portrait", camera=Camera.pinhole(width=240, height=320, fx=280))
    path = tmp_path / "a.png"
    assert cv2.imwrite(str(path), photo(60)[:100])
    (estimate,) = localizer(library).localize_many([Query("a", path)])
    assert not estimate.localized
    assert "no camera at hand" in estimate.reason or "of another shape" in estimate.reason


def same(one, other):
    """Whether two estimates are the same to the last bit, but for the time they took."""
    assert one.reason == other.reason
    for a, b in ((one.world_from_cam, other.world_from_cam), (one.covariance, other.covariance)):
        np.testing.assert_array_equal(a, b)
    return (one.inliers, one.confidence, one.camera, one.camera_source) == (
        other.inliers, other.confidence, other.camera, other.camera_source,
    )  # fmt: skip


def test_a_library_of_one_map_answers_as_the_map_does(library, tmp_path):
    """Poses, faults and all: there is but one way from an image to a pose."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(photo(70).T).save(tmp_path / "turned.png", exif=exif)
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    library.put(70, "alone", at="alone")
    queries = [
        Query("given", photo(70), CAMERA),
        Query("by the map", photo(70)),
        Query("turned", str(tmp_path / "turned.png")),
        Query("deep", photo(70), CAMERA, depth_map()),
        Query("bad", tmp_path / "bad.jpg"),
        Query("other shape", photo(70)[:100]),
        Query("other camera", photo(70)[:100], CAMERA),
        Query("floats", photo(70) / 255.0),
    ]
    among = list(localizer(library, hint=Hint("alone")).localize_many(queries))
    alone = list(Localizer(library.load("alone"), Oracle(), device="cpu").localize_many(queries))
    assert [e.localized for e in among] == [True] * 4 + [False] * 4
    assert all(same(a, b) for a, b in zip(among, alone, strict=True))
    assert [e.place for e in among[:4]] == ["alone"] * 4


def depth_map(factor=1.0):
    """What a camera of place 70 measures, or a liar."""
    x, y = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    return DepthMap(factor * (3 + rays[:, 1]).reshape(240, 320).astype(np.float32), CAMERA)


def test_depth_counts_in_maps_that_are_in_meters(library):
    place = localizer(library)
    plain, deep = (
        place.localize(photo(5), CAMERA),
        place.localize(photo(5), CAMERA, depth=depth_map(1.02)),
    )
    assert deep.place == plain.place == "place-5"
    assert not np.array_equal(deep.world_from_cam, plain.world_from_cam)
    library.put(5, unit="unknown")
    without = place.localize(photo(5), CAMERA, depth=depth_map(1.02))
    np.testing.assert_array_equal(without.world_from_cam, plain.world_from_cam)


def test_an_image_and_its_depth_are_read_once_for_all_maps(library, tmp_path, monkeypatch):
    read: Counter[Any] = Counter()
    for name in ("read_image", "read_depth_map"):
        function = getattr(query_module, name)
        monkeypatch.setattr(
            query_module,
            name,
            lambda *a, name=name, function=function, **k: read.update([name]) or function(*a, **k),
        )
    assert cv2.imwrite(str(tmp_path / "a.png"), photo(3))
    steps = np.rint(depth_map().values * 1000).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "d.png"), steps)
    depth = DepthFile(tmp_path / "d.png", 0.001)
    estimate = localizer(library).localize(tmp_path / "a.png", depth=depth)
    assert (estimate.place, estimate.localized) == ("place-3", True)
    assert read == {"read_image": 1, "read_depth_map": 1}


def test_queries_are_read_as_they_are_needed(library):
    asked: list[Any] = []

    def endless():
        while True:
            asked.append(len(asked))
            yield Query(str(asked[-1]), photo(2), CAMERA)

    answers = localizer(library).localize_many(endless())
    assert [next(answers).image for _ in range(3)] == ["0", "1", "2"]
    answers.close()
    assert 3 < len(asked) < 15


def test_one_image_that_cannot_be_localized_is_an_error(library, tmp_path):
    with pytest.raises(ImageError, match="no such image"):
        localizer(library).localize(tmp_path / "none.jpg")
    with pytest.raises(CameraError, match="camera"):
        localizer(library).localize(photo(3)[:100])


def test_a_copy_of_a_killed_writer_is_swept_by_the_next_one(library, tmp_path):
    """Copies are temporary files as all others are: hidden, locked, and given the umask's mode."""
    folder, source = tmp_path / "shelf", tmp_path / "made" / "place-1.safetensors"
    with staged(source, folder) as copy:
        assert re.fullmatch(r"\.reloc-\w{8}\.part", copy.path.name)
        assert copy.path.read_bytes() == source.read_bytes()
        assert copy.path.stat().st_mode == source.stat().st_mode
    assert not copy.path.exists()


@pytest.mark.parametrize("call", ["remove", "publish", "staged", "check_writable"])
def test_what_the_disk_refuses_is_one_line(tmp_path, monkeypatch, call):
    def refuses(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    store = FolderStore(tmp_path)
    for owner, name in ((Path, "unlink"), (Path, "replace"), (tempfile, "mkstemp")):
        monkeypatch.setattr(owner, name, refuses)
    calls = {
        "remove": lambda: store.remove("a"),
        "publish": lambda: store.publish(Staged(tmp_path / "a", 0, ""), "b"),
        "staged": lambda: store.staged(tmp_path / "a").__enter__(),
        "check_writable": store.check_writable,
    }
    with pytest.raises(OutputError, match=f"{tmp_path}: cannot be written .Read-only") as caught:
        calls[call]()
    assert "\n" not in str(caught.value)


def test_the_place_is_looked_at_before_a_map_is_read(library, tmp_path, monkeypatch):
    def refuses(store):
        raise OutputError("no room")

    monkeypatch.setattr(FolderStore, "check_writable", refuses)
    monkeypatch.setattr("reloc.library.library.SceneMap.load", pytest.fail)
    with pytest.raises(OutputError, match="no room"):
        library.add(tmp_path / "made" / "place-1.safetensors")


def test_an_image_for_which_memory_does_not_suffice_is_an_estimate(library, monkeypatch):
    def exhausted(*arguments):
        raise RuntimeError("[...] DefaultCPUAllocator: can't allocate memory: you tried [...]")

    place = localizer(library)
    monkeypatch.setattr(place, "extractor", exhausted)
    estimates = list(place.localize_many([Query("a", photo(1)), Query("b", photo(2))]))
    assert [e.reason.partition(":")[0] for e in estimates] == ["a", "b"]
    assert "too large" in estimates[0].reason


class Watched(Oracle):
    """Keeps the sizes of the views that it sees."""

    def __init__(self):
        self.sizes = []

    def __call__(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        return super().__call__(images)


def sizes_seen(library, image, camera=CAMERA):
    oracle = Watched()
    place = LibraryLocalizer(library, oracle, device="cpu")
    list(place.localize_many([Query("a", image, camera)]))
    return oracle.sizes


@pytest.mark.slow
def test_only_what_is_in_no_map_is_looked_at_in_other_turns(library):
    assert sizes_seen(library, photo(3)) == [(240, 320)]
    lost = sizes_seen(library, photo(40))
    assert lost == [(240, 320), (240, 320), (320, 240), (320, 240)]


def test_a_zoomed_photo_is_looked_at_smaller_for_all_maps_at_once(library):
    zoomed = Camera.pinhole(width=320, height=240, fx=2 * CAMERA.fx)
    sizes = sizes_seen(library, photo(3), zoomed)
    assert sizes[:2] == [(240, 320), (120, 160)]
    assert (120, 160) not in sizes[2:]


@pytest.fixture
def asked(monkeypatch):
    """Which landmarks are asked, by their number, and whether anywhere; ``inliers`` answer."""

    def solve(self, keypoints, camera, first, *, anywhere=True, **_):
        answers.calls.append((len(self._matcher.landmarks), anywhere))
        return LandmarkSolution(POSE, 1e-8 * np.eye(6), answers.inliers, 100, 1.0, 0.9)

    answers: Any = SimpleNamespace(calls=[], inliers=100, looks=0)

    def detect(image):
        answers.looks += 1
        return no_keypoints()

    monkeypatch.setattr(LandmarkSolver, "solve", solve)
    monkeypatch.setattr("reloc.localize.query.detect_keypoints", detect)
    return answers


@pytest.mark.slow
def test_landmarks_of_one_map_are_asked_if_they_are_sure(library, asked):
    """Each map has a number of landmarks that is its own."""
    known, _ = landmarks_of(make_cloud(points=50))
    for place in range(1, 10):
        library.put(place, landmarks=known.subset(np.arange(20 + place)))
    place = localizer(library, candidates=9)
    (estimate,) = place.localize_many([Query("a", photo(5))])
    assert estimate.place == "place-5"
    assert asked.calls == [(25, True)]
    asked.inliers = 13
    asked.calls.clear()
    (estimate,) = place.localize_many([Query("a", photo(5))])
    assert estimate.place == "place-5"
    assert len(asked.calls) == len(set(asked.calls)) == 4  # those of the finalists, once each
    assert asked.looks == 2

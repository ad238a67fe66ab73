"""How much of a place is looked at for the few points that a map keeps."""

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import pytest

from reloc.geometry import Camera
from reloc.maps import PreviewPoints
from reloc.reconstruct import preview
from reloc.reconstruct.point_cloud import PointCloud, preview_cloud
from reloc.scenes.scene import Frame

from ..maps.test_landmark_tensors import made_landmarks
from ..maps.test_scene_map import made_map


@pytest.mark.parametrize(
    ("time_limit", "views"), [(None, 48), (3600.0, 48), (60.0, 43), (30.0, 21), (5.0, 16)]
)
def test_a_shorter_time_limit_means_fewer_views_on_every_machine(time_limit, views):
    assert preview.preview_views(time_limit) == views


def test_a_map_that_knows_nothing_for_sure_stays_as_it_is(monkeypatch):
    asked = []

    def nothing(localizer, frames, *, views, confirmations, progress):
        asked.append(views)
        return PointCloud(
            np.zeros((0, 3)), np.zeros((0, 3), np.uint8), np.zeros((0, 3), np.float32)
        )

    class Localizer:
        map = "the map as it is"

    monkeypatch.setattr(preview, "map_point_cloud", nothing)
    localizer: Any = Localizer()
    kept: object = preview.with_preview(localizer, (), views=20)
    assert kept == "the map as it is"
    assert asked == [20]


def test_points_are_spread_evenly_over_near_and_far_surfaces(monkeypatch):
    # Seen from nearby, the first square metre has a hundred times as many points as the second.
    rng = np.random.default_rng(0)
    near = np.c_[rng.uniform(0, 1, (200_000, 2)), np.zeros(200_000)]
    far = np.c_[rng.uniform(0, 1, (2_000, 2)), np.full(2_000, 5.0)]
    points = np.concatenate([near, far])
    cloud = PointCloud(points, np.zeros((len(points), 3), np.uint8), np.zeros_like(points, "f4"))
    monkeypatch.setattr(preview, "map_point_cloud", lambda *_, **__: cloud)

    @dataclass(frozen=True)
    class Map:
        scale: float = 3.0
        preview: object = None

    class Localizer:
        map = Map()

    localizer: Any = Localizer()
    kept = preview.with_preview(localizer, ()).preview.points
    assert 1000 < len(kept) <= preview.POINTS
    nearer = (kept[:, 2] == 0).mean()
    assert 0.4 < nearer < 0.65


def test_points_of_a_map_are_its_preview_alone():
    plain = made_map()
    colors = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    landmarks = made_landmarks(20, around=plain.origin)
    made = replace(plain, preview=PreviewPoints(np.eye(3)[:2], colors), landmarks=landmarks)
    cloud = preview_cloud(made)
    np.testing.assert_array_equal(cloud.points, np.eye(3)[:2])
    np.testing.assert_array_equal(cloud.colors, colors)
    assert len(preview_cloud(replace(made, preview=None))) == 0


def test_landmarks_are_coloured_by_the_photos_that_show_them(tmp_path):
    camera = Camera.pinhole(width=100, height=80, fx=100)
    pose = np.eye(4)
    photo = np.zeros((80, 100, 3), np.uint8)
    photo[:, :50], photo[:, 50:] = (200, 10, 20), (5, 60, 90)
    assert cv2.imwrite(str(tmp_path / "a.png"), photo[..., ::-1])
    (tmp_path / "b.png").write_bytes(b"nothing")
    frames = [Frame(name, tmp_path / name, camera, pose) for name in ("a.png", "b.png")]
    known = replace(
        made_landmarks(4),
        # Left, right, behind the camera, and seen from behind only.
        points=np.array([(-1.0, 0, 4), (1, 0, 4), (0, 0, -4), (1, 1, 4)]),
        directions=np.array([(0, 0, -1)] * 3 + [(0, 0, 1)], np.float32),
        spreads=np.zeros(4, np.float32),
    )
    made = preview.with_landmark_preview(made_map(), known, frames).preview
    assert made.points.tolist() == known.points[:2].tolist()
    assert made.colors.tolist() == [[200, 10, 20], [5, 60, 90]]

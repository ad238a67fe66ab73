"""How far cells see, from depth images and from the points of a model."""

import cv2
import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.methods.dsacstar.known_depths import KnownDepths
from reloc.scenes import open_scene
from reloc.scenes.depth import read_depth_map

GRID = np.meshgrid(np.arange(-4, 5), np.arange(-3, 4))
RAYS = np.asarray(np.stack(GRID, -1).reshape(-1, 2) * 0.1, np.float64)
CELL = 0.1


@pytest.fixture
def model(tmp_path):
    """Three cameras five before the origin, turned by nothing; the points that each saw."""
    images = []
    for number in range(3):
        (tmp_path / "images").mkdir(exist_ok=True)
        image = tmp_path / "images" / f"{number}.png"
        assert cv2.imwrite(str(image), np.zeros((48, 64, 3), np.uint8))
        seen = {0: "1 1 7 2 2 -1 3 3 9", 1: "1 1 8", 2: ""}[number]
        images.append(f"{number + 1} 1 0 0 0 {-0.001 * number} 0 5 1 {number}.png\n{seen}\n")
    folder = tmp_path / "sparse" / "0"
    folder.mkdir(parents=True)
    (folder / "cameras.txt").write_text("1 PINHOLE 64 48 80 80 32 24\n")
    (folder / "images.txt").write_text("".join(images))
    points = {7: "0.01 0.01 1", 8: "0.01 0.01 2", 9: "0.01 0.01 3"}
    rows = (f"{at} {xyz} 0 0 0 0.5 1 0\n" for at, xyz in points.items())
    (folder / "points3D.txt").write_text("".join(rows))
    return tmp_path


def test_points_of_a_model_are_depth_where_an_image_saw_them(model):
    scene = open_scene(model)
    depths = KnownDepths(scene)
    frames = {frame.name: frame for frame in scene.mapping}
    assert [depths.of(frames[f"images/{n}.png"]) for n in range(3)] == [True, True, False]
    middle = np.hypot(*RAYS.T) < 1e-9
    first, second, third = (
        depths.of_frame(frames[f"images/{n}.png"], cell=CELL).along(RAYS + 1e-3) for n in range(3)
    )
    # The nearer of two in one cell; nothing beside it.
    assert first[middle] == pytest.approx(6) and second[middle] == pytest.approx(7)
    assert np.isfinite(first).sum() == np.isfinite(second).sum() == 1
    assert np.isnan(third).all()


def test_a_model_without_its_points_is_told(model):
    (model / "sparse/0/points3D.txt").unlink()
    with pytest.raises(SceneError, match="no points3D"):
        KnownDepths(open_scene(model))


def test_depth_images_come_first(made_scene):
    scene = open_scene(made_scene(mapping=7, queries=3))
    frame = scene.mapping[0]
    depths = KnownDepths(scene)
    assert depths.of(frame)
    found = depths.of_frame(frame, cell=CELL).along(RAYS)
    expected = read_depth_map(frame.depth).along(RAYS)
    assert np.isfinite(found).any()
    np.testing.assert_array_equal(found, expected)

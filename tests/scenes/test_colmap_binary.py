"""The binary COLMAP model with points, read by our own reader and by pycolmap."""

from pathlib import Path

import numpy as np
import pytest

from reloc.geometry import Camera, look_at, transformed
from reloc.scenes import open_scene, read_points
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import Sighting, SparsePoints
from reloc.scenes.writers.colmap_binary import write_binary_model

CAMERAS = (
    Camera.pinhole(width=64, height=48, fx=60),
    Camera("OPENCV", 64, 48, (60, 61, 32, 24, 0.1, -0.02, 0.001, 0.002)),
)
POINTS = np.random.default_rng(0).uniform(-1, 1, (50, 3))
COLORS = np.random.default_rng(1).integers(0, 256, (50, 3)).astype(np.uint8)
# The last image sees nothing.
SIGHTINGS = [
    Sighting(np.array([[1.5, 2.5], [7.0, 8.0]]), np.array([4, 0])),
    Sighting(np.array([[3.5, 4.5]]), np.array([4])),
    Sighting(np.zeros((0, 2)), np.zeros(0, np.intp)),
]


@pytest.fixture
def model(tmp_path: Path) -> tuple[Path, list[Frame]]:
    import cv2

    folder = tmp_path / "model"
    (folder / "images" / "walk").mkdir(parents=True)
    frames = []
    for number, camera in enumerate((*CAMERAS, CAMERAS[0])):
        name = f"walk/ä {number}.png"
        image = folder / "images" / name
        assert cv2.imwrite(str(image), np.zeros((48, 64, 3), np.uint8))
        pose = look_at((number - 1.0, -5.0, 0.5), (0, 0, 0))
        frames.append(Frame(name, image, camera, pose))
    sightings = {frame.name: seen for frame, seen in zip(frames, SIGHTINGS, strict=True)}
    write_binary_model(
        folder / "sparse" / "0",
        frames,
        {frame.name: frame.name for frame in frames},
        SparsePoints(POINTS, COLORS, sightings),
    )
    return folder, frames


def test_our_reader_finds_what_was_written(model: tuple[Path, list[Frame]]) -> None:
    folder, frames = model
    scene = open_scene(folder)
    assert [f.name for f in scene.mapping] == [f"images/{f.name}" for f in frames]
    for read, written in zip(scene.mapping, frames, strict=True):
        np.testing.assert_allclose(read.world_from_cam, written.world_from_cam, atol=1e-12)
        assert read.camera == written.camera
    points = read_points(folder / "sparse" / "0")
    np.testing.assert_array_equal(points.xyz, POINTS)
    np.testing.assert_array_equal(points.rgb, COLORS)
    assert points.track_length.tolist() == [1, 0, 0, 0, 2] + [0] * 45


def test_pycolmap_reads_it_and_projects_as_we_do(model: tuple[Path, list[Frame]]) -> None:
    pycolmap = pytest.importorskip("pycolmap")
    folder, frames = model
    reconstruction = pycolmap.Reconstruction(folder / "sparse" / "0")
    assert reconstruction.num_cameras() == 2
    assert reconstruction.num_points3D() == len(POINTS)
    by_name = {image.name: image for image in reconstruction.images.values()}
    for frame in frames:
        image = by_name[frame.name]
        assert (folder / "images" / image.name).is_file()
        cam_from_world = np.vstack([image.cam_from_world().matrix(), [0, 0, 0, 1]])
        ours = transformed(np.linalg.inv(frame.world_from_cam), POINTS)
        np.testing.assert_allclose(transformed(cam_from_world, POINTS), ours, atol=1e-9)
        theirs = reconstruction.cameras[image.camera_id].img_from_cam(ours)
        np.testing.assert_allclose(theirs, frame.camera.project(ours), atol=1e-6)
    point = reconstruction.points3D[1]
    np.testing.assert_array_equal(point.xyz, POINTS[0])
    np.testing.assert_array_equal(point.color, COLORS[0])
    track = {(e.image_id, e.point2D_idx) for e in reconstruction.points3D[5].track.elements}
    assert track == {(1, 0), (2, 0)}
    assert reconstruction.compute_num_observations() == 3
    assert [p.point3D_id for p in reconstruction.images[1].points2D] == [5, 1]
    np.testing.assert_array_equal(reconstruction.images[1].points2D[1].xy, (7, 8))

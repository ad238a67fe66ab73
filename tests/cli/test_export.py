"""``reloc export``."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.localize.pose_files import read_tum
from reloc.maps import SceneMap
from reloc.scenes import open_scene, read_points
from reloc.scenes.sparse import Sighting, SparsePoints

from ..maps.test_landmark_tensors import made_landmarks


@pytest.mark.slow
def test_points_are_written_as_ply(reloc, place, made_map, tmp_path):
    out = tmp_path / "place.ply"
    done = reloc("export", made_map, place, out, "--points", 2000)
    assert done.status == 0, done.err
    assert out.read_bytes().startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex ")
    written = int(out.read_bytes().split(b"\n")[2].split()[2])
    assert 500 < written <= 2000
    assert done.out == f"{out}: {written} points\n"


@pytest.mark.slow
def test_a_colmap_model_holds_images_poses_and_points(
    reloc, place, made_map, tmp_path, colmap_model
):
    out = tmp_path / "model"
    done = reloc("export", made_map, place, out, "--to", "colmap")
    assert done.status == 0, done.err
    scene, source = open_scene(out), open_scene(place)
    assert len(scene.mapping) == len(source.mapping)
    np.testing.assert_allclose(
        scene.mapping[0].world_from_cam, source.mapping[0].world_from_cam, atol=1e-9
    )
    points = read_points(out / "sparse" / "0").xyz
    assert len(points) > 500
    # The walls of the room stand around its cameras; seven frames leave some rays without an end.
    low, high = source.mapping_centers().min(axis=0) - 3, source.mapping_centers().max(axis=0) + 3
    assert ((points > low) & (points < high)).all(axis=1).mean() > 0.7
    model = colmap_model(out)
    assert sum(image.num_points3D for image in model.images.values()) > 7 * 200


def test_a_colmap_model_of_landmarks_alone(reloc, place, made_map, tmp_path, monkeypatch):
    """Whose tracks are those that are found in the images."""
    scene = open_scene(place)
    first, second = (frame.name for frame in scene.mapping[:2])
    seen = Sighting(np.array([[10.0, 20.0], [30.0, 40.0]]), np.array([1, 0]))
    xyz = np.array([[0.0, 1, 2], [3, 4, 5]])
    found = SparsePoints(xyz, np.ones((2, 3), np.uint8), {first: seen, second: seen})
    monkeypatch.setattr("reloc.cli.export.landmark_tracks", lambda *_, **__: found)
    whole, path = SceneMap.load(made_map), tmp_path / "map"
    replace(whole, landmarks=made_landmarks(around=whole.origin)).save(path)
    out = tmp_path / "model"
    done = reloc("export", path, place, out, "--to", "colmap", "--points", 0)
    assert done.status == 0, done.err
    assert "2 points, 2 of them landmarks, 7 images" in done.out
    np.testing.assert_array_equal(read_points(out / "sparse" / "0").xyz, xyz)


@pytest.mark.slow
def test_trajectories_pair_truth_and_estimates_by_time(reloc, place, made_map, tmp_path):
    out = tmp_path / "tum"
    done = reloc("export", made_map, place, out, "--to", "tum")
    assert done.status == 0, done.err
    assert "7 mapping poses" in done.out
    times, poses = read_tum(out / "queries.tum")
    queries = open_scene(place).queries
    np.testing.assert_allclose(poses, [f.world_from_cam for f in queries], atol=1e-9)
    assert len(read_tum(out / "mapping.tum")[0]) == 7
    assert set(read_tum(out / "estimates.tum")[0]) <= set(times)
    # Nothing may be believed of so small a map.
    told = [np.loadtxt(path, ndmin=2) for path in out.glob("*.tum")]
    assert sum(rows.size > 0 for rows in told) >= 2
    for rows in (rows for rows in told if rows.size):
        # evo refuses quaternions that are no rotations and times that do not rise.
        assert rows.shape[1] == 8
        assert (np.diff(rows[:, 0]) > 0).all()
        np.testing.assert_allclose(np.linalg.norm(rows[:, 4:], axis=1), 1, atol=1e-9)


def test_what_to_write_has_to_be_said(reloc, place, made_map, tmp_path):
    assert "--to" in reloc("export", made_map, place, tmp_path / "out").refusal()
    assert (
        "--points" in reloc("export", made_map, place, tmp_path / "a.ply", "--points", 0).refusal()
    )


def test_a_taken_folder_is_refused(reloc, place, made_map):
    assert "already there" in reloc("export", made_map, place, place, "--to", "colmap").refusal()

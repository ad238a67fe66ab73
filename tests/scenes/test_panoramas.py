"""Panoramas become views whose pixels show the directions that their poses say."""

import json

import cv2
import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.images.files import read_image, write_image
from reloc.scenes import check_mappable, open_scene
from reloc.scenes.panoramas import YAWS

WIDTH, HEIGHT = 400, 200


def panorama(path, rotation):
    """What surrounds a camera with this rotation: colours that are the directions in the world."""
    u, v = np.meshgrid((np.arange(WIDTH) + 0.5) / WIDTH, (np.arange(HEIGHT) + 0.5) / HEIGHT)
    longitude, latitude = (u - 0.5) * 2 * np.pi, (0.5 - v) * np.pi
    directions = np.stack(
        [
            np.sin(longitude) * np.cos(latitude),
            -np.sin(latitude),
            np.cos(longitude) * np.cos(latitude),
        ],
        axis=-1,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, np.rint(127 + 100 * directions @ rotation.T).astype(np.uint8))


@pytest.fixture
def nerf(tmp_path, place):
    """A transforms.json of panoramas."""
    frames = []
    for number in range(6):
        pose = place.pose(number)
        panorama(tmp_path / f"images/{number}.png", pose[:3, :3])
        matrix = (pose @ np.diag([1, -1, -1, 1])).tolist()
        frames.append({"file_path": f"images/{number}.png", "transform_matrix": matrix})
    top = {"camera_model": "EQUIRECTANGULAR", "w": WIDTH, "h": HEIGHT, "frames": frames}
    (tmp_path / "transforms.json").write_text(json.dumps(top))
    return tmp_path


def hold(scene):
    """Each pixel of a view shows where its ray goes."""
    for frame in scene.mapping:
        camera = frame.camera
        assert camera.width == camera.height == round(WIDTH / np.pi)
        grid = np.stack(np.meshgrid(*[np.arange(2, camera.width - 2, 5) + 0.5] * 2), axis=-1)
        rays = np.column_stack([camera.rays(grid.reshape(-1, 2)), np.ones(grid[..., 0].size)])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        expected = 127 + 100 * rays @ frame.world_from_cam[:3, :3].T
        columns, rows = np.floor(grid.reshape(-1, 2)).astype(int).T
        shown = read_image(frame.image)[rows, columns].astype(float)
        assert np.abs(shown - expected).max() < 6 and np.abs(shown - expected).mean() < 1.5


def test_views_look_where_their_poses_say(nerf, place):
    scene = open_scene(nerf)
    assert (len(scene.mapping), scene.skipped) == (6 * len(YAWS), ())
    assert scene.notes[0].startswith("6 panoramas are cut into 6 views each")
    assert scene.mapping[1].name == "images/0.png/060.jpg"
    hold(scene)
    for number in range(6):
        centers = scene.mapping_centers()[6 * number : 6 * number + 6]
        np.testing.assert_allclose(centers, np.tile(place.pose(number)[:3, 3], (6, 1)), atol=1e-12)
    check_mappable(scene)
    assert [frame.image for frame in open_scene(nerf).mapping] == [f.image for f in scene.mapping]


def test_lists_name_the_panoramas(nerf):
    (nerf / "query.txt").write_text("images/2.png\n")
    scene = open_scene(nerf)
    assert (len(scene.mapping), len(scene.queries)) == (30, 6)


def test_masks_are_cut_along(nerf):
    top = json.loads((nerf / "transforms.json").read_text())
    black_left = np.full((HEIGHT, WIDTH), 255, np.uint8)
    black_left[:, : WIDTH // 2] = 0
    (nerf / "mask.png").write_bytes(cv2.imencode(".png", black_left)[1].tobytes())
    for entry in top["frames"]:
        entry["mask_path"] = "mask.png"
    (nerf / "transforms.json").write_text(json.dumps(top))
    views = open_scene(nerf).mapping[:6]
    shares = [(read_image(view.mask.path, gray=True) > 0).mean() for view in views]
    # Ahead: half; then to the right: all; behind: half; to the left: nothing.
    assert [round(float(share), 1) for share in shares] == [0.5, 1.0, 1.0, 0.5, 0.0, 0.0]


def test_opensfm_calls_them_spherical(tmp_path, place):
    shots = {}
    for number in range(6):
        pose = place.pose(number)
        panorama(tmp_path / f"images/{number}.png", pose[:3, :3])
        cam_from_world = np.linalg.inv(pose)
        shots[f"{number}.png"] = {
            "rotation": cv2.Rodrigues(cam_from_world[:3, :3])[0].ravel().tolist(),
            "translation": cam_from_world[:3, 3].tolist(),
            "camera": "all around",
        }
    lens = {"all around": {"projection_type": "spherical", "width": WIDTH, "height": HEIGHT}}
    text = json.dumps([{"cameras": lens, "shots": shots}])
    (tmp_path / "reconstruction.json").write_text(text)
    hold(open_scene(tmp_path))


def test_what_is_no_whole_panorama_is_left_out(nerf):
    write_image(nerf / "images/0.png", np.zeros((100, 300, 3), np.uint8))
    (nerf / "images/1.png").write_bytes(b"no picture")
    (nerf / "images/2.png").unlink()
    scene = open_scene(nerf)
    assert len(scene.mapping) == 18
    reasons = [entry.reason for entry in scene.skipped]
    assert "a panorama (equirectangular or the like) of another shape than 360 by 180" in reasons[0]
    assert reasons[1].startswith("not a readable image") and reasons[2] == "no such image"
    for path in (nerf / "images").glob("*.png"):
        path.unlink()
    with pytest.raises(SceneError, match="no such image"):
        open_scene(nerf)

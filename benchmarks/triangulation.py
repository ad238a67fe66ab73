"""Points from matches between posed frames: the one place that talks to pycolmap."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from reloc.geometry import Camera

Array = NDArray[np.float64]
Pairs = Mapping[tuple[int, int], NDArray[np.int64]]


def triangulate(
    cameras: Sequence[Camera],
    cam_from_world: Array,
    keypoints: Sequence[NDArray[np.float32]],
    matches: Pairs,
) -> tuple[Array, tuple[NDArray[np.int32], ...]]:
    """COLMAP's point triangulator: tracks, points and their refinement under fixed poses.

    Args:
        cameras: of each of N frames.
        cam_from_world: (N, 4, 4).
        keypoints: of each frame, pixels (K, 2).
        matches: rows of keypoints (M, 2) for pairs of frames a < b; may be empty.

    Returns:
        Points (P, 3) in the world, and for each frame the row of the point that each of its
        keypoints sees (K,), -1 for none.
    """
    point_of_keypoint = tuple(np.full(len(k), -1, np.int32) for k in keypoints)
    if not matches:
        return np.zeros((0, 3)), point_of_keypoint
    pycolmap.logging.minloglevel = pycolmap.logging.ERROR.value
    with tempfile.TemporaryDirectory(prefix="reloc-") as scratch:
        database, model = Path(scratch) / "matches.db", Path(scratch) / "model"
        model.mkdir()
        solved = pycolmap.triangulate_points(
            _posed_model(database, cameras, cam_from_world, keypoints, matches),
            database,
            scratch,
            model,
            options=pycolmap.IncrementalPipelineOptions(extract_colors=False, random_seed=0),
        )
    row_of_id = {number: row for row, number in enumerate(solved.points3D)}
    for frame, rows in enumerate(point_of_keypoint):
        for keypoint, seen in enumerate(solved.image(frame + 1).points2D):
            if seen.has_point3D():
                rows[keypoint] = row_of_id[seen.point3D_id]
    points = np.array([point.xyz for point in solved.points3D.values()])
    return points.reshape(-1, 3), point_of_keypoint


def _posed_model(
    path: Path,
    cameras: Sequence[Camera],
    cam_from_world: Array,
    keypoints: Sequence[NDArray[np.float32]],
    matches: Pairs,
) -> pycolmap.Reconstruction:
    """A model of posed frames without points, and a database of its keypoints and matches.

    Image ids are the frames' numbers counted from one.
    """
    model = pycolmap.Reconstruction()
    database = pycolmap.Database.open(path)
    ids = {camera: number for number, camera in enumerate(dict.fromkeys(cameras), start=1)}
    for camera, number in ids.items():
        own = pycolmap.Camera(
            camera_id=number,
            model=camera.model,
            width=camera.width,
            height=camera.height,
            params=list(camera.params),
        )
        model.add_camera_with_trivial_rig(own)
        database.write_camera(own, use_camera_id=True)
        database.write_rig(model.rig(number), use_rig_id=True)
    frames = zip(cameras, cam_from_world, keypoints, strict=True)
    for number, (camera, pose, pixels) in enumerate(frames, start=1):
        image = pycolmap.Image(
            name=str(number),
            keypoints=pixels.astype(np.float64),
            camera_id=ids[camera],
            image_id=number,
        )
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose[:3]))
        database.write_frame(model.frame(number), use_frame_id=True)
        database.write_image(model.image(number), use_image_id=True)
        database.write_keypoints(number, pixels)
    for (a, b), rows in matches.items():
        geometry = pycolmap.TwoViewGeometry()
        geometry.config = pycolmap.TwoViewGeometryConfiguration.CALIBRATED
        geometry.inlier_matches = rows.astype(np.uint32)
        database.write_two_view_geometry(a + 1, b + 1, geometry)
    database.close()
    return model

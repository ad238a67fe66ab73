"""Many maps in one picture, side by side as on a shelf."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from reloc.geometry import transformed
from reloc.maps import SceneMap
from reloc.reconstruct.point_cloud import PointCloud, preview_cloud
from reloc.sampling import evenly
from reloc.view.exhibit import MAX_MAPPING, Exhibit, Label, ShownFrame, known_up, landmark_points
from reloc.view.placement import placed

GAP = 2.4  # from the middle of a map to the next, in radii of the largest


def gallery_exhibit(title: str, maps: Sequence[tuple[str, SceneMap]]) -> Exhibit:
    """What maps know of their places without any image: points, landmarks and mapping cameras.

    Each map stands upright in a square of its own, in its true size; if the unit of any is not
    known all have the same size instead.

    Args:
        title: of all together.
        maps: names and maps, one or more.
    """
    clouds = [preview_cloud(scene_map) for _, scene_map in maps]
    places = [
        placed(
            cloud.points,
            np.array([camera.world_from_cam for camera in scene_map.cameras]),
            up=known_up(scene_map),
        )
        for cloud, (_, scene_map) in zip(clouds, maps, strict=True)
    ]
    metric = all(scene_map.unit == "metre" for _, scene_map in maps)
    scales = [1.0 if metric else 1 / place.radius for place in places]
    largest = max(scale * place.radius for scale, place in zip(scales, places, strict=True))
    columns = int(np.ceil(np.sqrt(len(maps))))
    frames: list[ShownFrame] = []
    labels, points, landmarks = [], [], []
    for number, ((name, scene_map), cloud, place, scale) in enumerate(
        zip(maps, clouds, places, scales, strict=True)
    ):
        row, column = divmod(number, columns)
        # All stand on one floor.
        spot = GAP * largest * np.array([column, -row, 0.0]) - [0, 0, scale * place.low[2]]
        page = place.page_from_world
        points.append(spot + scale * transformed(page, cloud.points))
        landmarks.append(spot + scale * transformed(page, landmark_points(scene_map)))
        for camera in evenly(scene_map.cameras, max(MAX_MAPPING // len(maps), 1)):
            pose = page @ camera.world_from_cam
            pose[:3, 3] = spot + scale * pose[:3, 3]
            frames.append(ShownFrame(f"{name}/{camera.name}", False, camera.camera, pose))
        labels.append(Label(name, spot + [0, 0, 1.15 * scale * place.high[2]]))
    cloud = PointCloud(
        np.concatenate(points),
        np.concatenate([cloud.colors for cloud in clouds]),
        np.concatenate([cloud.normals for cloud in clouds]),
    )
    unit: Literal["metre", "unknown"] = "metre" if metric else "unknown"
    return Exhibit(
        title,
        unit,
        cloud,
        tuple(frames),
        labels=tuple(labels),
        landmarks=np.concatenate(landmarks),
    )

"""What a viewer shows of a place: its points, its cameras, and how its queries went."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.evaluation.metrics import Evaluation, FrameResult
from reloc.geometry import Camera
from reloc.maps import SceneMap
from reloc.reconstruct.point_cloud import PointCloud
from reloc.sampling import evenly
from reloc.scenes.scene import Frame, Scene

Array = NDArray[np.float64]
Item = TypeVar("Item")

# More pyramids than this hide each other and the place.
MAX_MAPPING = 1000


@dataclass(frozen=True)
class ShownFrame:
    """A frame as a camera in space.

    Attributes:
        name: of the frame.
        query: whether it is one to be localized; a mapping frame otherwise.
        camera: its intrinsics.
        world_from_cam: (4, 4) known pose, None if nobody knows.
        image: the photo, None if it is not at hand.
        result: how its localization went, None if it was not evaluated.
    """

    name: str
    query: bool
    camera: Camera
    world_from_cam: Array | None
    image: Path | None = None
    result: FrameResult | None = None

    @property
    def poses(self) -> tuple[Array | None, Array | None]:
        """The known and the estimated pose (4, 4)."""
        return self.world_from_cam, self.result.world_from_cam if self.result else None


@dataclass(frozen=True)
class Label:
    """A word at a point (3,) of the space that is shown."""

    text: str
    at: Array


@dataclass(frozen=True)
class Exhibit:
    """What there is to be shown of a place.

    Attributes:
        title: its name.
        unit: ``meter`` where scene units are metres.
        cloud: points of the place; may be empty.
        frames: mapping frames and queries with at least one pose.
        evaluation: the figures of the queries, None if they were not evaluated.
        labels: words that stand in it.
        landmarks: (N, 3) of the map; may be empty.
        up: (3,) direction against gravity; None where nobody knows it.
    """

    title: str
    unit: Literal["metre", "unknown"]
    cloud: PointCloud
    frames: tuple[ShownFrame, ...]
    evaluation: Evaluation | None = None
    labels: tuple[Label, ...] = ()
    landmarks: Array = field(default_factory=lambda: np.zeros((0, 3)))
    up: Array | None = None


def exhibit(
    *,
    cloud: PointCloud,
    scene_map: SceneMap | None = None,
    scene: Scene | None = None,
    evaluation: Evaluation | None = None,
) -> Exhibit:
    """Brings together what is at hand of a place; a map or a scene has to be.

    Args:
        cloud: points of the place.
        scene_map: tells the landmarks, and the mapping cameras where there is no scene.
        scene: tells cameras, poses and photos.
        evaluation: tells how the queries went.

    Raises:
        OptionError: neither a map nor a scene, or an evaluation of other frames or other poses.
    """
    if scene is not None:
        title, unit = scene.name, scene.unit
        every = [
            ShownFrame(frame.name, False, frame.camera, frame.world_from_cam, frame.image)
            for frame in scene.mapping
        ]
    elif scene_map is not None:
        title, unit = str(scene_map.info.get("scene") or "map"), scene_map.unit
        every = [
            ShownFrame(camera.name, False, camera.camera, camera.world_from_cam)
            for camera in scene_map.cameras
        ]
    else:
        raise OptionError("nothing to show; give a map or a scene")
    mapping = evenly([frame for frame in every if frame.world_from_cam is not None], MAX_MAPPING)
    if evaluation is not None:
        queries = _judged(evaluation, scene, mapping)
    else:
        queries = [
            ShownFrame(frame.name, True, frame.camera, frame.world_from_cam, frame.image)
            for frame in (scene.queries if scene is not None else ())
            if frame.world_from_cam is not None
        ]
    landmarks = landmark_points(scene_map) if scene_map is not None else np.zeros((0, 3))
    up = None if scene_map is None else known_up(scene_map)
    frames = (*mapping, *queries)
    return Exhibit(title, unit, cloud, frames, evaluation, landmarks=landmarks, up=up)


def known_up(scene_map: SceneMap) -> Array | None:
    """The direction (3,) against gravity of a map that was aligned."""
    return None if scene_map.alignment is None else scene_map.alignment.up


def landmark_points(scene_map: SceneMap) -> Array:
    """The landmarks (N, 3) of a map, where they are."""
    return np.zeros((0, 3)) if scene_map.landmarks is None else scene_map.landmarks.points


def _judged(
    evaluation: Evaluation, scene: Scene | None, mapping: Sequence[ShownFrame]
) -> list[ShownFrame]:
    """The frames of an evaluation that have a pose, with what the scene knows of them."""
    known: dict[str, Frame] = {}
    if scene is not None:
        known = {frame.name: frame for frame in (*scene.mapping, *scene.queries)}
    usual = mapping[0].camera if mapping else Camera.pinhole(width=640, height=480, fx=525)
    shown = []
    for result in evaluation.frames:
        frame, pose = known.get(result.image), result.true_world_from_cam
        if scene is not None and frame is None:
            raise OptionError(
                f"{result.image}: evaluated, but no frame of {scene.root}; give the scene that was "
                "evaluated"
            )
        if frame is not None and not _same(frame.world_from_cam, pose, evaluation.scene_extent):
            raise OptionError(
                f"{result.image}: its true pose in the evaluation is not that of the scene; give "
                "the --poses that it was evaluated with"
            )
        if pose is not None or result.world_from_cam is not None:
            camera, image = (frame.camera, frame.image) if frame else (usual, None)
            shown.append(ShownFrame(result.image, True, camera, pose, image, result))
    return shown


def _same(a: Array | None, b: Array | None, extent: float) -> bool:
    if a is None or b is None:
        return a is b
    tolerance = 1e-6 * max(1.0, extent if np.isfinite(extent) else 1.0)
    return bool(np.allclose(a, b, atol=tolerance))

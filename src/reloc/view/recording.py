"""A place as a recording for the viewer of Rerun."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.evaluation.figures import error_ticks, length_scale
from reloc.files import StrPath, atomic_path
from reloc.geometry import transformed
from reloc.progress import Progress, silent
from reloc.view.exhibit import Exhibit, ShownFrame
from reloc.view.photos import photos_of, small_size
from reloc.view.placement import placed

Array = NDArray[np.float64]

MAPPING_COLOR = (104, 150, 196)
TRUE_COLOR = (230, 230, 230)
UNKNOWN_COLOR = (92, 168, 230)
LANDMARK_COLOR = (255, 214, 10)
CAMERA_DEPTH = 0.025  # of a drawn camera, as a share of the place's radius


def write_recording(
    path: StrPath, shown: Exhibit, *, photos: int = 400, progress: Progress = silent
) -> None:
    """Writes a Rerun recording: points, landmarks, mapping cameras, queries along a time line.

    The frame of the recording is upright, z up, with the middle of the place as its origin. The
    time line ``query`` counts the queries: at each of them its estimated and its true camera are
    seen, with the photo, and its errors are plotted.

    Args:
        path: the ``.rrd`` file.
        shown: the place; at least one of its frames has a pose.
        photos: how many photos the recording holds at most.
        progress: told after every photo.

    Raises:
        OptionError: Rerun is not installed.
        OutputError: the file cannot be written.
    """
    rerun = _rerun()
    poses = [pose for frame in shown.frames for pose in frame.poses if pose is not None]
    placement = placed(shown.cloud.points, np.array(poses), up=shown.up)
    pictures = photos_of(shown.frames, photos, progress=progress)
    with atomic_path(path) as temporary, rerun.RecordingStream("reloc") as recording:
        recording.save(temporary)
        recording.send_recording_name(_utf8(shown.title))
        recording.log("place", rerun.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        points = transformed(placement.page_from_world, shown.cloud.points[placement.kept])
        colors = shown.cloud.colors[placement.kept]
        recording.log("place/points", rerun.Points3D(points, colors=colors), static=True)
        landmarks = transformed(placement.page_from_world, shown.landmarks)
        landmarks = landmarks[placement.near(landmarks)]
        if len(landmarks):
            marks = rerun.Points3D(landmarks, colors=LANDMARK_COLOR)
            recording.log("place/landmarks", marks, static=True)
        depth = CAMERA_DEPTH * placement.radius
        queries = 0
        for frame in shown.frames:
            photo = pictures.get(frame.name)
            log = _Cameras(rerun, recording, placement.page_from_world, depth)
            if not frame.query:
                entity = f"place/mapping/{rerun.escape_entity_path_part(_utf8(frame.name))}"
                log.camera(entity, frame, frame.world_from_cam, MAPPING_COLOR, photo, static=True)
                continue
            recording.set_time("query", sequence=queries)
            queries += 1
            true, estimate = frame.poses
            recording.log("query/name", rerun.TextLog(_utf8(frame.name)))
            log.camera("place/query/true", frame, true, TRUE_COLOR, photo)
            log.camera("place/query/estimate", frame, estimate, _color(frame, shown), photo)
            log.error(frame)
        recording.flush()


class _Cameras:
    """Logs cameras of one place."""

    def __init__(
        self, rerun: ModuleType, recording: Any, page_from_world: Array, depth: float
    ) -> None:
        self._rerun = rerun
        self._recording = recording
        self._page_from_world = page_from_world
        self._depth = depth

    def camera(
        self,
        entity: str,
        frame: ShownFrame,
        world_from_cam: Array | None,
        color: tuple[int, int, int],
        photo: bytes | None,
        *,
        static: bool = False,
    ) -> None:
        """A camera with its photo; without a pose, whatever stood there is taken away."""
        rerun = self._rerun
        if world_from_cam is None:
            self._recording.log(entity, rerun.Clear(recursive=True))
            return
        pose, camera = self._page_from_world @ world_from_cam, frame.camera
        # Intrinsics are told at the size of the small photos, so that these fill the image plane.
        width, height = small_size(camera.width, camera.height)
        scale = np.array([width / camera.width, height / camera.height])
        self._recording.log(
            entity,
            rerun.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]),
            rerun.Pinhole(
                focal_length=scale * (camera.fx, camera.fy),
                principal_point=scale * (camera.cx, camera.cy),
                width=width,
                height=height,
                camera_xyz=rerun.ViewCoordinates.RDF,
                image_plane_distance=self._depth,
                color=color,
            ),
            static=static,
        )
        if photo is not None:
            image = rerun.EncodedImage(contents=photo, media_type="image/jpeg")
            self._recording.log(f"{entity}/photo", image, static=static)
        elif not static:
            self._recording.log(f"{entity}/photo", rerun.Clear(recursive=True))

    def error(self, frame: ShownFrame) -> None:
        """The errors of a query that was localized and whose pose is known."""
        result = frame.result
        if result is None or result.translation_error is None or not result.localized:
            return
        self._recording.log("errors/position", self._rerun.Scalars(result.translation_error))
        self._recording.log("errors/rotation", self._rerun.Scalars(result.rotation_error_deg))


def _rerun() -> ModuleType:
    try:
        import rerun
    except ImportError as error:
        raise OptionError(
            "a Rerun recording needs the extra viz; run `pip install 'reloc[viz]'`"
        ) from error
    return rerun


def _utf8(name: str) -> str:
    """A name whose bytes that are no UTF-8 have become ``?``."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _color(frame: ShownFrame, shown: Exhibit) -> tuple[int, int, int]:
    """Of an estimate by its error, as in all other pictures."""
    from reloc.view.style import ERROR_COLORS

    error = frame.result.translation_error if frame.result else None
    if error is None or shown.evaluation is None or not np.isfinite(error):
        return UNKNOWN_COLOR
    ticks = error_ticks(shown.evaluation)
    value = max(error * length_scale(shown.evaluation)[0], ticks[0])
    share = np.log(value / ticks[0]) / np.log(ticks[-1] / ticks[0])
    red, green, blue, _ = ERROR_COLORS(min(1.0, float(share)), bytes=True)
    return int(red), int(green), int(blue)

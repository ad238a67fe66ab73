"""kapture 1.1: ``sensors/{sensors, records_camera, trajectories}.txt`` and ``records_data``.

Poses lead from the world to the camera, quaternions w first, OpenCV axes; models are COLMAP's.
"""

from pathlib import Path

from reloc.errors import SceneError
from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.progress import Progress
from reloc.scenes.writers.colmap_tracks import camera_ids
from reloc.scenes.writers.content import Content, pose_of, write_query_list

_VERSION = "# kapture format: 1.1\n"
_DATA = "sensors/records_data"


def write_kapture(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks on what was left out.

    Timestamps are the numbers of the frames.

    Raises:
        SceneError: a name has a comma, which separates the fields of its tables.
        ImageError: an image is missing.
    """
    names = content.names_in_images()
    if taken := [name for name in names.values() if "," in name]:
        raise SceneError(
            f"{content.root}: kapture cannot hold the comma of {taken[0]!r}; rename the image"
        )
    notes = content.copy_images(
        {folder / _DATA / names[frame.name]: frame.image for frame in content.frames}, progress
    )
    cameras = camera_ids(content.frames)
    records, poses = [], []
    for time, frame in enumerate(content.frames):
        device = f"camera{cameras[frame.camera]}"
        records.append(f"{time}, {device}, {names[frame.name]}\n")
        cam_from_world = inverted(pose_of(frame))
        numbers = [*quaternion_from_rotation(cam_from_world[:3, :3]), *cam_from_world[:3, 3]]
        poses.append(f"{time}, {device}, " + ", ".join(repr(float(n)) for n in numbers) + "\n")
    tables = {
        "sensors": (
            "sensor_id, name, sensor_type, [sensor_params]+",
            [_sensor(number, camera) for camera, number in cameras.items()],
        ),
        "records_camera": ("timestamp, device_id, image_path", records),
        "trajectories": ("timestamp, device_id, qw, qx, qy, qz, tx, ty, tz", poses),
    }
    for name, (heading, lines) in tables.items():
        (folder / "sensors" / f"{name}.txt").write_text(
            f"{_VERSION}# {heading}\n{''.join(lines)}", encoding="utf-8", errors="surrogateescape"
        )
    write_query_list(folder, [f"{_DATA}/{names[frame.name]}" for frame in content.queries])
    if depths := sum(frame.depth is not None for frame in content.frames):
        notes.append(f"left out the depth of {depths} frames: only kapture's own code reads it")
    if content.points is not None:
        notes.append(f"left out {len(content.points)} points: they go along with --to colmap")
    if content.ply is not None:
        notes.append(f"left out the points of {content.ply.name}: kapture has no place for them")
    return notes


def _sensor(number: int, camera: Camera) -> str:
    numbers = ", ".join(map(repr, camera.params))
    return f"camera{number}, , camera, {camera.model}, {camera.width}, {camera.height}, {numbers}\n"

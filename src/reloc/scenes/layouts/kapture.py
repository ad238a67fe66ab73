"""kapture 1.0 and 1.1: sensors/{sensors, rigs, trajectories, records_camera}.txt, records_data/."""

from dataclasses import replace
from pathlib import Path

from reloc.scenes.found_poses import FoundPose, chained, turned_about
from reloc.scenes.layouts.kapture_files import read_cameras, read_devices, read_frames
from reloc.scenes.raw import RawScene

LAYOUT = "kapture"
LOOKS_FOR = "sensors/sensors.txt with sensors/records_camera.txt (kapture)"
NAMES_IMAGES = True

_FOLDER = "sensors/records_data"


def matches(root: Path) -> bool:
    """Whether a folder holds a kapture with images."""
    folder = root / "sensors"
    return (folder / "sensors.txt").is_file() and (folder / "records_camera.txt").is_file()


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads the images of all cameras; without trajectories they are queries.

    Poses lead from the world to the device, those of rigs from the rig to the sensor, quaternions
    wxyz, OpenCV axes. The unit is that of whatever made the poses, so it is unknown.

    Args:
        root: the scene's folder.
        images: the folder of the images, if it is not ``sensors/records_data``.

    Raises:
        SceneError: a table is missing or malformed.
    """
    folder = root / "sensors"

    def of_sensor(rig_from_world: FoundPose, sensor_from_rig: FoundPose) -> FoundPose:
        return chained(sensor_from_rig, rig_from_world)

    devices = read_devices(folder / "rigs.txt", folder / "trajectories.txt", of_sensor)
    frames, skipped, notes = read_frames(
        root,
        folder / "records_camera.txt",
        _FOLDER,
        read_cameras(folder / "sensors.txt"),
        lambda time, device: turned_about(devices.pose(time, device)),
        images=images,
        seconds=1.0,
    )
    if not devices.trajectory:
        frames = tuple(replace(frame, part="query", pose_fault=None) for frame in frames)
    if (folder / "records_depth.txt").is_file():
        notes += ("depth (records_depth.txt) is not read",)
    return RawScene(frames, skipped=skipped, notes=notes)

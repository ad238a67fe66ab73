"""Tables that kapture and LaMAR's captures have in common: sensors, rigs, trajectories, images."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from reloc.errors import SceneError
from reloc.scenes.found_poses import FoundPose, pose_of_quaternion
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawFrame, known_camera, no_camera
from reloc.scenes.scene import Skipped
from reloc.scenes.tables import Row, read_records

_POSE = "qw qx qy qz tx ty tz"
# Rigs of rigs of rigs.
_MOST_RIGS = 4


@dataclass(frozen=True)
class Devices:
    """How the devices of a capture stand to each other and where they were.

    Attributes:
        rigs: for each sensor, the rigs that it is on with its pose there.
        trajectory: poses by time and device.
        chain: the pose of a sensor from that of its rig and its pose there, as the format has them.
    """

    rigs: Mapping[str, list[tuple[str, FoundPose]]]
    trajectory: Mapping[tuple[str, str], FoundPose]
    chain: Callable[[FoundPose, FoundPose], FoundPose]

    def pose(self, time: str, device: str, depth: int = 0) -> FoundPose:
        """The pose of a device at a time: its own, or that of a rig that it is on."""
        if (time, device) in self.trajectory:
            return self.trajectory[time, device]
        for rig, within in self.rigs.get(device, []) if depth < _MOST_RIGS else []:
            found = self.pose(time, rig, depth + 1)
            if found[0] is not None:
                return self.chain(found, within)
        return None, "no pose in trajectories.txt"


def read_devices(
    rigs: Path, trajectories: Path, chain: Callable[[FoundPose, FoundPose], FoundPose]
) -> Devices:
    """The rigs and trajectories of a capture; either file may be missing. Raises SceneError."""
    on: dict[str, list[tuple[str, FoundPose]]] = {}
    for row in read_records(rigs, f"rig sensor {_POSE}") if rigs.is_file() else []:
        on.setdefault(row.cells["sensor"], []).append((row.cells["rig"], _pose(row)))
    poses = {}
    if trajectories.is_file():
        for row in read_records(trajectories, f"time device {_POSE}"):
            poses[row.cells["time"], row.cells["device"]] = _pose(row)
    return Devices(on, poses, chain)


def _pose(row: Row) -> FoundPose:
    if any(row.cells[name] == "" for name in _POSE.split()):
        return None, "its pose is given in part"
    return pose_of_quaternion(row.numbers("qw qx qy qz"), row.numbers("tx ty tz"))


def read_cameras(sensors: Path) -> dict[str, CameraSource]:
    """The cameras of ``sensors.txt``: COLMAP's models. Raises SceneError."""
    cameras: dict[str, CameraSource] = {}
    for row in read_records(sensors, "id name type", at_least=3):
        if row.cells["type"] != "camera":
            continue
        model, numbers = row.rest[0] if row.rest else "", list(row.rest[1:])
        try:
            width, height, *params = (float(number) for number in numbers)
        except ValueError as error:
            raise SceneError(
                f"{sensors}:{row.line}: expected a camera model with width, height and parameters; "
                "export it again"
            ) from error
        unknown = model.startswith("UNKNOWN")
        cameras[row.cells["id"]] = (
            no_camera("its camera has no intrinsics (UNKNOWN_CAMERA)")
            if unknown
            else known_camera(model, width, height, params)
        )
    return cameras


def read_frames(
    root: Path,
    records: Path,
    folder: str,
    cameras: Mapping[str, CameraSource],
    pose_of: Callable[[str, str], FoundPose],
    *,
    images: Path | None,
    seconds: float,
) -> tuple[tuple[RawFrame, ...], tuple[Skipped, ...], tuple[str, ...]]:
    """Frames of a list of images, entries without one, and what to tell.

    Args:
        root: the scene's folder.
        records: the list: time, device, path.
        folder: of the images, below the scene's folder.
        cameras: by device.
        pose_of: ``world_from_cam`` of a device at a time.
        images: the folder of the images, if the user says where it is.
        seconds: of the unit in which times count.
    """
    rows = read_records(records, "time device path")
    locator = Locator(root, [row.cells["path"] for row in rows], folders=(folder,), given=images)
    frames, skipped = list[RawFrame](), list[Skipped]()
    for row in rows:
        time, device, path = (row.cells[name] for name in ("time", "device", "path"))
        located = locator.find(path)
        if located is None:
            skipped.append(leads_out(path))
            continue
        pose, fault = pose_of(time, device)
        missing = no_camera(f"sensors.txt has no camera {device[:40]}")
        frames.append(
            RawFrame(
                name=located.name,
                image=located.path,
                camera=cameras.get(device, missing),
                world_from_cam=pose,
                pose_fault=fault,
                time=int(time) * seconds if time.isdecimal() and len(time) < 20 else None,
            )
        )
    return tuple(frames), tuple(skipped), locator.notes()

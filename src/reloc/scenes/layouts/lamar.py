"""A session of a LaMAR capture: {sensors, rigs, trajectories, images}.txt and raw_data/."""

from pathlib import Path

from reloc.scenes.found_poses import chained
from reloc.scenes.layouts.kapture_files import read_cameras, read_devices, read_frames
from reloc.scenes.raw import RawScene

LAYOUT = "lamar"
LOOKS_FOR = "sensors.txt, trajectories.txt and images.txt with raw_data/ (a session of LaMAR)"
NAMES_IMAGES = True


def matches(root: Path) -> bool:
    """Whether a folder is a session of a LaMAR capture."""
    tables = ("sensors.txt", "trajectories.txt", "images.txt")
    return all((root / name).is_file() for name in tables) and (root / "raw_data").is_dir()


def read(root: Path, *, images: Path | None = None) -> RawScene:
    """Reads the images of all cameras of a session.

    The tables are those of kapture, but all poses lead the other way: from the device to the world,
    and from the sensor to its rig. Metres; times in microseconds.

    Args:
        root: the session's folder.
        images: the folder of the images, if it is not ``raw_data``.

    Raises:
        SceneError: a table is missing or malformed.
    """
    devices = read_devices(root / "rigs.txt", root / "trajectories.txt", chained)
    frames, skipped, notes = read_frames(
        root,
        root / "images.txt",
        "raw_data",
        read_cameras(root / "sensors.txt"),
        devices.pose,
        images=images,
        seconds=1e-6,
    )
    return RawScene(frames, unit="metre", skipped=skipped, notes=notes)

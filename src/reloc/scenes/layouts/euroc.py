"""EuRoC MAV and what is recorded like it: mav0/cam*/{data, data.csv, sensor.yaml}."""

import re
from pathlib import Path

from reloc.errors import SceneError
from reloc.scenes.found_poses import FoundPose, chained, pose_of_matrix
from reloc.scenes.locate import Locator, leads_out
from reloc.scenes.raw import CameraSource, RawFrame, RawScene, known_camera, no_camera
from reloc.scenes.scene import Skipped
from reloc.scenes.tables import read_records, read_table
from reloc.scenes.text import read_text
from reloc.scenes.trajectory import Trajectory

LAYOUT = "euroc"
LOOKS_FOR = "mav0/cam0/data.csv with mav0/state_groundtruth_estimate0 (EuRoC)"

# Where the truth lies: EuRoC, TUM VI, and motion capture alone.
_TRUTHS = ("state_groundtruth_estimate0", "mocap0", "vicon0")


def matches(root: Path) -> bool:
    """Whether a folder holds a sequence of EuRoC."""
    return (_mav(root) / "cam0/data.csv").is_file() and _truth(root) is not None


def read(root: Path) -> RawScene:
    """Reads the images of all cameras, which are a rig, with the truth interpolated at their times.

    The truth is body-to-world, wxyz, at nanoseconds; ``T_BS`` of a camera is camera-to-body, row by
    row, OpenCV axes. Metres, z up. Calibrations count pixels from the centre of the first one, so
    that half a pixel is added to principal points.

    Raises:
        SceneError: a table is missing or malformed.
    """
    truth = _truth(root)
    assert truth is not None
    mav = _mav(root)
    prefix = "mav0/" if mav != root else ""
    trajectory = _trajectory(truth)
    frames, skipped, notes = list[RawFrame](), list[Skipped](), tuple[str, ...]()
    for table in sorted(mav.glob("cam*/data.csv")):
        camera, body_from_cam = _sensor(table.with_name("sensor.yaml"))
        rows = read_table(table, "timestamp filename")
        folder = f"{prefix}{table.parent.name}/data"
        locator = Locator(root, [row.cells["filename"] for row in rows], folders=(folder,))
        for row in rows:
            located = locator.find(row.cells["filename"])
            if located is None:
                skipped.append(leads_out(row.cells["filename"]))
                continue
            seconds = row.number("timestamp") * 1e-9
            body = trajectory.at(seconds)[0], "no ground truth within 20 ms"
            pose, fault = chained(body, body_from_cam)
            frames.append(
                RawFrame(
                    name=located.name,
                    image=located.path,
                    camera=camera,
                    world_from_cam=pose,
                    pose_fault=fault,
                    time=seconds,
                )
            )
        notes += locator.notes()
    return RawScene(tuple(frames), unit="metre", skipped=tuple(skipped), notes=notes)


def _mav(root: Path) -> Path:
    return root / "mav0" if (root / "mav0").is_dir() else root


def _truth(root: Path) -> Path | None:
    files = (_mav(root) / name / "data.csv" for name in _TRUTHS)
    return next((file for file in files if file.is_file()), None)


def _trajectory(path: Path) -> Trajectory:
    """The truth, whose columns are called otherwise in every recording but have one order."""
    return Trajectory(
        (row.number("time") * 1e-9, row.numbers("x y z"), row.numbers("qw qx qy qz"))
        for row in read_records(path, "time x y z qw qx qy qz")
    )


def _sensor(path: Path) -> tuple[CameraSource, FoundPose]:
    """The camera and its pose on the body, of a YAML file of lists and words."""
    text = read_text(path)
    matrix = pose_of_matrix(_numbers(text, "data"), "T_BS")
    if matrix[0] is None:
        raise SceneError(f"{path}: {matrix[1]}; restore it")
    size, focals = _numbers(text, "resolution"), _numbers(text, "intrinsics")
    lens = _numbers(text, "distortion_coefficients") or [0.0] * 4
    kind = re.search(r"^\s*distortion_model\s*:\s*([\w-]+)", text, re.MULTILINE)
    name = kind[1].lower() if kind else "radial-tangential"
    model = {"radial-tangential": "OPENCV", "radtan": "OPENCV", "equidistant": "OPENCV_FISHEYE"}
    if len(size) != 2 or len(focals) != 4 or len(lens) != 4:
        return no_camera(f"{path}: lacks resolution, intrinsics or distortion_coefficients"), matrix
    if name not in model:
        return no_camera(f"{path}: unknown distortion_model {name[:40]}"), matrix
    fx, fy, cx, cy = focals
    return known_camera(model[name], size[0], size[1], (fx, fy, cx + 0.5, cy + 0.5, *lens)), matrix


def _numbers(text: str, key: str) -> list[float]:
    """The numbers of a list of a YAML file; empty if it is none."""
    found = re.search(rf"^\s*{key}\s*:\s*\[([^\]]*)\]", text, re.MULTILINE)
    try:
        return [float(word) for word in found[1].split(",")] if found else []
    except ValueError:
        return []

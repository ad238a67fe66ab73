"""ScanCapture, LaMAR's app for phones: poses.txt with images/ or images.mp4."""

from pathlib import Path

from reloc.scenes.found_poses import FoundPose, of_opengl, pose_of_quaternion
from reloc.scenes.raw import RawFrame, RawScene, known_camera
from reloc.scenes.tables import Row, read_records
from reloc.scenes.text import image_files
from reloc.scenes.video_frames import frames_of_rows

LAYOUT = "scancapture"
LOOKS_FOR = "poses.txt with images/ or images.mp4 (ScanCapture of LaMAR)"

_NAMES = "time status tx ty tz qx qy qz qw w h fx fy cx cy"


def matches(root: Path) -> bool:
    """Whether a folder holds a recording of ScanCapture."""
    file = root / "poses.txt"
    if not file.is_file() or not ((root / "images").is_dir() or (root / "images.mp4").is_file()):
        return False
    with file.open("rb") as opened:
        lines = [line for line in opened.read(4096).splitlines() if not line.startswith(b"#")]
    return bool(lines) and lines[0].count(b",") >= len(_NAMES.split()) - 1


def read(root: Path) -> RawScene:
    """Pairs images ``<time>.jpg`` with the row of that time, or frames of a video with rows.

    Poses are camera-to-world, xyzw, with ARKit's axes (OpenGL's), metres, y up; times in
    microseconds. A frame whose tracking was not normal has no pose to rely on.

    Raises:
        SceneError: a table is malformed, or frames and rows do not belong together.
        ImageError: the video cannot be decoded.
    """
    rows = read_records(root / "poses.txt", _NAMES)
    poses = [_pose(row) for row in rows]
    if (root / "images").is_dir():
        by_stem = {path.stem: path for path in image_files(root / "images")}
        found = ((at, by_stem.get(row.cells["time"])) for at, row in enumerate(rows))
        images = {at: path for at, path in found if path is not None}
    else:
        images = frames_of_rows(root / "images.mp4", poses, rows_file=root / "poses.txt").images
    frames = []
    for at, image in sorted(images.items()):
        row, (pose, fault) = rows[at], poses[at]
        width, height, *params = row.numbers("w h fx fy cx cy")
        frames.append(
            RawFrame(
                name=f"images/{row.cells['time'][:40]}{image.suffix}",
                image=image,
                camera=known_camera("PINHOLE", width, height, params),
                world_from_cam=pose,
                pose_fault=fault,
                time=row.number("time") * 1e-6,
            )
        )
    return RawScene(tuple(frames), unit="metre", tracked=True)


def _pose(row: Row) -> FoundPose:
    if row.cells["status"] != "normal":
        return None, "tracking was not normal"
    return of_opengl(pose_of_quaternion(row.numbers("qw qx qy qz"), row.numbers("tx ty tz")))

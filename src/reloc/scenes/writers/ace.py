"""ACE's folders: ``{train,test}/{rgb,poses,calibration,depth}``, one file per frame in each.

Poses are camera-to-world, the calibration is a 3x3 matrix, so a camera must be free of distortion.
Depth is in millimetres, seen by the colour camera.
"""

from pathlib import Path

from reloc.errors import SceneError
from reloc.geometry.poses import Array
from reloc.progress import Progress
from reloc.scenes.scene import Frame
from reloc.scenes.writers.content import Content
from reloc.scenes.writers.depth import write_depths


def write_ace(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks on what was left out.

    Names lose their folders, which become part of the file name.

    Raises:
        SceneError: a camera has distortion.
        ImageError: an image or depth image is missing or damaged.
    """
    for frame in content.frames:
        if any(frame.camera.distortion) or "FISHEYE" in frame.camera.model:
            raise SceneError(
                f"{content.root}: ACE folders cannot hold the distortion of a "
                f"{frame.camera.model} camera; convert to colmap or transforms instead"
            )
    images: dict[Path, Path] = {}
    depths: dict[Path, Frame] = {}
    for split, frames in (("train", content.mapping), ("test", content.queries)):
        for kind in ("rgb", "poses", "calibration"):
            (folder / split / kind).mkdir(parents=True)
        for frame, stem in zip(frames, _stems(frames), strict=True):
            images[folder / split / "rgb" / (stem + frame.image.suffix)] = frame.image
            if frame.world_from_cam is not None:
                _write_matrix(folder / split / "poses" / f"{stem}.txt", frame.world_from_cam)
            _write_matrix(folder / split / "calibration" / f"{stem}.txt", frame.camera.matrix())
            if frame.depth is not None:
                depths[folder / split / "depth" / f"{stem}.png"] = frame
    notes = content.copy_images(images, progress)
    if content.metric:
        notes += write_depths(depths, progress)
    elif depths:
        notes.append(
            f"left out the depth of {len(depths)} frames: ACE folders hold depth in millimetres "
            "and the scene's unit is unknown"
        )
    if content.points is not None:
        notes.append(f"left out {len(content.points)} points: ACE folders hold none")
    if content.ply is not None:
        notes.append(f"left out the points of {content.ply.name}: ACE folders hold none")
    return notes


def _stems(frames: tuple[Frame, ...]) -> list[str]:
    """A file name without suffix for each frame, unique, with the folders as a part of it."""
    stems: list[str] = []
    taken: set[str] = set()
    for frame in frames:
        name = frame.name
        for folder in ("images/", "train/rgb/", "test/rgb/"):
            name = name.removeprefix(folder)
        plain = name.replace("/", "-").removesuffix(frame.image.suffix)
        stem, count = plain, 1
        while stem in taken:
            count += 1
            stem = f"{plain}-{count}"
        taken.add(stem)
        stems.append(stem)
    return stems


def _write_matrix(path: Path, matrix: Array) -> None:
    lines = (" ".join(repr(float(value)) for value in row) for row in matrix)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

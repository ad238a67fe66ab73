"""COLMAP's layout: ``images``, a model in ``sparse/0`` and ``query.txt``.

Every camera model of this project is COLMAP's, so nothing of it is lost. The model is text unless a
name does not fit a text file.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.progress import Progress
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import SparsePoints
from reloc.scenes.writers.colmap_binary import write_binary_model
from reloc.scenes.writers.colmap_tracks import NO_POINTS, camera_ids, tracks
from reloc.scenes.writers.content import Content, pose_of, write_query_list


def write_colmap(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks on what was left out.

    Raises:
        ImageError: an image is missing.
    """
    names = content.names_in_images()
    notes = content.copy_images(
        {folder / "images" / names[frame.name]: frame.image for frame in content.frames},
        progress,
    )
    points = NO_POINTS
    if content.points is not None:
        points = content.points.with_tracks(content.frames)
        if len(points) < len(content.points):
            notes.append(
                f"left out {len(content.points) - len(points)} of {len(content.points)} points, "
                "which fewer than two of the images see"
            )
    if content.ply is not None:
        notes.append(
            f"left out the points of {content.ply.name}: it does not tell which images see them"
        )
    write_model(folder / "sparse" / "0", content.frames, names, points)
    write_query_list(folder, [f"images/{names[frame.name]}" for frame in content.queries])
    without_depth = sum(frame.depth is not None for frame in content.frames)
    if without_depth:
        notes.append(f"left out the depth of {without_depth} frames: COLMAP's model has none")
    return notes


def write_model(
    folder: Path,
    frames: Sequence[Frame],
    names: Mapping[str, str],
    points: SparsePoints = NO_POINTS,
) -> None:
    """Writes cameras, images and points3D: as text, or binary where text cannot hold a name.

    Points get the ids 1 to N, images theirs in the order of the frames.

    Args:
        folder: where to; made if missing.
        frames: posed frames.
        names: the name in the model of each frame's name.
        points: with their tracks.
    """
    write = _write_text_model if all(map(_fits_text, names.values())) else write_binary_model
    write(folder, frames, names, points)


def _write_text_model(
    folder: Path, frames: Sequence[Frame], names: Mapping[str, str], points: SparsePoints
) -> None:
    cameras = camera_ids(frames)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text(
        "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
        + "".join(_camera_line(number, camera) for camera, number in cameras.items()),
        encoding="utf-8",
    )
    (folder / "images.txt").write_text(
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# X, Y, POINT3D_ID, ...\n"
        + "".join(
            _image_lines(number, cameras[frame.camera], names[frame.name], frame, points)
            for number, frame in enumerate(frames, start=1)
        ),
        encoding="utf-8",
    )
    (folder / "points3D.txt").write_text(
        "# POINT3D_ID, X, Y, Z, R, G, B, ERROR, IMAGE_ID, POINT2D_IDX, ...\n"
        + "".join(_point_lines(points, frames)),
        encoding="utf-8",
    )


def _fits_text(name: str) -> bool:
    """Whether a text model can hold a name: no space ends it, and it is UTF-8."""
    return name.isprintable() and not any(letter.isspace() for letter in name)


def _camera_line(number: int, camera: Camera) -> str:
    params = " ".join(map(repr, camera.params))
    return f"{number} {camera.model} {camera.width} {camera.height} {params}\n"


def _image_lines(number: int, camera_id: int, name: str, frame: Frame, points: SparsePoints) -> str:
    cam_from_world = inverted(pose_of(frame))
    numbers = [*quaternion_from_rotation(cam_from_world[:3, :3]), *cam_from_world[:3, 3]]
    pose = " ".join(repr(float(number)) for number in numbers)
    seen = points.seen_by(frame)
    triples = zip(*seen.pixels.T.tolist(), (seen.points + 1).tolist(), strict=True)
    line = " ".join(f"{x!r} {y!r} {point}" for x, y, point in triples)
    return f"{number} {pose} {camera_id} {name}\n{line}\n"


def _point_lines(points: SparsePoints, frames: Sequence[Frame]) -> list[str]:
    elements_of_all, counts = tracks(points, frames)
    columns = (points.xyz, points.rgb, points.errors(frames), counts)
    rest = iter(elements_of_all.tolist())
    lines = []
    for number, (xyz, rgb, error, count) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True), start=1
    ):
        elements = " ".join(f"{image} {index}" for image, index in islice(rest, count))
        numbers = " ".join(map(repr, (*xyz, *rgb, error)))
        lines.append(f"{number} {numbers} {elements}\n")
    return lines

"""COLMAP's text model: ``images``, ``sparse/0/{cameras,images,points3D}.txt`` and ``query.txt``.

Every camera model of this project is COLMAP's, so nothing is lost. The model holds no 3D points.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from reloc.errors import SceneError
from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.progress import Progress
from reloc.scenes.scene import Frame
from reloc.scenes.writers.content import Content, copy_images, pose_of, write_query_list


def write_colmap(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks, of which there are none.

    Raises:
        SceneError: a name has a space, which ends a field in COLMAP's text files.
    """
    names = content.names_in_images()
    for frame in content.frames:
        if any(letter.isspace() for letter in frame.name):
            raise SceneError(
                f"{content.root}: the name {frame.name!r} has a space, which COLMAP's text files "
                "cannot hold; rename the image or convert to transforms"
            )
    copy_images(
        {folder / "images" / names[frame.name]: frame.image for frame in content.frames},
        progress,
    )
    write_model(folder / "sparse" / "0", content.frames, names)
    write_query_list(folder, [f"images/{names[frame.name]}" for frame in content.queries])
    return []


def write_model(folder: Path, frames: Sequence[Frame], names: Mapping[str, str]) -> None:
    """Writes cameras.txt, images.txt and a points3D.txt without points.

    Args:
        folder: where to; made if missing.
        frames: posed frames.
        names: the name in the model of each frame's name; without spaces.
    """
    camera_ids: dict[Camera, int] = {}
    for frame in frames:
        camera_ids.setdefault(frame.camera, len(camera_ids) + 1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.txt").write_text(
        "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n"
        + "".join(_camera_line(number, camera) for camera, number in camera_ids.items()),
        encoding="utf-8",
        errors="surrogateescape",
    )
    (folder / "images.txt").write_text(
        "# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME\n# POINTS2D[] (none)\n"
        + "".join(
            _image_lines(number, camera_ids[frame.camera], names[frame.name], frame)
            for number, frame in enumerate(frames, start=1)
        ),
        encoding="utf-8",
        errors="surrogateescape",
    )
    (folder / "points3D.txt").write_text("# none\n", encoding="utf-8")


def _camera_line(number: int, camera: Camera) -> str:
    params = " ".join(map(repr, camera.params))
    return f"{number} {camera.model} {camera.width} {camera.height} {params}\n"


def _image_lines(number: int, camera_id: int, name: str, frame: Frame) -> str:
    cam_from_world = inverted(pose_of(frame))
    numbers = [*quaternion_from_rotation(cam_from_world[:3, :3]), *cam_from_world[:3, 3]]
    pose = " ".join(repr(float(number)) for number in numbers)
    return f"{number} {pose} {camera_id} {name}\n\n"

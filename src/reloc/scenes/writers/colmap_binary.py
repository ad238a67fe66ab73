"""COLMAP's binary model, with points: what gsplat, nerfstudio and COLMAP open as it is.

Points come without tracks, since no image feature was ever matched. Of these readers only COLMAP's
own bundle adjustment would miss them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.geometry import Camera, inverted, quaternion_from_rotation
from reloc.progress import Progress
from reloc.scenes.colmap_model import CAMERA, COUNT, IMAGE, MODELS, POINT
from reloc.scenes.scene import Frame
from reloc.scenes.writers.content import Content, copy_images, pose_of

_MODEL_IDS = {name: number for number, (name, _) in MODELS.items()}
_NO_ERROR = -1.0


def write_colmap_with_points(
    content: Content,
    folder: Path,
    *,
    points: NDArray[np.float64],
    colours: NDArray[np.uint8],
    progress: Progress,
) -> None:
    """Writes images and a binary model into an empty folder.

    Args:
        content: the frames.
        folder: where to.
        points: (N, 3) in the world.
        colours: (N, 3) RGB.
        progress: told of every image that is copied.

    Raises:
        ImageError: an image is missing.
    """
    names = content.names_in_images()
    copy_images({folder / "images" / names[f.name]: f.image for f in content.frames}, progress)
    model = folder / "sparse" / "0"
    model.mkdir(parents=True)
    _write_frames(model, content.frames, names)
    rows = (
        POINT.pack(number, *point, *colour, _NO_ERROR, 0)
        for number, (point, colour) in enumerate(
            zip(points.tolist(), colours.tolist(), strict=True), start=1
        )
    )
    (model / "points3D.bin").write_bytes(COUNT.pack(len(points)) + b"".join(rows))


def _write_frames(model: Path, frames: Sequence[Frame], names: Mapping[str, str]) -> None:
    """``cameras.bin`` and ``images.bin``."""
    cameras: dict[Camera, int] = {}
    images = []
    for number, frame in enumerate(frames, start=1):
        camera_id = cameras.setdefault(frame.camera, len(cameras) + 1)
        pose = inverted(pose_of(frame))
        quaternion = quaternion_from_rotation(pose[:3, :3])
        entry = IMAGE.pack(number, *quaternion, *pose[:3, 3], camera_id)
        images.append(
            entry + names[frame.name].encode("utf-8", "surrogateescape") + b"\0" + COUNT.pack(0)
        )
    (model / "images.bin").write_bytes(COUNT.pack(len(images)) + b"".join(images))
    entries = [
        CAMERA.pack(number, _MODEL_IDS[c.model], c.width, c.height)
        + np.array(c.params, "<f8").tobytes()
        for c, number in cameras.items()
    ]
    (model / "cameras.bin").write_bytes(COUNT.pack(len(entries)) + b"".join(entries))

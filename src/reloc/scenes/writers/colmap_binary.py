"""COLMAP's binary model: any name, any number of points."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from reloc.geometry import inverted, quaternion_from_rotation
from reloc.scenes.colmap_model import CAMERA, COUNT, IMAGE, MODELS
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import SparsePoints
from reloc.scenes.writers.colmap_tracks import NO_POINTS, camera_ids, tracks
from reloc.scenes.writers.content import pose_of

_MODEL_IDS = {name: number for number, (name, _) in MODELS.items()}
_POINT3D = np.dtype(
    [("id", "<u8"), ("xyz", "<f8", 3), ("rgb", "u1", 3), ("error", "<f8"), ("length", "<u8")]
)
_POINT2D = np.dtype([("x", "<f8"), ("y", "<f8"), ("point", "<u8")])


def write_binary_model(
    folder: Path,
    frames: Sequence[Frame],
    names: Mapping[str, str],
    points: SparsePoints = NO_POINTS,
) -> None:
    """Writes cameras.bin, images.bin and points3D.bin; arguments as those of ``write_model``."""
    folder.mkdir(parents=True, exist_ok=True)
    cameras = camera_ids(frames)
    entries = [
        CAMERA.pack(number, _MODEL_IDS[camera.model], camera.width, camera.height)
        + np.array(camera.params, "<f8").tobytes()
        for camera, number in cameras.items()
    ]
    (folder / "cameras.bin").write_bytes(COUNT.pack(len(entries)) + b"".join(entries))
    images = []
    for number, frame in enumerate(frames, start=1):
        pose = inverted(pose_of(frame))
        quaternion = quaternion_from_rotation(pose[:3, :3])
        entry = IMAGE.pack(number, *quaternion, *pose[:3, 3], cameras[frame.camera])
        name = names[frame.name].encode("utf-8", "surrogateescape") + b"\0"
        seen = points.seen_by(frame)
        rows = np.zeros(len(seen.points), _POINT2D)
        rows["x"], rows["y"] = seen.pixels.T
        rows["point"] = seen.points + 1
        images.append(entry + name + COUNT.pack(len(rows)) + rows.tobytes())
    (folder / "images.bin").write_bytes(COUNT.pack(len(images)) + b"".join(images))
    (folder / "points3D.bin").write_bytes(COUNT.pack(len(points)) + _points(points, frames))


def _points(points: SparsePoints, frames: Sequence[Frame]) -> bytes:
    """The points, each followed by its track."""
    elements, counts = tracks(points, frames)
    heads = np.zeros(len(points), _POINT3D)
    heads["id"], heads["length"] = np.arange(1, len(points) + 1), counts
    heads["xyz"], heads["rgb"], heads["error"] = points.xyz, points.rgb, points.errors(frames)
    # Half a million points are not to be packed one by one: which bytes are of heads tells where
    # all of them go at once.
    lengths = np.stack([np.full(len(points), heads.itemsize), counts * elements.itemsize], axis=1)
    is_head = np.repeat(np.tile([True, False], len(points)), lengths.ravel())
    whole = np.empty(len(is_head), np.uint8)
    whole[is_head] = heads.view(np.uint8)
    whole[~is_head] = elements.view(np.uint8)
    return whole.tobytes()

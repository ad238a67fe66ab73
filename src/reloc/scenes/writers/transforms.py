"""nerfstudio's ``transforms.json``: OpenGL camera axes, intrinsics for each frame.

The file names one distortion family for all of its frames: OPENCV, whose zeros also stand for an
ideal pinhole, or OPENCV_FISHEYE. Each other model either is a special case of one of them, and is
written so, or has terms that neither knows.

nerfstudio's parser has rules of its own: as soon as one split is listed it wants all three of
train, val and test, none of them empty, and it takes depth images for all frames or for none.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.progress import Progress
from reloc.scenes.scene import Frame
from reloc.scenes.writers.content import Content, pose_of, write_query_list
from reloc.scenes.writers.depth import write_depths
from reloc.scenes.writers.ply import write_points

_OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
POINTS_FILE = "sparse_pc.ply"  # as ns-process-data calls it
_COEFFICIENTS: dict[str, tuple[str, ...]] = {
    "PINHOLE": (),
    "OPENCV": ("k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"),
}


def write_transforms(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks on what was left out.

    Raises:
        SceneError: a camera model that the format has no place for, or two that exclude each other.
        ImageError: an image or depth image is missing or damaged.
    """
    cameras = {frame.camera: _as_opencv(frame.camera, content.root) for frame in content.frames}
    models = {camera.model for camera in cameras.values()}
    if len(models - {"PINHOLE"}) > 1 or models == {"PINHOLE", "OPENCV_FISHEYE"}:
        raise SceneError(
            f"{content.root}: transforms.json holds one camera model, the scene has "
            f"{' and '.join(sorted(models))}; convert to colmap instead"
        )
    names = content.names_in_images()
    paths = {name: f"images/{below}" for name, below in names.items()}
    notes = content.copy_images(
        {folder / paths[frame.name]: frame.image for frame in content.frames}, progress
    )
    depths, left_out = _depth_paths(content.frames, names)
    notes += left_out
    notes += write_depths(
        {folder / depths[frame.name]: frame for frame in content.frames if depths}, progress
    )
    frames: list[dict[str, Any]] = [
        {
            "file_path": paths[frame.name],
            **({"depth_file_path": depths[frame.name]} if depths else {}),
            **_intrinsics(cameras[frame.camera]),
            "transform_matrix": (pose_of(frame) @ _OPENGL_FROM_OPENCV).tolist(),
        }
        for frame in content.frames
    ]
    document = {
        "camera_model": "OPENCV" if "OPENCV" in models else models.pop(),
        "frames": frames,
        **_split(
            [paths[f.name] for f in content.mapping], [paths[f.name] for f in content.queries]
        ),
    }
    if content.points is not None:
        write_points(folder / POINTS_FILE, content.points.xyz, content.points.rgb)
        notes.append(f"left out which images see the {len(content.points)} points")
    elif content.ply is not None:
        shutil.copyfile(content.ply, folder / POINTS_FILE)
    if content.points is not None or content.ply is not None:
        document["ply_file_path"] = POINTS_FILE
    (folder / "transforms.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    write_query_list(folder, [paths[frame.name] for frame in content.queries])
    return notes


def _split(mapping: list[str], queries: list[str]) -> dict[str, list[str]]:
    """The lists of a split: queries both validate and test. Without queries there is no split."""
    if not mapping or not queries:
        return {}
    return {"train_filenames": mapping, "val_filenames": queries, "test_filenames": queries}


def _depth_paths(
    frames: tuple[Frame, ...], names: dict[str, str]
) -> tuple[dict[str, str], list[str]]:
    """Where the depth of each frame goes, by the frame's name, and a remark if it is left out."""
    count = sum(frame.depth is not None for frame in frames)
    if count < len(frames):
        remark = (
            f"left out the depth of {count} frames: nerfstudio takes depth for all frames or for "
            f"none, and {len(frames) - count} have none"
        )
        return {}, [remark] if count else []
    # The suffix stays a part of the name, for images may differ by it alone.
    return {frame.name: f"depth/{names[frame.name]}.png" for frame in frames}, []


def _intrinsics(camera: Camera) -> dict[str, float]:
    return {
        "w": camera.width,
        "h": camera.height,
        "fl_x": camera.fx,
        "fl_y": camera.fy,
        "cx": camera.cx,
        "cy": camera.cy,
        **dict(zip(_COEFFICIENTS[camera.model], camera.distortion, strict=True)),
    }


def _as_opencv(camera: Camera, root: Path) -> Camera:
    """The same camera as PINHOLE, OPENCV or OPENCV_FISHEYE."""
    k = camera.distortion
    match camera.model:
        case "SIMPLE_PINHOLE" | "PINHOLE":
            family, coefficients = "PINHOLE", k
        case "OPENCV" | "OPENCV_FISHEYE":
            family, coefficients = camera.model, k
        case "SIMPLE_RADIAL" | "RADIAL":
            family, coefficients = "OPENCV", (*k, 0.0, 0.0, 0.0)[:4]
        case "SIMPLE_RADIAL_FISHEYE" | "RADIAL_FISHEYE":
            family, coefficients = "OPENCV_FISHEYE", (*k, 0.0, 0.0, 0.0)[:4]
        case "FULL_OPENCV" if not any(k[4:]):
            family, coefficients = "OPENCV", k[:4]
        case "THIN_PRISM_FISHEYE" if not any((*k[2:4], *k[6:])):
            family, coefficients = "OPENCV_FISHEYE", (k[0], k[1], k[4], k[5])
        case _:
            raise SceneError(
                f"{root}: transforms.json cannot hold the distortion of a {camera.model} camera; "
                "convert to colmap instead"
            )
    pinhole = (camera.fx, camera.fy, camera.cx, camera.cy)
    return Camera(family, camera.width, camera.height, (*pinhole, *coefficients))

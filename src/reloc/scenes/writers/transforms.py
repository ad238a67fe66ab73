"""nerfstudio's ``transforms.json``: OpenGL camera axes, intrinsics for each frame.

The file names one distortion family for all of its frames: OPENCV, whose zeros also stand for an
ideal pinhole, or OPENCV_FISHEYE. Each other model either is a special case of one of them, and is
written so, or has terms that neither knows.
"""

import json
from pathlib import Path

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import Camera
from reloc.progress import Progress
from reloc.scenes.writers.content import Content, copy_images, pose_of, write_query_list

_OPENGL_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])
_COEFFICIENTS: dict[str, tuple[str, ...]] = {
    "PINHOLE": (),
    "OPENCV": ("k1", "k2", "p1", "p2"),
    "OPENCV_FISHEYE": ("k1", "k2", "k3", "k4"),
}


def write_transforms(content: Content, folder: Path, progress: Progress) -> list[str]:
    """Writes the frames into an empty folder; returns remarks, of which there are none.

    Raises:
        SceneError: a camera model that the format has no place for, or two that exclude each other.
    """
    cameras = {frame.camera: _as_opencv(frame.camera, content.root) for frame in content.frames}
    models = {camera.model for camera in cameras.values()}
    if len(models - {"PINHOLE"}) > 1 or models == {"PINHOLE", "OPENCV_FISHEYE"}:
        raise SceneError(
            f"{content.root}: transforms.json holds one camera model, the scene has "
            f"{' and '.join(sorted(models))}; convert to colmap instead"
        )
    paths = {name: f"images/{below}" for name, below in content.names_in_images().items()}
    copy_images({folder / paths[frame.name]: frame.image for frame in content.frames}, progress)
    document = {
        "camera_model": "OPENCV" if "OPENCV" in models else models.pop(),
        "frames": [
            {
                "file_path": paths[frame.name],
                **_intrinsics(cameras[frame.camera]),
                "transform_matrix": (pose_of(frame) @ _OPENGL_FROM_OPENCV).tolist(),
            }
            for frame in content.frames
        ],
        "train_filenames": [paths[frame.name] for frame in content.mapping],
        "test_filenames": [paths[frame.name] for frame in content.queries],
    }
    (folder / "transforms.json").write_text(json.dumps(document, indent=1), encoding="utf-8")
    write_query_list(folder, [paths[frame.name] for frame in content.queries])
    return []


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

"""Give a pose in the conventions of OpenGL, ARKit and ROS.

reloc's `world_from_cam` has OpenCV's camera axes: x right, y down, z ahead. Graphics and AR look
along -z with y up. ROS has x ahead, y left and z up for the body that carries the camera.

python examples/pose_conventions.py kitchen.safetensors photo.png
"""

import sys
from pathlib import Path

import numpy as np

from reloc import Localizer
from reloc.geometry import quaternion_from_rotation
from reloc.images.files import read_image

# Each column is an axis of the other camera frame, in OpenCV's.
OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0, 1.0])
OPENCV_FROM_ROS_BODY = np.array(
    [[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
)  # fmt: skip


def main(map_file: str, photo: str) -> None:
    localizer = Localizer.from_file(map_file)
    # Without a camera of its own the photo is taken for one by the camera of the mapping photos.
    estimate = localizer.localize(read_image(Path(photo)), localizer.map.query_camera())
    if not estimate.localized:
        sys.exit(f"{photo}: {estimate.reason}")

    world_from_cam = estimate.world_from_cam
    print("OpenCV, COLMAP (camera from world):", np.linalg.inv(world_from_cam).tolist())
    print("OpenGL, ARKit (model matrix):", (world_from_cam @ OPENCV_FROM_OPENGL).tolist())
    body = world_from_cam @ OPENCV_FROM_ROS_BODY
    w, x, y, z = quaternion_from_rotation(body[:3, :3])
    print("ROS (geometry_msgs/Pose):", {"position": body[:3, 3].tolist(), "xyzw": [x, y, z, w]})


if __name__ == "__main__":
    main(*sys.argv[1:])

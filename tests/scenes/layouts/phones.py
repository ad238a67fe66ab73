"""Writers of what apps on phones leave: one for each, from a walk to the files of its layout."""

import json
import struct
import tempfile
import zlib
from pathlib import Path

import cv2
import numpy as np

from tests.scenes.layouts.walks import Files, Walk, lines, words, xyzw


def video(walk: Walk, first: int = 0) -> bytes:
    """An mp4 of the pictures from the first on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "walk.mp4")
        size = walk.images.shape[2], walk.images.shape[1]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 5, size)
        for pixels in walk.images[first:]:
            writer.write(np.ascontiguousarray(pixels[:, :, ::-1]))
        writer.release()
        return path.read_bytes()


def stray(walk: Walk, *, newer: bool = True, first: int = 0, as_images: bool = False) -> Files:
    """Stray Scanner. Headings have a space before them, as the app writes them."""
    camera = walk.camera
    headings = "timestamp, frame, x, y, z, qx, qy, qz, qw" + (", fx, fy, cx, cy" if newer else "")
    rows = [headings]
    for number, pose in enumerate(walk.poses):
        values = [walk.times[number], f"{number:06d}", *pose[:3, 3], *xyzw(pose)]
        rows.append(words([*values, *(camera.params if newer else ())], ", "))
    files = {
        "odometry.csv": ("\n".join(rows) + "\n").encode(),
        "camera_matrix.csv": lines(camera.matrix(), ", "),
        "imu.csv": b"timestamp, a_x, a_y, a_z, alpha_x, alpha_y, alpha_z\n",
    }
    for number in range(len(walk)):
        files[f"depth/{number:06d}.png"] = walk.depth(number)
        files[f"confidence/{number:06d}.png"] = walk.confidence((0, 1, 2))
        if as_images:
            files[f"rgb/{number:06d}.jpg"] = walk.image(number, ".jpg")
    if not as_images:
        files["rgb.mp4"] = video(walk, first)
    return files


def polycam(walk: Walk, *, corrected: bool = True) -> Files:
    """Polycam's raw data; the original cameras are those of a phone that drifted."""
    camera = walk.camera
    files: dict[str, bytes] = {"mesh_info.json": b"{}"}
    for number in range(len(walk)):
        stem = str(98_000_000_000 + 200_000 * number)
        pose = walk.opengl(number).copy()
        size = {"width": camera.width, "height": camera.height}
        intrinsics = dict(zip(("fx", "fy", "cx", "cy"), camera.params, strict=True))
        for kind in ("corrected_", "") if corrected else ("",):
            if not kind and corrected:
                pose[:3, 3] += 0.3
            matrix = {f"t_{r}{c}": float(pose[r, c]) for r in range(3) for c in range(4)}
            entry = {**matrix, **intrinsics, **size, "timestamp": int(stem), "blur_score": 120.0}
            files[f"keyframes/{kind}cameras/{stem}.json"] = json.dumps(entry).encode()
            files[f"keyframes/{kind}images/{stem}.jpg"] = walk.image(number, ".jpg")
        files[f"keyframes/depth/{stem}.png"] = walk.depth(number)
        files[f"keyframes/confidence/{stem}.png"] = walk.confidence((0, 127, 255))
    return files


def record3d(walk: Walk, *, each: bool = True, exr: bool = False) -> Files:
    """Record3D: what is in a .r3d file, or an EXR export without its depth."""
    camera = walk.camera
    height, width = walk.small.shape[1:]
    top = {
        "w": camera.width,
        "h": camera.height,
        "dw": width,
        "dh": height,
        "fps": 5,
        "K": camera.matrix().T.ravel().tolist(),
        "poses": [
            [*xyzw(walk.opengl(n)), *walk.poses[n][:3, 3].tolist()] for n in range(len(walk))
        ],
        "frameTimestamps": list(walk.times),
    }
    if each:
        top["perFrameIntrinsicCoeffs"] = [list(camera.params)] * len(walk)
        top["K"] = np.eye(3).ravel().tolist()
    folder = "rgb" if exr else "rgbd"
    files = {"metadata.json" if exr else "metadata": json.dumps(top).encode()}
    for number in range(len(walk)):
        files[f"{folder}/{number}.jpg"] = walk.image(number, ".jpg")
        if exr:
            files[f"depth/{number}.exr"] = b"v/1\x01"
        else:
            files |= record3d_depth(walk, number)
    return files


def record3d_depth(walk: Walk, number: int) -> Files:
    """Compressed depth and confidence, if the package for it is there."""
    try:
        import lzfse
    except ImportError:
        return {f"rgbd/{number}.depth": b"bvx2"}
    confidence = cv2.imdecode(np.frombuffer(walk.confidence((0, 1, 2)), np.uint8), -1)
    return {
        f"rgbd/{number}.depth": lzfse.compress(walk.small[number].astype("<f4").tobytes()),
        f"rgbd/{number}.conf": lzfse.compress(confidence.tobytes()),
    }


def nerfcapture(walk: Walk) -> Files:
    """NeRFCapture: names without their suffix, and depth that may not be there."""
    camera = walk.camera
    size = {"w": camera.width, "h": camera.height}
    intrinsics = dict(zip(("fl_x", "fl_y", "cx", "cy"), camera.params, strict=True))
    frames = [
        {
            "file_path": f"images/{number}",
            "depth_path": f"images/{number}.depth.png",
            "transform_matrix": walk.opengl(number).tolist(),
            "timestamp": walk.times[number],
            **intrinsics,
            **size,
        }
        for number in range(len(walk))
    ]
    files = {f"images/{number}.png": walk.image(number) for number in range(len(walk))}
    wrong = dict.fromkeys(intrinsics, 1.0)
    top = {**wrong, **size, "depth_integer_scale": 0.001, "frames": frames}
    return {"transforms.json": json.dumps(top).encode(), **files}


def scanner_app(walk: Walk) -> Files:
    """3D Scanner App, all data: every second frame has a pose alone."""
    files = {"info.json": b'{"title": "walk"}'}
    for number in range(2 * len(walk)):
        pose = walk.opengl(number // 2)
        entry = {
            "cameraPoseARFrame": pose.ravel().tolist(),
            "intrinsics": walk.camera.matrix().ravel().tolist(),
            "projectionMatrix": np.eye(4).ravel().tolist(),
            "time": walk.times[number // 2] + 0.1 * (number % 2),
            "frame_index": number,
        }
        files[f"frame_{number:05d}.json"] = json.dumps(entry).encode()
        if number % 2 == 0:
            files[f"frame_{number:05d}.jpg"] = walk.image(number // 2, ".jpg")
            files[f"depth_{number:05d}.png"] = walk.depth(number // 2)
            files[f"conf_{number:05d}.png"] = walk.confidence((0, 1, 2))
    return files


def scancapture(walk: Walk, *, as_video: bool = False) -> Files:
    """ScanCapture, the app of LaMAR."""
    rows = ["# timestamp, status, tx, ty, tz, qx, qy, qz, qw, w, h, fx, fy, cx, cy"]
    files = {}
    for number in range(len(walk)):
        time = str(round(walk.times[number] * 1e6))
        pose, camera = walk.opengl(number), walk.camera
        size = [str(camera.width), str(camera.height)]
        row = [time, "normal", *pose[:3, 3], *xyzw(pose), *size, *camera.params]
        rows.append(words(row, ", "))
        if not as_video:
            files[f"images/{time}.jpg"] = walk.image(number, ".jpg")
    if as_video:
        files["images.mp4"] = video(walk)
    return {"poses.txt": ("\n".join(rows) + "\n").encode(), **files}


def arkitscenes(walk: Walk) -> Files:
    """ARKitScenes: a trajectory of its own times, names of images with theirs."""
    rows, files = [], {}
    for number in range(len(walk)):
        pose = walk.cam_from_world(number)
        axis_angle = cv2.Rodrigues(pose[:3, :3])[0].ravel()
        rows.append([walk.times[number], *axis_angle, *pose[:3, 3]])
        stem = f"41069021_{walk.times[number]:.3f}"
        size = walk.camera.width, walk.camera.height
        files[f"lowres_wide/{stem}.png"] = walk.image(number)
        files[f"lowres_wide_intrinsics/{stem}.pincam"] = lines([[*size, *walk.camera.params]])
        files[f"lowres_depth/{stem}.png"] = walk.depth(number)
        files[f"confidence/{stem}.png"] = walk.confidence((0, 1, 2))
    return {"lowres_wide.traj": lines(rows), **files}


def scannet(walk: Walk) -> Files:
    """ScanNet, exported; the depth camera has intrinsics of its own."""
    height, width = walk.small.shape[1:]

    def matrix(k: np.ndarray) -> bytes:
        whole = np.eye(4)
        whole[:3, :3] = k
        return lines(whole)

    files = {
        "intrinsic/intrinsic_color.txt": matrix(walk.camera.matrix()),
        "intrinsic/intrinsic_depth.txt": matrix(walk.camera.resized(width, height).matrix()),
    }
    for number in range(len(walk)):
        files[f"color/{number + 5}.jpg"] = walk.image(number, ".jpg")
        files[f"pose/{number + 5}.txt"] = lines(walk.poses[number])
        files[f"depth/{number + 5}.png"] = walk.depth(number)
    return files


def sens(walk: Walk) -> bytes:
    """ScanNet's .sens file, with one frame whose tracking was lost."""
    height, width = walk.small.shape[1:]

    def matrix(k: np.ndarray) -> bytes:
        whole = np.eye(4, dtype="<f4")
        whole[:3, :3] = k
        return whole.tobytes()

    name, one = b"StructureSensor", np.eye(4, dtype="<f4").tobytes()
    content = struct.pack("<IQ", 4, len(name)) + name
    content += matrix(walk.camera.matrix()) + one
    content += matrix(walk.camera.resized(width, height).matrix()) + one
    sizes = walk.camera.width, walk.camera.height, width, height
    content += struct.pack("<2i4IfQ", 2, 1, *sizes, 1000.0, len(walk) + 1)
    lost = np.full((4, 4), -np.inf)
    for number, pose in enumerate([*walk.poses, lost]):
        at = min(number, len(walk) - 1)
        color = walk.image(at, ".jpg")
        depth = zlib.compress(np.rint(walk.small[at] * 1000).astype("<u2").tobytes())
        content += pose.astype("<f4").tobytes()
        content += struct.pack("<4Q", number, number, len(color), len(depth)) + color + depth
    return content + struct.pack("<Q", 0)


def scannetpp(walk: Walk) -> Files:
    """ScanNet++, iPhone: entries for more frames than images, in another order."""
    files, entries = {}, {}
    for number in reversed(range(len(walk))):
        stem = f"frame_{10 * number:06d}"
        entries[stem] = {
            "pose": np.eye(4).tolist(),
            "aligned_pose": walk.poses[number].tolist(),
            "intrinsic": walk.camera.matrix().tolist(),
        }
        entries[f"frame_{10 * number + 5:06d}"] = entries[stem]
        files[f"rgb/{stem}.jpg"] = walk.image(number, ".jpg")
        files[f"depth/{stem}.png"] = walk.depth(number)
    return {"pose_intrinsic_imu.json": json.dumps(entries).encode(), **files}

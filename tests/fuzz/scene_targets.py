"""Scenes of every layout, lists and pose sets that are laid over them, models of COLMAP."""

import json
import struct
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.files import json_text
from reloc.geometry import inverted, look_at, quaternion_from_rotation
from reloc.images.files import read_image
from reloc.scenes import open_scene
from reloc.scenes.checks import check_mappable
from reloc.scenes.colmap import points_seen
from reloc.scenes.colmap_model import read_points
from reloc.scenes.depth import read_depth_map
from reloc.scenes.scene import Model, Scene
from reloc.scenes.summary import summarize
from tests.fuzz.mutation import Files
from tests.fuzz.target import Target, command

FRAMES = 9
WIDTH, HEIGHT = 32, 24


def _pose(number: int) -> NDArray[np.float64]:
    angle = 0.5 * number
    return look_at((3 * np.cos(angle), 3 * np.sin(angle), 0.5), (0.1 * number, 0, 0))


def _rows(values: NDArray[np.float64]) -> bytes:
    return "\n".join(" ".join(repr(float(v)) for v in row) for row in values).encode() + b"\n"


def _wxyz(number: int) -> list[float]:
    """Camera from world: quaternion, then translation."""
    pose = inverted(_pose(number))
    return [*map(float, quaternion_from_rotation(pose[:3, :3])), *map(float, pose[:3, 3])]


def image(suffix: str = ".png", *, number: int = 0) -> bytes:
    """A small picture of noise."""
    pixels = np.random.default_rng(number).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    return cv2.imencode(suffix, pixels)[1].tobytes()


def depth() -> bytes:
    """A plane, in millimetres."""
    return cv2.imencode(".png", np.full((HEIGHT, WIDTH), 1500, np.uint16))[1].tobytes()


def _lists(prefix: str) -> Files:
    names = [f"{prefix}{number:04d}.png" for number in range(FRAMES)]
    rows = [f"{n} {' '.join(map(repr, _wxyz(i)))} 30.5" for i, n in enumerate(names)]
    return {
        "query.txt": "\n".join(["# held back", *names[:2]]).encode() + b"\n",
        "poses_sfm.txt": "\n".join(["# name qw qx qy qz tx ty tz focal", *rows]).encode() + b"\n",
    }


def _ace(number: int) -> Files:
    files: dict[str, bytes] = {}
    for i in range(FRAMES):
        part = "train" if i < 8 else "test"
        files[f"{part}/rgb/{i:04d}.png"] = image()
        files[f"{part}/poses/{i:04d}.txt"] = _rows(_pose(i))
        matrix = np.array([[30.0, 0, 16], [0, 30, 12], [0, 0, 1]])
        files[f"{part}/calibration/{i:04d}.txt"] = _rows(matrix) if number else b"30.5\n"
        if number:
            files[f"{part}/depth/{i:04d}.png"] = depth()
    return {**files, **(_lists("train/rgb/") if number == 2 else {})}


def _seven(number: int) -> Files:
    files: dict[str, bytes] = {}
    for i in range(FRAMES):
        stem = f"seq-0{1 + i // 6}/frame-{i:06d}"
        files[f"{stem}.color.png"] = image()
        files[f"{stem}.pose.txt"] = _rows(_pose(i))
        if number:
            files[f"{stem}.depth.png"] = depth()
    if number:
        files |= {"TrainSplit.txt": b"sequence1\n", "TestSplit.txt": b"sequence2\n"}
    return files


def _twelve(number: int) -> Files:
    matrix = "30 0 16 0 0 30 12 0 0 0 1 0 0 0 0 1"
    info = f"m_colorWidth = {WIDTH}\nm_colorHeight = {HEIGHT}\nm_depthWidth = {WIDTH}\n"
    info += f"m_depthHeight = {HEIGHT}\nm_depthShift = 1000\n"
    info += f"m_calibrationColorIntrinsic = {matrix}\nm_calibrationDepthIntrinsic = {matrix}\n"
    files = {"info.txt": info.encode()}
    for i in range(FRAMES):
        stem = f"data/frame-{i:06d}"
        files[f"{stem}.color.jpg"] = image(".jpg")
        files[f"{stem}.pose.txt"] = _rows(_pose(i))
        files[f"{stem}.depth.png"] = depth()
    if number:
        split = "sequence0 [frames=1] [start=0 ; end=0]\nsequence1 [frames=8] [start=1 ; end=8]\n"
        files["split.txt"] = split.encode()
    return files


def _cambridge(number: int) -> Files:
    names = [f"seq1/frame{i:05d}.png" for i in range(FRAMES)]
    files = {
        name: cv2.imencode(".png", np.zeros((27, 48), np.uint8))[1].tobytes() for name in names
    }
    head = "Visual Landmark Dataset V1\nImageFile, Camera Position [X Y Z W P Q R]\n\n"
    lines = [
        " ".join([n, *map(repr, map(float, _pose(i)[:3, 3])), *map(repr, _wxyz(i)[:4])])
        for i, n in enumerate(names)
    ]
    files["dataset_train.txt"] = (head + "\n".join(lines[:7]) + "\n").encode()
    files["dataset_test.txt"] = (head + "\n".join(lines[7:]) + "\n").encode()
    model = [f"{n.replace('png', 'jpg')}\t1500.5 1 0 0 0 1 2 3 0 0" for n in names]
    files["reconstruction.nvm"] = "\n".join(["NVM_V3", "", str(FRAMES), *model, "0"]).encode()
    return files


def _tum(number: int) -> Files:
    files: dict[str, bytes] = {f"rgb/{i}.png": image() for i in range(FRAMES)}
    times = [1305031102.0 + 0.04 * i for i in range(FRAMES)]
    files["rgb.txt"] = "".join(f"{t:.6f} rgb/{i}.png\n" for i, t in enumerate(times)).encode()
    truth = []
    for i, time in enumerate(times):
        w, x, y, z = quaternion_from_rotation(_pose(i)[:3, :3])
        row = (*_pose(i)[:3, 3], x, y, z, w)
        truth += [
            f"{time + late:.6f} {' '.join(repr(float(v)) for v in row)}" for late in (-5e-3, 5e-3)
        ]
    files["groundtruth.txt"] = ("# time tx ty tz qx qy qz qw\n" + "\n".join(truth)).encode()
    files["calibration.txt"] = b"30 30 16 12 0.1 0 0 0 0\n" if number else b"30 30 16 12\n"
    if number:
        files["depth.txt"] = "".join(
            f"{t + 0.001:.6f} depth/{i}.png\n" for i, t in enumerate(times)
        ).encode()
        files |= {f"depth/{i}.png": depth() for i in range(FRAMES)}
    return files


def _transforms(number: int) -> Files:
    names = [f"images/{i:04d}.png" for i in range(FRAMES)]
    files: dict[str, bytes] = {name: image() for name in names}
    frames = [
        {"file_path": n, "transform_matrix": (_pose(i) @ np.diag([1.0, -1, -1, 1])).tolist()}
        for i, n in enumerate(names)
    ]
    shared: dict[str, object] = {"w": WIDTH, "h": HEIGHT, "fl_x": 30.5, "cx": 16, "cy": 12.0}
    match number:
        case 0:
            files["transforms.json"] = json.dumps({**shared, "frames": frames}).encode()
        case 1:
            lens = {"camera_angle_x": 0.9, "camera_model": "OPENCV", "k1": 0.01, "p1": 0.001}
            split = {"train_filenames": names[:7], "test_filenames": names[7:]}
            top = {**lens, **split, "applied_transform": np.eye(4)[:3].tolist(), "frames": frames}
            files["transforms.json"] = json.dumps(top).encode()
        case _:
            for i, frame in enumerate(frames):
                frame |= {**shared, "camera_model": "OPENCV_FISHEYE", "k1": 0.01 * i}
                frame["depth_file_path"] = f"depth/{i:04d}.png"
                files[f"depth/{i:04d}.png"] = depth()
            files["transforms_train.json"] = json.dumps({"frames": frames[:7]}).encode()
            files["transforms_test.json"] = json.dumps({"frames": frames[7:]}).encode()
    return files


def _colmap_text(number: int) -> Files:
    files: dict[str, bytes] = {f"images/{i:04d}.png": image() for i in range(FRAMES)}
    camera = "1 OPENCV 32 24 30 30 16 12 0.1 0 0 0" if number else "1 SIMPLE_PINHOLE 32 24 30 16 12"
    rows = [
        f"{i + 1} {' '.join(map(repr, _wxyz(i)))} 1 {i:04d}.png\n16.5 12.5 {i + 1} 3.5 4.5 -1"
        for i in range(FRAMES)
    ]
    # Few, so that each of their numbers gets its turn.
    points = [f"{i + 1} 0.5 {i} 0.25 10 20 30 0.5 {i + 1} 0" for i in range(2)]
    files["sparse/0/cameras.txt"] = f"# cameras\n{camera}\n".encode()
    files["sparse/0/images.txt"] = ("# images\n" + "\n".join(rows) + "\n").encode()
    files["sparse/0/points3D.txt"] = ("# points\n" + "\n".join(points) + "\n").encode()
    return {**files, **(_lists("") if number == 2 else {})}


def _colmap_binary(number: int) -> Files:
    files: dict[str, bytes] = {f"images/{i:04d}.png": image() for i in range(FRAMES)}
    model, params = ((4, (30, 30, 16, 12, 0.1, 0, 0, 0)), (1, (30, 30, 16, 12)))[number]
    cameras = struct.pack("<QIiQQ", 1, 1, model, WIDTH, HEIGHT)
    files["sparse/0/cameras.bin"] = cameras + struct.pack(f"<{len(params)}d", *params)
    images, points = struct.pack("<Q", FRAMES), struct.pack("<Q", FRAMES)
    for i in range(FRAMES):
        images += struct.pack("<I7dI", i + 1, *_wxyz(i), 1) + f"{i:04d}.png".encode() + b"\0"
        images += struct.pack("<Q", 2) + struct.pack("<ddqddq", 16.5, 12.5, i + 1, 3, 4, -1)
        points += struct.pack("<Q3d3BdQ", i + 1, 0.5, i, 0.25, 10, 20, 30, 0.5, 1)
        points += struct.pack("<II", i + 1, 0)
    files["sparse/0/images.bin"] = images
    files["sparse/0/points3D.bin"] = points
    return files


def shown(scene: Scene) -> None:
    """What ``reloc info`` and the first steps of a mapping do with a scene."""
    json_text(asdict(summarize(scene)))
    for frame in (*scene.mapping[:1], *scene.queries[:1]):
        read_image(frame.image, gray=True)
        corners = [(0.5, 0.5), (frame.camera.width - 0.5, frame.camera.height - 0.5)]
        frame.camera.pixels(frame.camera.rays(corners))
        frame.camera.ray_bounds()
        if frame.depth is not None:
            read_depth_map(frame.depth)
    check_mappable(scene)


def _opened(layout: str, **options: Path) -> Callable[[Path], Scene]:
    return lambda folder: open_scene(folder, layout=layout, **options)


def _with_pose_set(layout: str) -> Callable[[Path], Scene]:
    return _opened(layout, poses=Path("poses_sfm.txt"), query=Path("query.txt"))


def _points(folder: Path) -> None:
    read_points(folder / "sparse/0")
    points_seen(Model(folder / "sparse/0", {f"{n:04d}.png": f"{n:04d}" for n in range(FRAMES)}))


def _info(folder: Path) -> None:
    command("info", folder)
    command("info", folder, "--json")


def _scene(layout: str, seeds: Callable[[int], Files], count: int, pattern: str = "*") -> Target:
    return Target(f"scene-{layout}", seeds, count, _opened(layout), shown, pattern)


TARGETS: tuple[Target, ...] = (
    _scene("ace", _ace, 3, "t*.txt"),
    _scene("7scenes", _seven, 2),
    _scene("12scenes", _twelve, 2, "*.txt"),
    _scene("cambridge", _cambridge, 1, "*.[tn]*"),
    _scene("tum", _tum, 2, "*.txt"),
    _scene("transforms", _transforms, 3, "*.json"),
    _scene("colmap", _colmap_text, 2, "sparse*"),
    Target("scene-colmap-binary", _colmap_binary, 2, _opened("colmap"), shown, "sparse*"),
    Target("colmap-points", _colmap_text, 2, _points, pattern="sparse*"),
    Target("colmap-points-binary", _colmap_binary, 2, _points, pattern="sparse*"),
    Target("scene-lists", lambda _: _ace(2), 1, _with_pose_set("ace"), shown, "[qp]*.txt"),
    Target("cli-info", _transforms, 2, _info, pattern="*.json", share=0.4),
)

"""Recordings of ROS 1 and 2 (.bag, .mcap, .db3): images, lenses and transforms of their messages.

A recording is written once as a session of the layout ``lamar`` beside itself, which is metric and
has a camera and a pose for each image.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from reloc.errors import SceneError
from reloc.geometry import pose_from, quaternion_from_rotation, rotation_from_quaternion
from reloc.images.files import MAX_PIXELS, encoded_image
from reloc.scenes.derived import derived_folder
from reloc.scenes.found_poses import FoundPose
from reloc.scenes.frame_tree import FrameTree
from reloc.scenes.scene import Array
from reloc.scenes.trajectory import Trajectory
from reloc.scenes.video_frames import stretches_of

LAYOUT = "rosbag"

_FILES = (".bag", ".mcap", ".db3")
_INFO, _IMAGE, _COMPRESSED, _ODOMETRY, _TRANSFORMS = (
    f"{package}/msg/{name}"
    for package, name in (
        ("sensor_msgs", "CameraInfo"),
        ("sensor_msgs", "Image"),
        ("sensor_msgs", "CompressedImage"),
        ("nav_msgs", "Odometry"),
        ("tf2_msgs", "TFMessage"),
    )
)
_OLD_TRANSFORMS = "tf/msg/tfMessage"
_SIGNATURES = ((b"\xff\xd8", ".jpg"), (b"\x89PNG", ".png"))
# Channels of the encodings that are pictures, and whether blue comes first.
_ENCODINGS = {
    "mono8": (1, False), "8UC1": (1, False), "rgb8": (3, False), "bgr8": (3, True),
    "rgba8": (4, False), "bgra8": (4, True), "8UC3": (3, True),
}  # fmt: skip
# Lenses: the name of their distortion, COLMAP's model, and how many coefficients that takes.
_LENSES = {
    "plumb_bob": ("FULL_OPENCV", 8), "rational_polynomial": ("FULL_OPENCV", 8),
    "equidistant": ("OPENCV_FISHEYE", 4), "fisheye": ("OPENCV_FISHEYE", 4),
    "kannala_brandt4": ("OPENCV_FISHEYE", 4),
}  # fmt: skip


def matches(path: Path) -> bool:
    """Whether a path is a recording of ROS: a file, or a folder as ROS 2 writes it."""
    if path.is_file():
        return path.suffix.lower() in _FILES
    files = path.iterdir() if (path / "metadata.yaml").is_file() else iter(())
    return any(file.suffix.lower() in _FILES[1:] for file in files)


def folder(bag: Path) -> Path:
    """The folder of a session, of layout ``lamar``, that holds what a recording shows.

    Raises:
        SceneError: the package ``rosbags`` is missing, or the recording is damaged or has no
            images.
    """
    return derived_folder(
        bag if bag.is_file() else bag / "session",
        lambda target: _write(bag, target),
        sources=[bag if bag.is_file() else bag / "metadata.yaml"],
    )


@dataclass
class _Found:
    """What the messages say beside the images.

    Attributes:
        lenses: camera parameters, as a line of sensors.txt has them, by the topic of the lens.
        frames: name of the frame of each lens.
        images: topic, frame and nanoseconds of each image.
        fixed: see ``FrameTree``.
        moving: parent and rows for a ``Trajectory`` by child.
    """

    lenses: dict[str, str] = field(default_factory=dict)
    rectified: dict[str, str] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)
    images: list[tuple[str, str, int]] = field(default_factory=list)
    fixed: dict[str, tuple[str, Array]] = field(default_factory=dict)
    moving: dict[str, tuple[str, list[Any]]] = field(default_factory=dict)


@contextmanager
def _opened(bag: Path) -> Iterator[Any]:
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise SceneError(
            f"{bag}: a recording of ROS is read by the package rosbags; pip install 'reloc[ros]'"
        ) from error
    try:
        store = get_typestore(Stores.ROS2_HUMBLE)
        with AnyReader([bag], default_typestore=store) as reader:
            yield reader
    except (SceneError, OSError):
        raise
    except Exception as error:  # whatever the package raises on damage
        raise SceneError(
            f"{bag}: the recording is damaged or cut short ({type(error).__name__}); record or "
            "copy it again"
        ) from error


def _write(bag: Path, target: Path) -> None:
    with _opened(bag) as reader:
        found = _found(reader)
        if not found.images:
            raise SceneError(f"{bag}: holds no images (sensor_msgs/Image or CompressedImage)")
        chosen = _chosen(found)
        rows = {"images.txt": list[str](), "trajectories.txt": list[str]()}
        topics = [c for c in reader.connections if c.msgtype in (_IMAGE, _COMPRESSED)]
        for connection, _, raw in reader.messages(connections=topics):
            message = reader.deserialize(raw, connection.msgtype)
            key = connection.topic, _nanoseconds(message)
            picture = _picture(message) if key in chosen else None
            if picture is None:
                continue
            suffix, content = picture
            name = f"{_plain(connection.topic)}/{key[1]}{suffix}"
            path = target / "raw_data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            time = key[1] // 1000
            rows["images.txt"].append(f"{time}, {connection.topic}, {name}")
            pose = chosen[key][0]
            if pose is not None:
                values = [*quaternion_from_rotation(pose[:3, :3]), *pose[:3, 3]]
                row = ", ".join(repr(float(value)) for value in values)
                rows["trajectories.txt"].append(f"{time}, {connection.topic}, {row}")
    cameras = sorted({topic for topic, _ in chosen})
    rows["sensors.txt"] = [f"{topic}, , camera, {_lens_of(topic, found)}" for topic in cameras]
    for name, listed in rows.items():
        (target / name).write_text("\n".join(listed) + "\n", encoding="utf-8")


def _found(reader: Any) -> _Found:
    found = _Found()
    odometry = list[Any]()
    for connection, _, raw in reader.messages():
        kind = connection.msgtype
        if kind not in (_INFO, _IMAGE, _COMPRESSED, _ODOMETRY, _TRANSFORMS, _OLD_TRANSFORMS):
            continue
        message = reader.deserialize(raw, kind)
        if kind == _INFO and connection.topic not in found.lenses:
            found.lenses[connection.topic] = _lens(message, rectified=False)
            found.rectified[connection.topic] = _lens(message, rectified=True)
            found.frames[connection.topic] = message.header.frame_id
        elif kind in (_IMAGE, _COMPRESSED) and "depth" not in connection.topic:
            if kind == _COMPRESSED or message.encoding in _ENCODINGS:
                frame = message.header.frame_id
                found.images.append((connection.topic, frame, _nanoseconds(message)))
        elif kind == _ODOMETRY:
            odometry.append(message)
        elif kind in (_TRANSFORMS, _OLD_TRANSFORMS):
            for transform in message.transforms:
                _add(found, transform, fixed="static" in connection.topic)
    # Odometry is one more transform, unless tf has the frame already.
    known = {*found.fixed, *found.moving}
    for message in odometry:
        child, parent = _frame(message.child_frame_id), _frame(message.header.frame_id)
        if child and child not in known:
            at = message.pose.pose
            row = _row(_nanoseconds(message), at.position, at.orientation)
            found.moving.setdefault(child, (parent, []))[1].append(row)
    return found


def _add(found: _Found, transform: Any, *, fixed: bool) -> None:
    child, parent = _frame(transform.child_frame_id), _frame(transform.header.frame_id)
    time = _nanoseconds(transform)
    row = _row(time, transform.transform.translation, transform.transform.rotation)
    if fixed:
        found.fixed[child] = parent, pose_from(rotation_from_quaternion(row[2]), row[1])
    else:
        found.moving.setdefault(child, (parent, []))[1].append(row)


def _row(time: int, t: Any, q: Any) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    return time * 1e-9, (t.x, t.y, t.z), (q.w, q.x, q.y, q.z)


def _frame(name: str) -> str:
    return name.lstrip("/")


def _nanoseconds(message: Any) -> int:
    stamp = message.header.stamp
    return int(stamp.sec) * 10**9 + int(stamp.nanosec)


def _chosen(found: _Found) -> Mapping[tuple[str, int], FoundPose]:
    """The images that are kept, by topic and time: one of each stretch of each camera's way."""
    tree = FrameTree(
        found.fixed,
        {child: (parent, Trajectory(rows)) for child, (parent, rows) in found.moving.items()},
    )
    by_topic: dict[str, list[tuple[int, str]]] = {}
    for topic, frame, time in sorted(set(found.images), key=lambda image: image[2]):
        by_topic.setdefault(topic, []).append((time, _frame(frame)))
    world = tree.world((frame, time * 1e-9) for at in by_topic.values() for time, frame in at)
    chosen: dict[tuple[str, int], FoundPose] = {}
    for topic, listed in by_topic.items():
        poses = [tree.pose(frame, time * 1e-9) for time, frame in listed]
        of_world = [pose if top == world else (None, pose[1]) for pose, top in poses]
        stretches = stretches_of(of_world)
        # One image of a camera without poses, so that there is something to say of it.
        for at in [stretch[len(stretch) // 2] for stretch in stretches] or [0]:
            chosen[topic, listed[at][0]] = of_world[at]
    return chosen


def _picture(message: Any) -> tuple[str, bytes] | None:
    """Suffix and content of the file of an image; None for one that is none."""
    data = bytes(message.data)
    encoding = getattr(message, "encoding", None)
    if encoding is None:
        suffix = next((s for magic, s in _SIGNATURES if data.startswith(magic)), None)
        return None if suffix is None else (suffix, data)
    channels, blue_first = _ENCODINGS[encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    sound = 0 < height * width <= MAX_PIXELS and step >= width * channels
    if not sound or len(data) < step * height:
        return None
    rows = np.frombuffer(data, np.uint8, step * height).reshape(height, step)
    pixels = rows[:, : width * channels].reshape(height, width, channels)
    if channels == 1:
        return ".png", encoded_image(pixels[:, :, 0], ".png")
    colors = pixels[:, :, 2::-1] if blue_first else pixels[:, :, :3]
    return ".jpg", encoded_image(np.ascontiguousarray(colors), ".jpg")


def _lens_of(topic: str, found: _Found) -> str:
    """The parameters of the lens of an image: that beside its topic, else that of its frame."""
    lenses = found.rectified if "rect" in topic.rpartition("/")[2] else found.lenses
    spot = topic.removesuffix("/compressed").rpartition("/")[0]
    frames = {frame for at, frame, _ in found.images if at == topic}
    beside = [info for info in lenses if info.rpartition("/")[0] == spot]
    alike = [info for info in lenses if found.frames[info] in frames]
    chosen = (beside or alike)[:1]
    return lenses[chosen[0]] if chosen else "UNKNOWN_CAMERA, 1, 1"


def _lens(message: Any, *, rectified: bool) -> str:
    """Model, size and parameters; the first pixel's centre is at 0 there and at 0.5 here."""
    size = [str(int(message.width)), str(int(message.height))]
    if rectified:
        p = _list(message, "p")
        params = [p[0], p[5], p[2] + 0.5, p[6] + 0.5]
        return ", ".join(["PINHOLE", *size, *map(repr, params)])
    k, d = _list(message, "k"), _list(message, "d")
    pinhole = [k[0], k[4], k[2] + 0.5, k[5] + 0.5]
    if not any(d):
        return ", ".join(["PINHOLE", *size, *map(repr, pinhole)])
    model, count = _LENSES.get(message.distortion_model, ("UNKNOWN_CAMERA", 0))
    if len(d) > count:
        model, count = "UNKNOWN_CAMERA", len(d)
    return ", ".join([model, *size, *map(repr, [*pinhole, *d, *[0.0] * (count - len(d))])])


def _list(message: Any, name: str) -> list[float]:
    """Numbers of a field whose name is in upper case in ROS 1."""
    values = getattr(message, name, None)
    values = getattr(message, name.upper()) if values is None else values
    return [float(value) for value in values]


def _plain(topic: str) -> str:
    """A topic as the name of a folder."""
    return re.sub(r"[^A-Za-z0-9]+", "_", topic).strip("_") or "images"

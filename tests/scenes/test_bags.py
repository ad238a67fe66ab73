"""Recordings of ROS, with images in a tree of frames that move."""

import sys

import numpy as np
import pytest

from reloc.errors import SceneError
from reloc.scenes import open_scene
from tests.scenes.layouts.programs import CAM_FROM_BODY
from tests.scenes.layouts.walks import hold, wxyz

MAP_FROM_ODOM = np.linalg.inv(CAM_FROM_BODY)
START = 1_700_000_000


@pytest.fixture
def record(walk, tmp_path):
    """Writes the walk as a recording of a kind; gives its path."""
    rosbags = pytest.importorskip("rosbags", reason="the package rosbags is not there")
    from rosbags.rosbag1 import Writer as Writer1
    from rosbags.rosbag2 import StoragePlugin
    from rosbags.rosbag2 import Writer as Writer2
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    assert rosbags

    def written(kind, *, compressed=False, lens=True, static=True):
        first = kind == "bag"
        store = get_typestore(Stores.ROS1_NOETIC if first else Stores.ROS2_HUMBLE)
        if first:
            definition = "geometry_msgs/TransformStamped[] transforms"
            store.register(get_types_from_msg(definition, "tf2_msgs/msg/TFMessage"))
        t = store.types
        stamp, header = t["builtin_interfaces/msg/Time"], t["std_msgs/msg/Header"]

        def head(nanoseconds, frame):
            at = stamp(sec=nanoseconds // 10**9, nanosec=nanoseconds % 10**9)
            extra = {"seq": 0} if first else {}
            return header(stamp=at, frame_id=frame, **extra)

        def transform(nanoseconds, parent, child, pose):
            w, x, y, z = wxyz(pose)
            return t["geometry_msgs/msg/TransformStamped"](
                header=head(nanoseconds, parent),
                child_frame_id=child,
                transform=t["geometry_msgs/msg/Transform"](
                    translation=t["geometry_msgs/msg/Vector3"](*map(float, pose[:3, 3])),
                    rotation=t["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
                ),
            )

        def info(nanoseconds):
            fx, fy, cx, cy = walk.camera.params
            k = np.array([fx, 0, cx - 0.5, 0, fy, cy - 0.5, 0, 0, 1])
            roi = t["sensor_msgs/msg/RegionOfInterest"](0, 0, 0, 0, False)
            fields = {"D": np.zeros(5), "K": k, "R": np.eye(3).ravel(), "P": np.zeros(12)}
            return t["sensor_msgs/msg/CameraInfo"](
                header=head(nanoseconds, "camera_optical"),
                height=walk.camera.height,
                width=walk.camera.width,
                distortion_model="plumb_bob",
                binning_x=0,
                binning_y=0,
                roi=roi,
                **{name if first else name.lower(): value for name, value in fields.items()},
            )

        def image(nanoseconds, number):
            top = head(nanoseconds, "camera_optical")
            if compressed:
                data = np.frombuffer(walk.image(number, ".jpg"), np.uint8)
                return t["sensor_msgs/msg/CompressedImage"](top, format="jpeg", data=data)
            height, width = walk.images[number].shape[:2]
            # Rows are padded, as some drivers do.
            rows = np.zeros((height, 3 * width + 10), np.uint8)
            rows[:, : 3 * width] = walk.images[number][:, :, ::-1].reshape(height, -1)
            return t["sensor_msgs/msg/Image"](
                header=top, height=height, width=width, encoding="bgr8", is_bigendian=0,
                step=rows.shape[1], data=rows.ravel(),
            )  # fmt: skip

        path = tmp_path / ("walk.bag" if first else "walk")
        writer = (
            Writer1(path)
            if first
            else Writer2(
                path,
                version=9,
                storage_plugin=StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3,
            )
        )
        serialize = store.serialize_ros1 if first else store.serialize_cdr
        with writer as bag:
            connections = {}

            def send(topic, message, nanoseconds):
                kind = message.__msgtype__
                if topic not in connections:
                    connections[topic] = bag.add_connection(topic, kind, typestore=store)
                bag.write(connections[topic], nanoseconds, serialize(message, kind))

            transforms = t["tf2_msgs/msg/TFMessage"]
            begin = START * 10**9
            if static:
                body_from_cam = np.linalg.inv(CAM_FROM_BODY)
                fixed = [
                    transform(begin, "base", "camera_optical", body_from_cam),
                    transform(begin, "map", "odom", MAP_FROM_ODOM),
                ]
                send("/tf_static", transforms(fixed), begin)
            for number in range(len(walk)):
                now = begin + round(walk.times[number] * 1e9)
                pose = np.linalg.inv(MAP_FROM_ODOM) @ walk.poses[number] @ CAM_FROM_BODY
                for late in (-5_000_000, 5_000_000):
                    moved = transform(now + late, "odom", "base", pose)
                    send("/tf", transforms([moved]), now + late)
                if lens:
                    send("/front/camera_info", info(now), now)
                topic = "/front/image_raw" + ("/compressed" if compressed else "")
                send(topic, image(now, number), now)
        return path

    return written


@pytest.mark.parametrize("kind", ["bag", "mcap", "sqlite"])
@pytest.mark.parametrize("compressed", [False, True])
def test_images_where_tf_has_them(walk, record, kind, compressed):
    path = record(kind, compressed=compressed)
    for _ in range(2):
        scene = open_scene(path)
        assert (scene.layout, scene.unit, scene.name) == ("rosbag", "metre", "walk")
        hold(walk, scene)
    assert scene.mapping[1].time - scene.mapping[0].time == pytest.approx(0.2, abs=1e-5)


def test_a_file_of_ros_2_alone(walk, record):
    (file,) = record("mcap").glob("*.mcap")
    hold(walk, open_scene(file))


def test_what_is_missing_is_said(record):
    with pytest.raises(SceneError, match="no intrinsics"):
        open_scene(record("bag", lens=False))


def test_a_camera_that_nothing_leads_to(record):
    with pytest.raises(SceneError, match=r"no pose in trajectories\.txt"):
        open_scene(record("bag", static=False))


def test_recordings_that_are_cut_short(record):
    path = record("bag")
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(SceneError, match=r"walk\.bag: the recording is damaged or cut short"):
        open_scene(path)


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rosbags.highlevel", None)
    (tmp_path / "a.bag").write_bytes(b"#ROSBAG V2.0\n")
    with pytest.raises(SceneError, match=r"a\.bag: .*pip install 'reloc\[ros\]'"):
        open_scene(tmp_path / "a.bag")

"""Values that no scene has, in every place of every format: an answer or one line, never more."""

import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reloc.errors import RelocError
from reloc.files import json_text
from reloc.geometry import inverted, quaternion_from_rotation
from reloc.scenes import open_scene, read_points
from reloc.scenes.colmap import points_seen
from reloc.scenes.summary import summarize

WORDS = (
    "inf",
    "nan",
    "-1",
    "0",
    "9" * 400,
    "9" * 5000,
    str(2**63),
    "1.5",
    "x",
    "a\0b",
    "\u0663",
)


def _posed(place, number):
    pose = inverted(place.pose(number))
    return " ".join(map(str, [*quaternion_from_rotation(pose[:3, :3]), *pose[:3, 3]]))


def _ace(place, root):
    place.image(root / "train/rgb/0.png")
    yield place.text(root / "train/poses/0.txt", place.pose(0))
    yield place.text(root / "train/calibration/0.txt", np.diag([70.0, 70, 1]))


def _seven(place, root):
    place.image(root / "seq-01/frame-000000.color.png")
    yield place.text(root / "seq-01/frame-000000.pose.txt", place.pose(0))
    yield place.text(root / "TrainSplit.txt", "sequence1\n")


def _twelve(place, root):
    place.image(root / "data/frame-000000.color.jpg", 128, 96)
    yield place.text(root / "data/frame-000000.pose.txt", place.pose(0))
    yield place.text(root / "split.txt", "sequence0 [frames=1]  [start=0 ; end=0]\n")
    matrix = " ".join(map(str, np.diag([70.0, 70, 1, 1]).ravel()))
    lines = ["m_colorWidth = 128", "m_colorHeight = 96", "m_depthShift = 1000"]
    yield place.text(
        root / "info.txt", "\n".join([*lines, f"m_calibrationColorIntrinsic = {matrix}"])
    )


def _cambridge(place, root):
    place.image(root / "seq1/0.png", 192, 108)
    yield place.text(root / "dataset_train.txt", "a\nb\n\nseq1/0.png 1 2 3 1 0 0 0\n")
    yield place.text(root / "reconstruction.nvm", "NVM_V3\n\n1\nseq1/0.jpg\t1600 1 0 0 0 0 0 0\n")


def _tum(place, root):
    place.image(root / "rgb/1.png")
    place.depth(root / "depth/1.png")
    yield place.text(root / "rgb.txt", "1.0 rgb/1.png\n")
    yield place.text(root / "depth.txt", "1.0 depth/1.png\n")
    yield place.text(root / "groundtruth.txt", "0.99 0 0 0 0 0 0 1\n1.01 0 0 0 0 0 0 1\n")
    yield place.text(root / "calibration.txt", "70 70 32 24 0 0 0 0 0\n")


def _colmap(place, root):
    place.image(root / "images/0.png")
    yield place.text(root / "sparse/0/cameras.txt", "1 RADIAL 64 48 70 32 24 0.1 0.01\n")
    yield place.text(
        root / "sparse/0/images.txt", f"1 {_posed(place, 0)} 1 0.png\n20.5 30.5 7 21.5 31.5 -1\n"
    )
    yield place.text(root / "sparse/0/points3D.txt", "7 0.1 0.2 0.3 10 20 30 0.5 1 0\n")


def _poses(place, root):
    list(_colmap(place, root))
    yield place.text(root / "set.txt", f"0.png {_posed(place, 0)} 70 500\n")


LAYOUTS = (_ace, _seven, _twelve, _cambridge, _tum, _colmap, _poses)


def _told(root: Path) -> str | None:
    """Reads all of a scene that can be read, and says what was wrong."""
    try:
        scene = open_scene(root, poses=root / "set.txt" if (root / "set.txt").exists() else None)
        json_text(summarize(scene).__dict__ | {"cameras": (), "skipped": ()})
        if scene.model is not None:
            read_points(scene.model.folder)
            points_seen(scene.model)
    except RelocError as error:
        return str(error)
    return None


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_value_in_any_place_of_a_text_file(tmp_path, place, layout):
    files = list(layout(place, tmp_path))
    assert _told(tmp_path) is None
    for file in files:
        text = file.read_text()
        # The numbers of a matrix are all alike.
        for match in list(re.finditer(r"\S+", text))[:10]:
            for word in WORDS:
                file.write_text(text[: match.start()] + word + text[match.end() :])
                message = _told(tmp_path)
                if message is not None:
                    assert "\n" not in message and str(tmp_path) in message, message
                    assert len(message) < 1000, message
        file.write_text(text)


@pytest.mark.parametrize("identity", [2**63, 2**64 - 1, -(2**63) - 1, 10**30])
def test_impossible_ids_of_points_name_their_line(tmp_path, place, identity):
    *_, file = _colmap(place, tmp_path)
    place.text(file, f"# points\n{identity} 0.1 0.2 0.3 10 20 30 0.5\n")
    with pytest.raises(RelocError, match=r"points3D\.txt:2"):
        read_points(file.parent)
    images = tmp_path / "sparse/0/images.txt"
    images.write_text(images.read_text().replace(" 7 ", f" {identity} "))
    with pytest.raises(RelocError, match=r"images\.txt:1|points3D\.txt:2"):
        points_seen(open_scene(tmp_path).model)


DEEP: list[Any] = []
for _ in range(900):
    DEEP = [DEEP]
VALUES: tuple[Any, ...] = (
    float("inf"),
    float("nan"),
    10**400,
    -1,
    0,
    True,
    "70",
    "\ud800",
    "a\0b",
    None,
    [],
    {},
    [[[]]],
    DEEP,
)


def _id(value: Any) -> str:
    return "deep" if value is DEEP else str(value)[:8].encode("unicode_escape").decode()


@pytest.mark.slow
@pytest.mark.parametrize("value", VALUES, ids=_id)
def test_any_value_in_any_field_of_transforms_json(tmp_path, place, value):
    place.image(tmp_path / "images/0.png")
    place.depth(tmp_path / "depth/0.png")
    common = {
        "w": 64,
        "h": 48,
        "fl_x": 70,
        "fl_y": 70,
        "cx": 32,
        "cy": 24,
        "k1": 0.1,
        "k2": 0,
        "p1": 0,
        "p2": 0,
        "k3": 0,
        "k4": 0,
        "camera_angle_x": 0.5,
        "camera_angle_y": 0.5,
        "camera_model": "OPENCV",
        "is_fisheye": False,
        "equirectangular": False,
        "applied_transform": [],
        "depth_unit_scale_factor": 0.001,
        "train_filenames": ["images/0.png"],
        "test_filenames": [],
    }
    matrix = place.pose(0).tolist()
    entry = {"file_path": "images/0.png", "transform_matrix": matrix, "mask_path": "m.png"}
    entry["depth_file_path"] = "depth/0.png"
    path = tmp_path / "transforms.json"
    for field in (*common, *entry, "frames"):
        for where in ("top", "entry"):
            frame = {**entry, field: value} if where == "entry" else entry
            top = {**common, "frames": [frame]}
            path.write_text(json.dumps({**top, field: value} if where == "top" else top))
            message = _told(tmp_path)
            assert message is None or ("\n" not in message and len(message) < 1000), message


def test_numbers_that_are_no_numbers_do_not_make_a_pose(tmp_path, place):
    place.image(tmp_path / "images/0.png")
    matrix = np.eye(4).astype(int).tolist()
    for bad in ("1", True, None, [1], 10**400):
        matrix[0][0] = bad
        entry = {"file_path": "images/0.png", "transform_matrix": matrix, "fl_x": 70}
        (tmp_path / "transforms.json").write_text(json.dumps({"frames": [entry]}))
        with pytest.raises(RelocError, match="transform_matrix"):
            open_scene(tmp_path)


def _binary(place, root, **fields):
    place.image(root / "images/0.png")
    put: dict[str, Any] = {
        "camera": 1,
        "model": 1,
        "w": 64,
        "h": 48,
        "f": 70.0,
        "q": 1.0,
        "t": 0.0,
        "id": 7,
    }
    put |= {"name": b"0.png", "cameras": 1, "images": 1, "points": 1, "seen": 1, "track": 0}
    put |= {"x": 0.5} | fields
    folder = root / "sparse/0"
    folder.mkdir(parents=True)
    (folder / "cameras.bin").write_bytes(
        struct.pack("<QIiQQ", put["cameras"], put["camera"], put["model"], put["w"], put["h"])
        + struct.pack("<4d", put["f"], put["f"], 32, 24)
    )
    (folder / "images.bin").write_bytes(
        struct.pack("<QI4d3dI", put["images"], 1, put["q"], 0, 0, 0, put["t"], 0, 0, put["camera"])
        + put["name"]
        + struct.pack("<BQ2dQ", 0, put["seen"], 1, 2, put["id"])
    )
    (folder / "points3D.bin").write_bytes(
        struct.pack("<QQ3d3BdQ", put["points"], put["id"], put["x"], 0, 0, 1, 2, 3, 0, put["track"])
    )
    return root


HUGE = (2**31 - 1, 2**63, 2**64 - 1)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        *({key: float(v)} for key in "fqtx" for v in ("inf", "nan", "-1", "1e308")),
        *({key: value} for key in ("w", "h", "id", "seen", "track") for value in HUGE),
        *({key: value} for key in ("cameras", "images", "points") for value in (0, *HUGE)),
        *({"model": value} for value in (-1, 17, 99, 2**31 - 1)),
        {"camera": 2**32 - 1},
        *(
            {"name": name}
            for name in (b"", b".", b"..", b"/", b"../x", b"a" * 4000, b"\\", b"C:\\")
        ),
    ],
)
def test_any_value_in_a_binary_model(tmp_path, place, fields):
    message = _told(_binary(place, tmp_path, **fields))
    assert message is None or ("\n" not in message and str(tmp_path) in message)

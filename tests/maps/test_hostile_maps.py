"""Maps made to harm, with the right digest: refused on loading, before memory is taken."""

import json
import struct
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.backbone.weights import shipped_path
from reloc.errors import MapError
from reloc.geometry import Camera, look_at
from reloc.heads import MlpHead, RidgeHead
from reloc.maps.compress import compressed
from reloc.maps.held_back import HeldBack
from reloc.maps.scene_map import MAX_SHORT_SIDE, MappingCamera, Region, SceneMap
from reloc.tensor_files import MAX_HEADER, write_tensors

CAMERA = Camera.pinhole(width=640, height=480, fx=500)


def made_map(**changes):
    torch.manual_seed(0)
    given = {
        "regions": (
            Region(MlpHead(channels=6, width=32, blocks=1, scale=2.5), np.array([1.0, 2, 3])),
            Region(RidgeHead(channels=6, anchors=16), np.zeros(3), (0, 1)),
        ),
        "backbone": "0123456789abcdef",
        "short_side": 480,
        "extent": 7.5,
        "unit": "metre",
        "cameras": tuple(
            MappingCamera(f"{n}.jpg", look_at((n, 2, 1), (0.5, 0, 0)), CAMERA) for n in range(3)
        ),
        "info": {"scene": "attic", "seconds": {"training": 1.5}, "steps": 10},
        "held_back": HeldBack("held back", (None,), (None,)),
        "alignment": Alignment(Similarity(), "as given", None, Geodetic(1, 2, 3), 0.5),
        **changes,
    }
    return SceneMap(**given)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "map"
    made_map().save(path)
    return path


def rewritten(path, change, *, write=write_tensors):
    """The file after ``change`` has had header and tensors; it may return the text of a header."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    header, tensors = json.loads(metadata["reloc"]), load_file(path)
    text = change(header, tensors)
    write(path, tensors, {**metadata, "reloc": json.dumps(header) if text is None else text})
    return path


def refused(path):
    with pytest.raises(MapError) as caught:
        SceneMap.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert message.isprintable()
    assert len(message) < 300
    return message


def at(*keys, value):
    """A change of one entry of the header."""

    def change(header, tensors):
        place = header
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value

    return change


def nested(depth):
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def wrong(keys: tuple[str | int, ...], values: Iterable[Any]) -> list[tuple[Any, Any]]:
    return [(keys, value) for value in values]


def held_back(
    way: str = "held back", errors: Any = (None,), by_heads: Any = (None,)
) -> dict[str, Any]:
    return {"way": way, "errors": list(errors), "by_heads": list(by_heads)}


WRONG_INTEGERS = [True, 1.5, "3", -1, 10**30, None, [1]]
ENTRIES: list[tuple[tuple[str | int, ...], Any]] = [
    *wrong(("short_side",), (*WRONG_INTEGERS, 480.0, MAX_SHORT_SIDE + 1)),
    *wrong(("heads", 0, "channels"), (*WRONG_INTEGERS, 6.0, 7)),
    *wrong(("heads", 0, "width"), WRONG_INTEGERS),
    *wrong(("heads", 0, "blocks"), WRONG_INTEGERS),
    *wrong(("heads", 1, "anchors"), WRONG_INTEGERS),
    *wrong(("heads", 1, "neighbours"), (*WRONG_INTEGERS, 17)),
    *wrong(("heads", 0, "bits"), (True, 4.0, "4")),
    *wrong(("heads", 0, "scale"), (True, "2", 0, -1, 1e-40, 1e39, 10**40, None)),
    *wrong(("heads", 1, "frames"), ([-1], [True], [1.0], ["1"], [3], "01", {}, [0] * 9999)),
    *wrong(("camera_of_frame", 0), (-1, True, 0.0, "0", 1, None)),
    *wrong(("extent",), (True, "7", -1, 1e300, 10**400, None)),
    *wrong(("reliability",), (True, "1", 2, None)),
    *wrong(("held_back",), ([], {}, 7, {"way": "held back", "errors": [], "by_heads": []})),
    *wrong(("held_back",), (held_back("guessed"), held_back(errors=[None, None]))),
    *wrong(("held_back",), (held_back(errors=[None] * 65, by_heads=[None] * 65),)),
    *wrong(
        ("held_back", "errors", 0), ([-1, 0], [1, 181], [1e300, 1], ["1", 2], [1], [1, 2, 3], 7)
    ),
    *wrong(("alignment",), ({}, [], 7, True)),
    *wrong(("alignment", "scale"), (True, "1", 0, -1, 1e300, None)),
    *wrong(("alignment", "rotation"), ([[1, 0, 0]], [[1, 0, 0], [0, 1, 0], [0, 0, -1]], nested(3))),
    *wrong(("alignment", "rotation", 0), ([2, 0, 0], [1, 0], [True, 0, 0], ["1", 0, 0], 7)),
    *wrong(("alignment", "translation"), ([0, 0], [0, 0, 1e300], None, ["0", 0, 0])),
    *wrong(("alignment", "origin"), ([91, 0, 0], [0, 181, 0], [0, 0, 1e9], [0, 0], 7)),
    *wrong(("alignment", "up_by"), (True, 7, "a\nb", ["given"])),
    *wrong(("alignment", "deviation"), (True, "1", -1, 1e300)),
    *wrong(("unit",), ("foot", None, 1, ["metre"])),
    *wrong(("backbone",), (7, None, "a\nb", "f" * 10**6)),
    *wrong(("frame_names", 0), (7, None, "a\x1b[2J", "a\nb", "\ud800", "n" * 10**6)),
    *wrong(("own_backbone",), ({}, 7, {"channels": True, "width": 8})),
    (("own_backbone",), {"channels": 10**6, "width": 10**6}),
    *wrong(("camera_models", 0, 1), (True, 640.0, "640", 0, -640, 10**5 + 1)),
    *wrong(("camera_models", 0), (["PINHOLE", 10**5, 10**5, [500, 500, 3, 2]], [], 7)),
    *wrong(("camera_models", 0, 3, 0), (True, "500", 1e300, -500, None)),
    *wrong(("info",), (None, 7, [], {"notes": nested(900)}, {"notes": "x" * (2 << 20)})),
    (("info",), {"notes": [0] * (1 << 20)}),
    *wrong(("info", "notes"), ("\x1b]0;", 10**300, {"a\n": 1})),
    *wrong(("info", "steps"), ("10", True, 1.5, [])),
    *wrong(("info", "scene"), (7, None, ["attic"])),
    *wrong(("info", "seconds"), (7, [1.5], {"training": "1"}, {"training": 10**400})),
]


@pytest.mark.parametrize(("keys", "value"), ENTRIES)
def test_entries_that_make_no_sense_are_refused(saved, keys, value):
    assert "damaged" in refused(rewritten(saved, at(*keys, value=value)))


@pytest.mark.parametrize("entry", ['"notes": NaN', '"notes": -Infinity', '"notes": 1e999'])
def test_numbers_that_json_does_not_know_are_refused(saved, entry):
    def change(header, tensors):
        return json.dumps(header).replace('"steps": 10', entry)

    refused(rewritten(saved, change))


def test_a_key_twice_is_refused(saved):
    def change(header, tensors):
        return json.dumps(header).replace('"unit"', '"short_side": 480, "unit"')

    assert "twice" in refused(rewritten(saved, change))


def test_entries_that_nobody_knows_are_ignored(saved):
    rewritten(saved, at("cameras_of_tomorrow", value=[{"make": "Sun"}]))
    assert SceneMap.load(saved).short_side == 480


def bent(tensors):
    tensors["cameras"][1, 0, 0] += 0.5


def mirrored(tensors):
    tensors["cameras"][1, :, 0] *= -1


@pytest.mark.parametrize(
    "change",
    [
        bent,
        mirrored,
        lambda t: t["cameras"][0, 0].fill_(1e30),
        lambda t: t["origins"].fill_(1e300),
        lambda t: t.update({"heads.0.point.bias": torch.zeros(4)}),
        lambda t: t.update({"views.0": torch.ones(2, 20, dtype=torch.int8)}),
        lambda t: t.update({"views.1": torch.ones(2, 3, 7, dtype=torch.int8)}),
        lambda t: t.update({"views.2": torch.ones(2, 21, dtype=torch.int8)}),
        lambda t: t.update({"views": torch.ones(2, 21, dtype=torch.int8)}),
        lambda t: t.update({"backbone.out.weight": torch.ones(2, 21).half()}),
        lambda t: t.update({"heads.01.point.bias": torch.zeros(4).half()}),
    ],
)
def test_tensors_that_make_no_sense_are_refused(saved, change):
    assert "damaged" in refused(rewritten(saved, lambda _, tensors: (change(tensors), None)[1]))


def test_no_tensor_is_read_before_all_are_known(saved, monkeypatch):
    """Gigabytes that nobody asked for would be in memory before they are found out."""

    def never(self, *_):
        raise AssertionError("read")

    rewritten(saved, lambda _, tensors: tensors.update(extra=torch.zeros(1 << 20)))
    with monkeypatch.context() as patched:
        patched.setattr("reloc.tensor_files.digest_of", never)
        assert "unknown tensor" in refused(saved)


def test_a_header_without_end_is_not_read(tmp_path):
    path = tmp_path / "map"
    path.write_bytes(struct.pack("<Q", MAX_HEADER + 1) + b"{}" + b" " * MAX_HEADER)
    assert "no header" in refused(path)


def test_heads_for_another_backbone_are_refused_where_it_is_known(saved, tmp_path):
    with safe_open(shipped_path(), framework="pt") as file:
        rewritten(saved, at("backbone", value=file.metadata()["fingerprint"]))
    assert "another length" in refused(saved)
    unknown = made_map()
    path = tmp_path / "unknown"
    unknown.save(path)

    class Other:
        channels, stride, fingerprint = 7, 8, unknown.backbone

    other: Any = Other()
    with pytest.raises(MapError, match="features of length 6"):
        SceneMap.load(path).serving_backbone(other)


def test_heads_of_different_channels_are_refused(tmp_path):
    regions = tuple(Region(MlpHead(channels=c, width=8), np.zeros(3)) for c in (6, 7))
    made_map(regions=regions).save(tmp_path / "map")
    assert "another length" in refused(tmp_path / "map")


def test_a_head_that_would_take_minutes_for_a_photo_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("reloc.maps.head_limits.MAX_WORK", 60**2 * 3000)
    made_map(regions=(Region(MlpHead(channels=6, width=8), np.zeros(3)),)).save(tmp_path / "small")
    SceneMap.load(tmp_path / "small")
    made_map(regions=(Region(MlpHead(channels=6, width=32), np.zeros(3)),)).save(tmp_path / "map")
    assert "too large" in refused(tmp_path / "map")


@pytest.mark.parametrize(
    "change",
    [
        lambda h, t: t.pop("heads.0.inlet.weight.scales"),
        lambda h, t: t.update({"heads.0.point.bias.scales": torch.ones(1).half()}),
        lambda h, t: h["heads"][0].update(bits=3),
        lambda h, t: h["heads"][0].update(bits=None),
    ],
)
def test_compressed_heads_that_do_not_fit_are_refused(tmp_path, change):
    path = tmp_path / "map"
    head = MlpHead(channels=16, width=32, blocks=1).requires_grad_(False)
    compressed(made_map(regions=(Region(head, np.zeros(3)),)), bits=4).save(path)
    assert SceneMap.load(path).regions[0].packed.bits == 4
    assert "damaged" in refused(rewritten(path, lambda *both: (change(*both), None)[1]))


def of_version_1(path, *, more=None, **changes):
    """A map with one head as the first version had it."""
    made_map(regions=made_map().regions[:1]).save(path)
    with safe_open(path, framework="pt") as file:
        header = json.loads(file.metadata()["reloc"])
    tensors = {n.replace("heads.0.", "head."): t for n, t in load_file(path).items()}
    tensors["origin"] = tensors.pop("origins")[0].clone()
    (head,) = header.pop("heads")
    header |= {"scale": head.pop("scale"), "head": {**head, "frames": None}, **changes}
    metadata = {"format": "reloc-map-1", "reloc": json.dumps(header)}
    save_file({**tensors, **(more or {})}, path, metadata=metadata)
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": True},
        {"scale": 1e39},
        {"head": {"kind": "mlp", "channels": 6, "width": 32.0, "blocks": 1}},
        {"head": 7},
        {"unit": "foot"},
        {"camera_of_frame": [0, -1, 0]},
        {"more": {"extra": torch.zeros(3)}},
        {"more": {"origins": torch.zeros(1, 3, dtype=torch.float64)}},
        {"more": {"origin": torch.zeros(1, 3, dtype=torch.float64)}},
    ],
)
def test_maps_of_version_1_are_held_to_the_same(tmp_path, changes):
    SceneMap.load(of_version_1(tmp_path / "map"))
    assert "damaged" in refused(of_version_1(tmp_path / "map", **changes))


def test_what_is_written_can_be_read(tmp_path):
    """Odd names of files and scenes are no reason to lose a map at the end."""
    names = ("a\x1b[2Jb.jpg", "caf\udce9.jpg", "日本\n.jpg")
    cameras = tuple(MappingCamera(name, np.eye(4), CAMERA) for name in names)
    made_map(cameras=cameras, info={"scene": "a\nb"}).save(tmp_path / "map")
    loaded = SceneMap.load(tmp_path / "map")
    assert [c.name for c in loaded.cameras] == [
        "a\ufffd[2Jb.jpg",
        "caf\udce9.jpg",
        "日本\ufffd.jpg",
    ]
    assert loaded.info == {"scene": "a\ufffdb"}


def test_damage_is_refused(saved, damaged):
    content = saved.read_bytes()
    for seed in range(100):
        broken = damaged(content, seed)
        saved.write_bytes(broken)
        if broken != content:
            refused(saved)


def test_a_map_without_a_digest_is_read_but_not_one_that_lost_it(saved):
    def plainly(path, tensors, metadata):
        save_file(tensors, path, metadata={k: metadata[k] for k in ("format", "reloc")})

    rewritten(saved, lambda *_: None, write=plainly)
    assert SceneMap.load(saved).short_side == 480
    made_map().save(saved)
    content = saved.read_bytes()
    saved.write_bytes(content.replace(b"sha256", b"sha257").replace(b"attic", b"antic"))
    assert "no digest" in refused(saved)

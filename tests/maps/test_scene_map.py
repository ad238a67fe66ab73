"""The map file: a round trip, its size, and what is refused."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from reloc.backbone import ConvBackbone
from reloc.backbone.weights import fingerprint
from reloc.errors import MapError, OutputError
from reloc.geometry import Camera, look_at
from reloc.heads import HEADS, MlpHead
from reloc.images.lens import Lens
from reloc.maps.map_file import FORMAT, MAX_BYTES
from reloc.maps.scene_map import (
    MAX_PREVIEW,
    MAX_VIEWS,
    MappingCamera,
    PreviewPoints,
    Region,
    SceneMap,
)
from reloc.tensor_files import write_tensors

ONE = Camera("OPENCV", 640, 480, (500, 501, 320, 240, -0.1, 0.02, 0.001, 0.002))
OTHER = Camera.pinhole(width=480, height=640, fx=505)
HEAD = {"kind": "mlp", "channels": 6, "width": 16, "blocks": 1, "scale": 2.5, "frames": None}


def made_map(*, cameras=(ONE, OTHER, ONE), head=None, **changes):
    torch.manual_seed(0)
    scene_map = SceneMap(
        regions=(
            Region(
                head or MlpHead(channels=6, width=16, blocks=1, scale=2.5),
                np.array([4.5e6 + 0.123456, -3.2e6, 100.25]),
            ),
        ),
        backbone="0123456789abcdef",
        short_side=480,
        extent=7.5,
        unit="metre",
        cameras=tuple(
            MappingCamera(f"rgb/{n:03}é.jpg", look_at((n, 2, 1), (0.5, 0, 0)), camera)
            for n, camera in enumerate(cameras)
        ),
        info={"scene": "attic", "seconds": {"training": 1.5}, "steps": 10, "notes": [None, True]},
    )
    return replace(scene_map, **changes)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "attic.reloc"
    made_map().save(path)
    return path


def rewritten(path, *, header=None, metadata=None, tensors=None):
    """The file with parts of it changed; None removes a part."""
    with safe_open(path, framework="pt") as file:
        found = dict(file.metadata())
    state = {**load_file(path), **(tensors or {})}
    if header is not None:
        found["reloc"] = json.dumps({**json.loads(found["reloc"]), **header})
    found.update(metadata or {})
    # Whoever makes such a file computes its digest, too: the other checks stand alone.
    write_tensors(
        path,
        {k: v for k, v in state.items() if v is not None},
        {k: v for k, v in found.items() if v is not None},
    )
    return path


def test_a_sketch_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    origin = made_map().origin
    preview = PreviewPoints(
        origin + rng.normal(size=(50, 3)), rng.integers(0, 256, (50, 3), np.uint8)
    )
    path = tmp_path / "attic.reloc"
    made_map(preview=preview).save(path)
    read = SceneMap.load(path).preview
    np.testing.assert_allclose(read.points, preview.points, atol=0.003)
    np.testing.assert_array_equal(read.colors, preview.colors)
    assert read.points.dtype == np.float64


@pytest.mark.parametrize(
    "tensors",
    [
        {"sketch.points": torch.zeros(4, 3, dtype=torch.float16)},
        {"sketch.points": torch.zeros(4, 2, dtype=torch.float16)},
        {"sketch.points": torch.full((5, 3), torch.inf, dtype=torch.float16)},
        {"sketch.points": torch.zeros(5, 3)},
        {"sketch.colours": None},
        {
            "sketch.points": torch.zeros(MAX_PREVIEW + 1, 3, dtype=torch.float16),
            "sketch.colours": torch.zeros(MAX_PREVIEW + 1, 3, dtype=torch.uint8),
        },
    ],
)
def test_an_impossible_sketch_is_refused(tmp_path, tensors):
    path = tmp_path / "attic.reloc"
    preview = PreviewPoints(made_map().origin + np.ones((5, 3)), np.ones((5, 3), np.uint8))
    made_map(preview=preview).save(path)
    assert "damaged" in refused(rewritten(path, tensors=tensors))


def refused(path):
    with pytest.raises(MapError) as caught:
        SceneMap.load(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def test_a_map_comes_back_as_it_was(saved):
    made, loaded = made_map(), SceneMap.load(saved)
    np.testing.assert_array_equal(loaded.origin, made.origin)
    assert loaded.reliability == 1
    for name in ("backbone", "short_side", "extent", "unit", "scale", "info"):
        assert getattr(loaded, name) == getattr(made, name), name
    assert [(c.name, c.camera) for c in loaded.cameras] == [
        (c.name, c.camera) for c in made.cameras
    ]
    for a, b in zip(loaded.cameras, made.cameras, strict=True):
        assert a.world_from_cam.dtype == np.float64
        np.testing.assert_allclose(a.world_from_cam, b.world_from_cam, atol=1e-6)
    features = torch.randn(50, 6)
    with torch.no_grad():
        torch.testing.assert_close(loaded.head(features), made.head(features), rtol=0.01, atol=0.01)
    assert not loaded.head.training
    assert not any(p.requires_grad for p in loaded.head.parameters())


def test_several_heads_come_back_with_their_frames(tmp_path):
    made = made_map()
    views = np.arange(-21, 21, dtype=np.int8).reshape(2, 21)
    small = MlpHead(channels=6, width=8, blocks=0, scale=7.0)
    other = Region(small, np.array([1.0, 2, 3]), (0, 2), views)
    made = replace(made, regions=(*made.regions, other))
    made.save(tmp_path / "map")
    loaded = SceneMap.load(tmp_path / "map")
    assert [region.frames for region in loaded.regions] == [None, (0, 2)]
    assert [region.scale for region in loaded.regions] == [2.5, 7.0]
    assert loaded.scale == 4.75
    assert len(loaded.regions[0].views) == 0
    np.testing.assert_array_equal(loaded.regions[1].views, views)
    np.testing.assert_array_equal(loaded.regions[1].origin, (1, 2, 3))
    assert loaded.head is loaded.regions[0].head
    assert loaded.origin is loaded.regions[0].origin
    features = torch.randn(50, 6)
    with torch.no_grad():
        for a, b in zip(loaded.regions, made.regions, strict=True):
            torch.testing.assert_close(a.head(features), b.head(features), rtol=0.01, atol=0.01)


def test_maps_of_version_1_are_read(saved):
    """One head, its tensors without a number, its scale beside the header's other fields."""
    new, state = SceneMap.load(saved), load_file(saved)
    old = {n.replace("heads.0.", "head."): t for n, t in state.items() if n != "origins"}
    with safe_open(saved, framework="pt") as file:
        header = json.loads(file.metadata()["reloc"])
    (head,) = header.pop("heads")
    header |= {"scale": head.pop("scale"), "head": {k: head[k] for k in head if k != "frames"}}
    save_file(
        {**old, "origin": state["origins"][0].clone()},
        saved,
        metadata={"format": "reloc-map-1", "reloc": json.dumps(header)},
    )
    loaded = SceneMap.load(saved)
    np.testing.assert_array_equal(loaded.origin, new.origin)
    assert loaded.regions[0].scale == 2.5
    for a, b in zip(loaded.head.parameters(), new.head.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_second_round_trip_changes_nothing(saved, tmp_path):
    SceneMap.load(saved).save(tmp_path / "again")
    first, second = load_file(saved), load_file(tmp_path / "again")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_default_head_takes_four_megabytes(tmp_path):
    head = MlpHead(channels=256, scale=2.0)
    path = tmp_path / "map"
    made_map(head=head, cameras=[ONE] * 1000).save(path)
    assert 3.0e6 < path.stat().st_size <= 4.2e6


PHONE = Lens("Acme", "Phone 3", 4.25, 26.0, 2.0, 1)


def with_lenses(*lenses):
    made = made_map(cameras=(ONE,) * len(lenses))
    cameras = [replace(c, lens=lens) for c, lens in zip(made.cameras, lenses, strict=True)]
    return replace(made, cameras=tuple(cameras))


def stored_header(path):
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["reloc"])


def test_lenses_come_back_and_are_stored_once(tmp_path):
    lenses = (PHONE, None, Lens(), PHONE, replace(PHONE, turn=None))
    with_lenses(*lenses).save(tmp_path / "map")
    assert tuple(c.lens for c in SceneMap.load(tmp_path / "map").cameras) == lenses
    header = stored_header(tmp_path / "map")
    assert len(header["lenses"]) == len(header["camera_models"]) == 4
    assert header["lenses"][1:3] == [None, {}]


def test_maps_that_say_nothing_of_lenses_are_read(saved):
    header = stored_header(saved)
    del header["lenses"]
    rewritten(saved, metadata={"reloc": json.dumps(header)})
    assert {c.lens for c in SceneMap.load(saved).cameras} == {None}


@pytest.mark.parametrize(
    "lenses",
    [
        "Acme", [], [{}], [{}] * 3, [7, {}], [{"make": 7}, {}], [{"make": "x" * 1000}, {}],
        [{"focal_mm": -1}, {}], [{"focal_mm": "wide"}, {}], [{"equivalent_mm": 1e9}, {}],
        [{"zoom": 0}, {}], [{"zoom": None}, {}], [{"turn": 4}, {}], [{"turn": "left"}, {}],
        [{"focal_mm": float("nan")}, {}],
    ],
)  # fmt: skip
def test_lenses_that_are_none_are_refused(saved, lenses):
    assert "damaged" in refused(rewritten(saved, header={"lenses": lenses}))


def test_a_map_without_cameras_is_a_map(tmp_path):
    made_map(cameras=()).save(tmp_path / "map")
    loaded = SceneMap.load(tmp_path / "map")
    assert loaded.cameras == ()
    assert loaded.query_camera() is None


def test_a_query_gets_the_camera_that_all_mapping_frames_share():
    assert made_map(cameras=(ONE, ONE)).query_camera() == ONE
    assert made_map(cameras=(ONE, OTHER)).query_camera() is None


def test_a_map_that_cannot_be_written_leaves_the_old_one(saved, monkeypatch):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match="JSON"):
        made_map(info={"loss": float("nan")}).save(saved)
    for seconds in (["a"], {"training": "long"}, 5, None):  # no reader would take it
        with pytest.raises(ValueError, match="impossible info"):
            made_map(info={"seconds": seconds}).save(saved)
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]
    with pytest.raises(OutputError, match="cannot be written"):
        made_map().save(saved / "below")


def test_a_missing_map_is_named_with_the_remedy(tmp_path):
    assert "reloc map" in refused(tmp_path / "none.reloc")
    refused(tmp_path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.2, 0.9, 0.999])
def test_a_map_cut_short_is_refused(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(len(content) * share)])
    assert "damaged" in refused(saved)


@pytest.mark.parametrize(
    "content",
    [
        b"\0" * 100,
        b"PK\x03\x04" + b"\0" * 99,
        b"\x80\x04\x95" + b"." * 50,
        struct.pack("<Q", 2**62) + b"{}",
        struct.pack("<Q", 9) + b'{"a":[[[['[:9],
    ],
)
def test_foreign_files_are_refused(tmp_path, content):
    path = tmp_path / "map"
    path.write_bytes(content)
    refused(path)


def test_other_safetensors_and_other_versions_are_refused(saved, tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, other)
    assert FORMAT in refused(other)
    save_file({"a": torch.zeros(3)}, other, metadata={"format": "pt"})
    assert FORMAT in refused(other)
    message = refused(rewritten(saved, metadata={"format": "reloc-map-4"}))
    assert "reloc-map-4" in message
    assert FORMAT in message


def test_a_file_too_large_for_a_map_is_not_opened(tmp_path):
    path = tmp_path / "map"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "too large" in refused(path)


@pytest.mark.parametrize(
    "head",
    [
        {"kind": "mlp", "channels": 4096, "width": 8192, "blocks": 64},
        {"kind": "mlp", "channels": 6, "width": 17, "blocks": 1},
        {"kind": "mlp", "channels": 6, "width": 16, "blocks": 0},
        {"kind": "mlp", "channels": 6, "width": 16, "blocks": -1},
        {"kind": "mlp", "channels": 0, "width": 0, "blocks": 0},
        {"kind": "mlp", "channels": 10**30, "width": 16, "blocks": 1},
        {"kind": "mlp", "channels": float("inf"), "width": 16, "blocks": 1},
        {"kind": "mlp", "channels": "six", "width": 16, "blocks": 1},
        {"kind": "forest", "channels": 6, "width": 16, "blocks": 1},
        {"kind": "mlp"},
        [],
        None,
    ],
)
def test_heads_that_do_not_fit_the_file_are_refused(saved, head, monkeypatch):
    built = []

    class Watched(MlpHead):
        def __init__(self, **sizes):
            built.append(sizes)
            super().__init__(**sizes)

    monkeypatch.setitem(HEADS, "mlp", Watched)
    if isinstance(head, dict):
        head = {"scale": 2.5, "frames": None, **head}
    assert "damaged" in refused(rewritten(saved, header={"heads": [head]}))
    # Nothing large may be allocated on the word of a small file.
    assert all(max(sizes.values()) < 100 for sizes in built)


@pytest.mark.parametrize(
    "header",
    [
        {"heads": []},
        {"heads": [HEAD, HEAD]},
        {"heads": [{**HEAD, "scale": 0}]},
        {"heads": [{**HEAD, "scale": -1.0}]},
        {"heads": [{**HEAD, "scale": float("nan")}]},
        {"heads": [{**HEAD, "scale": float("inf")}]},
        {"heads": [{**HEAD, "frames": [0, 3]}]},
        {"heads": [{**HEAD, "frames": [-1]}]},
        {"heads": [{**HEAD, "frames": 2}]},
        {"heads": [{**HEAD, "bits": 4}]},
        {"heads": [{**HEAD, "bits": 7}]},
        {"heads": [{**HEAD, "bits": "four"}]},
        {"heads": [{"kind": "mlp", "channels": 6, "width": 16, "blocks": 1}]},
        {"extent": float("nan")},
        {"extent": -1},
        {"short_side": "wide"},
        {"short_side": float("inf")},
        {"short_side": 0},
        {"short_side": -480},
        {"short_side": 10**9},
        {"reliability": 1.5},
        {"reliability": -0.1},
        {"reliability": float("nan")},
        {"info": 7},
        {"frame_names": ["one"]},
        {"frame_names": 3},
        {"camera_of_frame": [0, 1, 2]},
        {"camera_of_frame": [0, 1, "x"]},
        {"camera_models": []},
        {"camera_models": [["PINHOLE", 640, 480, [1]], ["PINHOLE", 640, 480, [1]]]},
        {"camera_models": [["PINHOLE", 640, 480, [10**400, 1, 1, 1]]] * 2},
        {"camera_models": [["EYE", 640, 480, [500, 500, 320, 240]]] * 2},
        {"camera_models": [[[], 640, 480, [500, 500, 320, 240]]] * 2},
        {"camera_models": 7},
    ],
)
def test_headers_that_make_no_sense_are_refused(saved, header):
    assert "damaged" in refused(rewritten(saved, header=header))


def test_its_reliability_comes_back(tmp_path):
    path = tmp_path / "poor.reloc"
    made_map(reliability=0.25).save(path)
    assert SceneMap.load(path).reliability == 0.25


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", "[" * 100_000, '{"head": {}}'])
def test_headers_that_are_no_header_are_refused(saved, text):
    assert "damaged" in refused(rewritten(saved, metadata={"reloc": text}))


def test_a_file_without_a_header_is_refused(saved):
    assert "damaged" in refused(rewritten(saved, metadata={"reloc": None}))


@pytest.mark.parametrize(
    "tensors",
    [
        {"heads.0.point.bias": torch.full((4,), float("nan"))},
        {"heads.0.point.weight": torch.full((4, 16), float("inf"))},
        {"heads.0.point.bias": torch.zeros(5)},
        {"heads.0.point.bias": None},
        {"heads.0.extra": torch.zeros(5)},
        {"heads.1.point.bias": torch.zeros(4)},
        {"heads.": torch.zeros(4)},
        {"views.0": torch.zeros(4, 6)},
        {"views.0": torch.zeros(6, dtype=torch.int8)},
        {"views.0": torch.zeros(MAX_VIEWS + 1, 6, dtype=torch.int8)},
        {"origins": None},
        {"origins": torch.zeros(1, 4)},
        {"origins": torch.zeros(3)},
        {"origins": torch.tensor([[0, float("nan"), 0]])},
        {"cameras": None},
        {"cameras": torch.zeros(2, 3, 4)},
        {"cameras": torch.zeros(3, 4, 4)},
        {"cameras": torch.full((3, 3, 4), float("inf"))},
    ],
)
def test_tensors_that_make_no_sense_are_refused(saved, tensors):
    assert "damaged" in refused(rewritten(saved, tensors=tensors))


def test_flipped_bytes_are_refused_or_harmless(saved):
    """Whatever is damaged, a map is loaded or a MapError raised: nothing else."""
    content = saved.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(content)
        for position in rng.integers(0, min(len(broken), 2500), 2):
            broken[position] = rng.integers(256)
        saved.write_bytes(broken)
        try:
            SceneMap.load(saved)
        except MapError as error:
            assert "\n" not in str(error)


def test_a_map_may_bring_its_own_backbone(tmp_path):
    torch.manual_seed(0)
    network = ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)
    network.fingerprint = fingerprint(network)
    head = MlpHead(channels=8, width=16, blocks=0, scale=2.0)
    made = SceneMap(
        (Region(head, np.zeros(3)),),
        network.fingerprint,
        480,
        4.0,
        "metre",
        (),
        own_backbone=network,
    )
    path = tmp_path / "own.safetensors"
    made.save(path)
    loaded = SceneMap.load(path)
    given = ConvBackbone(channels=8, width=8)
    own = loaded.serving_backbone(given)
    assert own is loaded.own_backbone
    assert own.fingerprint == network.fingerprint
    image = torch.rand(1, 1, 32, 32)
    torch.testing.assert_close(own(image), network(image), atol=1e-2, rtol=1e-2)
    replace(made, backbone="other").save(path)
    with pytest.raises(MapError, match="damaged"):
        SceneMap.load(path)
    with pytest.raises(MapError, match="made with backbone"):
        replace(loaded, own_backbone=None).serving_backbone(given)

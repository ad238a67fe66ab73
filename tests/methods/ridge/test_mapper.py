"""Mapping a toy scene in closed form: what comes out, what is refused, how it grows."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import ConvBackbone, load_backbone
from reloc.errors import OptionError, SceneError
from reloc.geometry import Camera, look_at
from reloc.localize.localizer import Localizer
from reloc.maps import SceneMap
from reloc.methods.ridge import RidgeMapper, RidgeOptions, map_scene_ridge
from reloc.methods.ridge import mapper as ridge_mapper
from reloc.scenes.scene import Depth, Frame, Scene

TOY = RidgeOptions(anchors=64, neighbours=4, short_side=64, cells_per_view=60)
CAMERA = Camera.pinhole(width=96, height=72, fx=80)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)
    network.fingerprint = "toy"
    return network


@pytest.fixture
def scene(tmp_path):
    """Six frames with depth in a ring, in a world frame far from its origin."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(6):
        path = tmp_path / f"{number}.png"
        noise = rng.integers(0, 256, (18, 24), dtype=np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC))
        measured = tmp_path / f"{number}.depth.png"
        assert cv2.imwrite(str(measured), np.full((72, 96), 2000, np.uint16))
        pose = look_at((2 * np.cos(number), 2 * np.sin(number), 0.3), (0.1 * number, 0, 0))
        pose[:3, 3] += (1000, 2000, 0)
        frames.append(Frame(path.name, path, CAMERA, pose, Depth(measured, CAMERA)))
    return Scene("toy", tmp_path, "ace", tuple(frames), unit="metre")


def points(result):
    return result.scene_map.head.points


def test_a_map_is_like_any_other(scene, backbone, tmp_path):
    result = map_scene_ridge(scene, backbone, options=TOY, device="cpu")
    made = result.scene_map
    np.testing.assert_allclose(made.origin, scene.mapping_centers().mean(axis=0))
    assert made.info["options"]["ridge"] > 0
    assert made.seconds > 0
    made.save(tmp_path / "map.safetensors")
    loaded = SceneMap.load(tmp_path / "map.safetensors")
    features = torch.randn(50, 8)
    torch.testing.assert_close(loaded.head(features), made.head(features), rtol=0, atol=1e-2)
    image = cv2.imread(str(scene.mapping[0].image), cv2.IMREAD_GRAYSCALE)
    estimate = Localizer(loaded, backbone, device="cpu").localize(image, CAMERA)
    assert estimate.world_from_cam is None or estimate.world_from_cam.shape == (4, 4)


def test_the_same_seed_gives_the_same_map(scene, backbone):
    first, second = (map_scene_ridge(scene, backbone, options=TOY, device="cpu") for _ in range(2))
    torch.testing.assert_close(points(first), points(second), rtol=0, atol=0)


@pytest.mark.parametrize("targets", ["rays", "depth"])
def test_the_unit_of_length_does_not_matter(scene, backbone, targets):
    # Of two ridges that are as good, rounding would choose.
    options = replace(TOY, targets=targets, ridge=1e-2)
    meters = map_scene_ridge(scene, backbone, options=options, device="cpu")
    centimetres = map_scene_ridge(scene.scaled(100), backbone, options=options, device="cpu")
    assert centimetres.scene_map.scale == pytest.approx(100 * meters.scene_map.scale)
    torch.testing.assert_close(points(meters), points(centimetres), rtol=1e-2, atol=1e-3)


def test_depth_puts_points_where_it_was_measured(scene, backbone):
    """Everything is 2 m in front of its camera; the points of its own frame's cells are there."""
    frame = scene.mapping[0]
    options = replace(TOY, targets="depth", anchors=360, neighbours=1, ridge=1e-6)
    mapper = RidgeMapper(scene, backbone, options=options, device="cpu")
    mine = mapper.observations.frames == 0
    design = mapper.observations.design(len(mapper.head.points))
    points = design.predict(mapper.head.points.double())[mine].numpy()
    found = points * mapper.scale + mapper.origin
    world_from_cam = frame.world_from_cam
    depths = (found - world_from_cam[:3, 3]) @ world_from_cam[:3, 2]
    assert np.median(np.abs(depths - 2)) < 5e-2


def test_a_photo_is_added_without_looking_at_the_others_again(scene, backbone):
    first = replace(scene, mapping=scene.mapping[:5])
    mapper = RidgeMapper(first, backbone, options=TOY, device="cpu")
    before = len(mapper.observations)
    for frame in first.mapping:
        frame.image.unlink()
    mapper.add(scene.mapping[5])
    assert len(mapper.observations) == before + 60
    made = mapper.result().scene_map
    assert [c.name for c in made.cameras][-1] == scene.mapping[5].name
    assert torch.isfinite(made.head.get_parameter("points")).all()


def test_memory_does_not_grow_with_the_images(scene, backbone):
    options = replace(TOY, features=60)
    mapper = RidgeMapper(scene, backbone, options=options, device="cpu")
    assert len(mapper.observations) == 60


def on_wall(mapper, rows):
    """The share of observations whose predictions are within 5 % of the wall z = 3."""
    design = mapper.observations.design(len(mapper.head.points))
    points = design.predict(mapper.head.points.double()) * mapper.scale + mapper.origin
    return (points[rows, 2] / 3 - 1).abs().lt(0.05).double().mean()


@pytest.mark.slow
def test_frames_that_see_the_same_tell_how_far_away_it_is(wall_frames, tmp_path, monkeypatch):
    """Poses alone, and few: swept depths put points where the wall is, also those of later ones."""
    monkeypatch.setattr(ridge_mapper, "MAX_SWEPT", 4)
    scene = Scene("wall", tmp_path, "ace", tuple(wall_frames[:5]), unit="metre")
    options = replace(TOY, anchors=500, short_side=240, cells_per_view=200)
    mapper = RidgeMapper(scene, load_backbone(None), options=options, device="cpu")
    known = torch.isfinite(mapper.observations.depths)
    frames = mapper.observations.frames
    assert sorted(frames[known].unique().tolist()) == [0, 1, 2, 4]
    assert known.double().mean() > 0.5
    assert on_wall(mapper, known) > 0.8
    mapper.add(wall_frames[5])
    added = mapper.observations.frames == 5
    assert torch.isfinite(mapper.observations.depths[added]).double().mean() > 0.5
    assert on_wall(mapper, added) > 0.6


def without(scene, field):
    return replace(scene, mapping=tuple(replace(f, **{field: None}) for f in scene.mapping))


def test_plain_failures_are_one_clear_line(scene, backbone):
    def refused(scene, options=TOY):
        with pytest.raises(SceneError) as caught:
            map_scene_ridge(scene, backbone, options=options, device="cpu")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "2 usable" in refused(replace(scene, mapping=scene.mapping[:2]))
    rare = tuple(replace(f, depth=f.depth if n < 2 else None) for n, f in enumerate(scene.mapping))
    deep = replace(TOY, targets="depth")
    assert "at least 3" in refused(replace(scene, mapping=rare), deep)
    assert "depth" in refused(without(scene, "depth"), deep)
    spot = tuple(replace(f, world_from_cam=scene.mapping[0].world_from_cam) for f in scene.mapping)
    assert "one spot" in refused(replace(scene, mapping=spot))
    for frame in scene.mapping:
        cv2.imwrite(str(frame.depth.path), np.zeros((72, 96), np.uint16))
    assert "measure nothing" in refused(scene, deep)


def test_photos_that_cannot_be_added_are_refused(scene, backbone):
    mapper = RidgeMapper(scene, backbone, options=replace(TOY, targets="depth"), device="cpu")
    for field in ("world_from_cam", "depth"):
        with pytest.raises(SceneError, match=r"pose|depth"):
            mapper.add(replace(scene.mapping[0], **{field: None}))


@pytest.mark.parametrize(
    "change",
    [{"neighbours": 0}, {"anchors": 2}, {"ridge": 0.0}, {"temperature": 0.0}, {"short_side": 8}],
)
def test_impossible_options_are_refused(change):
    with pytest.raises(OptionError):
        replace(TOY, **change)

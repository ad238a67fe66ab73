"""Mapping a toy scene: what comes out, that it repeats, and that it survives a kill."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import ConvBackbone
from reloc.errors import MapError, SceneError
from reloc.geometry import Camera, look_at
from reloc.mapping import mapper
from reloc.mapping.mapper import map_scene
from reloc.mapping.options import MappingOptions
from reloc.maps.scene_map import SceneMap
from reloc.scenes import Frame, Scene

TOY = MappingOptions(
    views=10, steps=8, batch=64, width=16, blocks=1, short_side=64, cells_per_view=40, buffer_gb=0.1
)
CAMERA = Camera.pinhole(width=96, height=72, fx=80)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    network = ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)
    network.fingerprint = "toy"
    return network


@pytest.fixture
def scene(tmp_path):
    """Five frames in a ring, in a world frame far from its origin."""
    rng = np.random.default_rng(0)
    frames = []
    for number in range(5):
        path = tmp_path / "rgb" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        noise = rng.integers(0, 256, (9, 12), dtype=np.uint8)
        assert cv2.imwrite(str(path), cv2.resize(noise, (96, 72), interpolation=cv2.INTER_CUBIC))
        pose = look_at((2 * np.cos(number), 2 * np.sin(number), 0.3), (0.1 * number, 0, 0))
        pose[:3, 3] += (1000, 2000, 0)
        frames.append(Frame(f"rgb/{number}.png", path, CAMERA, pose))
    return Scene("toy", tmp_path, "ace", tuple(frames), unit="metre")


def mapped(scene, backbone, options=TOY, **more):
    return map_scene(scene, backbone, options=options, device="cpu", **more)


def weights(result):
    return torch.cat([p.flatten() for p in result.scene_map.head.parameters()])


def test_a_map_holds_what_it_takes_to_use_it(scene, backbone, tmp_path):
    result = mapped(scene, backbone)
    made = result.scene_map
    np.testing.assert_allclose(made.origin, scene.mapping_centres().mean(axis=0))
    assert (made.backbone, made.short_side, made.unit) == ("toy", 64, "metre")
    assert made.extent == pytest.approx(scene.extent())
    assert 0.3 * made.extent <= made.scale <= 10 * made.extent
    assert [c.name for c in made.cameras] == [f.name for f in scene.mapping]
    assert made.query_camera() == CAMERA
    assert made.info["steps"] == 8
    assert 350 < made.info["features"] <= 400
    assert result.skipped == ()
    assert result.seconds.keys() == {"features", "training"}
    made.save(tmp_path / "toy.reloc")
    assert SceneMap.load(tmp_path / "toy.reloc").info == made.info


def test_mapping_repeats_and_the_seed_decides(scene, backbone):
    one, two = (weights(mapped(scene, backbone)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(one, weights(mapped(scene, backbone, replace(TOY, seed=1))))


def test_every_step_reaches_the_head(scene, backbone):
    results = [weights(mapped(scene, backbone, replace(TOY, steps=n))) for n in (1, 2, 3)]
    assert not torch.equal(results[0], results[1])
    assert not torch.equal(results[1], results[2])


def test_progress_covers_both_stages(scene, backbone):
    told = []
    mapped(
        scene, backbone, progress=lambda stage, done, total, **m: told.append((stage, done, total))
    )
    assert [row for row in told if row[0] == "features"] == [
        ("features", n, 10) for n in range(1, 11)
    ]
    assert told[-1] == ("training", 8, 8)


def test_queries_are_not_looked_at(scene, backbone, tmp_path):
    gone = Frame("gone.png", tmp_path / "gone.png", CAMERA, np.eye(4))
    assert torch.equal(
        weights(mapped(replace(scene, queries=(gone,)), backbone)), weights(mapped(scene, backbone))
    )


def test_frames_without_a_pose_do_not_shift_the_others(scene, backbone):
    nowhere = replace(scene.mapping[0], name="nowhere", world_from_cam=None)
    more = replace(scene, mapping=(nowhere, *scene.mapping))
    assert torch.equal(weights(mapped(more, backbone)), weights(mapped(scene, backbone)))


def test_bad_images_are_left_out_and_told(scene, backbone):
    scene.mapping[1].image.write_bytes(b"no image")
    result = mapped(scene, backbone)
    assert [s.name for s in result.skipped] == ["rgb/1.png"]
    assert result.scene_map.info["skipped"] == 1


def test_a_scene_without_usable_images_is_one_clear_error(scene, backbone):
    for frame in scene.mapping:
        frame.image.unlink()
    with pytest.raises(SceneError, match="hardly any mapping image") as caught:
        mapped(scene, backbone)
    assert "\n" not in str(caught.value)


def test_one_spot_is_refused_before_any_work(scene, backbone):
    frames = tuple(
        replace(f, world_from_cam=scene.mapping[0].world_from_cam) for f in scene.mapping
    )
    with pytest.raises(SceneError, match="one spot"):
        mapped(replace(scene, mapping=frames), backbone)


def test_a_buffer_larger_than_memory_lives_in_a_file(scene, backbone):
    small = replace(TOY, buffer_gb=1e-6)
    assert torch.equal(weights(mapped(scene, backbone, small)), weights(mapped(scene, backbone)))


class Killed(Exception):
    """Not a KeyboardInterrupt: nothing gets the chance to be saved any more."""


def killer(at, error):
    def progress(stage, done, total, **metrics):
        if stage == "training" and done >= at:
            raise error

    return progress


@pytest.fixture
def every_step(monkeypatch):
    """Progress and checkpoints at every step instead of every so many seconds."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(mapper.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(mapper, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.parametrize("error", [KeyboardInterrupt, Killed])
def test_a_killed_mapping_goes_on_to_the_same_map(scene, backbone, tmp_path, every_step, error):
    path = tmp_path / "checkpoint"
    whole = mapped(scene, backbone)
    with pytest.raises(error):
        mapped(scene, backbone, checkpoint=path, progress=killer(5, error))
    assert path.exists()
    resumed = mapped(scene, backbone, checkpoint=path, resume=True)
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.scene_map.info["steps"] == 8
    assert not path.exists()


@pytest.fixture
def checkpoint(scene, backbone, tmp_path, every_step):
    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        mapped(scene, backbone, checkpoint=path, progress=killer(4, KeyboardInterrupt))
    return path


@pytest.mark.parametrize("content", [b"", b"no checkpoint", None])
def test_a_damaged_checkpoint_is_one_clear_error(scene, backbone, checkpoint, content):
    whole = checkpoint.read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(MapError, match="damaged checkpoint") as caught:
        mapped(scene, backbone, checkpoint=checkpoint, resume=True)
    assert str(checkpoint) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_something_else_is_refused(scene, backbone, checkpoint):
    with pytest.raises(MapError, match="belongs to other"):
        mapped(scene, backbone, replace(TOY, steps=9), checkpoint=checkpoint, resume=True)
    frames = (*scene.mapping[:-1], replace(scene.mapping[-1], name="another.png"))
    with pytest.raises(MapError, match="belongs to other"):
        mapped(replace(scene, mapping=frames), backbone, checkpoint=checkpoint, resume=True)
    backbone.fingerprint = "other"
    with pytest.raises(MapError, match="belongs to other"):
        mapped(scene, backbone, checkpoint=checkpoint, resume=True)


def test_without_resume_a_checkpoint_is_not_read(scene, backbone, checkpoint):
    checkpoint.write_bytes(b"no checkpoint")
    mapped(scene, backbone, checkpoint=checkpoint)
    assert not checkpoint.exists()

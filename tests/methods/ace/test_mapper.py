"""Mapping a toy scene: what comes out, that it repeats, and that it survives a kill."""

import time
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import ConvBackbone
from reloc.checkpoint import save_checkpoint
from reloc.errors import MapError, OptionError, OutputError, SceneError
from reloc.geometry import Camera, look_at
from reloc.mapping import stereo_survey
from reloc.mapping.views import prepare_view
from reloc.maps.edit import joined
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import division, mapper, plain_views, stop_rule, view_reader
from reloc.methods.ace.mapper import map_scene
from reloc.methods.ace.options import MappingOptions
from reloc.methods.ace.trainer import HeadsTrainer
from reloc.scenes import Frame, Scene
from reloc.training import loop

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
    np.testing.assert_allclose(made.origin, scene.mapping_centers().mean(axis=0))
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


def test_a_watcher_sees_every_step_and_changes_nothing(scene, backbone):
    seen = []

    def callback(snapshot):
        with torch.inference_mode():
            (learner,) = snapshot.learners
            points = learner.head(torch.zeros(3, 8, device=learner.head.scale.device))
        seen.append((snapshot.steps, snapshot.fraction, snapshot.state().loss, points))
        np.testing.assert_array_equal(learner.frames, range(5))
        np.testing.assert_allclose(learner.origin, scene.mapping_centers().mean(axis=0))

    watched = weights(mapped(scene, backbone, callback=callback))
    assert torch.equal(watched, weights(mapped(scene, backbone)))
    assert [steps for steps, *_ in seen] == [*range(1, 9), 8]
    fractions = [fraction for _, fraction, *_ in seen]
    np.testing.assert_allclose(fractions, [*(k / 8 for k in range(1, 9)), 1.0])
    assert all(fraction < 1 for fraction in fractions[:-1])
    assert not torch.equal(seen[0][3], seen[-1][3])


def test_every_step_reaches_the_head(scene, backbone):
    results = [weights(mapped(scene, backbone, replace(TOY, steps=n))) for n in (1, 2, 3)]
    assert not torch.equal(results[0], results[1])
    assert not torch.equal(results[1], results[2])


def test_progress_covers_all_stages(scene, backbone):
    told = []
    mapped(
        scene, backbone, progress=lambda stage, done, total, **m: told.append((stage, done, total))
    )
    assert told[:4] == [("features", n, 4) for n in range(1, 5)]
    assert told[4:8] == [("depth", n, 4) for n in range(1, 5)]
    assert told[8:14] == [("views", n, 6) for n in range(1, 7)]
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
def corridor(scene, tmp_path):
    return corridor_of(12, scene, tmp_path)


def corridor_of(count, scene, tmp_path):
    """Frames along a line, with the pictures of the scene."""
    frames = []
    for number in range(count):
        pose = look_at((number, 0.1 * (number % 3), 0), (number + 0.3 * (number % 2), 3, 0))
        pose[:3, 3] += (1000, 2000, 0)
        frames.append(Frame(f"{number}", scene.mapping[number % 5].image, CAMERA, pose))
    return Scene("corridor", tmp_path, "ace", tuple(frames), unit="metre")


def all_weights(result):
    return [
        torch.cat([p.flatten() for p in region.head.parameters()])
        for region in result.scene_map.regions
    ]


def test_several_heads_share_one_pass_over_the_images(corridor, backbone, tmp_path):
    told = []
    result = mapped(
        corridor,
        backbone,
        replace(TOY, heads=2, views=48),
        progress=lambda stage, done, total, **m: told.append((stage, done, total)),
    )
    made = result.scene_map
    first, second = made.regions
    assert not torch.equal(*all_weights(result))
    assert set(first.frames) | set(second.frames) == set(range(12))
    centers = corridor.mapping_centers()
    for region in made.regions:
        np.testing.assert_allclose(region.origin, centers[list(region.frames)].mean(axis=0))
        assert region.views.shape[1] == 36
        assert 0 < len(region.views) <= len(region.frames)
    assert told[-1] == ("training", 16, 16)
    assert ("features", 12, 12) in told
    assert ("views", 36, 36) in told
    assert made.info["steps"] == 16
    made.save(tmp_path / "map")
    assert [r.frames for r in SceneMap.load(tmp_path / "map").regions] == [
        r.frames for r in made.regions
    ]


@pytest.mark.slow
def test_a_head_learns_from_its_own_frames_alone(corridor, backbone):
    """Other pictures in one half of the place leave the head of the other half as it was."""
    options = replace(TOY, heads=2, views=48)
    plain = mapped(corridor, backbone, options)
    exclusive = set(plain.scene_map.regions[1].frames) - set(plain.scene_map.regions[0].frames)
    assert exclusive
    other = corridor.mapping[0].image.with_name("other.png")
    assert cv2.imwrite(str(other), np.full((72, 96), 99, np.uint8))
    changed = tuple(
        replace(f, image=other) if n in exclusive else f for n, f in enumerate(corridor.mapping)
    )
    result = mapped(replace(corridor, mapping=changed), backbone, options)
    for kept, (a, b) in zip(
        (True, False), zip(all_weights(plain), all_weights(result), strict=True), strict=True
    ):
        assert torch.equal(a, b) == kept


@pytest.mark.slow
@pytest.mark.parametrize("views", [24, 96])
def test_heads_made_one_by_one_are_those_of_the_whole_map(
    scene, backbone, views, monkeypatch, tmp_path
):
    """To the last bit, though not all read all frames; with 24 views a third is surveyed."""
    corridor = corridor_of(24, scene, tmp_path)
    monkeypatch.setattr(stereo_survey, "VIEWS_FOR_DIRECTIONS", 2)
    for module in (division, plain_views, stereo_survey):
        monkeypatch.setattr(module, "FRAMES_ASKED", 2)
    options = replace(TOY, heads=4, views=views)
    whole = mapped(corridor, backbone, options).scene_map
    read = set()
    prepare = prepare_view

    def prepare_and_tell(frame, index, **more):
        read.add(index)
        return prepare(frame, index, **more)

    monkeypatch.setattr(view_reader, "prepare_view", prepare_and_tell)
    first = mapped(corridor, backbone, options, head=0).scene_map
    assert len(read) < 24
    rest = [mapped(corridor, backbone, options, head=n).scene_map for n in (1, 2, 3)]
    made = joined([first, *rest])
    assert len(made.regions) == 4
    for one, other in zip(whole.regions, made.regions, strict=True):
        assert one.head.spec() == other.head.spec()
        for a, b in zip(one.head.parameters(), other.head.parameters(), strict=True):
            assert torch.equal(a, b)
        np.testing.assert_array_equal(one.origin, other.origin)
        np.testing.assert_array_equal(one.views, other.views)
        assert one.frames == other.frames
    assert [c.name for c in made.cameras] == [c.name for c in whole.cameras]
    for key in ("frames", "features", "steps", "skipped"):
        assert made.info[key] >= whole.info[key]
    assert made.extent == whole.extent


def test_heads_that_a_place_does_not_have_are_refused(corridor, backbone):
    for heads in (2, None):
        with pytest.raises(OptionError, match="needs a number of heads"):
            mapped(corridor, backbone, replace(TOY, heads=heads), head=2)
    with pytest.raises(OptionError, match="ask for 2"):
        mapped(corridor, backbone, replace(TOY, heads=9), head=0)


def test_a_part_without_readable_images_gets_no_head(corridor, backbone):
    frames = tuple(
        replace(f, image=f.image.with_name("gone.png")) if n > 4 else f
        for n, f in enumerate(corridor.mapping)
    )
    made = mapped(
        replace(corridor, mapping=frames), backbone, replace(TOY, heads=2, views=36)
    ).scene_map
    assert len(made.regions) in (1, 2)
    assert made.info["skipped"] == 7


@pytest.fixture
def every_step(monkeypatch):
    """Progress and checkpoints at every step instead of every so many seconds."""
    ticks = iter(range(10**6))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)


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


@pytest.fixture
def early_checks(monkeypatch):
    """Checks from the fifth step on; of noise heads learn nothing, which soon ends it."""
    for module in (mapper, stop_rule):
        monkeypatch.setattr(module, "FIRST_CHECK", 5)


@pytest.mark.usefixtures("early_checks", "every_step")
@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("at", [2, 6, 8, 11])
def test_a_mapping_that_ends_early_goes_on_to_the_same_map(corridor, backbone, tmp_path, heads, at):
    options = replace(TOY, heads=heads, steps=400, views=60)
    given = {"options": options, "held_back": corridor.mapping[3:6]}
    whole = mapped(corridor, backbone, **given)
    assert 12 <= whole.scene_map.info["steps"] / heads < 24
    assert whole.scene_map.info["good"]
    assert 18 <= whole.scene_map.info["views"] < 60, "as many as so many steps need"
    path = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        mapped(
            corridor,
            backbone,
            checkpoint=path,
            progress=killer(heads * at, KeyboardInterrupt),
            **given,
        )
    resumed = mapped(corridor, backbone, checkpoint=path, resume=True, **given)
    for one, other in zip(all_weights(resumed), all_weights(whole), strict=True):
        assert torch.equal(one, other)
    assert told_of(resumed) == told_of(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("early_checks")
def test_what_is_asked_for_that_is_not_reached_takes_all_steps(corridor, backbone):
    options = replace(TOY, heads=1, steps=20, until="1mm 0.01deg")
    info = mapped(corridor, backbone, options=options).scene_map.info
    assert (info["steps"], info["good"]) == (20, False)
    assert info["more"] >= stop_rule.GROWTH
    unknown = replace(corridor, unit="unknown")
    with pytest.raises(OptionError, match="no metres"):
        mapped(unknown, backbone, options=options)


def told_of(result):
    """What a map tells of its making, but for the time that it took."""
    return {name: value for name, value in result.scene_map.info.items() if name != "seconds"}


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 2])
def test_a_training_that_was_finished_is_not_done_again(
    corridor, backbone, tmp_path, monkeypatch, heads
):
    path, options = str(tmp_path / "checkpoint"), replace(TOY, heads=heads)
    whole = mapped(corridor, backbone, options, checkpoint=path)
    monkeypatch.setattr(HeadsTrainer, "step", None)
    again = mapped(corridor, backbone, options, checkpoint=path, resume=True)
    for a, b in zip(all_weights(again), all_weights(whole), strict=True):
        assert torch.equal(a, b)
    assert told_of(again) == told_of(whole)


def test_a_full_disk_in_training_leaves_the_last_checkpoint(
    scene, backbone, tmp_path, every_step, monkeypatch
):
    path = tmp_path / "checkpoint"
    whole = mapped(scene, backbone)
    saved: list[Any] = []

    def save(*arguments):
        if len(saved) == 3:
            raise OutputError("full")
        saved.append(arguments)
        save_checkpoint(*arguments)

    monkeypatch.setattr(mapper, "save_checkpoint", save)
    with pytest.raises(OutputError, match="full"):
        mapped(scene, backbone, checkpoint=path)
    assert torch.load(path, weights_only=True)["trainers"][0]["steps"] == 3
    saved.clear()
    with pytest.raises(OutputError, match="log is full"):
        mapped(scene, backbone, checkpoint=path, progress=killer(2, OutputError("log is full")))
    assert torch.load(path, weights_only=True)["trainers"][0]["steps"] == 2
    monkeypatch.setattr(mapper, "save_checkpoint", save_checkpoint)
    resumed = mapped(scene, backbone, checkpoint=path, resume=True)
    assert torch.equal(weights(resumed), weights(whole))


def test_a_diverged_training_leaves_no_checkpoint(scene, backbone, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint"
    monkeypatch.setattr(HeadsTrainer, "healthy", lambda self: False)
    with pytest.raises(SceneError, match="diverged"):
        mapped(scene, backbone, checkpoint=path)
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 12])
def test_several_heads_go_on_where_they_were_interrupted(
    corridor, backbone, tmp_path, every_step, at
):
    path, options = tmp_path / "checkpoint", replace(TOY, heads=2)
    whole = mapped(corridor, backbone, options)
    with pytest.raises(Killed):
        mapped(corridor, backbone, options, checkpoint=path, progress=killer(at, Killed))
    resumed = mapped(corridor, backbone, options, checkpoint=path, resume=True)
    for a, b in zip(all_weights(resumed), all_weights(whole), strict=True):
        assert torch.equal(a, b)
    assert resumed.scene_map.info["steps"] == 16


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

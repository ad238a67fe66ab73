"""A network of its own for a toy place: it learns, goes on, and says what it lacks."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import load_backbone
from reloc.backbone.network import ConvBackbone
from reloc.errors import MapError, OptionError, SceneError
from reloc.localize import Localizer
from reloc.maps import SceneMap
from reloc.methods.dsacstar import DsacStarOptions, map_scene_dsacstar
from reloc.methods.dsacstar.network_trainer import SceneNetworkTrainer
from reloc.scenes import open_scene

SHORT = DsacStarOptions(steps=4, end_to_end=0.5, hypotheses=4, width=32, blocks=0, short_side=48)


@pytest.fixture(scope="module")
def scene(made_scene):
    return open_scene(made_scene(mapping=5, queries=1, width=64, height=48))


def small():
    torch.manual_seed(0)
    return ConvBackbone(channels=16, width=16).fuse()


def weights(scene_map):
    return [*scene_map.own_backbone.parameters(), *scene_map.head.parameters()]


@pytest.mark.parametrize(
    "supervision", ["rgb", "depth", pytest.param("rgbd", marks=pytest.mark.slow)]
)
def test_both_stages_run_and_the_map_works_with_its_own_backbone(scene, tmp_path, supervision):
    options = replace(SHORT, supervision=supervision)
    given = small()
    made = map_scene_dsacstar(scene, given, options=options, device="cpu").scene_map
    assert made.info["steps"] == 4
    assert made.backbone != given.fingerprint
    path = tmp_path / "map.safetensors"
    made.save(path)
    localizer = Localizer(SceneMap.load(path), load_backbone(), device="cpu")
    assert localizer.extractor.channels == 16


@pytest.mark.slow
@pytest.mark.parametrize("supervision", ["rgb", "depth"])
def test_reprojection_errors_fall(scene, supervision):
    options = replace(SHORT, supervision=supervision, end_to_end=0.0, width=64)
    before, after = (
        map_scene_dsacstar(
            scene, load_backbone(), options=replace(options, steps=steps), device="cpu"
        ).scene_map.info["median_error_px"]
        for steps in (5, 220)
    )
    assert after < 0.3 * before


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_map(scene, tmp_path):
    path = str(tmp_path / "state")
    whole = map_scene_dsacstar(scene, small(), options=SHORT, device="cpu")

    def stop(stage, done, total, **_):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        map_scene_dsacstar(
            scene, small(), options=SHORT, device="cpu", checkpoint=path, progress=stop
        )
    arguments: Any = {"device": "cpu", "checkpoint": path, "resume": True}
    with pytest.raises(MapError, match="other options"):
        map_scene_dsacstar(scene, small(), options=replace(SHORT, seed=9), **arguments)
    resumed = map_scene_dsacstar(scene, small(), options=SHORT, **arguments)
    assert all(map(torch.equal, weights(whole.scene_map), weights(resumed.scene_map)))


def test_a_training_that_was_finished_is_not_done_again(scene, tmp_path, monkeypatch):
    gone = replace(scene.mapping[1], image=tmp_path / "gone.png")
    scene = replace(scene, mapping=(scene.mapping[0], gone, *scene.mapping[2:6]))
    options = replace(SHORT, steps=len(scene.mapping))
    arguments = {"options": options, "device": "cpu", "checkpoint": tmp_path / "state"}
    whole = map_scene_dsacstar(scene, small(), **arguments)
    assert len(whole.skipped) == 1
    monkeypatch.setattr(SceneNetworkTrainer, "step", None)
    again = map_scene_dsacstar(scene, small(), resume=True, **arguments)
    assert all(map(torch.equal, weights(whole.scene_map), weights(again.scene_map)))
    assert again.skipped == whole.skipped
    for told in ("loss", "median_error_px", "inlier_share", "skipped", "steps"):
        assert again.scene_map.info[told] == whole.scene_map.info[told]


def test_depth_is_not_made_up(scene):
    blind = replace(scene, mapping=tuple(replace(f, depth=None) for f in scene.mapping))
    with pytest.raises(SceneError, match="no mapping frames have a depth image"):
        map_scene_dsacstar(blind, small(), options=replace(SHORT, supervision="depth"))
    with pytest.raises(OptionError, match="steps must be positive"):
        replace(SHORT, steps=0)


def with_depth_images(scene, folder, values):
    """The scene with other depth images, all alike."""
    path = folder / "depth.png"
    assert cv2.imwrite(str(path), values)
    frames = (replace(f, depth=replace(f.depth, path=path)) for f in scene.mapping)
    return replace(scene, mapping=tuple(frames))


@pytest.mark.parametrize(
    ("shape", "reason"),
    [((48, 64), "not one pixel was measured"), ((24, 32), "is 32x24, its camera 64x48")],
)
def test_depth_that_measures_nothing_or_does_not_fit_is_told(scene, tmp_path, shape, reason):
    bad = with_depth_images(scene, tmp_path, np.zeros(shape, np.uint16))
    with pytest.raises(SceneError, match=f"depth.png: {reason}"):
        map_scene_dsacstar(bad, small(), options=replace(SHORT, supervision="depth"), device="cpu")

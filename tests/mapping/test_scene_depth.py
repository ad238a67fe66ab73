"""Depth of mapping frames: as measured where it was, else swept to about the same."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.backbone import load_backbone
from reloc.images.augment import cell_pixels
from reloc.mapping import scene_depth
from reloc.mapping.scene_depth import depths_of_frames
from reloc.scenes import open_scene
from reloc.scenes.depth import read_depth_map


@pytest.mark.slow
def test_measured_and_swept_depth_agree(made_scene, monkeypatch):
    # The photos are no larger; magnified they take four times as long.
    monkeypatch.setattr(scene_depth, "SHORT_SIDE", 240)
    scene = open_scene(made_scene(mapping=40, queries=6, width=320, height=240))
    frames = scene.mapping[:14]
    backbone = load_backbone()
    pixels = cell_pixels(240, 320, stride=16)
    blind = tuple(replace(frame, depth=None) for frame in frames)
    swept = {
        f.name: depths.along(f.camera.rays(pixels))
        for f, depths in depths_of_frames(blind, backbone)
    }
    shares = []
    for frame, depths in depths_of_frames(frames, backbone):
        measured = depths.along(frame.camera.rays(pixels))
        stored = read_depth_map(frame.depth).values
        nearest = stored[pixels[:, 1].astype(int), pixels[:, 0].astype(int)]
        known = np.isfinite(measured)
        assert known.mean() > 0.5
        np.testing.assert_allclose(measured[known], nearest[known], rtol=0.06)
        if frame.name in swept:
            both = known & np.isfinite(swept[frame.name])
            shares += list(np.abs(swept[frame.name][both] / measured[both] - 1))
    assert len(swept) > 7
    assert np.median(shares) < 0.08

"""The scene on disk holds what was rendered, whole or not at all."""

from typing import Any

import numpy as np
import pytest

from reloc.errors import OutputError
from reloc.geometry import inverted, transformed
from reloc.images.files import read_depth, read_image
from reloc.synthetic import scene as module
from reloc.synthetic.rooms import make_room
from reloc.synthetic.scene import write_synthetic_scene

pytestmark = pytest.mark.usefixtures("coarse")
SMALL: dict[str, Any] = {"mapping": 8, "queries": 2, "width": 96, "height": 72}


@pytest.fixture(scope="module")
def written(coarse, tmp_path_factory):
    told = []
    scene = write_synthetic_scene(
        tmp_path_factory.mktemp("made") / "room",
        seed=0,
        progress=lambda stage, done, total, **_: told.append((done, total)),
        **SMALL,
    )
    return scene, told


def test_layout_and_values(written):
    scene, told = written
    assert told == [(n, 10) for n in range(1, 11)]
    assert (len(scene.mapping), len(scene.queries), scene.unit) == (8, 2, "metre")
    assert {p.name for p in scene.root.iterdir()} == {"train", "test"}
    assert [p.name for p in scene.root.parent.iterdir()] == ["room"]
    for frame in (*scene.mapping, *scene.queries):
        assert frame.image == scene.root / frame.name
        part = frame.image.parent.parent
        stem = frame.image.stem
        assert read_image(frame.image).shape == (72, 96, 3)
        stored = np.loadtxt(part / "poses" / f"{stem}.txt")
        assert (stored == frame.world_from_cam).all()
        assert (np.loadtxt(part / "calibration" / f"{stem}.txt") == frame.camera.matrix()).all()
        depth = read_depth(frame.depth.path)
        assert depth.shape == (72, 96) and depth.min() > 200 and depth.max() < 15_000


def test_depth_of_frames_agrees_in_space(written):
    scene, _ = written
    room = make_room(0)
    agreeing = 0
    for first in scene.mapping:
        rays = first.camera.rays(np.stack(np.meshgrid(np.arange(96), np.arange(72)), -1)
                                 .reshape(-1, 2) + 0.5)  # fmt: skip
        z = read_depth(first.depth.path).reshape(-1, 1) * first.depth.unit
        world = transformed(first.world_from_cam, np.concatenate([rays * z, z], axis=1))
        # Cylinders and spheres are taken for their bounding boxes.
        assert np.median(np.abs(room.clearance(world[::37]))) < 2e-3
        for second in scene.mapping:
            if second is first:
                continue
            local = transformed(inverted(second.world_from_cam), world)
            pixels = second.camera.project(local)
            with np.errstate(invalid="ignore"):
                inside = ((pixels > 0) & (pixels < (96, 72))).all(axis=1)
            at = np.floor(pixels[inside]).astype(int)
            seen = read_depth(second.depth.path)[at[:, 1], at[:, 0]] * second.depth.unit
            agreeing += int((np.abs(seen / local[inside, 2] - 1) < 0.02).sum())
    assert agreeing > 3000


@pytest.mark.slow
def test_a_seed_writes_the_same_files(written, tmp_path):
    scene, _ = written
    again = write_synthetic_scene(tmp_path / "again", seed=0, **SMALL)
    for a, b in zip(scene.mapping, again.mapping, strict=True):
        assert a.image.read_bytes() == b.image.read_bytes()
    other = write_synthetic_scene(
        tmp_path / "other", seed=3, mapping=1, queries=0, width=96, height=72, depth=False
    )
    assert other.mapping[0].depth is None and not (other.root / "train" / "depth").exists()
    assert other.mapping[0].image.read_bytes() != scene.mapping[0].image.read_bytes()


def test_what_is_there_is_left_alone(written, tmp_path):
    scene, _ = written
    with pytest.raises(OutputError, match="already"):
        write_synthetic_scene(scene.root, seed=0, **SMALL)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(OutputError, match="already"):
        write_synthetic_scene(file, **SMALL)
    assert file.read_text() == "mine"
    with pytest.raises(OutputError, match="written"):
        write_synthetic_scene(file / "below", **SMALL)


def test_a_scene_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def broken(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "render", broken)
    with pytest.raises(KeyboardInterrupt):
        write_synthetic_scene(tmp_path / "room", **SMALL)
    assert list(tmp_path.iterdir()) == []

"""What the film keeps of a training."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from reloc.backbone import ConvBackbone
from reloc.errors import SceneError
from reloc.geometry import Camera, look_at
from reloc.heads.mlp import new_head
from reloc.methods.ace.trainer import TrainingState
from reloc.methods.ace.training import Learner, TrainingSnapshot
from reloc.scenes import Frame
from reloc.view.film import recording
from reloc.view.film.recording import Recorder, Recording, Snapshot

CAMERA = Camera.pinhole(width=96, height=72, fx=80)


@pytest.fixture
def backbone():
    torch.manual_seed(0)
    return ConvBackbone(channels=8, width=8).fuse().requires_grad_(False)


@pytest.fixture
def frames(tmp_path):
    """Three frames of one colour each, one of them without a pose."""
    made = []
    for number, color in enumerate([(10, 20, 30), (40, 50, 60), (70, 80, 90)]):
        path = tmp_path / f"{number}.png"
        image = np.full((72, 96, 3), color, np.uint8)
        assert cv2.imwrite(str(path), image[:, :, ::-1])
        pose = None if number == 1 else look_at((number, -3, 100), (0, 0, 100))
        made.append(Frame(path.name, path, CAMERA, pose))
    return made


def snapshot(fraction, frames=(0, 1), origin=(1.0, -3.0, 100.0), seed=0):
    head = new_head(channels=8, width=8, blocks=1, scale=2.0, seed=seed)
    return TrainingSnapshot(
        (Learner(head, np.array(origin), np.array(frames, np.intp)),),
        steps=int(100 * fraction),
        fraction=fraction,
        state=lambda: TrainingState(5.0, 4.0, 0.5),
    )


def test_snapshots_hold_what_the_head_believes(frames, backbone):
    recorder = Recorder(frames, backbone, short_side=72, device="cpu")
    assert recorder.recording() is None
    recorder(snapshot(0.0))
    recorder(snapshot(1.0, seed=1))
    made = recorder.recording()
    cells = 2 * 9 * 12
    assert made.points.shape == (2, cells, 3)
    assert made.points.dtype == np.float16
    assert set(map(tuple, made.colors)) == {(10, 20, 30), (70, 80, 90)}
    np.testing.assert_allclose(np.unique(made.eyes[:, 0]), [0, 2])
    assert [s.steps for s in made.snapshots] == [0, 100]
    assert not np.allclose(made.points[0], made.points[1])
    np.testing.assert_allclose(made.at(0.5), (made.at(0) + made.at(1)) / 2, atol=1e-6)
    # A fresh head says something near its origin.
    assert np.abs(made.at(1.0) - (1, -3, 100)).max() < 20


def test_a_head_speaks_for_the_cells_of_its_own_frames(frames, backbone):
    recorder = Recorder(frames, backbone, short_side=72, device="cpu")
    first, second = (
        snapshot(0.0, frames=(0,)),
        snapshot(1.0, frames=(1,), origin=(11.0, -3.0, 100.0)),
    )
    recorder(replace(second, learners=first.learners + second.learners))
    made = recorder.recording()
    own = made.eyes[:, 0] == 2
    gap = made.at(0)[own].mean(axis=0) - made.at(0)[~own].mean(axis=0)
    np.testing.assert_allclose(gap, [10, 0, 0], atol=1.0)


def test_snapshots_crowd_at_the_start_and_stay_within_their_time(frames, backbone, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    recorder = Recorder(frames, backbone, short_side=72, device="cpu")
    believed = recorder._believed

    def slow(*arguments):
        clock[0] += 1.0
        return believed(*arguments)

    monkeypatch.setattr(recorder, "_believed", slow)
    for step in range(1000):
        clock[0] += 0.1
        recorder(snapshot(step / 1000))
    recorder(snapshot(1.0))
    made = recorder.recording()
    assert 8 <= len(made.points) <= 0.12 * 100 + 2
    fractions = [s.fraction for s in made.snapshots]
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert np.all(np.diff(fractions) > 0)


def test_without_a_readable_image_there_is_one_clear_error(frames, backbone):
    for frame in frames:
        frame.image.unlink()
    with pytest.raises(SceneError, match="nothing to film"):
        Recorder(frames, backbone, short_side=72, device="cpu")


def test_a_recording_can_be_asked_beyond_its_last_snapshot():
    points = np.arange(6, dtype=np.float16).reshape(2, 1, 3)
    snapshots = (Snapshot(0, 0, 0, 1, 1, 0), Snapshot(1, 1, 1, 1, 1, 0))
    made = Recording(
        points, np.ones(3), 2.0, np.zeros((1, 3), np.uint8), np.zeros((1, 3)), snapshots
    )
    np.testing.assert_allclose(made.at(1.0), [[7, 9, 11]])


def test_an_interrupted_recording_goes_on(frames, backbone, monkeypatch):
    monkeypatch.setattr(recording, "MOST_OF_TRAINING", 1e9)
    first = Recorder(frames, backbone, short_side=72, device="cpu")
    first(snapshot(0.0))
    first(snapshot(0.3))
    earlier = first.recording()
    recorder = Recorder(frames, backbone, short_side=72, device="cpu", earlier=earlier)
    recorder(snapshot(1.0, seed=1))
    made = recorder.recording()
    assert [s.fraction for s in made.snapshots] == [0.0, 0.3, 1.0]
    np.testing.assert_array_equal(made.points[:2], earlier.points)
    seconds = [s.seconds for s in made.snapshots]
    assert seconds == sorted(seconds)


def test_the_growth_of_other_frames_is_refused(frames, backbone):
    recorder = Recorder(frames, backbone, short_side=72, device="cpu")
    recorder(snapshot(0.0))
    made = recorder.recording()
    made.check_frames(frames)
    pose = frames[2].world_from_cam.copy()
    pose[0, 3] += 0.01
    moved = [*frames[:2], replace(frames[2], world_from_cam=pose)]
    with pytest.raises(SceneError, match="other frames or poses"):
        made.check_frames(moved)
    with pytest.raises(SceneError, match="other frames or poses"):
        Recorder(moved, backbone, short_side=72, device="cpu", earlier=made)
    assert cv2.imwrite(str(frames[0].image), np.zeros((72, 96, 3), np.uint8))
    with pytest.raises(SceneError, match="other images"):
        Recorder(frames, backbone, short_side=72, device="cpu", earlier=made)

"""How far off the poses of frames are while heads are trained."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reloc.backbone import FeatureExtractor
from reloc.localize.landmark_solver import LandmarkSolution
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.methods.ace.first_guesses import FirstGuesses
from reloc.methods.ace.region_features import RegionFeatures

from ...localize.test_self_check import Echo, Oracle, frames

NOTHING = FeatureBuffer.empty(0, channels=3, cam_from_world=torch.eye(4)[None, :3])


def region(*, moved=0.0):
    """Of a head whose coordinates are off by so many metres."""
    return RegionFeatures(np.arange(3), np.array([moved, 0.0, 0.0]), NOTHING)


class Solver:
    """Landmarks that are sure of a pose, or only of one near a first pose."""

    def __init__(self, pose, *, alone):
        self.pose, self.alone = pose, alone

    def solve(self, keypoints, camera, first, *, anywhere):
        assert anywhere == (first is None)
        sure = 0.9 if self.alone or first is not None else 0.1
        return LandmarkSolution(self.pose, np.eye(6), 80, 100, confidence=sure)


def guesses(photos, *, solver_of=lambda frame: None, regions_of=lambda pose: (0,)):
    extractor = FeatureExtractor(Oracle(), device=torch.device("cpu"))
    return FirstGuesses(
        photos, extractor, short_side=120, regions_of=regions_of, solver_of=solver_of
    )


def distances(errors):
    return [error[0] for error in errors]


def test_heads_alone_are_judged_by_the_regions_around(tmp_path):
    photos = frames(tmp_path, (0, 0.1, 0.5))
    made = guesses(photos).made([Echo()], [region()])
    assert distances(made.by_heads) == pytest.approx([0, 0.1, 0.5], abs=2e-3)
    assert made.final == made.by_heads
    assert made.settled == (False,) * 3
    both = [region(moved=3.0), region()]
    far, near = (
        guesses(photos, regions_of=lambda pose, own=own: own).made([Echo(), Echo()], both)
        for own in ((0,), (1,))
    )
    assert distances(far.by_heads)[0] == pytest.approx(3, abs=2e-3)
    assert near == made


@pytest.mark.parametrize("alone", [True, False])
def test_landmarks_have_the_last_word(tmp_path, alone):
    photos = frames(tmp_path, (0.2, 0.2))

    def solver_of(frame):
        return Solver(frame.world_from_cam, alone=alone)

    made = guesses(photos, solver_of=solver_of).made([Echo()], [region()])
    assert distances(made.by_heads) == pytest.approx([0.2, 0.2], abs=2e-3)
    assert distances(made.final) == [0, 0]
    assert made.settled == (alone, alone)


def test_images_that_cannot_be_read_are_left_out(tmp_path):
    good, bad = frames(tmp_path, (0, 0))
    bad = replace(bad, image=tmp_path / "gone.png")
    assert len(guesses([good, bad])) == 1
    nothing = guesses([bad]).made([Echo()], [region()])
    assert nothing.final == ()

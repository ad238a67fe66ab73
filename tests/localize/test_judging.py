"""What an estimate is worth."""

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from reloc.geometry import pose_from, rotation_from_vector
from reloc.localize.judging import REMOTE, Judge
from reloc.localize.landmark_solver import LandmarkSolution


def judge(*mapping_poses):
    """Of a map of which only the cameras matter."""
    cameras = [SimpleNamespace(world_from_cam=pose) for pose in mapping_poses]
    scene_map: Any = SimpleNamespace(
        cameras=cameras, usual_bound=None, head=None, reliability=1.0, held_back=None
    )
    return Judge(cast("Any", scene_map))


def pose(x, turned=0.0):
    return pose_from(rotation_from_vector([0.0, turned, 0.0]), [x, 0.0, 0.0])


def remoteness(judging, world_from_cam):
    found = LandmarkSolution(world_from_cam, None, 50, 100, confidence=1.0, depth=4.0)
    return judging.evidence_of_landmarks(found).remoteness


def test_remoteness_is_the_distance_from_cameras_that_look_alike_in_depths():
    # The nearest one looks the other way.
    judging = judge(pose(0.0), pose(1.5), pose(2.0, turned=np.pi))
    assert remoteness(judging, pose(2.5, turned=0.3)) == pytest.approx(0.25)
    assert remoteness(judging, pose(100.0)) == REMOTE
    assert remoteness(judging, pose(0.0, turned=np.pi / 2)) == REMOTE


def test_a_map_without_cameras_says_nothing_of_it():
    assert remoteness(judge(), pose(3.0)) == 0.0

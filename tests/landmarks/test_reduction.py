"""Fewer and smaller landmarks: which are kept, and what is left of their descriptors."""

from dataclasses import replace

import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.landmarks.editing import with_both
from reloc.landmarks.matching import LandmarkMatcher, seen_keypoints
from reloc.landmarks.reduction import ReductionOptions, most_useful, reduced

from .conftest import CAMERA, make_cloud
from .test_matching import landmarks_of


@pytest.fixture(scope="module")
def cloud():
    return make_cloud()


def cameras_of(cloud):
    return [(view.world_from_cam, CAMERA) for view in cloud.views]


def test_a_view_of_few_landmarks_keeps_most_of_them(cloud):
    """One view sees all but a twentieth of what there is, the other the rest."""
    whole, _ = landmarks_of(cloud)
    turn = np.diag([-1.0, 1, -1, 1])
    behind = whole.subset(np.arange(20))
    behind = replace(
        behind,
        points=behind.points @ turn[:3, :3],
        directions=(behind.directions @ turn[:3, :3]).astype(np.float32),
    )
    both = with_both(whole, behind)
    cameras = [*cameras_of(cloud)[:1], (turn @ cloud.views[0].world_from_cam, CAMERA)]
    rows = most_useful(both, cameras, most=80)
    assert len(rows) == 80
    assert (rows >= len(whole)).sum() >= 10, "an even share would be four"


def test_what_no_camera_sees_fills_up(cloud):
    whole, _ = landmarks_of(cloud)
    nowhere = np.eye(4)
    nowhere[2, 3] = 1e6
    assert len(most_useful(whole, [], most=100)) == 100
    assert len(most_useful(whole, [(nowhere, CAMERA)], most=100)) == 100
    assert len(most_useful(whole, [], most=10_000)) == len(whole)


@pytest.mark.parametrize(("bits", "least"), [(4, 0.9), (6, 0.97)])
def test_small_descriptors_find_most_of_what_whole_ones_do(cloud, bits, least):
    whole, _ = landmarks_of(cloud)
    options = ReductionOptions(count=10_000, dimensions=24, bits=bits)
    small = reduced(whole, cameras_of(cloud), options=options)
    assert small.descriptors.shape == (len(whole), 24)
    numbers = [len(np.unique(column)) for column in small.descriptors.T]
    assert max(numbers) <= 2**bits
    found = [
        len(LandmarkMatcher(m).among_all(seen_keypoints(cloud.keypoints[5], CAMERA, m))[0])
        for m in (whole, small)
    ]
    assert found[1] >= least * found[0]


@pytest.mark.parametrize(
    "options",
    [
        {"count": 0, "dimensions": 24, "bits": 4},
        {"count": 9, "dimensions": 20, "bits": 4},
        {"count": 9, "dimensions": 24, "bits": 7},
    ],
)
def test_impossible_reductions_are_refused(options):
    with pytest.raises(OptionError):
        ReductionOptions(**options)

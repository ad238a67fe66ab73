import numpy as np
import pytest

from reloc.geometry import look_at
from reloc.landmarks.editing import seen_by_any, with_both
from reloc.landmarks.matching import LandmarkMatcher, seen_keypoints

from .conftest import CAMERA, make_cloud
from .test_matching import landmarks_of


@pytest.fixture(scope="module")
def halves(cloud):
    whole, _ = landmarks_of(cloud)
    rows = np.arange(len(whole))
    return whole, whole.subset(rows[::2]), whole.subset(rows[1::2])


def test_landmarks_of_two_maps_are_all_found(cloud, halves):
    whole, even, odd = halves
    both = with_both(even, odd)
    assert len(both) == len(whole)
    seen = seen_keypoints(cloud.keypoints[5], CAMERA, both)
    keys, _ = LandmarkMatcher(both).among_all(seen)
    assert len(keys) > 0.9 * len(seen.pixels)


def test_another_basis_is_followed(cloud):
    """The codes of the second map are those that the basis of the first gives, but for rounding."""
    one, other = landmarks_of(cloud)[0], landmarks_of(make_cloud(seed=4))[0]
    both = with_both(one, other)
    assert not np.array_equal(both.descriptors[len(one) :], other.descriptors)
    back = both.basis.approximated(both.descriptors[: len(one)])
    assert np.abs(one.basis.codes(back).astype(int) - one.descriptors.astype(int)).max() <= 1


def test_a_map_without_landmarks_adds_none(halves):
    whole, *_ = halves
    assert with_both(whole, None) is whole
    assert with_both(None, whole) is whole
    assert with_both(None, None) is None


def test_only_what_a_camera_sees_is_left(cloud, halves):
    whole, *_ = halves
    away = look_at((0, 0, 0), (0, 0, -4.5), up=(0, -1, 0))
    assert len(seen_by_any(whole, [(away, CAMERA)])) == 0
    assert len(seen_by_any(whole, [])) == 0
    aside = look_at((0, 0, 0), (2.5, 0, 4.5), up=(0, -1, 0))
    one = seen_by_any(whole, [(aside, CAMERA)])
    more = seen_by_any(whole, [(v.world_from_cam, CAMERA) for v in cloud.views])
    assert 0 < len(one) < len(more)

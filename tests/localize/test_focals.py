"""At which size a query is looked at, by its focal length and those of the mapping photos."""

import pytest

from reloc.geometry import Camera
from reloc.images.augment import MAX_VIEW_PIXELS, enlarged_side
from reloc.localize.focals import LEAST, MOST, KnownFocals


def camera(focal, *, width=640, height=480):
    return Camera.pinhole(width=width, height=height, fx=focal)


def enlarged(focal, *known, **size):
    return KnownFocals([camera(f) for f in known]).enlargement(camera(focal, **size))


@pytest.mark.parametrize("focal", [500 / 1.49, 500, 500 * 1.49])
def test_what_mapping_zoomed_to_stays_as_it_is(focal):
    assert enlarged(focal, 480, 500, 510) == 1


@pytest.mark.parametrize(("focal", "factor"), [(1000, 0.5), (800, 0.625), (300, 5 / 3), (250, 2)])
def test_other_focal_lengths_are_brought_to_the_median(focal, factor):
    assert enlarged(focal, 100, 500, 500, 500, 510) == pytest.approx(factor)


def test_the_size_of_the_photo_does_not_matter():
    assert enlarged(2000, 500, width=2560, height=1920) == 1
    assert enlarged(2000, 500, width=1280, height=960) == 0.5
    assert enlarged(500, 500, width=480, height=640) == 1


def test_a_focal_length_that_some_mapping_photos_have_is_known():
    assert enlarged(1000, *[500] * 9, 1000) == 1
    assert enlarged(1000, *[500] * 99, 1000) == 0.5


def test_absurd_cameras_make_no_enormous_views():
    assert enlarged(1e-3, 500) == MOST
    assert enlarged(1e9, 500) == LEAST


def test_a_map_that_remembers_no_camera_enlarges_nothing():
    assert enlarged(1000) == 1


def test_a_view_grows_as_far_as_pixels_allow():
    assert enlarged_side(480, 0.5, 640, 480) == 240
    assert enlarged_side(480, 1.0, 640, 480) == 480
    assert enlarged_side(480, 2.0, 640, 480) == 960
    long = enlarged_side(480, 2.0, 9000, 1000)
    assert 480 < long < 960
    assert long * long * 9 <= MAX_VIEW_PIXELS
    # What is too long and thin as it is stays so: the view itself refuses it.
    assert enlarged_side(480, 2.0, 90000, 1000) == 480
    assert enlarged_side(1, 0.25, 640, 480) == 1

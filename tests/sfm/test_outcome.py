"""What is missing, why, and what to film again."""

from dataclasses import replace

import pytest

from reloc.capture.photos import PhotoFacts
from reloc.sfm.outcome import Outcome, Seen, gaps_of, reason_of

FINE = PhotoFacts("x", blur=0.3, shadow=120, burnt=0.0, contrast=150)


def seen(number, model=0, time=None, **changes):
    return replace(Seen(f"{number}.jpg", FINE, 900, 5, time, model), **changes)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"facts": None}, "damaged"),
        ({"facts": replace(FINE, shadow=10)}, "dark"),
        ({"facts": replace(FINE, burnt=0.6)}, "bright"),
        ({"facts": replace(FINE, contrast=5)}, "bare"),
        ({"keypoints": 12}, "bare"),
        ({"facts": replace(FINE, blur=0.9)}, "blurred"),
        ({"partners": 0}, "alone"),
        ({"model": 1}, "apart"),
        ({}, "weak"),
    ],
)
def test_the_reason_is_what_the_picture_shows_first(changes, reason):
    assert reason_of(seen(0, **{"model": None, **changes})) == reason


def test_images_in_a_row_are_one_part_and_the_longest_comes_first():
    run = [seen(n, model=None if n in (2, 5, 6, 7) else 0, time=20.0 * n) for n in range(10)]
    gaps = gaps_of(run)
    assert [gap.names for gap in gaps] == [("5.jpg", "6.jpg", "7.jpg"), ("2.jpg",)]
    assert gaps[0].text.startswith("from 1:40 to 2:20 of the video (3 frames): ")
    assert gaps[1].text.startswith("at 0:40 of the video (1 frame): ")


def test_photos_are_named():
    [gap] = gaps_of([seen(0), seen(1, model=None), seen(2, model=None)])
    assert gap.text.startswith("1.jpg to 2.jpg (2 photos): ")
    assert "step" in gap.remedy


def test_all_posed_leaves_no_gap():
    assert gaps_of([seen(n) for n in range(3)]) == ()


def test_lines_tell_what_is_left_out():
    gaps = gaps_of([seen(n, model=n % 2) for n in range(20)])
    lines = Outcome(20, 10, (10,), 500, 0.7, gaps, damaged=("a.jpg",)).lines()
    assert lines[0].startswith("poses of 10 of 20 images, 500 points, reprojection error 0.70 px")
    assert "parts of 10 images" in "".join(lines)
    assert "a.jpg" in lines[1]
    assert sum(line.startswith("missing") for line in lines) == 6
    assert lines[-1] == "missing: 5 images more, one here and one there"

"""Estimates and frames come together by name."""

from pathlib import Path

import pytest

from reloc.errors import OptionError
from reloc.geometry import Camera
from reloc.localize.estimate import Estimate
from reloc.localize.pairing import paired
from reloc.scenes.scene import Frame

CAMERA = Camera.pinhole(width=4, height=3, fx=5)


def frames(names):
    return [Frame(name, Path(name), CAMERA, None) for name in names]


def estimates(names):
    return [Estimate(name, False, None) for name in names]


def test_names_decide_not_the_order():
    pairs = paired(estimates("cab"), frames("abc"))
    assert [(f.name, e.image) for f, e in pairs] == [("a", "a"), ("b", "b"), ("c", "c")]


def test_a_frame_may_lack_an_estimate():
    pairs = paired(estimates("c"), frames("abc"))
    assert [e and e.image for _, e in pairs] == [None, None, "c"]
    assert paired([], []) == []


@pytest.mark.parametrize(
    ("answers", "images", "reason"),
    [
        ("aa", "ab", "a: two estimates"),
        ("a", "aa", "two frames share a name"),
        ("ax", "ab", "x: an estimate for an image that is none of the 2 frames"),
    ],
)
def test_what_does_not_belong_together_is_refused(answers, images, reason):
    with pytest.raises(OptionError, match=reason):
        paired(estimates(answers), frames(images))

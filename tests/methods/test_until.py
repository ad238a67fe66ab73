"""What can be asked of a map, as it is typed."""

import pytest

from reloc.errors import OptionError
from reloc.maps.held_back import Bound, HeldBack
from reloc.methods.until import Until, reaches

from ..maps.test_scene_map import made_map

USUAL = Bound(0.25, 5.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2cm 1deg", Until(0.5, meters=0.02, degrees=1.0)),
        ("95%", Until(0.95)),
        ("95% 20mm", Until(0.95, meters=0.02)),
        ("0.5%extent 1deg", Until(0.5, of_extent=0.005, degrees=1.0)),
        ("1.5m", Until(0.5, meters=1.5)),
    ],
)
def test_lengths_angles_and_shares_are_understood(text, expected):
    found = Until.parsed(text)
    assert vars(found) == pytest.approx(vars(expected))


@pytest.mark.parametrize(
    "text",
    ["", "good", "2", "2 cm", "-2cm", "0deg", "101%", "2cm 3cm", "2cm 1%extent", "9" * 400 + "m"],
)
def test_anything_else_is_refused_in_a_line(text):
    with pytest.raises(OptionError, match="say for instance") as caught:
        Until.parsed(text)
    assert len(str(caught.value)) < 250


def test_what_is_not_said_is_as_usual():
    def bound(text, unit="metre"):
        return Until.parsed(text).goal(extent=8.0, unit=unit).bound

    assert bound("95%") == USUAL
    assert bound("1deg", unit="unknown") == Bound(0.24, 1.0)
    assert bound("0.5%extent", unit="unknown") == Bound(0.04, 5.0)
    with pytest.raises(OptionError, match="no metres"):
        bound("2cm", unit="unknown")


def test_so_many_frames_have_to_be_within_the_bound():
    errors = ((0.01, 0.1), (0.03, 0.1), None, (0.01, 2.0))
    told = made_map(held_back=HeldBack("held back", errors, errors))
    for text, met in (("75%", True), ("80%", False), ("3cm 1deg", True), ("2cm 1deg", False)):
        assert reaches(told, text) == met, text
    assert not reaches(made_map(), "1%"), "it was not measured"

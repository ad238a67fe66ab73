"""What a map was measured to do: figures, and their way through a file."""

from dataclasses import replace

import pytest

from reloc.evaluation.quality import NOT_MEASURED, quality_text
from reloc.maps import SceneMap
from reloc.maps.compress import compressed
from reloc.maps.edit import with_added
from reloc.maps.held_back import Bound, HeldBack

from .test_scene_map import made_map, rewritten

TOLD = HeldBack("held back", ((0.01, 0.2), (0.3, 1.0), None, (0.02, 0.1)), (None,) * 4)


def test_figures_count_lost_frames_as_infinitely_far_off():
    assert (TOLD.frames, TOLD.median_distance, TOLD.median_degrees) == (4, 0.3, 1.0)
    assert TOLD.found(Bound(0.25, 5)) == 0.5
    assert TOLD.found(Bound(0.3, 0.5)) == 0.5
    assert TOLD.found(Bound(9, 180)) == 0.75
    lost = replace(TOLD, errors=(None, None, (0.1, 0.1), (0.1, 0.1)))
    assert lost.median_distance == float("inf")


def test_the_usual_bound_is_in_metres_where_there_are_any():
    assert made_map().usual_bound == Bound(0.25, 5)
    assert made_map(unit="unknown", extent=2.0).usual_bound == Bound(0.06, 5)


def test_it_comes_back_and_older_maps_have_none(tmp_path):
    path = tmp_path / "measured.reloc"
    made_map(held_back=TOLD).save(path)
    assert SceneMap.load(path).held_back == TOLD
    assert SceneMap.load(rewritten(path, header={"held_back": None})).held_back is None
    made_map().save(path)
    assert SceneMap.load(path).held_back is None


def test_compression_keeps_it_and_edits_drop_it():
    measured = made_map(held_back=TOLD)
    assert compressed(measured, bits=8).held_back == TOLD
    assert with_added(measured, measured).held_back is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, NOT_MEASURED),
        ({"held_back": TOLD}, "2 of 4 frames held back found to 25 cm and 5 deg, median 30 cm"),
        ({"held_back": TOLD, "info": {"bits": 4}}, "before it was compressed"),
        ({"held_back": replace(TOLD, errors=(None,), by_heads=(None,))}, "median lost"),
        ({"held_back": replace(TOLD, way="left out"), "unit": "unknown"}, "3 % of the extent and"),
        ({"held_back": TOLD, "unit": "unknown", "extent": 0.0}, "0.3 scene units"),
    ],
)
def test_people_read_it_in_a_line(changes, text):
    assert text in quality_text(made_map(**changes))

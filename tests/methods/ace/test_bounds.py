"""What a mapping may look at."""

from dataclasses import replace

import pytest

from reloc.methods.ace.bounds import MAX_SURVEYED, VIEWS_PER_FRAME, Bounds
from reloc.methods.ace.options import MappingOptions
from reloc.training import TimeLimit


def bounds_of(options, *, frames):
    return Bounds.of(options, TimeLimit(options.time_limit), frames=frames)


def test_every_frame_is_looked_at_and_fewer_are_surveyed_than_there_are_views():
    bounds = bounds_of(MappingOptions(views=60), frames=40)
    assert bounds == Bounds(surveyed=60 // VIEWS_PER_FRAME, planned=60)
    assert bounds_of(MappingOptions(views=10), frames=40).planned == 40


@pytest.mark.parametrize(("frames", "surveyed"), [(40, 40), (9000, MAX_SURVEYED)])
def test_against_the_clock_as_many_are_surveyed_as_memory_holds(frames, surveyed):
    options = MappingOptions(views=60, time_limit=30)
    assert bounds_of(options, frames=frames).surveyed == surveyed
    assert bounds_of(options, frames=frames).rows(options, wanted=frames) is None


def test_a_part_of_the_frames_wants_its_part_of_the_room():
    options = MappingOptions(views=120, cells_per_view=10)
    bounds = bounds_of(options, frames=40)
    assert bounds.rows(options, wanted=40) == 1200
    assert bounds.rows(options, wanted=4) == 4 * VIEWS_PER_FRAME * 10


def test_views_grow_with_the_training_up_to_those_that_are_planned():
    bounds = bounds_of(MappingOptions(views=2400), frames=100)
    counts = [bounds.views_for(steps, surveyed=100) for steps in (0, 100, 500, 2000, 9000)]
    assert counts == [150, 150, 250, 1000, 2400]
    assert replace(bounds, views=500).views_for(0, surveyed=100) == 500

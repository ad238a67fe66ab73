"""What a map knows of its alignment: its way through a file and through edits."""

from dataclasses import replace

import numpy as np

from reloc.alignment import Alignment, Geodetic, Similarity
from reloc.geometry import rotation_from_vector
from reloc.maps import SceneMap
from reloc.maps.compress import compressed
from reloc.maps.edit import with_added

from .test_scene_map import made_map, rewritten

MOVE = Similarity(0.25, rotation_from_vector((0.3, -2, 1)), np.array([1e6, -3.25, 7]))
TOLD = Alignment(MOVE, "as given", "by a distance of 3 m", Geodetic(48.2, 16.4, 180.5), 0.75)


def assert_told(found):
    assert (found.up_by, found.metres_by) == (TOLD.up_by, TOLD.metres_by)
    assert (found.origin, found.deviation) == (TOLD.origin, TOLD.deviation)
    assert found.aligned_from_world.scale == MOVE.scale
    np.testing.assert_array_equal(found.aligned_from_world.rotation, MOVE.rotation)
    np.testing.assert_array_equal(found.aligned_from_world.translation, MOVE.translation)


def test_it_comes_back_to_the_bit_and_older_maps_have_none(tmp_path):
    path = tmp_path / "aligned.reloc"
    made_map(alignment=TOLD).save(path)
    assert_told(SceneMap.load(path).alignment)
    assert SceneMap.load(rewritten(path, header={"alignment": None})).alignment is None
    made_map().save(path)
    assert SceneMap.load(path).alignment is None


def test_little_may_be_known(tmp_path):
    path = tmp_path / "aligned.reloc"
    made_map(alignment=Alignment(MOVE)).save(path)
    found = SceneMap.load(path).alignment
    assert (found.up_by, found.metres_by, found.origin, found.deviation) == (None,) * 4
    assert found.up is None


def test_what_becomes_of_a_map_is_aligned_as_it_was():
    plain = made_map()
    aligned = replace(plain, alignment=TOLD)
    assert compressed(aligned, bits=8).alignment is TOLD
    assert with_added(aligned, plain).alignment is TOLD
    assert with_added(plain, aligned).alignment is TOLD

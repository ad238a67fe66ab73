"""Which images are matched: neighbours, and those that look alike."""

import numpy as np

from reloc.sfm.pairs import alike_pairs, pairs_to_match, sequence_pairs


def test_neighbours_are_near_and_ever_farther():
    pairs = sequence_pairs(100, kind="video")
    assert {b - a for a, b in pairs} == {1, 2, 3, 4, 5, 6, 8, 16}
    assert {b - a for a, b in sequence_pairs(100, kind="photos")} == {1, 2, 3}
    assert sequence_pairs(1, kind="video") == set()


def test_the_end_of_a_walk_is_matched_with_the_beginning_that_it_looks_like():
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    descriptors = np.round(100 * np.stack([np.cos(angles), np.sin(angles)], 1)).astype(np.int8)
    pairs = pairs_to_match(descriptors, kind="video")
    assert (0, 59) in pairs
    assert pairs == sorted(set(pairs))
    assert all(a < b for a, b in pairs)


def test_what_is_matched_already_is_not_asked_for():
    descriptors = np.random.default_rng(0).integers(-90, 90, (12, 40)).astype(np.int8)
    known = sequence_pairs(12, kind="photos")
    found = alike_pairs(descriptors, known=known, most=2)
    assert not found & known
    per_image = [sum(n in pair for pair in found) for n in range(12)]
    assert min(per_image) >= 2

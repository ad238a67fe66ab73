"""Descriptors tell what an image looks like, whatever the order of its cells."""

import numpy as np
import torch

from reloc.backbone.descriptor import global_descriptor, similarity


def place(seed, *, cells=400):
    """Features of a place: a few directions of its own, in random strengths."""
    generator = torch.Generator().manual_seed(seed)
    directions = torch.randn(6, 64, generator=generator)
    return torch.randn(cells, 6) @ directions + 0.5 * torch.randn(cells, 64)


def test_views_of_a_place_are_more_alike_than_places():
    torch.manual_seed(0)
    same = [global_descriptor(place(1)) for _ in range(4)]
    others = [global_descriptor(place(seed)) for seed in range(2, 12)]
    query, views = same[0], np.stack(same[1:])
    assert similarity(query, views).min() > similarity(query, np.stack(others)).max() + 0.1


def test_order_and_number_of_cells_do_not_matter():
    features = place(1)
    one = global_descriptor(features)
    assert one.dtype == np.int8
    np.testing.assert_array_equal(one, global_descriptor(features.flip(0)))
    np.testing.assert_array_equal(one, global_descriptor(torch.cat([features, features])))
    np.testing.assert_allclose(similarity(one, one[None]), 1, atol=1e-6)


def test_few_channels_and_empty_views_are_no_trouble():
    short = global_descriptor(torch.randn(10, 3))
    assert short.shape == (6,)
    assert similarity(short, np.zeros((0, 6), np.int8)).shape == (0,)
    assert not global_descriptor(torch.zeros(10, 3)).any()
    assert similarity(np.zeros(6, np.int8), short[None]).tolist() == [0]

"""Drawing a few cells."""

import torch

from reloc.pose.ransac.minimal_sets import minimal_sets, taken


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_sets_hold_distinct_usable_cells_each_as_often():
    usable = torch.tensor([[True] * 7 + [False] * 3, [False, True] * 5])
    cells = minimal_sets(usable, sets=20000, size=4, generator=seeded())
    assert cells.shape == (2, 20000, 4)
    ordered = cells.sort(dim=-1).values
    assert (ordered[..., 1:] > ordered[..., :-1]).all()
    for image in range(2):
        counts = torch.bincount(cells[image].flatten(), minlength=10)
        assert (counts[~usable[image]] == 0).all()
        expected = 80000 / usable[image].sum()
        assert ((counts[usable[image]] - expected).abs() < 0.05 * expected).all()


def test_every_place_of_a_set_is_drawn_from_all_cells():
    cells = minimal_sets(torch.ones(1, 5, dtype=torch.bool), sets=20000, size=3, generator=seeded())
    for place in range(3):
        counts = torch.bincount(cells[0, :, place], minlength=5)
        assert ((counts - 4000).abs() < 250).all()


def test_the_seed_decides():
    usable = torch.ones(1, 100, dtype=torch.bool)
    first, again, other = (
        minimal_sets(usable, sets=9, size=4, generator=seeded(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_too_few_cells_are_repeated():
    usable = torch.tensor([[False, False, False, False], [False, True, True, False]])
    cells = minimal_sets(usable, sets=50, size=4, generator=seeded())
    assert ((cells[0] >= 0) & (cells[0] < 4)).all()
    assert (cells[0] == cells[0, :, :1]).all()
    assert set(cells[1].unique().tolist()) == {1, 2}


def test_rows_are_taken_by_image():
    values = torch.arange(24).view(2, 4, 3)
    cells = torch.tensor([[[0, 3]], [[1, 1]]])
    expected = torch.stack([values[0, [0, 3]], values[1, [1, 1]]])[:, None]
    assert torch.equal(taken(values, cells), expected)

"""The contrastive objective against its formula."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from reloc.backbone.pretrain.contrastive import features_at, info_nce
from reloc.backbone.pretrain.view_pairs import cell_centers


def test_beyond_the_outermost_cells_features_are_theirs():
    """As ``grid_sample`` has it with a padding that not every device knows."""
    torch.manual_seed(0)
    features = torch.randn(2, 3, 4, 5, requires_grad=True)
    pixels = torch.rand(2, 50, 2) * torch.tensor([60.0, 50.0]) - 10
    places = pixels / torch.tensor([20.0, 16.0]) - 1
    expected = functional.grid_sample(
        features, places[:, None], align_corners=False, padding_mode="border"
    )[:, :, 0].mT
    sampled = features_at(features, pixels, stride=8)
    torch.testing.assert_close(sampled, expected)
    chance = torch.randn_like(sampled)
    torch.testing.assert_close(
        *(torch.autograd.grad((x * chance).sum(), features)[0] for x in (sampled, expected))
    )


def test_features_at_cell_centers_are_those_of_the_cells():
    features = torch.randn(2, 5, 6, 6)
    centers = torch.from_numpy(cell_centers(48, 8)).float().expand(2, -1, -1)
    sampled = features_at(features, centers, stride=8)
    assert sampled.shape == (2, 36, 5)
    torch.testing.assert_close(sampled, features.flatten(2).transpose(1, 2), rtol=0, atol=1e-5)


def test_between_centers_features_are_mixed_by_distance():
    features = torch.randn(1, 3, 4, 7)
    # A quarter of the way from cell (1, 2) to cell (1, 3), halfway down to row 2.
    sampled = features_at(features, torch.tensor([[[22.0, 16.0]]]), stride=8)[0, 0]
    cells = features[0]
    top = 0.75 * cells[:, 1, 2] + 0.25 * cells[:, 1, 3]
    bottom = 0.75 * cells[:, 2, 2] + 0.25 * cells[:, 2, 3]
    torch.testing.assert_close(sampled, (top + bottom) / 2, rtol=0, atol=1e-5)


def test_beyond_the_outer_centers_features_stay():
    features = torch.randn(1, 3, 4, 4)
    sampled = features_at(features, torch.tensor([[[0.0, 0.0], [32.0, 32.0]]]), stride=8)[0]
    torch.testing.assert_close(sampled, torch.stack([features[0, :, 0, 0], features[0, :, -1, -1]]))


@pytest.mark.parametrize("temperature", [0.06, 1.0])
def test_info_nce_is_the_formula(temperature):
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 12, 4))
    a /= np.linalg.norm(a, axis=1, keepdims=True)
    b /= np.linalg.norm(b, axis=1, keepdims=True)
    total, hits = 0.0, 0
    for i in range(12):
        forth = [float(np.exp(a[i] @ b[j] / temperature)) for j in range(12)]
        back = [float(np.exp(a[j] @ b[i] / temperature)) for j in range(12)]
        total -= np.log(forth[i] / sum(forth)) + np.log(back[i] / sum(back))
        hits += int(np.argmax(forth) == i)
    loss, correct = info_nce(torch.from_numpy(a), torch.from_numpy(b), temperature=temperature)
    assert loss.item() == pytest.approx(total / 24, rel=1e-5)
    assert correct.item() == pytest.approx(hits / 12)


def test_alike_features_cost_little_and_shuffled_ones_much():
    features = functional.normalize(torch.randn(64, 32), dim=1)
    good, all_right = info_nce(features, features, temperature=0.06)
    bad, none_right = info_nce(features, features.roll(1, 0), temperature=0.06)
    assert good < 0.1 < 5 < bad
    assert all_right == 1
    assert none_right == 0

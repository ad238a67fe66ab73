"""The ridge head: responses, points, sizes that a file may claim."""

import pytest
import torch
from torch.nn import functional

from reloc.heads import RidgeHead, build_head


def head_of(anchors=20, channels=6, **options):
    """A head with random anchors and points."""
    generator = torch.Generator().manual_seed(0)
    head = RidgeHead(channels=channels, anchors=anchors, **options).requires_grad_(False)
    head.anchors.copy_(
        functional.normalize(torch.randn(anchors, channels, generator=generator), dim=1)
    )
    head.points.copy_(torch.randn(anchors, 3, generator=generator))
    return head


def test_responses_are_the_softmax_of_the_nearest_cosines():
    head = head_of(neighbours=4, temperature=0.2)
    features = torch.randn(9, 6, generator=torch.Generator().manual_seed(1))
    indices, weights = head.responses(7 * features)
    cosines = functional.normalize(features, dim=1) @ head.anchors.T
    for row in range(9):
        nearest = cosines[row].argsort(descending=True)[:4]
        assert set(indices[row].tolist()) == set(nearest.tolist())
        expected = torch.softmax(cosines[row][indices[row]] / 0.2, dim=0)
        torch.testing.assert_close(weights[row], expected)


def test_coordinates_are_linear_in_the_points_and_scaled_by_the_unit():
    head = head_of(neighbours=4)
    features = torch.randn(5, 6, generator=torch.Generator().manual_seed(2))
    indices, weights = head.responses(features)
    expected = torch.einsum("nk,nkc->nc", weights, head.points[indices])
    torch.testing.assert_close(head(features), expected)
    head.points.mul_(2)
    head.scale.fill_(3.0)
    torch.testing.assert_close(head(features), 6 * expected)


def test_an_anchor_alone_answers_with_its_point_when_cold():
    head = head_of(neighbours=3, temperature=1e-3)
    torch.testing.assert_close(head(head.anchors), head.points)


def test_many_features_give_what_each_gives_alone():
    head = head_of(neighbours=2)
    features = torch.randn(5000, 6, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(head(features)[4998:], head(features[4998:]))


def test_a_head_of_equal_sizes_comes_from_its_spec():
    head = head_of(neighbours=5)
    numbers = sum(p.numel() for p in head.parameters())
    again = build_head({"kind": "ridge", **head.spec()}, scale=2.0, weights=numbers)
    assert again.spec() == head.spec()
    again.load_state_dict(head.state_dict())
    features = torch.randn(4, 6)
    torch.testing.assert_close(again(features), head(features))


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 0},
        {"anchors": 0},
        {"neighbours": 21},
        {"neighbours": 0},
        {"anchors": 10**9},
        {"channels": 4000},
    ],
)
def test_sizes_that_the_file_does_not_hold_are_refused(change):
    spec = {"kind": "ridge", **head_of().spec(), **change}
    with pytest.raises(ValueError):
        build_head(spec, scale=1.0, weights=20 * 9 + 1)

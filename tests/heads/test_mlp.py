"""The MLP head: homogeneous output, units, extremes."""

import copy

import pytest
import torch

from reloc.heads.mlp import MAX_SCALE, MIN_SCALE, MlpHead


def head_with_output(x, y, z, w, *, scale=1.0):
    """A head whose last layer gives (x, y, z, w) whatever comes in."""
    head = MlpHead(channels=4, width=8, blocks=1, scale=scale)
    with torch.no_grad():
        head.point.weight.zero_()
        head.point.bias.copy_(torch.tensor([x, y, z, w], dtype=torch.float32))
    return head


def homogeneous(w):
    """h for an output w."""
    with torch.no_grad():
        return 1 / head_with_output(1, 0, 0, w)(torch.zeros(1, 4))[0, 0].item()


def test_w_of_zero_leaves_the_point_as_it_is():
    with torch.no_grad():
        point = head_with_output(1, -2, 3, 0)(torch.randn(5, 4))
    torch.testing.assert_close(point, torch.tensor([[1.0, -2, 3]]).expand(5, 3))


def test_the_homogeneous_scale_rises_between_its_bounds():
    values = [homogeneous(w) for w in (-1e30, -100, -3, -1, 0, 1, 3, 50, 200, 1e30)]
    assert values == sorted(values)
    assert values[0] == pytest.approx(MIN_SCALE)
    assert values[4] == pytest.approx(1)
    assert values[-1] == pytest.approx(MAX_SCALE)


@pytest.mark.parametrize("w", [-1e30, -1e4, 0, 1e4, 1e30])
def test_points_and_gradients_stay_finite_for_extreme_outputs(w):
    head = head_with_output(1e6, -1e6, 3, w)
    point = head(torch.randn(3, 4))
    assert torch.isfinite(point).all()
    point.sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in head.parameters())


def test_the_unit_of_length_scales_the_points_and_nothing_else():
    torch.manual_seed(0)
    meters = MlpHead(channels=6, width=16, blocks=2, scale=3.0)
    centimetres = copy.deepcopy(meters)
    centimetres.scale.fill_(300.0)
    features = torch.randn(20, 6)
    with torch.no_grad():
        torch.testing.assert_close(centimetres(features), 100 * meters(features))


def test_each_point_is_by_itself():
    torch.manual_seed(0)
    head = MlpHead(channels=6, width=16)
    features = torch.randn(9, 6)
    with torch.no_grad():
        together = head(features)
        alone = torch.cat([head(row[None]) for row in features])
    assert together.shape == (9, 3)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert torch.unique(together, dim=0).shape == (9, 3)


def test_under_autocast_the_points_keep_full_precision():
    """Only the last product decides about millimetres: it must not be rounded to bfloat16."""
    head = head_with_output(1.001, 2.003, -3.007, 0)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        point = head(torch.randn(2, 4))
    assert point.dtype == torch.float32
    torch.testing.assert_close(point[0], torch.tensor([1.001, 2.003, -3.007]), rtol=1e-6, atol=0)


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_blocks_are_three_layers_each(blocks):
    count = sum(p.numel() for p in MlpHead(channels=5, width=7, blocks=blocks).parameters())
    assert count == (5 + 1) * 7 + (3 * blocks + 1) * (7 + 1) * 7 + (7 + 1) * 4


def test_the_scale_is_kept_in_the_state_but_not_trained():
    head = MlpHead(channels=4, width=8, scale=2.5)
    assert head.state_dict()["scale"] == 2.5
    assert "scale" not in dict(head.named_parameters())

"""The loss of single cells: reprojection where it says something, else a way back to the ray."""

import pytest
import torch

from reloc.methods.dsacstar.loss import LossScale, initial_loss
from reloc.methods.refine.images import Cells

SCALE = LossScale(meter=1.0, depth=4.0, pixel=1.0)


def cost(point, supervision, *, depth=2.0, scale=SCALE, unit=1.0):
    """Of one point that looks along the axis of a camera with a focal length of 100 pixels."""
    cells = Cells(torch.zeros(1, 2), torch.tensor([depth * unit]), 100.0, torch.eye(4)[:3])
    point = torch.tensor([point]) * unit
    return float(initial_loss(point, cells, supervision=supervision, scale=scale)[0])


@pytest.mark.parametrize(
    ("point", "supervision", "expected"),
    [
        ((1.0, 0.0, 2.0), "rgb", 50),
        ((8.0, 0.0, 2.0), "rgb", 200),
        # Behind the camera: five away from the point at the typical depth of four.
        ((0.0, 0.0, -1.0), "rgb", 125),
        ((30.0, 0.0, 2.0), "rgb", 100 / 4 * (30**2 + 2**2) ** 0.5),
        ((0.0, 0.0, -1.0), "depth", 150),
        ((1.0, 0.0, 2.0), "depth", 50),
        ((0.05, 0.0, 2.0), "depth", 2.5),
        ((0.0, 0.0, 2.05), "depth", 0),
        ((0.0, 0.0, 2.05), "rgbd", 2.5),
    ],
)
def test_what_a_point_costs(point, supervision, expected):
    assert cost(point, supervision) == pytest.approx(expected, abs=1e-3)


def test_where_nothing_was_measured_only_reprojection_teaches():
    assert cost((1.0, 0.0, 2.0), "depth", depth=0.0) == pytest.approx(50)
    assert cost((1.0, 0.0, 2.0), "rgbd", depth=0.0) == 0


@pytest.mark.parametrize("z", [1.0, 3.0])
@pytest.mark.parametrize("x", [0.0, 0.5, 1.0])
def test_no_point_is_better_off_behind_the_camera(x, z):
    """Else training drives it there."""
    assert cost((x, 0.0, z), "rgb") < cost((x, 0.0, -z), "rgb")


@pytest.mark.parametrize("point", [(1.0, 0.0, 2.0), (0.0, 0.0, -1.0), (0.05, 0.0, 2.0)])
@pytest.mark.parametrize("supervision", ["rgb", "depth", "rgbd"])
def test_the_unit_of_length_does_not_matter(point, supervision):
    small = LossScale(meter=0.01, depth=0.04, pixel=1.0)
    other = cost(point, supervision, scale=small, unit=0.01)
    assert other == pytest.approx(cost(point, supervision), rel=1e-4)

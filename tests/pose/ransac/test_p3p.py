"""P3P against PoseLib, and sets that no pose can be made from."""

import poselib
import pytest
import torch

from reloc.pose.ransac.p3p import p3p


def solutions_of_poselib(rays, points):
    bearings = torch.nn.functional.pad(rays, (0, 1), value=1.0).numpy()
    bearings /= (bearings**2).sum(axis=1, keepdims=True) ** 0.5
    found = [torch.tensor(s.Rt) for s in poselib.p3p(list(bearings), list(points.numpy()))]
    return torch.stack(found) if found else torch.empty(0, 3, 4, dtype=torch.float64)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e4])
def test_all_solutions_of_poselib_are_found_and_no_others(problem, unit):
    matches, truth = problem(images=400, cells=3)
    poses, valid = p3p(matches.scene_coordinates * unit, matches.rays)
    truth = torch.cat([truth[..., :3], truth[..., 3:] * unit], dim=-1)
    for at in range(400):
        found = poses[at][valid[at]]
        expected = solutions_of_poselib(matches.rays[at], matches.scene_coordinates[at] * unit)
        assert len(found) == len(expected)
        apart = (found[:, None] - expected).abs().flatten(2).amax(dim=-1)
        assert (apart.amin(dim=1) < 1e-5 * max(1, unit)).all()
        assert (apart.amin(dim=0) < 1e-5 * max(1, unit)).all()
        assert (found - truth[at]).abs().flatten(1).amax(dim=1).min() < 1e-6 * max(1, unit)


def test_solutions_see_the_points_on_their_rays_with_proper_rotations(problem):
    matches, _ = problem(images=200, cells=3)
    poses, valid = p3p(matches.scene_coordinates, matches.rays)
    seen = matches.scene_coordinates[:, None] @ poses[..., :3].mT + poses[..., None, :, 3]
    off = seen[..., :2] / seen[..., 2:] - matches.rays[:, None]
    assert off[valid].abs().max() < 1e-8
    assert (seen[valid][..., 2] > 0).all()
    rotations = poses[..., :3]
    torch.testing.assert_close(
        rotations @ rotations.mT, torch.eye(3, dtype=torch.float64).expand_as(rotations)
    )
    assert (torch.linalg.det(rotations) > 0).all()


@pytest.mark.parametrize(
    "points",
    [
        [[0, 0, 1], [0, 0, 1], [0, 0, 1]],
        [[0, 0, 1], [1, 0, 1], [2, 0, 1]],
        [[0, 0, 0], [0, 0, 0], [1, 0, 0]],
        [[1e30, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[float("nan"), 0, 0], [0, 1, 0], [0, 0, 1]],
        [[float("inf"), 0, 0], [0, 1, 0], [0, 0, 1]],
    ],
    ids=["one point", "a line", "two alike", "huge", "nan", "infinite"],
)
def test_impossible_points_have_no_solution(points):
    rays = torch.tensor([[0.0, 0.0], [0.3, 0.1], [-0.2, 0.3]])
    poses, valid = p3p(torch.tensor(points, dtype=torch.float32), rays)
    assert not valid.any()
    assert torch.isfinite(poses).all()


def test_equal_rays_have_no_solution(problem):
    matches, _ = problem(cells=3)
    poses, valid = p3p(matches.scene_coordinates, torch.zeros_like(matches.rays))
    assert not valid.any()
    assert torch.isfinite(poses).all()

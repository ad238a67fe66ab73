"""The sparse least-squares problem against the same problem written out."""

import pytest
import torch
from torch.nn import functional

from reloc.methods.ridge.solve import Design, Metric, solve

N, K = 60, 7


@pytest.fixture
def problem():
    """Responses, rays, weights and targets at random, in float64."""
    generator = torch.Generator().manual_seed(0)
    random = lambda *shape: torch.rand(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    indices = torch.stack([torch.randperm(K, generator=generator)[:3] for _ in range(N)])
    weights = torch.softmax(random(N, 3), dim=1)
    rays = functional.normalize(random(N, 3) - 0.5, dim=1)
    return indices, weights, rays, 0.2 + random(N), random(N), random(N, 3)


def dense(indices, weights):
    """Responses (N, K) written out."""
    return torch.zeros(N, K, dtype=torch.float64).scatter(1, indices, weights)


def test_the_design_is_the_matrix_of_the_responses(problem):
    indices, weights, *_, values = problem
    design = Design(indices, weights, anchors=K)
    points = torch.randn(K, 3, dtype=torch.float64)
    torch.testing.assert_close(design.predict(points), dense(indices, weights) @ points)
    torch.testing.assert_close(design.gather(values), dense(indices, weights).T @ values)


@pytest.mark.parametrize("kind", ["rays", "points"])
def test_the_solution_is_that_of_the_normal_equations(problem, kind):
    indices, weights, rays, w, along, targets = problem
    metric = Metric(w, rays, along) if kind == "rays" else Metric(w)
    matrices = metric.matrices(torch.arange(N))
    prior = torch.randn(K, 3, dtype=torch.float64)
    responses = dense(indices, weights)
    # sum over n of (a_n a_n') (x) M_n, unknowns ordered anchor by anchor.
    system = torch.einsum("nk,nl,nij->kilj", responses, responses, matrices).reshape(3 * K, 3 * K)
    right = torch.einsum("nk,nij,nj->ki", responses, matrices, targets) + 0.3 * prior
    system += 0.3 * torch.eye(3 * K, dtype=torch.float64)
    expected = torch.linalg.solve(system, right.flatten()).view(K, 3)
    design = Design(indices, weights, anchors=K)
    found = solve(
        design,
        metric,
        targets,
        ridge=0.3,
        start=torch.zeros_like(prior),
        prior=prior,
        tolerance=1e-24,
    )
    torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8)
    blocks = torch.einsum("nk,nij->kij", responses.square(), matrices)
    torch.testing.assert_close(design.diagonal(metric), blocks)


def test_moving_a_target_along_its_ray_changes_nothing(problem):
    indices, weights, rays, w, _, targets = problem
    metric = Metric(w, rays, torch.zeros(N, dtype=torch.float64))
    design = Design(indices, weights, anchors=K)
    start = torch.zeros(K, 3, dtype=torch.float64)
    first = solve(design, metric, targets, ridge=0.1, start=start, tolerance=1e-24)
    moved = targets + rays * torch.linspace(-5, 5, N, dtype=torch.float64)[:, None]
    second = solve(design, metric, moved, ridge=0.1, start=start, tolerance=1e-24)
    torch.testing.assert_close(first, second, rtol=1e-7, atol=1e-7)


def test_anchors_that_nothing_responds_to_stay_at_the_prior(problem):
    indices, weights, _, w, _, targets = problem
    design = Design(indices, weights, anchors=K + 1)
    prior = torch.full((K + 1, 3), 4.0, dtype=torch.float64)
    found = solve(design, Metric(w), targets, ridge=0.1, start=torch.zeros_like(prior), prior=prior)
    torch.testing.assert_close(found[K], prior[K], rtol=1e-4, atol=0)

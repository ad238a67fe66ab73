"""The least-squares problem of the ridge head: pure functions on sparse responses.

Every mapping feature n gives a prediction x_n = sum_k a_nk p_k, with its responses a_nk, and pays
(x_n - t_n)' M_n (x_n - t_n) for a target t_n under a symmetric 3x3 metric M_n. With M_n = w_n I
this is ridge regression to known coordinates; with M_n = w_n (I - r r') it is the distance to a
viewing ray along r through t_n. Both are linear in the points p.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Metric:
    """M_n = w_n (I - (1 - along_n) r_n r_n'), for all n at once.

    Attributes:
        weights: (N,) w.
        rays: (N, 3) unit vectors r, or None for M_n = w_n I.
        along: (N,) what a unit of squared error along the ray counts, relative to across.
    """

    weights: Tensor
    rays: Tensor | None = None
    along: Tensor | None = None

    def __call__(self, vectors: Tensor) -> Tensor:
        """M_n v_n for vectors (N, 3)."""
        if self.rays is None or self.along is None:
            return self.weights[:, None] * vectors
        depths = (vectors * self.rays).sum(dim=1) * (1 - self.along)
        return self.weights[:, None] * (vectors - depths[:, None] * self.rays)

    def matrices(self, rows: Tensor) -> Tensor:
        """M_n (n, 3, 3) of some rows."""
        identity = torch.eye(3, dtype=self.weights.dtype, device=self.weights.device)
        if self.rays is None or self.along is None:
            return self.weights[rows, None, None] * identity
        rays = self.rays[rows]
        outer = rays[:, :, None] * rays[:, None] * (1 - self.along[rows])[:, None, None]
        return self.weights[rows, None, None] * (identity - outer)


class Design:
    """The linear map from points (K, 3) to predictions (N, 3), and back by its transpose.

    Args:
        indices: (N, k) int64 anchors that respond.
        weights: (N, k) their responses.
        anchors: K.
    """

    def __init__(self, indices: Tensor, weights: Tensor, *, anchors: int) -> None:
        self.indices, self.weights, self.anchors = indices, weights, anchors
        # Sorted by anchor, the transpose gathers like the map itself: no scattered additions, and
        # the same sum in the same order every time.
        order = indices.reshape(-1).argsort(stable=True)
        self._rows = order // indices.shape[1]
        self._row_weights = weights.reshape(-1)[order]
        counts = torch.bincount(indices.reshape(-1), minlength=anchors)
        self._starts = counts.cumsum(0) - counts

    def predict(self, points: Tensor) -> Tensor:
        """Predictions (N, 3) of points (K, 3)."""
        return functional.embedding_bag(
            self.indices, points, mode="sum", per_sample_weights=self.weights
        )

    def gather(self, values: Tensor) -> Tensor:
        """Sums (K, 3) over the features that each anchor responds to, of values (N, 3)."""
        return functional.embedding_bag(
            self._rows,
            values,
            self._starts,
            mode="sum",
            per_sample_weights=self._row_weights,
        )

    def diagonal(self, metric: Metric) -> Tensor:
        """Diagonal blocks (K, 3, 3) of the normal equations."""
        rows, squares = self._rows, self._row_weights.square()
        flat = metric.matrices(rows).reshape(-1, 9) * squares[:, None]
        anchors = self.indices.reshape(-1).sort(stable=True).values
        blocks = torch.zeros(self.anchors, 9, dtype=flat.dtype, device=flat.device)
        return blocks.index_add_(0, anchors, flat).view(-1, 3, 3)


def solve(
    design: Design,
    metric: Metric,
    targets: Tensor,
    *,
    ridge: float,
    start: Tensor,
    prior: Tensor | None = None,
    iterations: int = 60,
    tolerance: float = 1e-8,
) -> Tensor:
    """Points (K, 3) that minimise sum_n (x_n - t_n)' M_n (x_n - t_n) + ridge |p - prior|^2.

    Conjugate gradient, preconditioned with the 3x3 block of each anchor; it never forms the
    3K x 3K matrix.

    Args:
        design: the responses.
        metric: M.
        targets: (N, 3) t.
        ridge: lambda, positive.
        start: (K, 3) where to begin, such as the solution of a similar problem.
        prior: (K, 3) points that nothing is known of stay here; the origin by default.
        iterations: most steps.
        tolerance: stop when the squared residual has fallen by this factor.
    """

    def normal(points: Tensor) -> Tensor:
        return design.gather(metric(design.predict(points))) + ridge * points

    right = design.gather(metric(targets))
    if prior is not None:
        right = right + ridge * prior
    identity = torch.eye(3, dtype=start.dtype, device=start.device)
    inverse = torch.linalg.inv(design.diagonal(metric) + ridge * identity)
    points = start.clone()
    residual = right - normal(points)
    step = towards = torch.einsum("kij,kj->ki", inverse, residual)
    square = first = (residual * towards).sum()
    for _ in range(iterations):
        if square <= tolerance * first or square == 0:
            break
        image = normal(step)
        length = square / (step * image).sum()
        points = points + length * step
        residual = residual - length * image
        towards = torch.einsum("kij,kj->ki", inverse, residual)
        before, square = square, (residual * towards).sum()
        step = towards + square / before * step
    return points

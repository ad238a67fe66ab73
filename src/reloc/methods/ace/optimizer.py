"""The optimiser of heads: Muon for the hidden matrices, AdamW for the rest.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by the nearest orthogonal one, so that
every direction of the weights advances alike. On scene heads it reaches in one step what takes
AdamW two to three. The orthogonal factor costs half as much as a step of the head itself; momentum
turns slowly, so a factor serves for several steps.
"""

import torch
from torch import Tensor, nn

from reloc.devices import training_dtype

# Quintic Newton-Schulz iteration that drives all singular values towards one; coefficients of
# Jordan's Muon, tuned for speed near zero at the price of ending in [0.7, 1.2].
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrices: Tensor, *, iterations: int = 5) -> Tensor:
    """Nearly the orthogonal polar factors of matrices (B, rows, columns), in ``training_dtype``."""
    a, b, c = COEFFICIENTS
    x = matrices.to(training_dtype(matrices.device))
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised; matrices of one shape are treated in one batch.

    Args:
        matrices: two-dimensional parameters.
        lr: step length; an update has the spectral norm of about ``lr`` times sqrt(rows/columns).
        momentum: Nesterov momentum.
        every: steps that one orthogonal factor serves.
        weight_decay: decoupled, relative to ``lr``.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        *,
        lr: float = 0.02,
        momentum: float = 0.95,
        every: int = 1,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "every": every, "weight_decay": weight_decay}
        super().__init__(matrices, defaults | {"steps": 0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update of all matrices that have a gradient."""
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    by_shape.setdefault(parameter.shape, []).append(parameter)
            fresh = group["steps"] % group["every"] == 0
            for (rows, columns), parameters in by_shape.items():
                self._advance(parameters, momentum=group["momentum"], fresh=fresh)
                length = group["lr"] * max(1.0, rows / columns) ** 0.5
                for parameter in parameters:
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(self.state[parameter]["direction"], alpha=-length)
            group["steps"] += 1

    def _advance(self, parameters: list[nn.Parameter], *, momentum: float, fresh: bool) -> None:
        """Takes in the gradients of matrices of one shape; renews their directions if ``fresh``."""
        looks_ahead = []
        for parameter in parameters:
            assert parameter.grad is not None
            state = self.state[parameter]
            if "velocity" not in state:
                state["velocity"] = torch.zeros_like(parameter)
                fresh = True
            state["velocity"].lerp_(parameter.grad, 1 - momentum)
            looks_ahead.append(parameter.grad.lerp(state["velocity"], momentum))
        if fresh:
            directions = orthogonalized(torch.stack(looks_ahead)).to(parameters[0].dtype)
            for parameter, direction in zip(parameters, directions, strict=True):
                self.state[parameter]["direction"] = direction.clone()

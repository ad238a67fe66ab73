"""The optimiser of heads: Muon for the hidden matrices, AdamW for the rest.

Muon (Jordan et al., 2024) replaces the momentum of a matrix by the nearest orthogonal one, so that
every direction of the weights advances alike. On scene heads it reaches in one step what takes
AdamW two to three. The orthogonal factor costs half as much as a step of the head itself; momentum
turns slowly, so a factor serves for several steps.
"""

import torch
from torch import Tensor

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


class Muon:
    """Momentum, orthogonalised; all matrices of a stack are treated in one batch.

    Args:
        stacks: (..., rows, columns) each, leaves that are trained.
        momentum: Nesterov momentum.
        weight_decay: decoupled, relative to the rate.

    Attributes:
        velocities: of each stack.
        directions: orthogonal factors, as they were renewed last.
    """

    def __init__(
        self, stacks: list[Tensor], *, momentum: float = 0.95, weight_decay: float = 0.01
    ) -> None:
        self.velocities = [torch.zeros_like(stack) for stack in stacks]
        self.directions = [torch.zeros_like(stack) for stack in stacks]
        self._stacks = stacks
        self._momentum = momentum
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...], *, rate: Tensor, renew: bool) -> None:
        """One update of all matrices.

        Args:
            gradients: of each stack.
            rate: () step length; an update has the spectral norm of about ``rate`` times
                sqrt(rows/columns).
            renew: the directions; else those of an earlier step serve once more.
        """
        torch._foreach_lerp_(self.velocities, gradients, 1 - self._momentum)
        if renew:
            ahead = torch._foreach_lerp(gradients, self.velocities, self._momentum)
            for direction, gradient in zip(self.directions, ahead, strict=True):
                batch = gradient.view(-1, *gradient.shape[-2:])
                direction.copy_(orthogonalized(batch).view_as(direction))
        torch._foreach_mul_(self._stacks, 1 - rate * self._weight_decay)
        for stack, direction in zip(self._stacks, self.directions, strict=True):
            rows, columns = stack.shape[-2:]
            stack.sub_(direction * (rate * max(1.0, rows / columns) ** 0.5))


class AdamW:
    """AdamW (Loshchilov and Hutter, 2019) in PyTorch's fused kernel, with its rate on the device.

    Args:
        parameters: leaves that are trained, contiguous.
        weight_decay: decoupled, relative to the rate.

    Attributes:
        means: of the gradients, for each parameter.
        squares: likewise of their squares.
        count: () steps made.
    """

    def __init__(self, parameters: list[Tensor], *, weight_decay: float = 0.01) -> None:
        self.means = [torch.zeros_like(parameter) for parameter in parameters]
        self.squares = [torch.zeros_like(parameter) for parameter in parameters]
        self.count = torch.zeros((), device=parameters[0].device)
        self._parameters = parameters
        self._weight_decay = weight_decay

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...], *, rate: Tensor) -> None:
        """One update of all parameters.

        Args:
            gradients: of each parameter.
            rate: () learning rate.
        """
        self.count.add_(1)
        torch._fused_adamw_(
            self._parameters,
            # The kernel goes by memory, whatever the strides say.
            [gradient.contiguous() for gradient in gradients],
            self.means,
            self.squares,
            (),
            [self.count] * len(self._parameters),
            lr=rate,
            beta1=0.9,
            beta2=0.999,
            weight_decay=self._weight_decay,
            eps=1e-8,
            amsgrad=False,
            maximize=False,
        )

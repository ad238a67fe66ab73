"""Many processes as one: the batch, its statistics and its negatives span all of them.

Every process computes the loss of the whole batch from the features of all. What flows back to its
own features is then the sum over the processes, so that the mean of their gradients is the gradient
of one process with the whole batch.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def place_among_processes() -> tuple[int, int]:
    """Rank of this process and their number; (0, 1) for one alone."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


class _Sum(torch.autograd.Function):
    """Sum of a tensor over the processes; each of them passes on what all pass back."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        total = tensor.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.clone()
        dist.all_reduce(total)
        return total


def gathered(rows: Tensor) -> Tensor:
    """Rows (N, C) of all processes (N * world, C), differentiable; N must be alike."""
    rank, world = place_among_processes()
    if world == 1:
        return rows
    slots = [rows if r == rank else torch.zeros_like(rows) for r in range(world)]
    return _Sum.apply(torch.cat(slots))


def average_gradients(network: nn.Module) -> None:
    """Replaces the gradient of each weight by its mean over the processes."""
    _, world = place_among_processes()
    if world == 1:
        return
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm with the statistics of all processes, on any device; PyTorch's needs CUDA."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalizes (B, C, H, W) by the statistics of the batches of all processes.

        Out of training it normalizes by the running statistics.
        """
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None
        _, world = place_among_processes()
        values = x.float()
        mean = _Sum.apply(values.mean(dim=(0, 2, 3))) / world
        centered = values - mean[:, None, None]
        variance = _Sum.apply(centered.square().mean(dim=(0, 2, 3))) / world
        with torch.no_grad():
            count = world * x.numel() // x.shape[1]
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = (self.weight * torch.rsqrt(variance + self.eps))[:, None, None]
        return (centered * scale + self.bias[:, None, None]).to(x.dtype)


def synchronize_norms(network: nn.Module) -> None:
    """Puts a ``SharedBatchNorm`` in the place of each batch norm of a module, in place."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.BatchNorm2d):
            norm = SharedBatchNorm(child.num_features, eps=child.eps, momentum=child.momentum)
            norm.load_state_dict(child.state_dict())
            setattr(network, name, norm)
        else:
            synchronize_norms(child)

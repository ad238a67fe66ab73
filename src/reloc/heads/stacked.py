"""MLP heads of one size as one network: their weights are stacked, their products batched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from reloc.heads.mlp import MlpHead, homogeneous_point


@dataclass(frozen=True, eq=False)
class StackedMlps:
    """Weights of H heads of one size, and what they compute.

    Attributes:
        inlet: (H, width, channels).
        hidden: (H, L, width, width), layers of the residual blocks, then the outlet.
        biases: (H, 1 + L, width), of the inlet and these layers.
        point: (H, 4, width), the last layer.
        point_bias: (H, 4).
        scale: (H,) typical depth of the scene, in scene units.
    """

    inlet: Tensor
    hidden: Tensor
    biases: Tensor
    point: Tensor
    point_bias: Tensor
    scale: Tensor

    @classmethod
    def of(cls, heads: Sequence[MlpHead]) -> Self:
        """Copies of the weights of heads of one size."""
        parts = zip(*map(_tensors_of, heads), strict=True)
        return cls(*(torch.stack(part).detach() for part in parts))

    def trained(self) -> tuple[Tensor, ...]:
        """All that a training changes."""
        return self.inlet, self.hidden, self.biases, self.point, self.point_bias

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Self:
        """The same with every tensor changed alike."""
        return type(self)(*map(change, (*self.trained(), self.scale)))

    def picked(self, numbers: Tensor) -> Self:
        """Copies of some of the heads."""
        return self.mapped(lambda part: part[numbers])

    def rounded(self, dtype: torch.dtype) -> Self:
        """The same with its layers in the precision of products, but for the last one."""
        inlet, hidden, biases = (part.to(dtype) for part in (self.inlet, self.hidden, self.biases))
        return replace(self, inlet=inlet, hidden=hidden, biases=biases)

    def __call__(self, features: Tensor) -> Tensor:
        """Scene coordinates (H, N, 3) float32, each around the origin of its head.

        Args:
            features: (H, N, channels), in the precision of products.
        """
        layers = self.rounded(features.dtype)
        weights = layers.hidden.mT.unbind(1)
        first_bias, *biases = layers.biases[:, :, None].unbind(1)
        *blocks, outlet = zip(biases, weights, strict=True)
        x = torch.baddbmm(first_bias, features, layers.inlet.mT).relu_()
        for start in range(0, len(blocks), 3):
            y = x
            for bias, weight in blocks[start : start + 3]:
                y = torch.baddbmm(bias, y, weight).relu_()
            x = x + y
        x = torch.baddbmm(outlet[0], x, outlet[1]).relu_()
        # The last product decides about millimetres: full precision, whatever came before.
        points = torch.baddbmm(self.point_bias[:, None], x.float(), self.point.mT)
        return homogeneous_point(points) * self.scale[:, None, None]

    def heads(self) -> tuple[MlpHead, ...]:
        """The heads one by one, in the memory of the stack: they change as it does."""
        return tuple(self._head(number) for number in range(len(self.scale)))

    def _head(self, number: int) -> MlpHead:
        parts = self.mapped(lambda tensor: tensor.detach()[number])
        width, channels = parts.inlet.shape
        with torch.device("meta"):
            head = MlpHead(channels=channels, width=width, blocks=len(parts.hidden) // 3)
        layers = _layers_of(head)
        weights = (parts.inlet, *parts.hidden, parts.point)
        biases = (*parts.biases, parts.point_bias)
        for layer, weight, bias in zip(layers, weights, biases, strict=True):
            layer.weight = nn.Parameter(weight, requires_grad=False)
            layer.bias = nn.Parameter(bias, requires_grad=False)
        head.scale = parts.scale
        return head.eval()


def _layers_of(head: MlpHead) -> list[nn.Linear]:
    """All layers from the first to the last."""
    return [module for module in head.modules() if isinstance(module, nn.Linear)]


def _tensors_of(head: MlpHead) -> tuple[Tensor, ...]:
    """What ``StackedMlps`` has of one head, in the order of its fields."""
    inlet, *hidden, point = _layers_of(head)
    return (
        inlet.weight,
        torch.stack([layer.weight for layer in hidden]),
        torch.stack([layer.bias for layer in (inlet, *hidden)]),
        point.weight,
        point.bias,
        head.scale,
    )

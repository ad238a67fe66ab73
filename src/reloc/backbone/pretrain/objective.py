"""What a backbone can be trained for."""

from typing import Protocol

from torch import Tensor, nn

from reloc.backbone.pretrain.options import PretrainOptions

Batch = dict[str, Tensor]


class Objective(Protocol):
    """Makes batches and judges the features of a network on them.

    Attributes:
        name: tells objectives apart.
    """

    name: str

    @property
    def heads(self) -> nn.Module:
        """What is trained along with the network and thrown away; may have no parameters."""

    def batch(self, options: PretrainOptions, step: int, *, rank: int = 0, world: int = 1) -> Batch:
        """The batch of a step, or a process's share of it; depends on seed and step alone.

        Raises:
            SceneError: the training images do not yield one.
        """

    def loss(
        self, network: nn.Module, batch: Batch, options: PretrainOptions
    ) -> tuple[Tensor, Tensor]:
        """Loss of a batch, and the share of its points that are right."""

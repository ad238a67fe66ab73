"""Many heads run on the same features at once."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reloc.devices import to_device
from reloc.heads.head import Head
from reloc.heads.mlp import MlpHead
from reloc.heads.stacked import StackedMlps


class BatchedHeads:
    """Heads ready to run: copied, on their device and in their precision.

    MLPs of one size run as batched products over their stacked weights; heads of other kinds, and
    an MLP that is alone in its size, one after the other.

    Args:
        heads: stay as they are.
        device: where to run.
        dtype: of the products.
    """

    def __init__(self, heads: Sequence[Head], *, device: torch.device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype
        by_size: dict[tuple[int, ...], dict[int, MlpHead]] = {}
        for number, head in enumerate(heads):
            if isinstance(head, MlpHead):
                by_size.setdefault(tuple(head.spec().values()), {})[number] = head
        groups = [group for group in by_size.values() if len(group) > 1]
        # For each head its batch and its place therein.
        self._place = {n: (g, i) for g, group in enumerate(groups) for i, n in enumerate(group)}
        self._batches = [
            StackedMlps.of(tuple(group.values()))
            .mapped(lambda part: part.to(device))
            .rounded(dtype)
            for group in groups
        ]
        self._single: dict[int, nn.Module] = {
            n: copy.deepcopy(head).to(device).eval()
            for n, head in enumerate(heads)
            if n not in self._place
        }

    def __len__(self) -> int:
        return len(self._place) + len(self._single)

    @torch.inference_mode()
    def __call__(self, features: Tensor, numbers: Sequence[int] | None = None) -> Tensor:
        """Scene coordinates of the same features by several heads.

        Args:
            features: (N, channels).
            numbers: heads that are asked, without repetition; None for all.

        Returns:
            (len(numbers), N, 3) float32, each around the origin of its head.
        """
        numbers = range(len(self)) if numbers is None else numbers
        out = torch.empty(len(numbers), len(features), 3, device=features.device)
        wanted: dict[int, list[tuple[int, int]]] = {}
        for row, number in enumerate(numbers):
            if number in self._place:
                batch, index = self._place[number]
                wanted.setdefault(batch, []).append((row, index))
                continue
            amp = self.dtype != torch.float32
            with torch.autocast(self.device.type, self.dtype, enabled=amp):
                out[row] = self._single[number](features)
        for batch, pairs in wanted.items():
            # One copy that nobody waits for, where lists as indices would be one each.
            rows, indices = to_device(torch.tensor(pairs).T, out.device)
            batched = self._batches[batch]
            if [index for _, index in pairs] != list(range(len(batched.scale))):
                batched = batched.picked(indices)
            out[rows] = batched(features.to(self.dtype).expand(len(pairs), *features.shape))
        return out

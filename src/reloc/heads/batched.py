"""Many heads run on the same features at once."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from reloc.devices import to_device
from reloc.heads.head import Head
from reloc.heads.mlp import MlpHead, homogeneous_point


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
        by_size: dict[tuple[int, ...], list[int]] = {}
        for number, head in enumerate(heads):
            if isinstance(head, MlpHead):
                by_size.setdefault(tuple(head.spec().values()), []).append(number)
        groups = [numbers for numbers in by_size.values() if len(numbers) > 1]
        # For each head its batch and its place therein.
        self._place = {n: (g, i) for g, group in enumerate(groups) for i, n in enumerate(group)}
        self._batches = [
            _MlpBatch([heads[n] for n in group], device=device, dtype=dtype) for group in groups
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
            everyone = [index for _, index in pairs] == list(range(len(batched.scale)))
            out[rows] = batched(features, None if everyone else indices)
        return out


class _MlpBatch:
    """Weights (H, outputs, inputs) and biases (H, 1, outputs) of H MLPs of one size."""

    def __init__(self, heads: Sequence[Head], *, device: torch.device, dtype: torch.dtype) -> None:
        states = [dict(head.named_parameters()) for head in heads]
        first = heads[0]
        assert isinstance(first, MlpHead)
        self.blocks = first.blocks

        def stacked(layer: str, to: torch.dtype) -> tuple[Tensor, Tensor]:
            weights = torch.stack([s[f"{layer}.weight"].detach().to(device, to) for s in states])
            biases = torch.stack([s[f"{layer}.bias"].detach().to(device, to) for s in states])
            return weights, biases[:, None]

        layers = [f"body.{b}.layers.{k}" for b in range(self.blocks) for k in range(3)]
        self.hidden = {layer: stacked(layer, dtype) for layer in ("inlet", *layers, "outlet")}
        self.point = stacked("point", torch.float32)
        self.scale = torch.stack([head.scale.detach().to(device) for head in heads])[:, None, None]

    def __call__(self, features: Tensor, which: Tensor | None) -> Tensor:
        """(len(which), N, 3), as ``MlpHead.forward`` computes them one by one; None is all."""

        def of_those(weights: Tensor) -> Tensor:
            return weights if which is None else weights[which]

        def applied(weights: Tensor, biases: Tensor, x: Tensor) -> Tensor:
            return torch.baddbmm(of_those(biases), x, of_those(weights).mT)

        scale = of_those(self.scale)
        x = features.to(self.hidden["inlet"][0].dtype).expand(len(scale), *features.shape)
        x = applied(*self.hidden["inlet"], x).relu_()
        for block in range(self.blocks):
            y = x
            for k in range(3):
                y = applied(*self.hidden[f"body.{block}.layers.{k}"], y).relu_()
            x = x + y
        x = applied(*self.hidden["outlet"], x).relu_()
        return homogeneous_point(applied(*self.point, x.float())) * scale

"""Random batches for several heads at once, each from the features of its own region."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from reloc.devices import to_device
from reloc.methods.ace.feature_buffer import FeatureBuffer
from reloc.training import seed_of_step

# Steps whose numbers are drawn and sent to the device at once.
AHEAD = 64


@dataclass(frozen=True)
class Batch:
    """What H heads are to learn from in a step, N features each.

    Attributes:
        features: (H, N, C), half precision.
        rays: (H, N, 2) viewing rays at z = 1, camera frame.
        focals: (H, N) pixels.
        inverse_depths: (H, N) 0 where nobody knows.
        cam_from_world: (H, N, 3, 4), around the origin of each head.
    """

    features: Tensor
    rays: Tensor
    focals: Tensor
    inverse_depths: Tensor
    cam_from_world: Tensor


class BatchSampler:
    """Draws batches with replacement: what comes in a step depends on the seed and the step alone.

    The numbers are drawn on the host, the same for every device.

    Args:
        buffers: of each head; they share one memory.
        size: features in a batch.
        seed: of all batches.
    """

    def __init__(self, buffers: Sequence[FeatureBuffer], *, size: int, seed: int) -> None:
        shared = self._shared = buffers[0]
        self._size, self._seed = size, seed
        self.device = shared.seen.device
        # Features may lie elsewhere, in host memory or a file; rows are looked up where they are.
        self._home = shared.features.device
        rows = [buffer.rows for buffer in buffers if buffer.rows is not None]
        counts = [len(own) for own in rows] or [shared.count]
        # Rows of all heads one after the other, unless there is one that learns from all rows.
        self._rows = torch.cat(rows).to(self._home) if rows else None
        self._counts = torch.tensor(counts, device=self._home)[:, None]
        self._firsts = self._counts.cumsum(dim=0) - self._counts
        self._poses = torch.stack([buffer.cam_from_world for buffer in buffers]).flatten(0, 1)
        self._first_poses = len(shared.cam_from_world) * torch.arange(
            len(buffers), device=self.device
        )
        self._block = -1
        self._ahead = torch.empty(0)

    def numbers(self, step: int) -> Tensor:
        """Random numbers (N,) that decide which features are in the batches of a step."""
        block, place = divmod(step, AHEAD)
        if block != self._block:
            chance = torch.Generator().manual_seed(seed_of_step(self._seed, block))
            drawn = torch.randint(2**62, (AHEAD, self._size), generator=chance)
            self._block, self._ahead = block, to_device(drawn, self._home)
        return self._ahead[place]

    def batch(self, numbers: Tensor) -> Batch:
        """The batches that numbers (N,) decide about."""
        shared = self._shared
        rows = self._firsts + numbers % self._counts
        if self._rows is not None:
            rows = self._rows[rows]
        features = to_device(shared.features[rows], self.device)
        rows = to_device(rows, self.device)
        frames = shared.frames[rows] + self._first_poses[:, None]
        seen = shared.seen[rows]
        return Batch(features, seen[..., :2], seen[..., 2], seen[..., 3], self._poses[frames])

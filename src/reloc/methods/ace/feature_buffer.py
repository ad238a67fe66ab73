"""The feature buffer: what the head learns from, drawn from all mapping images at once."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.devices import free_memory, to_device
from reloc.errors import OutputError

# Of the free memory of a device, what features may take.
SHARE_OF_MEMORY = 0.8


@dataclass
class FeatureBuffer:
    """Features with the ray, focal length and frame they came from (ACE, section 3.1).

    Attributes:
        features: (N, C), half precision.
        seen: (N, 4) float32, where the features were seen: the point (x, y) of each cell's viewing
            ray at z = 1 in its camera frame; pixels of the (augmented) view per unit at z = 1; one
            over the depth at which the cell sees a surface, per scene unit, 0 where nobody knows.
        frames: (N,) int32, row in ``cam_from_world``.
        cam_from_world: (F, 3, 4) float32, translation relative to ``origin``.
        count: filled rows; N is the capacity.
        rows: those that batches are drawn from; None for all that are filled.
    """

    features: Tensor
    seen: Tensor
    frames: Tensor
    cam_from_world: Tensor
    count: int = 0
    rows: Tensor | None = None

    @classmethod
    def empty(
        cls,
        capacity: int,
        *,
        channels: int,
        cam_from_world: Tensor,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.bfloat16,
        features: Tensor | None = None,
    ) -> "FeatureBuffer":
        """A buffer for ``capacity`` rows; ``features`` may be memory-mapped storage for them."""
        if features is None:
            features = torch.empty(capacity, channels, dtype=dtype, device=device)
        return cls(
            features=features,
            seen=torch.empty(capacity, 4, device=device),
            frames=torch.empty(capacity, dtype=torch.int32, device=device),
            cam_from_world=cam_from_world.to(device),
        )

    def restricted(self, frames: Tensor, cam_from_world: Tensor) -> "FeatureBuffer":
        """What came from some frames, with poses around another origin.

        It shares the memory of this buffer, which has to be full by now.
        """
        wanted = torch.zeros(len(self.cam_from_world), dtype=torch.bool, device=self.frames.device)
        wanted[frames.to(wanted.device)] = True
        rows = wanted[self.frames[: self.count].long()].nonzero()[:, 0]
        return replace(self, rows=rows, cam_from_world=cam_from_world.to(self.seen.device))

    @property
    def capacity(self) -> int:
        """How many rows there is room for."""
        return len(self.features)

    def append(
        self,
        features: Tensor,
        rays: Tensor,
        focal: float,
        frame: int,
        inverse_depths: Tensor | None = None,
    ) -> slice:
        """Adds rows of one view, without depths by default; returns which rows they became.

        Those beyond the capacity are dropped.
        """
        take = min(len(features), self.capacity - self.count)
        rows = slice(self.count, self.count + take)
        seen = torch.zeros(take, 4)
        seen[:, :2] = rays[:take]
        seen[:, 2] = focal
        if inverse_depths is not None:
            seen[:, 3] = inverse_depths[:take]
        self.features[rows] = features[:take].to(self.features)
        self.seen[rows] = to_device(seen, self.seen.device)
        self.frames[rows] = frame
        self.count += take
        return rows


def empty_buffer(
    cam_from_world: Tensor,
    extractor: FeatureExtractor,
    *,
    rows: int | None,
    memory_gb: float,
    scratch: Path,
) -> FeatureBuffer:
    """Room for features: on the device, in host memory where that is too small, or in a file.

    Args:
        cam_from_world: (F, 3, 4), see ``centered_cam_from_world``.
        extractor: what will fill it.
        rows: capacity; None for what fits into memory.
        memory_gb: of the device or the host; what does not fit goes to a file mapped to memory.
        scratch: folder for that file.

    Raises:
        OutputError: the disk of that folder is too small.
    """
    half = torch.bfloat16 if extractor.dtype == torch.float32 else extractor.dtype
    row_bytes = extractor.channels * 2 + 16
    fits = int(memory_gb * 1e9 / row_bytes)
    capacity = fits if rows is None else rows
    features = None
    if capacity > fits:
        needed, free = capacity * row_bytes, shutil.disk_usage(scratch).free
        if needed > free:
            raise OutputError(
                f"{scratch.parent}: {needed / 1e9:.1f} GB are needed for features, "
                f"{free / 1e9:.1f} GB are free; set TMPDIR to a larger disk or allow more memory"
            )
        file = scratch / "features"
        _reserve(file, capacity * extractor.channels * half.itemsize)
        features = torch.from_file(
            str(file),
            shared=True,
            size=capacity * extractor.channels,
            dtype=half,
        ).view(capacity, extractor.channels)
    elif _is_too_large(capacity * row_bytes, extractor.device):
        features = torch.empty(capacity, extractor.channels, dtype=half)
    return FeatureBuffer.empty(
        capacity,
        channels=extractor.channels,
        cam_from_world=cam_from_world,
        device=extractor.device,
        dtype=half,
        features=features,
    )


def _is_too_large(size: int, device: torch.device) -> bool:
    """Whether so many bytes leave a device too little memory for what is computed on it."""
    free = free_memory(device)
    return free is not None and size > SHARE_OF_MEMORY * free


def _reserve(file: Path, size: int) -> None:
    """Takes the room for a file that is mapped to memory before anything is written to it.

    Writing to a mapped file that finds no room any more ends the process without a word.

    Raises:
        OutputError: there is none.
    """
    with file.open("wb") as opened:
        if not hasattr(os, "posix_fallocate"):
            return  # macOS and Windows: what was free a moment ago has to do
        try:
            os.posix_fallocate(opened.fileno(), 0, size)
        except OSError as error:
            raise OutputError(
                f"{file.parent.parent}: {size / 1e9:.1f} GB are needed for features, but cannot be "
                f"had ({error.strerror}); set TMPDIR to a larger disk or allow more memory"
            ) from error

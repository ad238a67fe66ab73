"""Filling the feature buffer: read, augment, run the backbone, draw cells."""

import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.backbone.descriptor import image_descriptor
from reloc.errors import CameraError, ImageError, OutputError, SceneError
from reloc.geometry import inverted
from reloc.images.augment import View, augmented_view, cell_pixels, plain_view
from reloc.images.files import read_image
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame, Skipped

MIN_CELLS = 16


@dataclass(frozen=True)
class FillOptions:
    """How the buffer is filled.

    Attributes:
        short_side: images are resampled to this short side in pixels, before augmentation.
        cells_per_view: features drawn from one view.
        plain_every: every so manieth view is not augmented, since queries will come so.
        seed: of augmentation and drawing.
    """

    short_side: int = 480
    cells_per_view: int = 1024
    plain_every: int = 4
    seed: int = 0


@dataclass(frozen=True)
class PreparedView:
    """A view, the rays of its cells (cells, 2) and which of these rays are usable."""

    frame: int
    plain: bool
    view: View
    rays: NDArray[np.float32]
    usable: NDArray[np.bool_]
    focal: float


def centred_cam_from_world(frames: Sequence[Frame], origin: NDArray[np.float64]) -> Tensor:
    """(F, 3, 4) float32 poses in a world moved to ``origin``: large coordinates stay exact."""
    poses = np.stack([f.world_from_cam for f in frames if f.world_from_cam is not None])
    poses[:, :3, 3] -= origin
    return torch.from_numpy(inverted(poses)[:, :3]).float()


def empty_buffer(
    cam_from_world: Tensor,
    extractor: FeatureExtractor,
    *,
    rows: int | None,
    memory_gb: float,
    scratch: Path,
) -> FeatureBuffer:
    """Room for features: on the device, in host memory, or in a file mapped to memory.

    Args:
        cam_from_world: (F, 3, 4), see ``centred_cam_from_world``.
        extractor: what will fill it.
        rows: capacity; None for what fits into memory.
        memory_gb: what does not fit goes to a file.
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
        # Writing to a mapped file that finds no room ends the process without a word.
        if needed > free:
            raise OutputError(
                f"{scratch.parent}: {needed / 1e9:.1f} GB are needed for features, "
                f"{free / 1e9:.1f} GB are free; set TMPDIR to a larger disk or allow more memory"
            )
        features = torch.from_file(
            str(scratch / "features"),
            shared=True,
            size=capacity * extractor.channels,
            dtype=half,
        ).view(capacity, extractor.channels)
    return FeatureBuffer.empty(
        capacity,
        channels=extractor.channels,
        cam_from_world=cam_from_world,
        device=extractor.device,
        dtype=half,
        features=features,
    )


def prepare_view(
    frame: Frame, index: int, *, plain: bool, options: FillOptions, seed: int, stride: int
) -> PreparedView:
    """Reads one frame and makes a view of it, as a function of the seed alone.

    Raises:
        ImageError: the image is damaged or of another size than its camera.
    """
    image = read_image(frame.image, grey=True)
    height, width = image.shape
    if (width, height) != (frame.camera.width, frame.camera.height):
        raise ImageError(
            f"{frame.image}: is {width}x{height}, its camera {frame.camera.width}x"
            f"{frame.camera.height}"
        )
    if plain:
        view = plain_view(image, short_side=options.short_side)
    else:
        rng = np.random.default_rng([seed, index])
        view = augmented_view(image, rng, short_side=options.short_side)
    pixels = view.original_pixels(cell_pixels(*view.image.shape, stride=stride))
    inside = np.all((pixels > 0) & (pixels < (width, height)), axis=1)
    rays = frame.camera.rays(np.clip(pixels, 0, (width, height)))
    usable = np.logical_and(inside, np.isfinite(rays).all(axis=1))
    return PreparedView(
        index,
        plain,
        view,
        np.nan_to_num(rays).astype(np.float32),
        usable,
        frame.camera.focal * view.scale,
    )


class BufferFiller:
    """Passes over the frames, in an order shuffled by the seed, until told to stop.

    Frames whose image cannot be used are noted in ``skipped`` and never tried again. What plain
    views look like is kept in ``descriptors``, by frame.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        extractor: FeatureExtractor,
        options: FillOptions,
    ) -> None:
        self.frames = frames
        self.extractor = extractor
        self.options = options
        self.skipped: list[Skipped] = []
        self.descriptors: dict[int, NDArray[np.int8]] = {}
        self._dropped: set[int] = set()

    def _schedule(self) -> Iterator[tuple[int, int]]:
        """Endless (pass, frame) pairs, every pass in a new order, while there are frames."""
        rng = np.random.default_rng([self.options.seed, 7])
        for number in count():
            if len(self.frames) - len(self._dropped) < 2:
                return
            for index in rng.permutation(len(self.frames)):
                if int(index) not in self._dropped:
                    yield number, int(index)

    def _prepared(self) -> Iterator[PreparedView]:
        """Views as scheduled, read a few ahead in threads."""
        jobs: deque[tuple[int, Future[PreparedView]]] = deque()
        with ThreadPoolExecutor(2) as pool:
            try:
                for number, index in self._schedule():
                    job = pool.submit(
                        prepare_view,
                        self.frames[index],
                        index,
                        plain=(number + index) % self.options.plain_every == 0,
                        options=self.options,
                        seed=self.options.seed * 1000 + number,
                        stride=self.extractor.stride,
                    )
                    jobs.append((index, job))
                    if len(jobs) >= min(6, len(self.frames)):
                        yield from self._finished(*jobs.popleft())
            finally:
                for _, job in jobs:
                    job.cancel()

    def _finished(self, index: int, job: Future[PreparedView]) -> Iterator[PreparedView]:
        try:
            prepared = job.result()
            if prepared.usable.sum() < MIN_CELLS:
                raise CameraError(f"{self.frames[index].name}: hardly a pixel has a viewing ray")
        except (ImageError, CameraError) as error:
            if index not in self._dropped:
                self._dropped.add(index)
                self.skipped.append(Skipped(self.frames[index].name, str(error)))
            return
        yield prepared

    def fill(
        self,
        buffer: FeatureBuffer,
        *,
        max_views: int | None = None,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> int:
        """Fills the buffer until it is full or a limit is reached; returns the views used.

        Args:
            buffer: where features go.
            max_views: stop after so many views.
            seconds: stop after so much time.
            progress: told after every view.

        Raises:
            SceneError: hardly any image could be read.
        """
        began = time.monotonic()
        views = 0
        most = min(max_views or sys.maxsize, -(-buffer.capacity // self.options.cells_per_view))
        generator = torch.Generator().manual_seed(self.options.seed)
        for prepared in self._prepared():
            features = self.extractor(prepared.view.image)
            if prepared.plain and prepared.frame not in self.descriptors:
                self.descriptors[prepared.frame] = image_descriptor(features)
            cells = torch.from_numpy(np.flatnonzero(prepared.usable))
            take = min(len(cells), self.options.cells_per_view)
            cells = cells[torch.randperm(len(cells), generator=generator)[:take]]
            buffer.append(
                features[cells.to(features.device)],
                torch.from_numpy(prepared.rays)[cells],
                prepared.focal,
                prepared.frame,
            )
            views += 1
            elapsed = time.monotonic() - began
            in_time = most if seconds is None else round(views * seconds / max(elapsed, 1e-3))
            progress("features", views, max(views, min(most, in_time)))
            if buffer.count == buffer.capacity or views == max_views:
                break
            if seconds is not None and elapsed > seconds:
                break
        usable = len(self.frames) - len(self._dropped)
        if usable < 2 or buffer.count == 0:
            reason = self.skipped[0].reason if self.skipped else "no image could be read"
            raise SceneError(f"hardly any mapping image can be used; the first problem: {reason}")
        return views

"""Filling the feature buffer: views of all frames, run through the backbone, cells drawn."""

import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.backbone.descriptor import image_descriptor
from reloc.errors import CameraError, ImageError, SceneError
from reloc.geometry import inverted
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.survey import StereoSurvey
from reloc.mapping.views import Kind, PreparedView, known_inverse_depths, prepare_view
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame, Skipped
from reloc.stereo import InverseDepth

MIN_CELLS = 16
# Of the time of a survey, what goes to seeing; sweeping takes the rest.
SEEING_SHARE = 0.45
# A frame of which less than this share has a depth is not drawn from beside.
LEAST_KNOWN = 0.3


def centred_cam_from_world(frames: Sequence[Frame], origin: NDArray[np.float64]) -> Tensor:
    """(F, 3, 4) float32 poses in a world moved to ``origin``: large coordinates stay exact."""
    poses = np.stack([f.world_from_cam for f in frames if f.world_from_cam is not None])
    poses[:, :3, 3] -= origin
    return torch.from_numpy(inverted(poses)[:, :3]).float()


@dataclass(frozen=True)
class FillOptions:
    """How the buffer is filled.

    Attributes:
        short_side: images are resampled to this short side in pixels, before augmentation.
        cells_per_view: features drawn from one view.
        plain_every: every so manieth view is plain, since queries will come so.
        seed: of augmentation and drawing.
    """

    short_side: int = 480
    cells_per_view: int = 1024
    plain_every: int = 4
    seed: int = 0


@dataclass(frozen=True)
class Surveyed:
    """How much a survey saw: frames, and those of which it knows how far they see."""

    frames: int
    swept: int


class BufferFiller:
    """Passes over the frames, in an order shuffled by the seed, until told to stop.

    Frames whose image cannot be used are noted in ``skipped`` and never tried again. What plain
    views look like is kept in ``descriptors`` and how far frames see in ``inverse_depths``, by
    number of the frame. A survey corrects ``depth`` where the images show less of it.

    Args:
        frames: posed frames.
        extractor: makes features of their views.
        options: sizes and seed.
        depth: typical depth of the scene, in scene units.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        extractor: FeatureExtractor,
        options: FillOptions,
        *,
        depth: float,
    ) -> None:
        self.frames = frames
        self.extractor = extractor
        self.options = options
        self.depth = depth
        self.skipped: list[Skipped] = []
        self.descriptors: dict[int, NDArray[np.int8]] = {}
        self.inverse_depths: dict[int, InverseDepth] = {}
        self._dropped: set[int] = set()
        self._visited = list(range(len(frames)))
        self._generator = torch.Generator().manual_seed(options.seed)

    def survey(
        self,
        buffer: FeatureBuffer,
        *,
        max_frames: int,
        max_swept: int | None = None,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> Surveyed:
        """Takes a plain view of frames spread evenly, then finds how far they see.

        What it finds goes to the rows of these views and serves all later views of these frames.
        Where most of them see the same as others do, they cover the place: later passes keep to
        them.

        Args:
            buffer: where the features of the plain views go.
            max_frames: stop seeing after so many frames.
            max_swept: stop sweeping after so many.
            seconds: stop after so much time, about half of it for each.
            progress: told after every frame.

        Raises:
            SceneError: hardly any image could be read.
        """
        began = time.monotonic()
        stereo = StereoSurvey(self.frames, depth=self.depth, stride=self.extractor.stride)
        taken: dict[int, tuple[slice, NDArray[np.float64]]] = {}
        for view in self._prepared((0, i, "plain") for i in _spread(len(self.frames))):
            features, rows, cells = self._take(view, buffer)
            stereo.add(view, features)
            taken[view.frame] = rows, view.pixels[cells[: rows.stop - rows.start]]
            progress("features", len(stereo), max_frames)
            full = len(stereo) == max_frames or buffer.count == buffer.capacity
            if full or (seconds is not None and time.monotonic() - began > SEEING_SHARE * seconds):
                break
        self._check_enough(buffer)
        self.depth = stereo.settled_depth()
        left = None if seconds is None else seconds - (time.monotonic() - began)
        swept = 0
        for swept, (number, found) in enumerate(stereo.sweep(seconds=left), start=1):
            if found is not None:
                rows, pixels = taken[number]
                known = torch.from_numpy(known_inverse_depths(found, pixels))
                buffer.inverse_depths[rows] = known.to(buffer.inverse_depths)
                if np.isfinite(found.values).mean() > LEAST_KNOWN:
                    self.inverse_depths[number] = found
            progress("depth", swept, len(stereo))
            if swept == max_swept:
                break
        if 2 * len(self.inverse_depths) > len(stereo):
            self._visited = sorted(taken)
        return Surveyed(len(stereo), swept)

    def fill(
        self,
        buffer: FeatureBuffer,
        *,
        max_views: int | None = None,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> int:
        """Adds views until the buffer is full or a limit is reached; returns their number.

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
        room = buffer.capacity - buffer.count
        most = min(max_views or sys.maxsize, -(-room // self.options.cells_per_view))
        if most == 0:
            return 0
        for view in self._prepared(self._schedule()):
            self._take(view, buffer)
            views += 1
            elapsed = time.monotonic() - began
            in_time = most if seconds is None else round(views * seconds / max(elapsed, 1e-3))
            progress("views", views, max(views, min(most, in_time)))
            if buffer.count == buffer.capacity or views == max_views:
                break
            if seconds is not None and elapsed > seconds:
                break
        self._check_enough(buffer)
        return views

    def _schedule(self) -> Iterator[tuple[int, int, Kind]]:
        """Endless (pass, frame, kind of view), every pass in a new order, while there are frames.

        A homography bends only planes as another eye would: where depth is known, views are drawn
        with it instead.
        """
        rng = np.random.default_rng([self.options.seed, 7])
        for number in count():
            if sum(index not in self._dropped for index in self._visited) < 2:
                return
            for index in rng.permutation(self._visited).tolist():
                if (number + index) % self.options.plain_every == 0:
                    yield number, index, "plain"
                else:
                    yield number, index, "novel" if index in self.inverse_depths else "augmented"

    def _prepared(self, schedule: Iterable[tuple[int, int, Kind]]) -> Iterator[PreparedView]:
        """Views as scheduled, read a few ahead in threads."""
        jobs: deque[tuple[int, Future[PreparedView]]] = deque()
        with ThreadPoolExecutor(2) as pool:
            try:
                for number, index, kind in schedule:
                    if index in self._dropped:
                        continue
                    job = pool.submit(
                        prepare_view,
                        self.frames[index],
                        index,
                        kind=kind,
                        short_side=self.options.short_side,
                        stride=self.extractor.stride,
                        seed=self.options.seed * 1000 + number,
                        depth=self.depth,
                        inverse_depth=self.inverse_depths.get(index),
                    )
                    jobs.append((index, job))
                    if len(jobs) >= min(6, len(self.frames)):
                        yield from self._finished(*jobs.popleft())
                while jobs:
                    yield from self._finished(*jobs.popleft())
            finally:
                for _, job in jobs:
                    job.cancel()

    def _finished(self, index: int, job: Future[PreparedView]) -> Iterator[PreparedView]:
        try:
            view = job.result()
        except (ImageError, CameraError) as error:
            self._drop(index, str(error))
            return
        if view.usable.sum() >= MIN_CELLS:
            yield view
        elif view.kind == "novel":
            # Its depth does not make pictures; its other views may be good.
            self.inverse_depths.pop(index, None)
        else:
            self._drop(index, f"{self.frames[index].name}: hardly a pixel has a viewing ray")

    def _drop(self, index: int, reason: str) -> None:
        if index not in self._dropped:
            self._dropped.add(index)
            self.skipped.append(Skipped(self.frames[index].name, reason))

    def _take(
        self, view: PreparedView, buffer: FeatureBuffer
    ) -> tuple[Tensor, slice, NDArray[np.intp]]:
        """Features of a view, and the rows of the buffer that some of its cells went to."""
        features = self.extractor(view.image)
        if view.kind == "plain" and view.frame not in self.descriptors:
            self.descriptors[view.frame] = image_descriptor(features)
        usable = torch.from_numpy(np.flatnonzero(view.usable))
        take = min(len(usable), self.options.cells_per_view)
        cells = usable[torch.randperm(len(usable), generator=self._generator)[:take]]
        rows = buffer.append(
            features[cells.to(features.device)],
            torch.from_numpy(view.rays)[cells],
            view.focal,
            view.frame,
            torch.from_numpy(view.inverse_depths)[cells],
        )
        return features, rows, cells.numpy()

    def _check_enough(self, buffer: FeatureBuffer) -> None:
        if len(self.frames) - len(self._dropped) < 2 or buffer.count == 0:
            reason = self.skipped[0].reason if self.skipped else "no image could be read"
            raise SceneError(f"hardly any mapping image can be used; the first problem: {reason}")


def _spread(count: int) -> list[int]:
    """The numbers below ``count`` in an order whose every beginning is spread evenly."""
    golden = (5**0.5 - 1) / 2
    return np.argsort(np.arange(count) * golden % 1, kind="stable").tolist()

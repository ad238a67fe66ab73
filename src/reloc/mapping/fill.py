"""Filling the feature buffer: views of all frames, run through the backbone, cells drawn."""

import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count, islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.backbone.descriptor import image_descriptor
from reloc.errors import CameraError, ImageError, SceneError
from reloc.geometry import inverted
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.survey import FRAMES_ASKED, VIEWS_FOR_DIRECTIONS, StereoSurvey
from reloc.mapping.views import Kind, PreparedView, known_inverse_depths, prepare_view
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame, Skipped, poses_of
from reloc.stereo import InverseDepth, stereo_neighbours

MIN_CELLS = 16
# Of the time of a survey, what goes to seeing; sweeping takes the rest.
SEEING_SHARE = 0.45
# A frame of which less than this share has a depth is not drawn from beside.
LEAST_KNOWN = 0.3


def centred_cam_from_world(frames: Sequence[Frame], origin: NDArray[np.float64]) -> Tensor:
    """(F, 3, 4) float32 poses in a world moved to ``origin``: large coordinates stay exact."""
    poses = poses_of(frames)
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
    """How far a survey came: frames that were due, and those that were swept."""

    frames: int
    swept: int


class BufferFiller:
    """Passes over the frames, in an order shuffled by the seed, until told to stop.

    Frames whose image cannot be used are noted in ``skipped`` and never tried again. What plain
    views look like is kept in ``descriptors`` and how far frames see in ``inverse_depths``, by
    number of the frame. A survey corrects ``depth`` where the images show less of it.

    What is taken of a frame does not depend on which others are wanted, as long as images can be
    read.

    Args:
        frames: posed frames.
        extractor: makes features of their views.
        options: sizes and seed.
        depth: typical depth of the scene, in scene units.

    Attributes:
        wanted: numbers of the frames that the buffer is for, at first all. Of the others only those
            are read that tell how far these see; ``settle`` comes first then.
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
        self.wanted: Collection[int] = range(len(frames))
        self.skipped: list[Skipped] = []
        self.descriptors: dict[int, NDArray[np.int8]] = {}
        self.inverse_depths: dict[int, InverseDepth] = {}
        self._dropped: set[int] = set()
        self._visited = list(range(len(frames)))
        self._poses = np.array([f.world_from_cam for f in frames]).reshape(-1, 4, 4)
        self._settled = False

    def settle(self, *, max_frames: int) -> None:
        """Corrects ``depth`` as a survey of so many frames would, from the few that it asks."""
        order = _spread(len(self.frames))[:max_frames]
        asked = order[:FRAMES_ASKED]
        stereo = StereoSurvey(self.frames, depth=self.depth, stride=self.extractor.stride)
        read: set[int] = set()

        def see(numbers: Collection[int]) -> None:
            for _, view in self._prepared(_plain(order), set(numbers) - read):
                stereo.add(view, self.extractor(view.image))
            read.update(numbers)

        see(asked)
        self.depth = stereo.settle_depth(lambda depth: see(self._beside(asked, order, depth)))
        self._settled = True

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
        Where most of them stand beside others that see the same, they cover the place: later passes
        keep to them.

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
        order = _spread(len(self.frames))[:max_frames]
        needed = {
            *order[:VIEWS_FOR_DIRECTIONS],
            *self.wanted,
            *self._beside(self.wanted, order, self.depth),
        }
        for slot, view in self._prepared(_plain(order), needed):
            features = self.extractor(view.image)
            stereo.add(view, features)
            if view.frame in self.wanted:
                rows, cells = self._keep(view, features, buffer, draw=(0, slot))
                taken[view.frame] = rows, view.pixels[cells[: rows.stop - rows.start]]
            progress("features", slot + 1, len(order))
            late = seconds is not None and time.monotonic() - began > SEEING_SHARE * seconds
            if late or buffer.count == buffer.capacity:
                order = order[: slot + 1]
                break
        self._check_enough(buffer)
        if not self._settled:
            self.depth = stereo.settle_depth()
        left = None if seconds is None else seconds - (time.monotonic() - began)
        swept = 0
        sweeping = stereo.sweep(of=self.wanted, seconds=left)
        for swept, (number, found) in enumerate(sweeping, start=1):
            if found is not None:
                rows, pixels = taken[number]
                known = torch.from_numpy(known_inverse_depths(found, pixels))
                buffer.inverse_depths[rows] = known.to(buffer.inverse_depths)
                if np.isfinite(found.values).mean() > LEAST_KNOWN:
                    self.inverse_depths[number] = found
            progress("depth", swept, len(taken))
            if swept == max_swept:
                break
        beside = stereo_neighbours(self._poses[order], depth=self.depth)
        if 2 * sum(map(bool, beside)) > len(order):
            self._visited = sorted(order)
        return Surveyed(len(order), swept)

    def _beside(self, numbers: Collection[int], order: Sequence[int], depth: float) -> set[int]:
        """Those of the surveyed frames that others of them are compared with."""
        beside = stereo_neighbours(self._poses[order], depth=depth)
        return {
            order[row]
            for number, rows in zip(order, beside, strict=True)
            if number in numbers
            for row in rows
        }

    def fill(
        self,
        buffer: FeatureBuffer,
        *,
        max_views: int | None = None,
        seconds: float | None = None,
        progress: Progress = silent,
    ) -> int:
        """Adds views until the buffer is full or a limit is reached.

        Args:
            buffer: where features go.
            max_views: stop after so many were due.
            seconds: stop after so much time.
            progress: told after every view.

        Returns:
            How many views were due till then, also if they could not be read or their frame is not
            wanted.

        Raises:
            SceneError: hardly any image could be read.
        """
        began = time.monotonic()
        room = buffer.capacity - buffer.count
        if room == 0:
            return 0
        due = 0
        most = max_views or -(-room // self.options.cells_per_view)
        for slot, view in self._prepared(islice(self._schedule(), max_views), self.wanted):
            self._keep(view, self.extractor(view.image), buffer, draw=(1, slot))
            due = slot + 1
            elapsed = time.monotonic() - began
            in_time = most if seconds is None else round(due * seconds / max(elapsed, 1e-3))
            progress("views", due, max(due, min(most, in_time)))
            if buffer.count == buffer.capacity or (seconds is not None and elapsed > seconds):
                break
        self._check_enough(buffer)
        return due

    def _schedule(self) -> Iterator[tuple[int, int, Kind]]:
        """Endless (pass, frame, kind of view), every pass in a new order, while there are frames
        and any of those wanted is among them.

        A homography bends only planes as another eye would: where depth is known, views are drawn
        with it instead.
        """
        rng = np.random.default_rng([self.options.seed, 7])
        for number in count():
            left = [index for index in self._visited if index not in self._dropped]
            if len(left) < 2 or not any(index in self.wanted for index in left):
                return
            for index in rng.permutation(self._visited).tolist():
                if (number + index) % self.options.plain_every == 0:
                    yield number, index, "plain"
                else:
                    yield number, index, "novel" if index in self.inverse_depths else "augmented"

    def _prepared(
        self, schedule: Iterable[tuple[int, int, Kind]], numbers: Collection[int]
    ) -> Iterator[tuple[int, PreparedView]]:
        """Views of some frames as scheduled, each with its place there; read ahead in threads."""
        jobs: deque[tuple[int, int, Future[PreparedView]]] = deque()
        with ThreadPoolExecutor(2) as pool:
            try:
                for slot, (number, index, kind) in enumerate(schedule):
                    if index in self._dropped or index not in numbers:
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
                    jobs.append((slot, index, job))
                    if len(jobs) >= min(6, len(numbers)):
                        yield from self._finished(*jobs.popleft())
                while jobs:
                    yield from self._finished(*jobs.popleft())
            finally:
                for _, _, job in jobs:
                    job.cancel()

    def _finished(
        self, slot: int, index: int, job: Future[PreparedView]
    ) -> Iterator[tuple[int, PreparedView]]:
        try:
            view = job.result()
        except (ImageError, CameraError) as error:
            self._drop(index, str(error))
            return
        if view.usable.sum() >= MIN_CELLS:
            yield slot, view
        elif view.kind != "novel":
            # A depth that does not make pictures says nothing about the frame's other views.
            self._drop(index, f"{self.frames[index].name}: hardly a pixel has a viewing ray")

    def _drop(self, index: int, reason: str) -> None:
        if index not in self._dropped:
            self._dropped.add(index)
            self.skipped.append(Skipped(self.frames[index].name, reason))

    def _keep(
        self, view: PreparedView, features: Tensor, buffer: FeatureBuffer, *, draw: tuple[int, int]
    ) -> tuple[slice, NDArray[np.intp]]:
        """Takes cells of a view, by a draw of its own; returns the rows of the buffer, and them."""
        if view.kind == "plain" and view.frame not in self.descriptors:
            self.descriptors[view.frame] = image_descriptor(features)
        usable = np.flatnonzero(view.usable)
        rng = np.random.default_rng([self.options.seed, *draw])
        cells = rng.permutation(usable)[: self.options.cells_per_view]
        drawn = torch.from_numpy(cells)
        rows = buffer.append(
            features[drawn.to(features.device)],
            torch.from_numpy(view.rays)[drawn],
            view.focal,
            view.frame,
            torch.from_numpy(view.inverse_depths)[drawn],
        )
        return rows, cells

    def _check_enough(self, buffer: FeatureBuffer) -> None:
        if len(self.frames) - len(self._dropped) < 2 or buffer.count == 0:
            reason = self.skipped[0].reason if self.skipped else "no image could be read"
            raise SceneError(f"hardly any mapping image can be used; the first problem: {reason}")


def _plain(numbers: Sequence[int]) -> list[tuple[int, int, Kind]]:
    """A schedule of one plain view of each frame."""
    return [(0, number, "plain") for number in numbers]


def _spread(count: int) -> list[int]:
    """The numbers below ``count`` in an order whose every beginning is spread evenly."""
    golden = (5**0.5 - 1) / 2
    return np.argsort(np.arange(count) * golden % 1, kind="stable").tolist()

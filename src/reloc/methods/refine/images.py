"""The images that a network is trained on, one at a time, as a function of the step."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.errors import CameraError, ImageError, SceneError
from reloc.mapping.views import Kind, prepare_view
from reloc.prefetching import prefetched
from reloc.scenes.depth import DepthAlongRays
from reloc.scenes.scene import Frame, Skipped

MIN_CELLS = 16
# Views that are read while those before them are trained on.
AHEAD = 3


@dataclass(frozen=True)
class Cells:
    """The usable cells of one view.

    Attributes:
        rays: (N, 2) at z = 1, camera frame.
        depths: (N,) known along the axis in scene units, 0 where nobody knows.
        focal: pixels of the view per unit at z = 1.
        cam_from_world: (3, 4).
    """

    rays: Tensor
    depths: Tensor
    focal: float
    cam_from_world: Tensor


@dataclass(frozen=True)
class TrainingImage:
    """A view to train on.

    Attributes:
        number: of its frame.
        image: (1, 1, H, W) float, 0 to 1.
        usable: (N,) numbers of its usable cells, row by row.
        cells: these.
    """

    number: int
    image: Tensor
    usable: Tensor
    cells: Cells


class Depths(Protocol):
    """What knows how far cells see."""

    def of_frame(self, frame: Frame, *, cell: float) -> DepthAlongRays:
        """How far a frame sees, for cells whose rays are so far apart at z = 1."""


class _Due(NamedTuple):
    """The view of a frame that a step is due to see."""

    number: int
    step: int
    kind: Kind


class TrainingImages:
    """Images in passes over the frames, each in its own random order.

    While a view is in use, a thread reads those of the next steps; ``close`` ends it.

    Args:
        frames: that have a pose.
        cam_from_world: (F, 3, 4) their poses around the origin of the map.
        depths: what is known of how far cells see, if the loss may know it.
        short_side: of the views in pixels, before they are zoomed.
        stride: pixels per cell.
        seed: of order and augmentation.

    Attributes:
        bad: why images of frames, by number, turned out to be of no use.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        cam_from_world: Tensor,
        *,
        depths: Depths | None = None,
        short_side: int,
        stride: int,
        seed: int,
    ) -> None:
        self._frames = frames
        self._poses = cam_from_world
        self._depths = depths
        self._short_side = short_side
        self._stride = stride
        self._seed = seed
        self.bad: dict[int, str] = {}
        self._thread = ExitStack()
        self._coming: Iterator[tuple[_Due, Future[TrainingImage]]] = iter(())

    def close(self) -> None:
        """Ends reading ahead; what is asked for later is read all the same."""
        self._coming = iter(())
        self._thread.close()

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Frames that turned out to be of no use."""
        return tuple(Skipped(self._frames[n].name, why) for n, why in sorted(self.bad.items()))

    def at(self, step: int, *, kind: Kind) -> TrainingImage:
        """The view of a step.

        Depends on the step and the seed alone, so that a resumed training sees what it would have.

        Raises:
            SceneError: no image can be used.
        """
        while (number := self._number(step)) is not None:
            try:
                return self._result(_Due(number, step, kind))
            except (ImageError, CameraError) as error:
                self.bad[number] = str(error)
        first = self.bad[int(self._order(step // len(self._frames))[0])]
        raise SceneError(f"no mapping image can be used; the first problem: {first}")

    def _order(self, visit: int) -> NDArray[np.intp]:
        """The order of the frames in a pass over them."""
        return np.random.default_rng([self._seed, visit]).permutation(len(self._frames))

    def _number(self, step: int) -> int | None:
        """The frame that a step sees: the next in order that is not known to be bad."""
        visit, place = divmod(step, len(self._frames))
        turned = np.roll(self._order(visit), -place).tolist()
        return next((number for number in turned if number not in self.bad), None)

    def _result(self, due: _Due) -> TrainingImage:
        """The view that is due, read ahead if what was foreseen holds."""
        coming = next(self._coming, None)
        if coming is None or coming[0] != due:
            self.close()
            reading = prefetched(self._read, self._foreseen(due), ahead=AHEAD, workers=1)
            self._coming = self._thread.enter_context(reading)
            coming = next(self._coming)
        return coming[1].result()

    def _foreseen(self, due: _Due) -> Iterator[_Due]:
        """What steps will see from one on, unless more images turn out to be bad."""
        for step in count(due.step):
            if (number := self._number(step)) is None:
                return
            yield _Due(number, step, due.kind)

    def _read(self, due: _Due) -> TrainingImage:
        number, step, kind = due
        frame = self._frames[number]
        view = prepare_view(
            frame,
            number,
            kind=kind,
            short_side=self._short_side,
            stride=self._stride,
            seed=self._seed * 1_000_003 + step,
        )
        usable = np.flatnonzero(view.usable)
        if len(usable) < MIN_CELLS:
            raise CameraError(f"{frame.name}: hardly a pixel has a viewing ray")
        rays = view.rays[usable]
        depths = np.zeros(len(usable))
        if self._depths is not None:
            cell = self._stride / view.focal
            known = self._depths.of_frame(frame, cell=cell)
            depths = np.nan_to_num(known.along(rays.astype(np.float64)))
        image = torch.from_numpy(view.image).float()[None, None] / 255
        cells = Cells(
            torch.from_numpy(rays),
            torch.from_numpy(depths).float(),
            view.focal,
            self._poses[number],
        )
        return TrainingImage(number, image, torch.from_numpy(usable), cells)

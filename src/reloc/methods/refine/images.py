"""The images that a network is trained on, one at a time, as a function of the step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from reloc.errors import CameraError, ImageError, SceneError
from reloc.mapping.views import Kind, prepare_view
from reloc.scenes.depth import DepthAlongRays
from reloc.scenes.scene import Frame, Skipped

MIN_CELLS = 16


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


class TrainingImages:
    """Images in passes over the frames, each in its own random order.

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
        count = len(self._frames)
        order = np.random.default_rng([self._seed, step // count]).permutation(count)
        for number in np.roll(order, -(step % count)).tolist():
            if number not in self.bad:
                try:
                    return self._read(number, step, kind)
                except (ImageError, CameraError) as error:
                    self.bad[number] = str(error)
        raise SceneError(f"no mapping image can be used; the first problem: {self.bad[order[0]]}")

    def _read(self, number: int, step: int, kind: Kind) -> TrainingImage:
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

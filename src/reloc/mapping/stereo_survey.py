"""How far the mapping frames see: kept plain views, each swept against those beside it."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from reloc.mapping.views import PreparedView
from reloc.prefetching import prefetched
from reloc.scenes.scene import Frame
from reloc.stereo import InverseDepth, SweepDepth, plane_sweep, stereo_neighbours

# Features vary in few directions: this many keep their likeness and a quarter of the memory.
DIRECTIONS = 64
# Directions are chosen once so many views are there.
VIEWS_FOR_DIRECTIONS = 12
# So many frames are asked how far they see. If half of it is nearer than this share of the typical
# depth, they are believed, and asked again at that depth: more of it is then within their reach.
FRAMES_ASKED = 24
TOO_NEAR = 0.5
TIMES_ASKED = 4
# Frames that are swept in threads before they are asked for.
AHEAD = 3


class StereoSurvey:
    """Takes plain views as they come, in about 0.6 MB each, then finds how far they see.

    Args:
        frames: the posed mapping frames; more may be appended, which is what ``frames`` is for.
        stride: pixels per cell.
    """

    def __init__(self, frames: Sequence[Frame], *, stride: int) -> None:
        self.frames = frames
        self._stride = stride
        self._grids: dict[int, tuple[int, int]] = {}
        self._features: dict[int, Tensor] = {}
        self._directions: Tensor | None = None

    def __len__(self) -> int:
        return len(self._grids)

    def add(self, view: PreparedView, features: Tensor) -> None:
        """Keeps what is needed of a plain view and its features (cells, channels)."""
        height, width = view.image.shape
        self._grids[view.frame] = (height, width)
        self._features[view.frame] = features
        if self._directions is not None:
            self._features[view.frame] = self._compact(features)
        elif len(self) == VIEWS_FOR_DIRECTIONS:
            self._choose_directions()

    def typical_depth(
        self, expected: float, *, ready: Callable[[float], None] = lambda depth: None
    ) -> float:
        """The typical depth of the scene, corrected where those added first see far less far.

        Poses alone suggest too much where walls part the cameras: the axes of two cameras in
        different rooms cross behind them. What views agree on hardly depends on what was expected,
        as long as any of it is within reach of the sweep.

        Args:
            expected: depth that the poses suggest, in scene units.
            ready: called with the depth before each round; may add frames to compare with.
        """
        depth, corrected = expected, False
        for _ in range(TIMES_ASKED):
            ready(depth)
            asked = islice(self.sweep(depth=depth), FRAMES_ASKED)
            swept = [found.values for _, found in asked if found]
            known = [values[np.isfinite(values)] for values in swept]
            if not any(map(len, known)):
                break
            seen = 1 / float(np.median(np.concatenate(known)))
            too_near = seen < TOO_NEAR * depth
            if too_near or corrected:
                depth, corrected = seen, True
            if not too_near:
                break
        return depth

    def sweep(
        self,
        *,
        depth: float,
        among: Sequence[int] | None = None,
        first: int = 0,
        of: Collection[int] | None = None,
        seconds: float | None = None,
    ) -> Iterator[tuple[int, InverseDepth | None]]:
        """Frames with how far they see; None for those that nobody else sees from beside.

        Args:
            depth: typical depth of the scene, in scene units.
            among: numbers of frames that are compared with each other, in the order in which they
                are swept; None for all, as they were added. Those that were not added do not count.
            first: those before it are only compared with.
            of: numbers of frames that are swept; the others are only compared with.
            seconds: after these the sweep stops.
        """
        began = time.monotonic()
        if self._directions is None and self._features:
            self._choose_directions()
        numbers = [n for n in (self._grids if among is None else among) if n in self._grids]
        views = {number: self._swept_view(number) for number in numbers}
        poses = np.array([view.world_from_cam for view in views.values()]).reshape(-1, 4, 4)
        neighbours = stereo_neighbours(poses, depth=depth)

        def swept(due: tuple[int, Sequence[int]]) -> InverseDepth | None:
            others = [views[numbers[row]] for row in due[1]]
            return plane_sweep(views[due[0]], others, depth=depth) if others else None

        due = list(zip(numbers, neighbours, strict=True))[first:]
        wanted = [(number, beside) for number, beside in due if of is None or number in of]
        with prefetched(swept, wanted, ahead=AHEAD) as found:
            for (number, _), job in found:
                if seconds is not None and time.monotonic() - began > seconds:
                    return
                yield number, job.result()

    def _swept_view(self, number: int) -> SweepDepth:
        frame, (height, width) = self.frames[number], self._grids[number]
        assert frame.world_from_cam is not None
        size: NDArray[np.float64] = np.array(
            [frame.camera.width / width, frame.camera.height / height]
        )
        return SweepDepth(
            features=self._features[number],
            grid=(-(-height // self._stride), -(-width // self._stride)),
            cell=self._stride * size,
            camera=frame.camera,
            world_from_cam=frame.world_from_cam,
        )

    def _choose_directions(self) -> None:
        """The principal directions of the features so far, and all of them compacted."""
        sample = torch.cat([f[::4].float() for f in self._features.values()])
        # On the host: not every device has float64.
        _, vectors = torch.linalg.eigh((sample.T @ sample).cpu().double())
        self._directions = vectors[:, -DIRECTIONS:].float().to(sample.device)
        self._features = {n: self._compact(f) for n, f in self._features.items()}

    def _compact(self, features: Tensor) -> Tensor:
        assert self._directions is not None
        unit = functional.normalize(features.float() @ self._directions, dim=1)
        return unit.to(torch.bfloat16 if features.device.type == "cpu" else torch.float16)

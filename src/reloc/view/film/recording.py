"""Records for a film what the network believes of a few cells, again and again while it learns."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import inference_dtype, pick_device
from reloc.errors import ImageError, SceneError
from reloc.images.augment import cell_pixels, plain_view
from reloc.images.files import read_image
from reloc.methods.ace.training import Learner, TrainingSnapshot
from reloc.sampling import even_picks
from reloc.scenes.scene import Frame, posed, poses_of

VIEWS = 40
CELLS = 24_000
SNAPSHOTS = 72
# Early on the scene changes fast: snapshot k of K is due at the share (k / K)^CROWDING of the
# training.
CROWDING = 1.6
# Of the training so far and to come; more would slow it noticeably.
MOST_OF_TRAINING = 0.12


@dataclass(frozen=True)
class Snapshot:
    """Figures at the time of a snapshot.

    Attributes:
        seconds: since the mapping began.
        fraction: of the training, 0 to 1.
        steps: done so far.
        loss: pixels.
        median_error: of reprojection, pixels.
        inlier_share: points within 10 pixels.
    """

    seconds: float
    fraction: float
    steps: int
    loss: float
    median_error: float
    inlier_share: float


@dataclass(frozen=True)
class Recording:
    """How a map grew, seen at the same cells throughout.

    Attributes:
        points: (K, N, 3) float16, in units of ``scale`` around ``origin``.
        origin: (3,) float64 world frame.
        scale: scene units.
        colors: (N, 3) uint8 RGB of the cells.
        eyes: (N, 3) float64 centres of the cameras that saw the cells, world frame.
        snapshots: K of them.
    """

    points: NDArray[np.float16]
    origin: NDArray[np.float64]
    scale: float
    colors: NDArray[np.uint8]
    eyes: NDArray[np.float64]
    snapshots: tuple[Snapshot, ...]

    def at(self, position: float) -> NDArray[np.float64]:
        """World points (N, 3) at a position between 0 and K - 1, interpolated."""
        low = min(int(position), len(self.points) - 1)
        high = min(low + 1, len(self.points) - 1)
        part = position - low
        local = self.points[low].astype(np.float64) * (1 - part) + self.points[high] * part
        return self.origin + self.scale * local

    def check_frames(self, frames: Sequence[Frame]) -> None:
        """Raises SceneError if what saw the cells were not these frames at these poses."""
        centers = poses_of(frames)[:, :3, 3]
        eyes = np.unique(self.eyes, axis=0)
        apart = np.linalg.norm(eyes[:, None] - centers, axis=2).min(axis=1, initial=np.inf)
        if apart.max() > 1e-6 * self.scale:
            raise SceneError(
                "this growth was recorded with other frames or poses; give the scene, --query and "
                "--poses of its mapping"
            )


class Recorder:
    """Watches a training: pass it to ``map_scene`` as ``callback``.

    It only looks: the map becomes the same as without it. What it takes of the time of training is
    bounded by ``MOST_OF_TRAINING``; where there is less time, there are fewer snapshots.

    Args:
        frames: the posed mapping frames, as ``map_scene`` uses them.
        backbone: what the map is made with.
        short_side: of the mapping's options, pixels.
        device: where networks run.
        earlier: what was recorded before the training was interrupted, to go on with.

    Raises:
        SceneError: no image of a posed frame can be read, or ``earlier`` is of other frames.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        backbone: Backbone,
        *,
        short_side: int,
        device: torch.device | str | None = None,
        earlier: Recording | None = None,
    ) -> None:
        extractor = FeatureExtractor(backbone, device=pick_device(device))
        known = posed(frames)
        picks = even_picks(len(known), VIEWS)
        rng = np.random.default_rng(0)
        features, colors, owners = [], [], []
        for index in picks:
            try:
                image = read_image(known[index].image)
                view = plain_view(read_image(known[index].image, gray=True), short_side=short_side)
            except ImageError:
                continue
            pixels = view.original_pixels(cell_pixels(*view.image.shape, stride=extractor.stride))
            inside = ((pixels > 0) & (pixels < image.shape[1::-1])).all(axis=1)
            cells = rng.permutation(np.flatnonzero(inside))[: CELLS // len(picks)]
            column, row = pixels[cells].astype(int).T
            features.append(extractor(view.image)[torch.from_numpy(cells)].half())
            colors.append(image[row, column])
            owners.append(np.full(len(cells), index))
        if not features:
            raise SceneError("no mapping image can be read, so there is nothing to film")
        centers = poses_of(known)[:, :3, 3]
        self._features = torch.cat(features)
        self._colors = np.concatenate(colors)
        self._owners = np.concatenate(owners)
        self._eyes = centers[self._owners]
        self._origin = centers.mean(axis=0)
        self._scale = 0.0
        self._points: list[NDArray[np.float16]] = []
        self._snapshots: list[Snapshot] = []
        self._seconds = 0.0
        self._taken = 0
        self._first: tuple[float, float] | None = None
        self._began = time.monotonic()
        if earlier is not None:
            earlier.check_frames(frames)
            if not np.array_equal(earlier.colors, self._colors):
                raise SceneError("this growth was recorded with other images; start a new one")
            self._scale = earlier.scale
            self._points = list(earlier.points)
            self._snapshots = list(earlier.snapshots)
            self._began -= earlier.snapshots[-1].seconds

    def __call__(self, snapshot: TrainingSnapshot) -> None:
        """Takes a snapshot if one is due and there is time for it."""
        if self._snapshots and self._snapshots[-1].fraction == 1:
            return  # of a training that had come to its end before it was interrupted
        due = (len(self._points) / (SNAPSHOTS - 1)) ** CROWDING
        began = time.monotonic()
        self._first = self._first or (began, snapshot.fraction)
        first, since = self._first
        each = self._seconds / max(self._taken, 1)
        planned = (began - first - self._seconds) / max(snapshot.fraction - since, 1e-9)
        late = self._seconds + each > MOST_OF_TRAINING * planned
        if snapshot.fraction < 1 and (snapshot.fraction < due or (late and self._points)):
            return
        self._scale = self._scale or float(snapshot.learners[0].head.scale)
        points = np.zeros_like(self._eyes, np.float16)
        for learner in snapshot.learners:
            rows = np.isin(self._owners, learner.frames)
            points[rows] = self._believed(learner, rows)
        state = snapshot.state()
        self._points.append(points)
        self._snapshots.append(
            Snapshot(
                began - self._began,
                snapshot.fraction,
                snapshot.steps,
                state.loss,
                state.median_error,
                state.inlier_share,
            )
        )
        self._taken += 1
        self._seconds += time.monotonic() - began

    @torch.inference_mode()
    def _believed(self, learner: Learner, rows: NDArray[np.bool_]) -> NDArray[np.float16]:
        """Scene coordinates of the cells that the head knows of, around our origin and scale."""
        # Training may have been told another device than whoever watches it.
        features = self._features[torch.from_numpy(rows)].to(learner.head.scale.device)
        half = inference_dtype(features.device)
        with torch.autocast(features.device.type, half, enabled=half != torch.float32):
            coordinates = learner.head(features.to(half)).cpu().double().numpy()
        local = (coordinates + (learner.origin - self._origin)) / self._scale
        return np.clip(local, -6e4, 6e4).astype(np.float16)

    def recording(self) -> Recording | None:
        """What was seen so far; None if that is nothing."""
        if not self._points:
            return None
        return Recording(
            np.stack(self._points),
            self._origin,
            self._scale,
            self._colors,
            self._eyes,
            tuple(self._snapshots),
        )

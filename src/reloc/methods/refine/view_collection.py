"""Whole views to refine on: where a feature buffer mixes cells, RANSAC wants them by image."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reloc.backbone import FeatureExtractor
from reloc.errors import CameraError, ImageError, SceneError
from reloc.geometry import inverted
from reloc.mapping.views import PreparedView, prepare_view
from reloc.prefetching import prefetched
from reloc.progress import Progress
from reloc.scenes.scene import Frame

MIN_CELLS = 16
AHEAD = 4


@dataclass(frozen=True)
class ViewFeatures:
    """Features of V views, K cells of each.

    Attributes:
        features: (V, K, C), half precision.
        rays: (V, K, 2) float32 at z = 1, camera frame.
        usable: (V, K) bool; a view may have fewer cells than K.
        focals: (V,) float32, pixels of the view per unit at z = 1.
        cam_from_world: (V, 3, 4) float32, around the origin of the map.
    """

    features: Tensor
    rays: Tensor
    usable: Tensor
    focals: Tensor
    cam_from_world: Tensor

    def __len__(self) -> int:
        return len(self.focals)


def collect_views(
    frames: Sequence[Frame],
    extractor: FeatureExtractor,
    *,
    origin: NDArray[np.float64],
    short_side: int,
    views: int,
    cells: int,
    seed: int,
    seconds: float | None = None,
    progress: Progress,
) -> ViewFeatures:
    """Features of plain views of posed frames, in passes over them in random order.

    Plain, since queries come so: with augmented views among them the pose got better by less.

    Args:
        frames: that have a pose. Those whose image cannot be read are left out.
        extractor: runs the backbone; features stay on its device.
        origin: (3,) of the map.
        short_side: of a view in pixels.
        views: how many.
        cells: of each, drawn at random.
        seed: of order and drawing.
        seconds: stop after so much time.
        progress: told after every view.

    Raises:
        SceneError: no image could be used.
    """
    began = time.monotonic()
    rng = np.random.default_rng([seed, 11])
    half = torch.bfloat16 if extractor.dtype == torch.float32 else extractor.dtype
    device = extractor.device
    features, rays, usable, focals, poses = [], [], [], [], []
    reading = _reading(frames, short_side=short_side, stride=extractor.stride, seed=seed)
    with closing(reading):
        for view in reading:
            picks = rng.permutation(np.flatnonzero(view.usable))[:cells]
            padded = torch.from_numpy(np.resize(picks, cells))
            features.append(extractor(view.image)[padded.to(device)].to(half))
            rays.append(torch.from_numpy(view.rays)[padded])
            usable.append(torch.arange(cells) < len(picks))
            focals.append(view.focal)
            pose = frames[view.frame].world_from_cam
            assert pose is not None
            poses.append(inverted(_around(pose, origin))[:3])
            progress("features", len(focals), views)
            if len(focals) == views or (seconds and time.monotonic() - began > seconds):
                break
    if not focals:
        raise SceneError("no mapping image can be read; look at them with `reloc info`")
    return ViewFeatures(
        torch.stack(features),
        torch.stack(rays).to(device),
        torch.stack(usable).to(device),
        torch.tensor(focals, dtype=torch.float32, device=device),
        torch.from_numpy(np.stack(poses)).float().to(device),
    )


def _around(
    world_from_cam: NDArray[np.float64], origin: NDArray[np.float64]
) -> NDArray[np.float64]:
    pose = world_from_cam.copy()
    pose[:3, 3] -= origin
    return pose


def _reading(
    frames: Sequence[Frame], *, short_side: int, stride: int, seed: int
) -> Generator[PreparedView, None, None]:
    """Endless views in passes over the frames, read a few ahead, until no frame is left."""
    rng = np.random.default_rng([seed, 7])
    bad = set[int]()

    def schedule() -> Iterator[int]:
        while len(bad) < len(frames):
            yield from rng.permutation(len(frames)).tolist()

    def read(index: int) -> PreparedView:
        frame = frames[index]
        view = prepare_view(frame, index, kind="plain", short_side=short_side, stride=stride)
        if view.usable.sum() < MIN_CELLS:
            raise CameraError(f"{frame.name}: hardly a pixel has a viewing ray")
        return view

    due = (index for index in schedule() if index not in bad)
    with prefetched(read, due, ahead=min(AHEAD, len(frames))) as made:
        for index, job in made:
            try:
                yield job.result()
            except (ImageError, CameraError):
                bad.add(index)

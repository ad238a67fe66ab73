"""Mapping a scene in closed form: posed images in, a map out within seconds."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import ImageError, SceneError
from reloc.heads.ridge import RidgeHead
from reloc.mapping.mapping_frames import MappingFrames, mapping_frames
from reloc.mapping.result import MappingResult, finished
from reloc.mapping.stereo_survey import StereoSurvey
from reloc.mapping.views import PreparedView, known_inverse_depths
from reloc.maps.scene_map import Region
from reloc.methods.ridge.feature_collection import FrameSample, collect_samples
from reloc.methods.ridge.fit import (
    FitOptions,
    Observations,
    chosen_ridge,
    fit,
)
from reloc.methods.ridge.options import RidgeOptions
from reloc.progress import Progress, silent
from reloc.scenes.depth import read_depth_map
from reloc.scenes.scene import Frame, Scene, Skipped
from reloc.stereo import InverseDepth

MIN_DEPTH_FRAMES = 3
# Frames that are swept, so that memory does not grow with the images; the others have rays alone.
MAX_SWEPT = 400


class RidgeMapper:
    """A map in closed form, fitted when it is made; further photos cost one photo each.

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features; the map works with this one only.
        options: sizes and priors.
        device: where features are computed; by default the best there is.
        progress: told of every view.

    Raises:
        SceneError: too few usable frames, all from one spot, or no depth where it was asked for.
    """

    def __init__(
        self,
        scene: Scene,
        backbone: Backbone,
        *,
        options: RidgeOptions | None = None,
        device: torch.device | str | None = None,
        progress: Progress = silent,
    ) -> None:
        began = time.monotonic()
        self.options = options or RidgeOptions()
        self._used = _fitted(mapping_frames(scene), self.options)
        self.origin, self.scale = self._used.origin, self._used.depth
        self.extractor = FeatureExtractor(backbone, device=pick_device(device))
        share = self.options.features // len(self.frames)
        self.cells = max(1, min(self.options.cells_per_view, share))
        self.skipped: list[Skipped] = []
        self._survey = StereoSurvey(self.frames, stride=self.extractor.stride)
        count = len(self.frames)
        self._unswept = set(range(count)) - {*np.linspace(0, count - 1, MAX_SWEPT).astype(int)}
        samples = list(self._collected(list(enumerate(self.frames)), progress))
        if len(samples) < 2:
            reason = self.skipped[0].reason
            raise SceneError(f"hardly any mapping image can be used; the first problem: {reason}")
        self.seconds = {"features": time.monotonic() - began}
        self.head = _head_with_anchors(samples, self.options, self.scale)
        swept = self._swept(progress)
        parts = [self._observed(sample, swept.get(sample.frame)) for sample in samples]
        self.observations = Observations.joined(parts)
        # Measured depth is as good along a ray as across.
        measured = self.options.targets == "depth"
        self.fit_options = FitOptions(baseline=math.inf) if measured else FitOptions()
        self._fit(progress)
        self.seconds["training"] = time.monotonic() - began - self.seconds["features"]

    @property
    def frames(self) -> tuple[Frame, ...]:
        """That the map is fitted to."""
        return self._used.frames

    def add(self, frame: Frame) -> None:
        """Takes in one more photo: its features are computed, and the fit goes on from where it is.

        Raises:
            SceneError: the frame has no pose, or no depth where that is what the map is fitted to.
            ImageError: its image or depth image is damaged.
        """
        if frame.world_from_cam is None:
            raise SceneError(f"{frame.name}: has no pose; only posed photos can be added to a map")
        if self.options.targets == "depth" and frame.depth is None:
            raise SceneError(f"{frame.name}: has no depth image, which this map is fitted to")
        number, before = len(self.frames), len(self._survey)
        self._used = self._used.only([*self.frames, frame])
        self._survey.frames = self.frames
        for sample in self._collected([(number, frame)], silent):
            swept = self._swept(silent, first=before)
            added = self._observed(sample, swept.get(number))
            self.observations = Observations.joined([self.observations, added])
            self._solve(start=self.head.points.detach().double())
            return
        raise ImageError(self.skipped[-1].reason)

    def result(self) -> MappingResult:
        """The map as it stands."""
        design = self.observations.design(len(self.head.points))
        errors = self.observations.errors(design.predict(self.head.points.detach().double()))
        return finished(
            self._used,
            [Region(self.head.eval(), self.origin)],
            backbone=self.extractor.fingerprint,
            short_side=self.options.short_side,
            device=self.extractor.device,
            skipped=self.skipped,
            seconds=self.seconds,
            info={
                "method": "ridge",
                "options": asdict(replace(self.options, ridge=self.fit_options.ridge)),
                "features": len(self.observations),
                "median_error_px": round(float(errors.clamp(max=1000).median()), 3),
                "inlier_share": round(float((errors < 10).double().mean()), 4),
            },
        )

    def _collected(
        self, frames: Sequence[tuple[int, Frame]], progress: Progress
    ) -> Iterator[FrameSample]:
        """What frames give; those whose image is unusable are noted as skipped."""
        found = collect_samples(
            frames,
            self.extractor,
            short_side=self.options.short_side,
            cells=self.cells,
            seed=self.options.seed,
            see=self._see,
        )
        for done, sample in enumerate(found, start=1):
            progress("features", done, len(frames))
            if isinstance(sample, Skipped):
                self.skipped.append(sample)
            else:
                yield sample

    def _see(self, view: PreparedView, local: Tensor) -> None:
        if self.options.targets == "rays" and view.frame not in self._unswept:
            self._survey.add(view, local)

    def _swept(self, progress: Progress, *, first: int = 0) -> dict[int, InverseDepth | None]:
        """How far the frames see that were surveyed, from the first of them on."""
        found = {}
        for number, inverse_depth in self._survey.sweep(depth=self.scale, first=first):
            found[number] = inverse_depth
            progress("depth", first + len(found), len(self._survey))
        return found

    def _observed(self, sample: FrameSample, swept: InverseDepth | None) -> Observations:
        """What a photo tells, in units of the scene scale."""
        indices, weights = self.head.responses(sample.features.float())
        frame = self.frames[sample.frame]
        assert frame.world_from_cam is not None
        pose = frame.world_from_cam
        rays = np.column_stack([sample.rays, np.ones(len(sample.rays))]) @ pose[:3, :3].T
        count = len(rays)
        if self.options.targets == "depth":
            assert frame.depth is not None
            ahead = read_depth_map(frame.depth, may_be_empty=True).along(sample.rays)
        else:
            with np.errstate(divide="ignore"):
                ahead = 1 / known_inverse_depths(swept, sample.pixels).astype(np.float64)
        ahead[~np.isfinite(ahead)] = np.nan
        lengths = np.linalg.norm(rays, axis=1)
        observed = Observations(
            indices=indices,
            weights=weights.double(),
            rays=torch.from_numpy(rays / lengths[:, None]),
            centers=torch.from_numpy((pose[:3, 3] - self.origin) / self.scale).expand(count, 3),
            focals=torch.full((count,), sample.focal, dtype=torch.float64),
            frames=torch.full((count,), sample.frame),
            depths=torch.from_numpy(ahead * lengths / self.scale),
        )
        if self.options.targets == "rays":
            return observed
        return observed.rows(torch.isfinite(observed.depths))

    def _fit(self, progress: Progress) -> None:
        if not len(self.observations):
            raise SceneError(f"{self._used.root}: the depth images measure nothing at any cell")
        ridge = self.options.ridge
        if ridge is None:
            progress("leave-out", 0, 1)
            ridge = chosen_ridge(
                self.observations, anchors=len(self.head.points), options=self.fit_options
            )
            progress("leave-out", 1, 1)
        self.fit_options = replace(self.fit_options, ridge=ridge)
        progress("fit", 0, 1)
        self._solve(start=None)
        progress("fit", 1, 1)

    def _solve(self, *, start: Tensor | None) -> None:
        points = fit(
            self.observations,
            anchors=len(self.head.points),
            options=self.fit_options,
            start=start,
        )
        if not torch.isfinite(points).all():
            raise SceneError(
                f"{self._used.root}: the fit diverged; check the poses and intrinsics with "
                "`reloc info`"
            )
        self.head.points.data.copy_(points)


def map_scene_ridge(
    scene: Scene,
    backbone: Backbone,
    *,
    options: RidgeOptions | None = None,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> MappingResult:
    """Maps a scene in closed form; see ``RidgeMapper`` for arguments and errors."""
    mapper = RidgeMapper(scene, backbone, options=options, device=device, progress=progress)
    return mapper.result()


def _fitted(usable: MappingFrames, options: RidgeOptions) -> MappingFrames:
    """The frames that a map is fitted to. Raises SceneError if too few have the depth for it."""
    if options.targets == "rays":
        return usable
    known = tuple(frame for frame in usable.frames if frame.depth is not None)
    if len(known) < MIN_DEPTH_FRAMES:
        raise SceneError(
            f"{usable.root}: {len(known) or 'no'} mapping frames have a depth image, but a fit "
            f"to depth needs at least {MIN_DEPTH_FRAMES}; fit to rays instead"
        )
    return usable.only(known)


def _head_with_anchors(
    samples: Sequence[FrameSample], options: RidgeOptions, scale: float
) -> RidgeHead:
    """A head whose anchors are features drawn from all images alike; its points are not fitted."""
    features = torch.cat([sample.features for sample in samples])
    count = min(options.anchors, len(features))
    generator = torch.Generator().manual_seed(options.seed)
    picks = torch.randperm(len(features), generator=generator)[:count]
    head = RidgeHead(
        channels=features.shape[1],
        anchors=count,
        neighbours=min(options.neighbours, count),
        temperature=options.temperature,
        scale=scale,
    ).requires_grad_(False)
    # As a map file will hold them.
    head.anchors.copy_(functional.normalize(features[picks].float(), dim=1).half())
    return head

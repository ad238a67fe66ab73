"""Mapping a scene: posed images in, a map out."""

import platform
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import OptionError, SceneError
from reloc.mapping.checkpoint import load_checkpoint, save_checkpoint
from reloc.mapping.clusters import camera_clusters, cluster_count
from reloc.mapping.feature_buffer import FeatureBuffer, empty_buffer
from reloc.mapping.fill import BufferFiller, FillOptions, centred_cam_from_world
from reloc.mapping.options import MappingOptions, head_width, views_of_head
from reloc.mapping.scene_scale import scene_scale
from reloc.mapping.trainer import HeadTrainer, TrainerOptions, new_head
from reloc.mapping.training import Learner, Moment, train_heads
from reloc.maps.scene_map import MAX_CAMERAS, MappingCamera, Region, SceneMap
from reloc.progress import Progress, silent
from reloc.scenes import check_mappable
from reloc.scenes.scene import Frame, Scene, Skipped

# Shares of a time limit that go to the survey, and to it and all other views together.
SURVEY_SHARE = 0.2
FILL_SHARE = 0.36
# What a survey holds in memory is in proportion to its frames.
MAX_SURVEYED = 1500
# At least so many views of a frame, on average, or fewer frames are surveyed.
VIEWS_PER_FRAME = 3


@dataclass(frozen=True)
class MappingResult:
    """A finished map and how it came about.

    Attributes:
        scene_map: the map.
        skipped: mapping frames whose image could not be used.
        seconds: wall time by stage: ``features``, ``training``.
    """

    scene_map: SceneMap
    skipped: tuple[Skipped, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Part:
    """What one head learns from: rows of the mapping frames, their middle, their features."""

    frames: NDArray[np.intp]
    origin: NDArray[np.float64]
    buffer: FeatureBuffer


def map_scene(
    scene: Scene,
    backbone: Backbone,
    *,
    options: MappingOptions | None = None,
    head: int | None = None,
    device: torch.device | str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
    watch: Callable[[Moment], None] | None = None,
) -> MappingResult:
    """Maps a scene as ACE does: a feature buffer over all images, then heads trained on it.

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features; the map works with this one only.
        options: sizes and schedule; by default the ``standard`` preset.
        head: train this one alone of the heads that the place has. The map holds its region as that
            of all heads does; ``maps.edit.joined`` makes that one of several such.
        device: where to compute; by default the best there is.
        checkpoint: file to which the training state is written every so often and when it is
            interrupted; removed at the end.
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of training as it advances.
        watch: called after every step of training, to look at the head; its time counts as the
            training's.

    Raises:
        OptionError: there is no such head, or the place cannot be parted among as many as wanted.
        SceneError: too few usable frames, or all from one spot.
        MapError: the checkpoint is damaged or belongs to other options.
        OutputError: the checkpoint or a temporary file cannot be written.
    """
    began = time.monotonic()
    options = options or MappingOptions()
    check_mappable(scene)
    chosen = pick_device(device)
    extractor = FeatureExtractor(backbone, device=chosen)
    frames = tuple(f for f in scene.mapping if f.world_from_cam is not None)
    poses = np.stack([f.world_from_cam for f in frames if f.world_from_cam is not None])
    identity = {
        "options": asdict(options),
        "head": head,
        "backbone": backbone.fingerprint,
        "frames": [frame.name for frame in scene.mapping],
    }
    stored = load_checkpoint(checkpoint, identity) if resume and checkpoint else None
    limit = options.time_limit

    planned = max(options.views, len(frames))
    most_surveyed = min(len(frames), MAX_SURVEYED)
    if not limit:
        most_surveyed = min(most_surveyed, -(-planned // VIEWS_PER_FRAME))
    filler = BufferFiller(
        frames,
        extractor,
        FillOptions(
            short_side=options.short_side,
            cells_per_view=options.cells_per_view,
            seed=options.seed,
        ),
        depth=scene_scale(poses),
    )
    if head is not None:
        filler.settle(max_frames=most_surveyed)
        filler.wanted = frozenset(_cluster(scene, poses, options, filler, head).tolist())
    # No frame is looked at more often than those are that were surveyed.
    most_views = min(planned, len(filler.wanted) * -(-planned // most_surveyed))

    with tempfile.TemporaryDirectory(prefix="reloc-") as scratch:
        buffer = empty_buffer(
            centred_cam_from_world(frames, poses[:, :3, 3].mean(axis=0)),
            extractor,
            # Against the clock, as much as time and memory allow; else as much as was asked for.
            rows=None if limit else most_views * options.cells_per_view,
            memory_gb=options.buffer_gb,
            scratch=Path(scratch),
        )
        timed = limit is not None and not stored
        surveyed = filler.survey(
            buffer,
            max_frames=stored["surveyed"] if stored else most_surveyed,
            max_swept=stored["swept"] if stored else None,
            seconds=SURVEY_SHARE * limit if limit and timed else None,
            progress=progress,
        )
        views = surveyed.frames + filler.fill(
            buffer,
            max_views=stored["views"] - surveyed.frames
            if stored
            else None
            if limit
            else max(1, planned - surveyed.frames),
            seconds=FILL_SHARE * limit - (time.monotonic() - began) if limit and timed else None,
            progress=progress,
        )
        made = {"surveyed": surveyed.frames, "swept": surveyed.swept, "views": views}
        fill_seconds = time.monotonic() - began
        budget = None if limit is None else max(1.0, limit - fill_seconds - 0.02 * limit)
        clusters = _clusters(poses, options, filler)
        own = clusters if head is None else clusters[head : head + 1]
        parts = list(_parts(frames, own, buffer, alone=len(clusters) == 1))
        width = options.width or head_width(
            len(clusters), channels=backbone.channels, blocks=options.blocks
        )

        def trainer_of(part: FeatureBuffer) -> HeadTrainer:
            head = new_head(
                channels=backbone.channels,
                width=width,
                blocks=options.blocks,
                scale=filler.depth,
                seed=options.seed,
            ).to(chosen)
            settings = TrainerOptions(batch=options.batch, seed=options.seed)
            return HeadTrainer(head, part, settings, amp=extractor.dtype)

        trainers = [trainer_of(part.buffer) for part in parts]
        learners = tuple(
            Learner(trainer.head, part.origin, part.frames)
            for trainer, part in zip(trainers, parts, strict=True)
        )

        def save(state: Mapping[str, Any]) -> None:
            if checkpoint is not None:
                save_checkpoint(checkpoint, identity, {**state, **made})

        def watched(trainer: HeadTrainer, fraction: float) -> None:
            if watch is not None:
                steps = sum(trainer.steps for trainer in trainers)
                watch(Moment(learners, steps, fraction, trainer.state))

        training_seconds = train_heads(
            trainers,
            steps=options.steps,
            budget=budget,
            stored=stored,
            save=save,
            progress=progress,
            watch=watched,
        )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    if not all(trainer.healthy() for trainer in trainers):
        raise SceneError(
            f"{scene.root}: training diverged; check the poses and intrinsics with `reloc info`"
        )
    cameras = [
        MappingCamera(f.name, f.world_from_cam, f.camera)
        for f in frames
        if f.world_from_cam is not None
    ]
    picks = evenly(np.arange(len(cameras)), MAX_CAMERAS)
    seconds = {"features": fill_seconds, "training": training_seconds}
    states = [trainer.state() for trainer in trainers]
    regions = tuple(
        Region(
            head=trainer.head.cpu().requires_grad_(False).eval(),
            origin=part.origin,
            frames=tuple(np.flatnonzero(np.isin(picks, part.frames)).tolist())
            if len(clusters) > 1
            else None,
            views=_views(filler.descriptors, part.frames, most=views_of_head(len(clusters))),
        )
        for trainer, part in zip(trainers, parts, strict=True)
    )
    info: dict[str, Any] = {
        "scene": scene.name,
        "options": asdict(options),
        "frames": len(frames),
        "skipped": len(filler.skipped),
        **made,
        "features": buffer.count,
        "steps": sum(trainer.steps for trainer in trainers),
        "seconds": {stage: round(value, 2) for stage, value in seconds.items()},
        "median_error_px": round(float(np.mean([state.median_error for state in states])), 3),
        "inlier_share": round(float(np.mean([state.inlier_share for state in states])), 4),
        "device": str(chosen),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    scene_map = SceneMap(
        regions=regions,
        backbone=backbone.fingerprint,
        short_side=options.short_side,
        extent=scene.extent(),
        unit=scene.unit,
        cameras=tuple(cameras[i] for i in picks),
        info=info,
    )
    return MappingResult(scene_map, tuple(filler.skipped), seconds)


def _clusters(
    poses: NDArray[np.float64], options: MappingOptions, filler: BufferFiller
) -> tuple[NDArray[np.intp], ...]:
    """Rows of the frames of each head."""
    depth, looked_at = filler.depth, sorted(filler.descriptors)
    wanted = options.heads or cluster_count(poses[looked_at], depth=depth)
    return camera_clusters(poses, wanted, depth=depth)


def _cluster(
    scene: Scene,
    poses: NDArray[np.float64],
    options: MappingOptions,
    filler: BufferFiller,
    head: int,
) -> NDArray[np.intp]:
    """Rows of the frames of one head. Raises OptionError if there is no such."""
    if options.heads is None or not 0 <= head < options.heads:
        raise OptionError(f"head {head} alone needs a number of heads that it is one of")
    clusters = _clusters(poses, options, filler)
    if len(clusters) < options.heads:
        raise OptionError(
            f"{scene.root}: cannot be parted among {options.heads} heads; ask for {len(clusters)}"
        )
    return clusters[head]


def _parts(
    frames: Sequence[Frame],
    clusters: Sequence[NDArray[np.intp]],
    buffer: FeatureBuffer,
    *,
    alone: bool,
) -> Iterator[_Part]:
    """What each head learns from; clusters without a single readable image are left out.

    Where a cluster is ``alone`` it has all frames.
    """
    for cluster in clusters:
        centres = np.stack(
            [f.world_from_cam[:3, 3] for f in frames if f.world_from_cam is not None]
        )
        origin = centres[cluster].mean(axis=0)
        if alone:
            yield _Part(cluster, origin, buffer)
            continue
        # Poses around the middle of the cluster: large places keep all their digits.
        poses = centred_cam_from_world(frames, origin)
        part = buffer.restricted(torch.from_numpy(cluster), poses)
        if part.rows is not None and len(part.rows):
            yield _Part(cluster, origin, part)


def _views(
    descriptors: Mapping[int, NDArray[np.int8]], frames: NDArray[np.intp], *, most: int
) -> NDArray[np.int8]:
    """What a sample of the frames looks like, (V, D), as far as it is known."""
    known = np.array([f for f in frames if int(f) in descriptors], np.intp)
    rows = [descriptors[int(frame)] for frame in evenly(known, most)]
    return np.stack(rows) if rows else np.zeros((0, 0), np.int8)


def evenly(items: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """``most`` of the items (N,) at most, spread over all."""
    return items[np.linspace(0, len(items) - 1, min(len(items), most)).astype(int)]

"""Mapping a scene: posed images in, a map out."""

import platform
import shutil
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import MapError, OutputError, SceneError
from reloc.files import atomic_file
from reloc.mapping.feature_buffer import FeatureBuffer
from reloc.mapping.fill import BufferFiller, FillOptions, centred_cam_from_world
from reloc.mapping.options import MappingOptions
from reloc.mapping.scene_scale import scene_scale
from reloc.mapping.trainer import HeadTrainer, TrainerOptions, new_head
from reloc.maps.scene_map import MAX_CAMERAS, MappingCamera, Region, SceneMap
from reloc.progress import Progress, silent
from reloc.scenes import check_mappable
from reloc.scenes.scene import Frame, Scene, Skipped

# Share of a time limit that goes to reading images and computing features.
FILL_SHARE = 0.27
CHECKPOINT_SECONDS = 20.0


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


def map_scene(
    scene: Scene,
    backbone: Backbone,
    *,
    options: MappingOptions | None = None,
    device: torch.device | str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> MappingResult:
    """Maps a scene as ACE does: a feature buffer over all images, then a head trained on it.

    Args:
        scene: its ``mapping`` frames are used, queries are not looked at.
        backbone: what turns images into features; the map works with this one only.
        options: sizes and schedule; by default the ``standard`` preset.
        device: where to compute; by default the best there is.
        checkpoint: file to which the training state is written every so often and when it is
            interrupted; removed at the end.
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of training as it advances.

    Raises:
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
    origin = poses[:, :3, 3].mean(axis=0)
    scale = scene_scale(poses)
    stored = _stored_state(checkpoint, options, backbone, scene) if resume and checkpoint else None

    with tempfile.TemporaryDirectory(prefix="reloc-") as scratch:
        buffer = _empty_buffer(frames, origin, options, extractor, Path(scratch))
        filler = BufferFiller(
            frames,
            extractor,
            FillOptions(
                short_side=options.short_side,
                cells_per_view=options.cells_per_view,
                seed=options.seed,
            ),
        )
        limit = options.time_limit
        views = filler.fill(
            buffer,
            max_views=stored["views"] if stored else None if limit else options.views,
            seconds=None if limit is None or stored else FILL_SHARE * limit,
            progress=progress,
        )
        fill_seconds = time.monotonic() - began
        head = new_head(
            channels=backbone.channels,
            width=options.width,
            blocks=options.blocks,
            scale=scale,
            seed=options.seed,
        ).to(chosen)
        trainer = HeadTrainer(
            head,
            buffer,
            TrainerOptions(batch=options.batch, seed=options.seed),
            amp=extractor.dtype,
        )
        budget = None if limit is None else max(1.0, limit - fill_seconds - 0.02 * limit)
        spent = 0.0
        if stored:
            trainer.load_state_dict(stored["trainer"])
            spent, budget = stored["spent"], stored["budget"]
        header = _checkpoint_header(options, backbone, scene) | {"views": views, "budget": budget}
        seconds = _train(trainer, options.steps, budget, spent, checkpoint, header, progress)
    if not trainer.healthy():
        raise SceneError(
            f"{scene.root}: training diverged; check the poses and intrinsics with `reloc info`"
        )
    state = trainer.state()
    cameras = [
        MappingCamera(f.name, f.world_from_cam, f.camera)
        for f in frames
        if f.world_from_cam is not None
    ]
    picks = np.linspace(0, len(cameras) - 1, min(len(cameras), MAX_CAMERAS)).astype(int)
    info: dict[str, Any] = {
        "scene": scene.name,
        "options": asdict(options),
        "frames": len(frames),
        "skipped": len(filler.skipped),
        "views": views,
        "features": buffer.count,
        "steps": trainer.steps,
        "seconds": {"features": round(fill_seconds, 2), "training": round(seconds, 2)},
        "median_error_px": round(state.median_error, 3),
        "inlier_share": round(state.inlier_share, 4),
        "device": str(chosen),
        "torch": torch.__version__,
        "machine": platform.machine(),
    }
    scene_map = SceneMap(
        regions=(Region(head.cpu().requires_grad_(False).eval(), origin),),
        backbone=backbone.fingerprint,
        short_side=options.short_side,
        extent=scene.extent(),
        unit=scene.unit,
        cameras=tuple(cameras[i] for i in picks),
        info=info,
    )
    return MappingResult(
        scene_map, tuple(filler.skipped), {"features": fill_seconds, "training": seconds}
    )


def _empty_buffer(
    frames: tuple[Frame, ...],
    origin: np.ndarray,
    options: MappingOptions,
    extractor: FeatureExtractor,
    scratch: Path,
) -> FeatureBuffer:
    """Room for all planned features: on the device, in host memory, or in a mapped file."""
    half = torch.bfloat16 if extractor.dtype == torch.float32 else extractor.dtype
    row_bytes = extractor.channels * 2 + 16
    fits = int(options.buffer_gb * 1e9 / row_bytes)
    # Against the clock, as many views as time and memory allow; else as many as were asked for.
    capacity = fits if options.time_limit else options.views * options.cells_per_view
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
        cam_from_world=centred_cam_from_world(frames, origin),
        device=extractor.device,
        dtype=half,
        features=features,
    )


def _train(
    trainer: HeadTrainer,
    steps: int,
    budget: float | None,
    spent: float,
    checkpoint: Path | None,
    header: dict[str, Any],
    progress: Progress,
) -> float:
    """Runs the schedule by steps, or by the clock if there is a budget; returns the seconds."""
    began = time.monotonic() - spent
    saved = shown = 0.0
    try:
        while True:
            elapsed = time.monotonic() - began
            fraction = trainer.steps / steps if budget is None else elapsed / budget
            if fraction >= 1:
                break
            trainer.step(fraction)
            if time.monotonic() - shown > 0.5:
                state = trainer.state()
                shown = time.monotonic()
                total = steps if budget is None else round(trainer.steps / max(fraction, 1e-6))
                progress(
                    "training",
                    trainer.steps,
                    max(total, trainer.steps),
                    loss=state.loss,
                    median_px=state.median_error,
                    inliers=state.inlier_share,
                )
            if checkpoint is not None and elapsed - saved > CHECKPOINT_SECONDS:
                saved = elapsed
                _save_checkpoint(checkpoint, trainer, header | {"spent": elapsed})
    except KeyboardInterrupt:
        if checkpoint is not None:
            _save_checkpoint(checkpoint, trainer, header | {"spent": time.monotonic() - began})
        raise
    progress("training", trainer.steps, trainer.steps)
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    return time.monotonic() - began


def _checkpoint_header(options: MappingOptions, backbone: Backbone, scene: Scene) -> dict[str, Any]:
    return {
        "options": asdict(options),
        "backbone": backbone.fingerprint,
        "frames": [frame.name for frame in scene.mapping],
    }


def _save_checkpoint(path: Path, trainer: HeadTrainer, header: dict[str, Any]) -> None:
    with atomic_file(path) as file:
        torch.save(header | {"trainer": trainer.state_dict()}, file)


def _stored_state(
    path: Path, options: MappingOptions, backbone: Backbone, scene: Scene
) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        same = all(state[k] == v for k, v in _checkpoint_header(options, backbone, scene).items())
    except Exception as error:
        raise MapError(f"{path}: damaged checkpoint; map again without --resume") from error
    if not same:
        raise MapError(
            f"{path}: belongs to other options, images or another backbone; map again without "
            "--resume"
        )
    return state

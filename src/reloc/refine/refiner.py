"""Refining a map: its head is trained end to end for the pose."""

import copy
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import MapError, SceneError
from reloc.mapping.checkpoint import load_checkpoint, save_checkpoint
from reloc.mapping.scene_scale import metre_of
from reloc.maps.scene_map import SceneMap
from reloc.progress import Progress, silent
from reloc.refine.options import RefineMapOptions
from reloc.refine.schedule import run_schedule
from reloc.refine.trainer import PoseTrainer
from reloc.refine.views import gathered_views
from reloc.scenes.scene import Scene

# Share of a time limit that goes to reading images and computing features.
FILL_SHARE = 0.35


@dataclass(frozen=True)
class RefineResult:
    """A refined map and how it went.

    Attributes:
        scene_map: the map, whose ``info`` tells of the refinement.
        steps: that were made.
        loss: running mean of the expected pose loss at the end.
        seconds: wall time by stage: ``features``, ``refining``.
    """

    scene_map: SceneMap
    steps: int
    loss: float
    seconds: dict[str, float]


def refine_map(
    scene_map: SceneMap,
    scene: Scene,
    backbone: Backbone,
    *,
    options: RefineMapOptions | None = None,
    device: torch.device | str | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> RefineResult:
    """Trains the head of a map for the pose, as DSAC* does end to end.

    Args:
        scene_map: with one head; stays as it is.
        scene: its mapping frames are used, in the frame of reference of the map.
        backbone: the one that the map was made with; not used if the map holds its own.
        options: schedule and sizes.
        device: where to compute; by default the best there is.
        checkpoint: file to which the state is written every so often and when it is interrupted;
            removed at the end.
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of the training as it advances.

    Raises:
        MapError: several heads, another backbone, or a checkpoint that does not fit.
        SceneError: no frame has a pose or an image, or the training diverged.
    """
    began = time.monotonic()
    options = options or RefineMapOptions()
    backbone = scene_map.serving_backbone(backbone)
    if len(scene_map.regions) != 1:
        raise MapError(
            f"the map has {len(scene_map.regions)} heads; only maps with one can be refined, made "
            "with --heads 1"
        )
    frames = [frame for frame in scene.mapping if frame.world_from_cam is not None]
    if not frames:
        raise SceneError(f"{scene.root}: no mapping frame has a pose; look with `reloc info`")
    identity = {
        "options": asdict(options),
        "map": _weights(scene_map),
        "frames": [frame.name for frame in frames],
    }
    stored = load_checkpoint(checkpoint, identity) if resume and checkpoint else None
    chosen = pick_device(device)
    extractor = FeatureExtractor(backbone, device=chosen)
    limit = options.time_limit
    views = gathered_views(
        frames,
        extractor,
        origin=scene_map.origin,
        short_side=scene_map.short_side,
        views=stored["views"] if stored else options.views,
        cells=options.cells,
        seed=options.seed,
        seconds=None if limit is None or stored else FILL_SHARE * limit,
        progress=progress,
    )
    fill_seconds = time.monotonic() - began
    trainer = PoseTrainer(
        copy.deepcopy(scene_map.head).to(chosen),
        views,
        options,
        metre=metre_of(scene_map.unit, scale=scene_map.scale),
        short_side=scene_map.short_side,
        amp=extractor.dtype,
    )
    spent, budget = 0.0, None if limit is None else max(1.0, limit - fill_seconds)
    if stored:
        trainer.load_state_dict(stored["trainer"])
        spent, budget = stored["spent"], stored["budget"]

    def save(seconds: float) -> None:
        if checkpoint is not None:
            state = {"trainer": trainer.state_dict(), "spent": seconds, "budget": budget}
            save_checkpoint(checkpoint, identity, {**state, "views": len(views)})

    seconds = run_schedule(
        trainer,
        stage="refining",
        steps=options.steps,
        budget=budget,
        spent=spent,
        save=save,
        progress=progress,
    )
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    if not trainer.healthy():
        raise SceneError(f"{scene.root}: training diverged; refine with a smaller learning rate")
    stages = {"features": round(fill_seconds, 2), "refining": round(seconds, 2)}
    told: dict[str, Any] = {
        "options": asdict(options),
        "views": len(views),
        "steps": trainer.steps,
        "loss": round(trainer.loss(), 4),
        "seconds": stages,
    }
    head = trainer.head.cpu().requires_grad_(False).eval()
    refined = replace(
        scene_map,
        regions=(replace(scene_map.regions[0], head=head),),
        info={**scene_map.info, "refined": told},
    )
    return RefineResult(refined, trainer.steps, trainer.loss(), stages)


def _weights(scene_map: SceneMap) -> float:
    """A figure that tells the weights of two maps apart."""
    return float(sum(p.detach().double().abs().sum() for p in scene_map.head.parameters()))

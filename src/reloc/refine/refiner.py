"""Refining a map: its heads are trained end to end for the pose."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import SceneError
from reloc.heads import Head
from reloc.mapping.checkpoint import load_checkpoint, save_checkpoint
from reloc.mapping.scene_scale import metre_of
from reloc.maps.scene_map import Region, SceneMap
from reloc.progress import Progress, silent
from reloc.refine.options import RefineMapOptions
from reloc.refine.schedule import run_schedule
from reloc.refine.trainer import PoseTrainer
from reloc.refine.views import gathered_views
from reloc.scenes.scene import Frame, Scene

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
    """Trains the heads of a map for the pose, one after the other, as DSAC* does end to end.

    Args:
        scene_map: stays as it is.
        scene: its mapping frames are used, in the frame of reference of the map; each head sees
            those that it was made from.
        backbone: the one that the map was made with; not used if the map holds its own.
        options: schedule and sizes, of all heads together.
        device: where to compute; by default the best there is.
        checkpoint: file to which the state is written every so often and when it is interrupted;
            removed at the end.
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of the training as it advances.

    Raises:
        MapError: another backbone, or a checkpoint that does not fit.
        SceneError: no frame of a head has a pose or an image, or the training diverged.
    """
    options = options or RefineMapOptions()
    extractor = FeatureExtractor(scene_map.serving_backbone(backbone), device=pick_device(device))
    frames = [frame for frame in scene.mapping if frame.world_from_cam is not None]
    if not frames:
        raise SceneError(f"{scene.root}: no mapping frame has a pose; look with `reloc info`")
    identity = {
        "options": asdict(options),
        "map": _weights(scene_map),
        "frames": [frame.name for frame in frames],
    }
    stored = load_checkpoint(checkpoint, identity) if resume and checkpoint else None
    finished: list[dict[str, Any]] = list(stored["finished"]) if stored else []
    share = _share(options, len(scene_map.regions))
    regions = []
    for number, region in enumerate(scene_map.regions):
        head = copy.deepcopy(region.head)
        if number == len(finished):
            ongoing = stored["ongoing"] if stored else None
            stored = None

            def save(state: Mapping[str, Any]) -> None:
                if checkpoint is not None:
                    save_checkpoint(checkpoint, identity, {"finished": finished, "ongoing": state})

            record = _refined(
                head,
                _own_frames(scene_map, region, frames, scene),
                extractor,
                share,
                origin=region.origin,
                short_side=scene_map.short_side,
                metre=metre_of(scene_map.unit, scale=float(head.scale)),
                ongoing=ongoing,
                save=save,
                progress=progress,
            )
            finished.append(record)
        head.load_state_dict(finished[number]["head"])
        if not all(bool(torch.isfinite(p).all()) for p in head.parameters()):
            raise SceneError(
                f"{scene.root}: training diverged; refine with a smaller learning rate"
            )
        regions.append(replace(region, head=head.requires_grad_(False).eval()))
    if checkpoint is not None:
        checkpoint.unlink(missing_ok=True)
    steps = sum(record["steps"] for record in finished)
    loss = sum(record["loss"] for record in finished) / len(finished)
    seconds = {
        stage: round(sum(record["seconds"][stage] for record in finished), 2)
        for stage in ("features", "refining")
    }
    told = {
        "options": asdict(options),
        "views": sum(record["views"] for record in finished),
        "steps": steps,
        "loss": round(loss, 4),
        "seconds": seconds,
    }
    refined = replace(scene_map, regions=tuple(regions), info={**scene_map.info, "refined": told})
    return RefineResult(refined, steps, loss, seconds)


def _refined(
    head: Head,
    frames: Sequence[Frame],
    extractor: FeatureExtractor,
    options: RefineMapOptions,
    *,
    origin: NDArray[np.float64],
    short_side: int,
    metre: float,
    ongoing: Mapping[str, Any] | None,
    save: Callable[[Mapping[str, Any]], None],
    progress: Progress,
) -> dict[str, Any]:
    """Trains one head on its frames, from where an interrupted run left it (``ongoing``)."""
    began = time.monotonic()
    limit = options.time_limit
    views = gathered_views(
        frames,
        extractor,
        origin=origin,
        short_side=short_side,
        views=ongoing["views"] if ongoing else options.views,
        cells=options.cells,
        seed=options.seed,
        seconds=None if limit is None or ongoing else FILL_SHARE * limit,
        progress=progress,
    )
    fill_seconds = time.monotonic() - began
    trainer = PoseTrainer(
        head.to(extractor.device),
        views,
        options,
        metre=metre,
        short_side=short_side,
        amp=extractor.dtype,
    )
    spent, budget = 0.0, None if limit is None else max(1.0, limit - fill_seconds)
    if ongoing:
        trainer.load_state_dict(ongoing["trainer"])
        spent, budget = ongoing["spent"], ongoing["budget"]

    def save_state(seconds: float) -> None:
        state = {"trainer": trainer.state_dict(), "spent": seconds, "budget": budget}
        save({**state, "views": len(views)})

    seconds = run_schedule(
        trainer,
        stage="refining",
        steps=options.steps,
        budget=budget,
        spent=spent,
        save=save_state,
        progress=progress,
    )
    return {
        "head": trainer.head.cpu().state_dict(),
        "views": len(views),
        "steps": trainer.steps,
        "loss": trainer.loss(),
        "seconds": {"features": fill_seconds, "refining": seconds},
    }


def _share(options: RefineMapOptions, heads: int) -> RefineMapOptions:
    """What one head gets of the steps, the views and the time of all."""
    return replace(
        options,
        steps=-(-options.steps // heads),
        views=-(-options.views // heads),
        time_limit=options.time_limit and options.time_limit / heads,
    )


def _own_frames(
    scene_map: SceneMap, region: Region, frames: Sequence[Frame], scene: Scene
) -> list[Frame]:
    """The frames that a head was made from, those of them that the map still names."""
    if region.frames is None:
        return list(frames)
    names = {scene_map.cameras[row].name for row in region.frames}
    own = [frame for frame in frames if frame.name in names]
    if not own:
        raise SceneError(
            f"{scene.root}: has none of the frames that a head of the map was made from; give the "
            "scene of its mapping"
        )
    return own


def _weights(scene_map: SceneMap) -> float:
    """A figure that tells the weights of two maps apart."""
    heads = [region.head for region in scene_map.regions]
    return float(sum(p.detach().double().abs().sum() for h in heads for p in h.parameters()))

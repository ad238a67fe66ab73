"""Refining heads one after the other, on features that are computed once."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reloc.backbone import Backbone, FeatureExtractor
from reloc.heads import Head
from reloc.mapping.scene_scale import metre_of
from reloc.maps.scene_map import SceneMap
from reloc.pose.ransac import Matches
from reloc.progress import Progress
from reloc.refine.options import RefineMapOptions
from reloc.refine.parts import Part, Refined, Save
from reloc.refine.schedule import run_schedule
from reloc.refine.trainer import Draw, PoseTrainer
from reloc.refine.views import Views, gathered_views

# Share of a time limit that goes to reading images and computing features.
FILL_SHARE = 0.35


def refined_heads(
    parts: Sequence[Part],
    scene_map: SceneMap,
    backbone: Backbone,
    options: RefineMapOptions,
    *,
    device: torch.device,
    stored: Mapping[str, Any] | None,
    save: Save,
    progress: Progress,
) -> Refined:
    """Each head trained on its views.

    Args:
        parts: the heads with their frames.
        scene_map: that they are of.
        backbone: of the map.
        options: schedule and sizes, of all heads together.
        device: where to compute.
        stored: what ``save`` was given last by a refinement that was interrupted.
        save: keeps the state that it is given.
        progress: told of every view and of the training as it advances.

    Raises:
        SceneError: no image of a head can be used.
    """
    extractor = FeatureExtractor(backbone, device=device)
    finished: list[dict[str, Any]] = list(stored["finished"]) if stored else []
    ongoing = stored["ongoing"] if stored else None
    share = _share(options, len(parts))
    for part in parts[len(finished) :]:

        def save_all(state: Mapping[str, Any]) -> None:
            save({"finished": finished, "ongoing": state})

        record = _refined(
            part,
            extractor,
            share,
            short_side=scene_map.short_side,
            metre=metre_of(scene_map.unit, scale=float(part.head.scale)),
            ongoing=ongoing,
            save=save_all,
            progress=progress,
        )
        finished.append(record)
        ongoing = None
    for part, record in zip(parts, finished, strict=True):
        part.head.cpu().load_state_dict(record["head"])
    return Refined(
        [part.head for part in parts],
        None,
        views=sum(record["views"] for record in finished),
        steps=sum(record["steps"] for record in finished),
        loss=sum(record["loss"] for record in finished) / len(finished),
        seconds={
            stage: sum(record["seconds"][stage] for record in finished)
            for stage in ("features", "refining")
        },
    )


def seen_by_head(head: Head, views: Views, *, batch: int, amp: torch.dtype) -> Draw:
    """What a head sees in ``batch`` views drawn at random; ``amp`` is the precision of products."""

    def draw(step: int, generator: torch.Generator) -> tuple[Matches, Tensor]:
        device = views.rays.device
        chosen = torch.randint(len(views), (batch,), generator=generator, device=device)
        features = views.features[chosen]
        with torch.autocast(device.type, amp, enabled=amp != torch.float32):
            coordinates = head(features.flatten(0, 1).to(amp))
        coordinates = coordinates.float().view(*features.shape[:2], 3)
        matches = Matches(
            coordinates, views.rays[chosen], views.focals[chosen], views.usable[chosen]
        )
        return matches, views.cam_from_world[chosen]

    return draw


def _refined(
    part: Part,
    extractor: FeatureExtractor,
    options: RefineMapOptions,
    *,
    short_side: int,
    metre: float,
    ongoing: Mapping[str, Any] | None,
    save: Save,
    progress: Progress,
) -> dict[str, Any]:
    """Trains one head on its frames, from where an interrupted run left it (``ongoing``)."""
    began = time.monotonic()
    limit = options.time_limit
    views = gathered_views(
        part.frames,
        extractor,
        origin=part.origin,
        short_side=short_side,
        views=ongoing["views"] if ongoing else options.views,
        cells=options.cells,
        seed=options.seed,
        seconds=None if limit is None or ongoing else FILL_SHARE * limit,
        progress=progress,
    )
    fill_seconds = time.monotonic() - began
    head = part.head.to(extractor.device)
    trainer = PoseTrainer(
        [(head, options.learning_rate)],
        seen_by_head(head, views, batch=options.batch, amp=extractor.dtype),
        options,
        metre=metre,
        short_side=short_side,
        device=extractor.device,
    )
    seconds = run_schedule(
        trainer,
        stage="refining",
        steps=options.steps,
        budget=None if limit is None else max(1.0, limit - fill_seconds),
        stored=ongoing,
        save=lambda state: save({**state, "views": len(views)}),
        progress=progress,
    )
    return {
        "head": head.cpu().state_dict(),
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

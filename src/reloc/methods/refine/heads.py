"""Refining heads one after the other, on features that are computed once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import synchronize, training_dtype
from reloc.heads import Head
from reloc.mapping.scene_scale import meter_of
from reloc.maps.scene_map import SceneMap
from reloc.methods.refine.options import RefineMapOptions
from reloc.methods.refine.pose_trainer import Draw, PoseTrainer
from reloc.methods.refine.regions import Refined, RegionToRefine, Save
from reloc.methods.refine.view_collection import ViewFeatures, collect_views
from reloc.pose.ransac import Matches
from reloc.progress import Progress
from reloc.restoring import MAX_SECONDS, MAX_STEPS, fitting, restore, stored_steps
from reloc.training import TimeLimit, train
from reloc.untrusted import integer, items, number, record

# Share of a time limit that goes to reading images and computing features.
FILL_SHARE = 0.35
STAGES = ("features", "refining")


def refined_heads(
    regions: Sequence[RegionToRefine],
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
        regions: the heads with their frames.
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
    finished: list[dict[str, Any]] = []
    ongoing: dict[str, Any] | None = None
    if stored:
        with fitting():
            finished = _finished(stored["finished"], regions)
            ongoing = record(stored["ongoing"], "state")
    share = _share(options, len(regions))
    for region in regions[len(finished) :]:

        def save_all(state: Mapping[str, Any]) -> None:
            save({"finished": finished, "ongoing": state})

        done = _refined(
            region,
            extractor,
            share,
            short_side=scene_map.short_side,
            meter=meter_of(scene_map.unit, scale=float(region.head.scale)),
            ongoing=ongoing,
            save=save_all,
            progress=progress,
        )
        finished.append(done)
        ongoing = None
    for region, done in zip(regions, finished, strict=True):
        restore(region.head.cpu(), done["head"])
    return Refined(
        [region.head for region in regions],
        None,
        views=sum(done["views"] for done in finished),
        steps=sum(done["steps"] for done in finished),
        loss=sum(done["loss"] for done in finished) / len(finished),
        seconds={stage: sum(done["seconds"][stage] for done in finished) for stage in STAGES},
    )


def seen_by_head(head: Head, views: ViewFeatures, *, batch: int, amp: torch.dtype) -> Draw:
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
    region: RegionToRefine,
    extractor: FeatureExtractor,
    options: RefineMapOptions,
    *,
    short_side: int,
    meter: float,
    ongoing: Mapping[str, Any] | None,
    save: Save,
    progress: Progress,
) -> dict[str, Any]:
    """Trains one head on its frames, from where an interrupted run left it (``ongoing``)."""
    clock = TimeLimit(options.time_limit)
    views = collect_views(
        region.frames,
        extractor,
        origin=region.origin,
        short_side=short_side,
        views=_views(ongoing, options) if ongoing else options.views,
        cells=options.cells,
        seed=options.seed,
        seconds=None if ongoing else clock.left(FILL_SHARE),
        progress=progress,
    )
    synchronize(extractor.device)
    fill_seconds = clock.elapsed()
    head = region.head.to(extractor.device)
    trainer = PoseTrainer(
        [(head, options.learning_rate)],
        seen_by_head(head, views, batch=options.batch, amp=training_dtype(extractor.device)),
        options,
        meter=meter,
        short_side=short_side,
        device=extractor.device,
    )
    seconds = train(
        [trainer],
        stage="refining",
        steps=options.steps,
        budget=clock.left(),
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


def _finished(stored: Any, regions: Sequence[RegionToRefine]) -> list[dict[str, Any]]:
    """What a checkpoint says of the heads that were done; any error if that cannot be."""
    finished = []
    for region, told in zip(regions, items(stored, "heads", most=len(regions)), strict=False):
        restore(region.head, told["head"])
        finished.append(
            {
                "head": told["head"],
                "views": integer(told["views"], "views", least=1, most=MAX_STEPS),
                "steps": stored_steps(told["steps"]),
                "loss": float(told["loss"]),
                "seconds": {
                    stage: number(told["seconds"][stage], "seconds", least=0, most=MAX_SECONDS)
                    for stage in STAGES
                },
            }
        )
    return finished


def _views(ongoing: Mapping[str, Any], options: RefineMapOptions) -> int:
    with fitting():
        return integer(ongoing["views"], "views", least=1, most=options.views)


def _share(options: RefineMapOptions, heads: int) -> RefineMapOptions:
    """What one head gets of the steps, the views and the time of all."""
    return replace(
        options,
        steps=-(-options.steps // heads),
        views=-(-options.views // heads),
        time_limit=options.time_limit and options.time_limit / heads,
    )

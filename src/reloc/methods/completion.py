"""What every map gets, whatever method made it: landmarks, points to draw, and what it does."""

from dataclasses import replace

import torch

from reloc.backbone import Backbone
from reloc.localize import Localizer
from reloc.localize.self_check import with_held_back
from reloc.mapping.result import MappingResult
from reloc.methods.ace.options import MappingOptions
from reloc.methods.dsacstar.options import DsacStarOptions
from reloc.methods.landmarks import LandmarkedResult, MadeLandmarks
from reloc.methods.mapping_plan import MappingPlan
from reloc.methods.ridge.options import RidgeOptions
from reloc.methods.until import reaches
from reloc.progress import Progress, silent
from reloc.reconstruct.preview import with_landmark_preview, with_preview


def completed(
    made: MappingResult,
    backbone: Backbone,
    plan: MappingPlan,
    *,
    device: torch.device | str | None = None,
    progress: Progress = silent,
) -> MappingResult:
    """A mapping whose map has landmarks and preview points, and tells what it was measured to do.

    It is measured on the frames held back. Where too few could be, it is on frames that it was made
    from, each localized by landmarks that others show as well; and not where it has none either.

    Args:
        made: the mapping; its map has its landmarks already where the method needed them.
        backbone: it was made with.
        plan: of it.
        device: where to compute.
        progress: told of views, pairs and frames.
    """
    if plan.landmarks.count and "landmarks" not in made.scene_map.info:
        made = plan.made_landmarks(made.scene_map.scale, progress=progress).given_to(made)
    scene_map, frames, options = made.scene_map, plan.parted.learned.mapping, plan.options
    if isinstance(options, RidgeOptions) and scene_map.landmarks is not None:
        # What its head sees takes longer to be seen than the whole fit.
        scene_map = with_landmark_preview(scene_map, scene_map.landmarks, frames)
    else:
        localizer = Localizer(scene_map, backbone, device=device)
        scene_map = with_preview(localizer, frames, views=plan.preview_views, progress=progress)
    landmarks = made.made if isinstance(made, LandmarkedResult) else MadeLandmarks()
    if plan.parted.held_back or landmarks.observed is not None:
        scene_map = with_held_back(
            scene_map,
            backbone,
            plan.measured,
            way="held back" if plan.parted.held_back else "left out",
            landmarks_without=landmarks.without,
            depth=isinstance(options, DsacStarOptions) and options.supervision == "rgbd",
            device=device,
            progress=progress,
        )
    if isinstance(options, MappingOptions) and options.until is not None:
        # The training sees fewer frames, by few cells of each: the finished map may do better.
        good = scene_map.info["good"] or reaches(scene_map, options.until)
        told = {"good": good, "more": None if good else scene_map.info["more"]}
        scene_map = replace(scene_map, info={**scene_map.info, **told})
    return MappingResult(scene_map, made.skipped, made.seconds)

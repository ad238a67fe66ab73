"""``reloc refine``: train a map end to end for the pose."""

from pathlib import Path
from typing import Annotated

import tyro
from rich.markup import escape

from reloc.checkpoint import checkpoint_of, kept_until_done
from reloc.cli.arguments import Duration, Omittable
from reloc.cli.console import console
from reloc.cli.options import ComputeOptions, MappingSceneOptions, ProgressOptions, given
from reloc.cli.pairs import check_map_first, warn_of_other_scene
from reloc.files import check_writable
from reloc.maps import SceneMap
from reloc.methods.refine import RefineMapOptions, refine_map


def refine(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    steps: Omittable[int] = RefineMapOptions.steps,
    time_limit: Duration = None,
    learning_rate: Omittable[float] = RefineMapOptions.learning_rate,
    hypotheses: Omittable[int] = RefineMapOptions.hypotheses,
    views: Omittable[int] = RefineMapOptions.views,
    reprojection: Omittable[float] = RefineMapOptions.reprojection,
    train_backbone: bool = False,
    seed: int = 0,
    resume: bool = False,
    frames: MappingSceneOptions = MappingSceneOptions(),
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Train a map end to end for the pose, through differentiable RANSAC.

    Args:
        map: A map made by `reloc map`.
        scene: Folder of the scene that it was made from.
        out: The refined map to write.
        steps: Training steps, of all heads together.
        time_limit: To be done in, as 5m, 1h30m or seconds; in place of steps.
        learning_rate: Of Adam, at its highest.
        hypotheses: Poses per view and step.
        views: Views whose features are kept to train on.
        reprojection: Weight of reprojection errors beside the pose; 0 for the pose alone.
        train_backbone: Train a copy of the backbone along with the heads; the map then holds it.
        seed: Of everything random; the same seed gives the same map on a CPU.
        resume: Go on with a refinement that was interrupted.
        frames: What is read of the scene; take the same as for the map.
    """
    check_map_first("refine", map, scene, usage="MAP SCENE OUT")
    check_writable(out)
    scene_map = SceneMap.load(map)
    found = frames.open(scene)
    warn_of_other_scene(map, scene_map, found)
    options = RefineMapOptions(
        time_limit=time_limit,
        train_backbone=train_backbone,
        seed=seed,
        **given(
            steps=steps,
            learning_rate=learning_rate,
            hypotheses=hypotheses,
            views=views,
            reprojection=reprojection,
        ),
    )
    checkpoint = checkpoint_of(out)
    with kept_until_done(checkpoint, resumed=resume), log.shown() as progress:
        result = refine_map(
            scene_map,
            found,
            compute.backbone,
            options=options,
            device=compute.device,
            checkpoint=checkpoint,
            resume=resume,
            progress=progress,
        )
        result.scene_map.save(out)
    console().print(
        f"{escape(str(out))}: {result.steps} steps, {sum(result.seconds.values()):.0f} s; "
        f"expected pose loss {result.loss:.2f}"
    )

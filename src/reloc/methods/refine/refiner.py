"""Refining a map: it is trained end to end for the pose."""

from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from reloc.backbone import Backbone
from reloc.checkpoint import damage_named, load_checkpoint, save_checkpoint
from reloc.devices import pick_device
from reloc.files import StrPath
from reloc.localize.self_check import with_reliability
from reloc.maps.scene_map import SceneMap
from reloc.methods.refine.heads import refined_heads
from reloc.methods.refine.network import refined_network
from reloc.methods.refine.options import RefineMapOptions
from reloc.methods.refine.regions import regions_to_refine
from reloc.progress import Progress, silent
from reloc.scenes.scene import Scene, posed
from reloc.tensor_files import digest_of


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
    backbone: Backbone | StrPath | None = None,
    *,
    options: RefineMapOptions | None = None,
    device: torch.device | str | None = None,
    checkpoint: StrPath | None = None,
    resume: bool = False,
    progress: Progress = silent,
) -> RefineResult:
    """Trains the heads of a map for the pose, as DSAC* does end to end.

    One after the other on features that stay as they are, or all together with a copy of the
    backbone, which the refined map then holds.

    Args:
        scene_map: stays as it is.
        scene: its mapping frames are used, in the frame of reference of the map; each head sees
            those that it was made from.
        backbone: the one that the map was made with, or its file; by default the map's own or the
            shipped one that it was made with.
        options: schedule and sizes, of all heads together.
        device: where to compute; by default the best there is.
        checkpoint: file to which the state is written every so often, when it is interrupted and
            at its end; to be removed once the map is written (``checkpoint.kept_until_done``).
        resume: go on from ``checkpoint`` if it is there.
        progress: told of every view and of the training as it advances.

    Raises:
        OptionError: the backbone, which was to be trained too, has an adapter.
        MapError: another backbone, or a checkpoint that does not fit.
        SceneError: no frame of a head has a pose or an image, or the training diverged.
    """
    options = options or RefineMapOptions()
    checkpoint = None if checkpoint is None else Path(checkpoint)
    own = scene_map.serving_backbone(backbone)
    regions = regions_to_refine(scene_map, scene)
    identity = {
        "options": asdict(options),
        "map": _fingerprint(scene_map),
        "backbone": own.fingerprint,
        "frames": [frame.name for region in regions for frame in region.frames],
    }

    diverged = f"{scene.root}: training diverged; refine with a smaller learning rate"
    with damage_named(checkpoint, diverged=diverged):
        refined = (refined_network if options.train_backbone else refined_heads)(
            regions,
            scene_map,
            own,
            options,
            device=pick_device(device),
            stored=load_checkpoint(checkpoint, identity) if resume else None,
            save=partial(save_checkpoint, checkpoint, identity),
            progress=progress,
        )
    seconds = {stage: round(value, 2) for stage, value in refined.seconds.items()}
    told = {
        "options": asdict(options),
        "views": refined.views,
        "steps": refined.steps,
        "loss": round(refined.loss, 4),
        "seconds": seconds,
    }
    made = replace(
        scene_map,
        regions=tuple(
            replace(region, head=head.requires_grad_(False).eval(), packed=None)
            for region, head in zip(scene_map.regions, refined.heads, strict=True)
        ),
        info={**scene_map.info, "refined": told},
        held_back=None,  # it was measured of other heads
    )
    if refined.backbone is not None:
        # What images look like to the old backbone says nothing of how they look to the new one.
        unseen = np.zeros((0, 0), np.int8)
        made = replace(
            made,
            regions=tuple(replace(region, views=unseen) for region in made.regions),
            backbone=refined.backbone.fingerprint,
            own_backbone=refined.backbone,
        )
    if scene_map.reliability < 1:
        made = with_reliability(made, own, posed(scene.mapping), device=device, progress=progress)
    return RefineResult(made, refined.steps, refined.loss, seconds)


def _fingerprint(scene_map: SceneMap) -> str:
    """Tells the heads of two maps apart: the digest of their weights, as files have it."""
    weights = {
        f"{number}.{name}": weight.detach().to("cpu").contiguous()
        for number, region in enumerate(scene_map.regions)
        for name, weight in region.head.named_parameters()
    }
    return digest_of(weights, {})

"""Refining all heads of a map together with a copy of their backbone."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reloc.backbone import Backbone
from reloc.devices import training_dtype
from reloc.mapping.poses import centered_cam_from_world
from reloc.mapping.scene_scale import meter_of
from reloc.maps.scene_map import SceneMap
from reloc.methods.refine.images import TrainingImages
from reloc.methods.refine.options import RefineMapOptions
from reloc.methods.refine.pose_trainer import Draw, PoseTrainer
from reloc.methods.refine.regions import Refined, RegionToRefine, Save
from reloc.methods.refine.scene_network import SceneNetwork, drawn_matches, trainable_copy
from reloc.pose.ransac import Matches
from reloc.progress import Progress
from reloc.training import TimeLimit, train


def refined_network(
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
    """All heads and the backbone trained on whole images; arguments as those of ``refined_heads``.

    Raises:
        OptionError: the backbone has an adapter, or is of another kind.
        SceneError: no image can be used.
    """
    clock = TimeLimit(options.time_limit)
    frames = [frame for region in regions for frame in region.frames]
    images = TrainingImages(
        frames,
        torch.cat([centered_cam_from_world(region.frames, region.origin) for region in regions]),
        short_side=scene_map.short_side,
        stride=backbone.stride,
        seed=options.seed,
    )
    network = SceneNetwork(
        trainable_copy(backbone),
        [region.head for region in regions],
        images,
        head_of=np.repeat(
            np.arange(len(regions)), [len(region.frames) for region in regions]
        ).tolist(),
        device=device,
        amp=training_dtype(device),
    )
    scale = float(np.median([float(region.head.scale) for region in regions]))
    trainer = PoseTrainer(
        [
            (network.heads, options.learning_rate),
            (network.backbone, options.backbone_learning_rate),
        ],
        seen_in_images(network, options),
        options,
        meter=meter_of(scene_map.unit, scale=scale),
        short_side=scene_map.short_side,
        device=device,
    )
    with closing(images):
        seconds = train(
            [trainer],
            stage="refining",
            steps=options.steps,
            budget=clock.left(),
            stored=stored,
            save=save,
            progress=progress,
        )
    own = network.finished()
    return Refined(
        [region.head for region in regions],
        own,
        views=trainer.steps * options.batch,
        steps=trainer.steps,
        loss=trainer.loss(),
        seconds={"features": 0.0, "refining": seconds},
    )


def seen_in_images(network: SceneNetwork, options: RefineMapOptions) -> Draw:
    """What a network sees in the images of a step, the next ``batch`` of its training."""

    def draw(step: int, generator: torch.Generator) -> tuple[Matches, Tensor]:
        matches, poses = [], []
        for shown in range(step * options.batch, (step + 1) * options.batch):
            coordinates, cells = network(shown, kind="plain")
            matches.append(
                drawn_matches(coordinates, cells, count=options.cells, generator=generator)
            )
            poses.append(cells.cam_from_world)
        return _joined(matches), torch.stack(poses)

    return draw


def _joined(matches: Sequence[Matches]) -> Matches:
    """Those of several images, of as many cells each, in one batch."""
    return Matches(
        torch.cat([m.scene_coordinates for m in matches]),
        torch.cat([m.rays for m in matches]),
        torch.cat([m.focals for m in matches]),
        torch.cat([m.usable for m in matches]),
    )

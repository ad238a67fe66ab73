"""``reloc meta-train``: train the context that maps in closed form stand on."""

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import torch
import tyro

from reloc.backbone import ContextAdapter, ConvBackbone, FeatureExtractor, load_backbone
from reloc.backbone.adapter import averaged
from reloc.backbone.adapter_weights import adapted, save_adapter
from reloc.backbone.meta.adapter_trainer import MetaOptions
from reloc.backbone.meta.adapter_trainer import meta_train as train
from reloc.backbone.meta.rooms import RoomEpisodes
from reloc.backbone.meta.stacking import Stacker
from reloc.backbone.pretrain.parallel import place_among_processes
from reloc.backbone.pretrain.rendered import rendered_rooms
from reloc.cli.arguments import Omittable
from reloc.cli.console import console, progress_bar, recorded
from reloc.cli.eval_ import localize_frames
from reloc.cli.options import SceneOptions
from reloc.cli.processes import processes
from reloc.errors import OptionError, SceneError
from reloc.evaluation import evaluate
from reloc.localize.localizer import Localizer
from reloc.methods.ridge import map_scene_ridge
from reloc.progress import silent
from reloc.sampling import evenly
from reloc.scenes.scene import Scene
from reloc.training import drawn_from
from reloc.view.training_curves import write_training_curves

# Views of so many rooms settle where the adapter begins.
_FIRST_ROOMS = 12
# Frames of the scene for validation, evenly spaced: a map from a few photos is what counts.
_MAPPING_FRAMES = 100
_QUERIES = 40


def meta_train(
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    rooms: int = 200,
    rooms_folder: Annotated[Omittable[Path], tyro.conf.arg(metavar="FOLDER")] = None,
    steps: int = 2000,
    learning_rate: float = 1e-3,
    validate: Annotated[Omittable[Path], tyro.conf.arg(metavar="SCENE")] = None,
    seed: int = 0,
    resume: bool = False,
    quiet: bool = False,
    frames: SceneOptions = SceneOptions(),
) -> None:
    """Meta-train the adapter of the shipped backbone, for heads that are fitted in closed form.

    What is written is the mean of the adapter before and after: it keeps what rendered rooms do not
    teach. Under torchrun, the images of each episode are shared among the processes.

    Args:
        out: Folder for adapter.safetensors, the checkpoint, the log, curves and
            the rendered rooms.
        rooms: Rendered rooms to learn from; they are made once and kept.
        rooms_folder: Where they are kept; by default in the folder itself.
        steps: Optimiser steps, of one episode each.
        learning_rate: Peak of the schedule.
        validate: Scene that is mapped and localized in at every checkpoint.
        seed: Of weights and episodes.
        resume: Go on from the checkpoint in the folder.
        quiet: Show no progress.
        frames: What is read of the scene to validate in.
    """
    if rooms < 1:
        raise OptionError("rooms must be at least 1")
    options = MetaOptions(steps=steps, learning_rate=learning_rate, seed=seed)
    backbone = load_backbone()
    assert isinstance(backbone, ConvBackbone)
    with drawn_from(seed):
        adapter = ContextAdapter(inputs=backbone.channels)
    stacker = Stacker(FeatureExtractor(backbone, device=torch.device("cpu")), adapter)
    source = RoomEpisodes(rooms_folder or out / "rooms", rooms=rooms, grid_of=stacker)
    validation = None
    if validate is not None:
        validation = _validation(frames.open(validate), backbone)
    with processes("cpu") as (first, _), progress_bar(quiet=quiet or not first) as bar:
        if place_among_processes()[1] > 1:
            # At once, since each of them will need all; one alone renders a room when it is due.
            rendered_rooms(source.folder, rooms=rooms, views=source.views, progress=bar)
        adapter.begin_at(source.sample(_FIRST_ROOMS))
        start = copy.deepcopy(adapter)
        log = recorded(bar, out / "log.jsonl", append=resume) if first else nullcontext(silent)
        with log as progress:
            train(
                adapter,
                source,
                options,
                checkpoint=out / "checkpoint.pt",
                resume=resume,
                validate=validation and (lambda now: validation(averaged(start, now))),
                progress=progress,
            )
        if first:
            stages = ("meta-training", "validation")
            write_training_curves(out / "log.jsonl", out / "curves.png", stages=stages)
            path = out / "adapter.safetensors"
            network = adapted(backbone, averaged(start, adapter))
            save_adapter(network, path)
            size = path.stat().st_size / 1e6
            console().print(
                f"{path}: {size:.1f} MB, fingerprint {network.fingerprint}", markup=False
            )


def _validation(
    scene: Scene, backbone: ConvBackbone
) -> Callable[[ContextAdapter], Mapping[str, float]]:
    """Maps a scene in closed form with the adapter as it stands, and localizes in it."""
    if not scene.queries:
        raise SceneError(
            f"{scene.root}: has no queries to validate with; name them with --query FILE"
        )
    few = replace(
        scene,
        mapping=evenly(scene.mapping, _MAPPING_FRAMES),
        queries=evenly(scene.queries, _QUERIES),
    )

    def validate(adapter: ContextAdapter) -> Mapping[str, float]:
        network = adapted(backbone, adapter)
        made = map_scene_ridge(few, network, device="cpu").scene_map
        estimates = localize_frames(
            Localizer(made, network, device="cpu"), few.queries, progress=silent
        )
        evaluation = evaluate(
            estimates,
            few.queries,
            scene_extent=made.extent,
            map_bytes=0,
            mapping_seconds=made.seconds,
            unit=made.unit,
            scene_name=few.name,
            map_name="validation",
        )
        within = evaluation.recall_of_extent
        return {
            "median_of_extent": evaluation.median_translation / made.extent,
            "median_deg": evaluation.median_rotation_deg,
            **{name: value for name, value in within.items() if value is not None},
        }

    return validate

"""``reloc pretrain``: train a backbone."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import tyro

from reloc.backbone import Backbone, load_backbone, save_backbone
from reloc.backbone.pretrain.backbone_trainer import pretrain as train
from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.coordinates import Coordinates
from reloc.backbone.pretrain.objective import Objective
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.posed import PosedPairs, PosedView
from reloc.backbone.pretrain.rendered import RenderedPairs
from reloc.backbone.pretrain.view_pairs import PhotoPairs
from reloc.cli.arguments import Omittable, Several
from reloc.cli.console import console, progress_bar, recorded
from reloc.cli.processes import processes
from reloc.errors import OptionError
from reloc.images.files import read_image
from reloc.mapping.scene_depth import depths_of_frames
from reloc.progress import Progress, silent
from reloc.scenes import open_scene
from reloc.view.training_curves import write_training_curves

SOURCES = ("photos", "rooms", "scenes")
# Frames of a scene at most, evenly spaced: pictures and their depth stay in memory.
SCENE_FRAMES = 300


def pretrain(
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    photos: Annotated[Omittable[Path], tyro.conf.arg(metavar="FOLDER")] = None,
    rooms: int = 200,
    scenes: Annotated[Several[Path], tyro.conf.arg(metavar="SCENE...")] = (),
    mix: Annotated[Omittable[str], tyro.conf.arg(metavar="SOURCE=WEIGHT,...")] = None,
    objective: Literal["contrast", "coordinates"] = "contrast",
    steps: int = 3000,
    pairs: int = 12,
    size: int = 224,
    seed: int = 0,
    device: Omittable[str] = None,
    bits: Literal[8, 16] = 16,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Train a backbone on photos, rendered rooms and posed scenes.

    Under torchrun, the pairs of each step are shared among the processes.

    Args:
        out: Folder for backbone.safetensors, the checkpoint, the log, curves and
            the rendered rooms.
        photos: Folder of photos, seen under random homographies.
        rooms: Rendered rooms to learn from; they are made once and kept in the folder.
        scenes: Posed scenes; views are matched through measured depth, else through depth that is
            found with the shipped backbone.
        mix: How often each source is drawn, as photos=1,rooms=2,scenes=1; by default all that are
            given alike.
        objective: Like features for the same surface in pairs of views (contrast), or scene
            coordinates by a head for each rendered room (coordinates; learns from rooms alone).
        steps: Optimiser steps.
        pairs: Pairs of views per step.
        size: Side of a view in pixels.
        seed: Of weights and data.
        device: cpu, cuda or mps; by default the best there is.
        bits: For each weight in the file; 8 halve it and lose no more than half precision does.
        resume: Go on from the checkpoint in the folder.
        quiet: Show no progress.
    """
    given = {"photos": photos is not None, "rooms": rooms > 0, "scenes": bool(scenes)}
    weights = mix_weights(mix, given)
    if objective == "coordinates" and [name for name, w in weights.items() if w] != ["rooms"]:
        raise OptionError(
            "--objective coordinates learns from rendered rooms alone; give no --photos or --scenes"
        )
    options = PretrainOptions(steps=steps, pairs=pairs, size=size, seed=seed)
    with (
        processes(device) as (first, own_device),
        progress_bar(quiet=quiet or not first) as bar,
    ):
        sources = []
        if weights["photos"] and photos is not None:
            source = PhotoPairs.from_folder(photos, size=size, progress=bar)
            sources.append(WeightedSource(source, weights["photos"]))
        if weights["rooms"]:
            # Apple's GPUs lack the precision that the renderer asks for.
            where = own_device if own_device.type == "cuda" else "cpu"
            rendered = RenderedPairs.from_cache(
                out / "rooms", rooms=rooms, size=size, device=where, progress=bar
            )
            sources.append(WeightedSource(rendered, weights["rooms"]))
        if weights["scenes"]:
            backbone = load_backbone()
            sources += [
                WeightedSource(
                    pairs_of_scene(scene, backbone, size=size, progress=bar),
                    weights["scenes"] / len(scenes),
                )
                for scene in scenes
            ]
        goal: Objective = Contrast(sources)
        if objective == "coordinates":
            goal = Coordinates(rendered.rooms, channels=options.channels)
        log = recorded(bar, out / "log.jsonl", append=resume) if first else nullcontext(silent)
        with log as progress:
            network = train(
                goal,
                options,
                checkpoint=out / "checkpoint.pt",
                device=own_device,
                resume=resume,
                progress=progress,
            )
        if first:
            write_training_curves(out / "log.jsonl", out / "curves.png", stages=("pretraining",))
            path = out / "backbone.safetensors"
            fingerprint = save_backbone(network, path, bits=bits)
            size_mb = path.stat().st_size / 1e6
            console().print(f"{path}: {size_mb:.1f} MB, fingerprint {fingerprint}", markup=False)


def mix_weights(text: str | None, given: dict[str, bool]) -> dict[str, float]:
    """The weight of each source.

    Args:
        text: ``photos=1,rooms=2``; sources that it leaves out have none. None: all alike.
        given: whether there is anything of each source.

    Raises:
        OptionError: the text cannot be understood, asks for what is not given, or leaves nothing.
    """
    weights = {name: float(text is None and there) for name, there in given.items()}
    for part in text.split(",") if text is not None else ():
        name, _, value = part.strip().partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = -1.0
        if name not in weights or not 0 <= weight < float("inf"):
            raise OptionError(
                f"--mix: {part!r} is no SOURCE=WEIGHT; sources are {', '.join(SOURCES)}"
            )
        if weight and not given[name]:
            raise OptionError(f"--mix asks for {name}, but there are none; give --{name}")
        weights[name] = weight
    if not any(weights.values()):
        raise OptionError("nothing to learn from: give --photos, --rooms or --scenes")
    return weights


def pairs_of_scene(
    folder: Path, backbone: Backbone, *, size: int, progress: Progress
) -> PosedPairs:
    """Pairs of views of the mapping frames of a scene."""
    scene = open_scene(folder)
    every = -(-len(scene.mapping) // SCENE_FRAMES)
    views = []
    for frame, depths in depths_of_frames(scene.mapping[::every], backbone, progress=progress):
        assert frame.world_from_cam is not None
        image = read_image(frame.image, gray=True)
        views.append(PosedView.of(image, frame.camera, frame.world_from_cam, depths))
    return PosedPairs(views, name=str(folder), size=size)

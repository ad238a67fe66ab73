"""``reloc pretrain``: train a backbone."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.backbone import save_backbone
from reloc.backbone.pretrain.pairs import PhotoPairs
from reloc.backbone.pretrain.rendered import RenderedPairs
from reloc.backbone.pretrain.trainer import PretrainOptions, WeightedSource
from reloc.backbone.pretrain.trainer import pretrain as train
from reloc.cli.console import console, progress_bar, recorded
from reloc.devices import pick_device
from reloc.errors import OptionError


def pretrain(
    out: Annotated[Path, tyro.conf.arg(metavar="FOLDER")],
    /,
    *,
    photos: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER")] = None,
    rooms: int = 200,
    photo_share: float = 0.5,
    steps: int = 3000,
    pairs: int = 12,
    size: int = 224,
    seed: int = 0,
    device: str | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Train a backbone by contrast over pairs of views with known correspondences.

    Args:
        out: Folder for backbone.safetensors, the checkpoint, the log and the rendered rooms.
        photos: Folder of photos, seen under random homographies.
        rooms: Rendered rooms to learn from; they are made once and kept in the folder.
        photo_share: Share of pairs that come from photos, 0 to 1; the others are rendered.
        steps: Optimiser steps.
        pairs: Pairs of views per step.
        size: Side of a view in pixels.
        seed: Of weights and data.
        device: cpu, cuda or mps; by default the best there is.
        resume: Go on from the checkpoint in the folder.
        quiet: Show no progress.
    """
    if not 0 <= photo_share <= 1:
        raise OptionError("photo-share must be between 0 and 1")
    photo_share = photo_share if photos is not None else 0.0
    if photo_share < 1 and rooms < 1:
        raise OptionError("nothing to learn from: give --photos FOLDER, --rooms N or both")
    options = PretrainOptions(steps=steps, pairs=pairs, size=size, seed=seed)
    with progress_bar(quiet=quiet) as bar:
        sources = []
        if photos is not None and photo_share > 0:
            source = PhotoPairs.from_folder(photos, size=size, progress=bar)
            sources.append(WeightedSource(source, photo_share))
        if photo_share < 1:
            rendered = RenderedPairs.from_cache(out / "rooms", rooms=rooms, size=size, progress=bar)
            sources.append(WeightedSource(rendered, 1 - photo_share))
        with recorded(bar, out / "log.jsonl", append=resume) as progress:
            network = train(
                sources,
                options,
                checkpoint=out / "checkpoint.pt",
                device=pick_device(device),
                resume=resume,
                progress=progress,
            )
    path = out / "backbone.safetensors"
    fingerprint = save_backbone(network, path)
    console().print(f"{path}: {path.stat().st_size / 1e6:.1f} MB, fingerprint {fingerprint}")

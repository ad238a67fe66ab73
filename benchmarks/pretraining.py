"""What backbones are worth by what they learned from: the recall of short maps on real scenes.

    python benchmarks/pretraining.py --scenes SCENES --photos PHOTOS --steps 1500 --out OUT

Every finished row goes to OUT/pretraining.json at once, and trainings leave checkpoints. The same
command goes on where it stopped; choose another OUT after a change of photos or rooms.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import tyro
from accuracy import count_processor_time, figures_of, measured_by_reloc, opened
from dense_sift import DenseSift
from torch import nn

from reloc.backbone import Backbone, ConvBackbone, load_backbone, save_backbone, weights
from reloc.backbone.network import ConvBlock
from reloc.backbone.pretrain import backbone_trainer
from reloc.backbone.pretrain.contrast import Contrast, WeightedSource
from reloc.backbone.pretrain.coordinates import Coordinates
from reloc.backbone.pretrain.objective import Objective
from reloc.backbone.pretrain.options import PretrainOptions
from reloc.backbone.pretrain.rendered import RenderedPairs
from reloc.backbone.pretrain.view_pairs import PhotoPairs
from reloc.cli.console import progress_bar
from reloc.devices import pick_device
from reloc.errors import OptionError, RelocError
from reloc.files import json_text, write_text
from reloc.methods.ace import MappingOptions
from reloc.sampling import evenly

Row = dict[str, Any]
COLUMNS = ("5cm_5deg", "1%_2deg", "3%_5deg", "median_deg", "seconds_per_query")


class DeeperBackbone(ConvBackbone):
    """One more layer at the end of the context path, and one where both paths have met."""

    def __init__(self, *, channels: int = 256, width: int = 256) -> None:
        super().__init__(channels=channels, width=width)
        self.context.append(ConvBlock(width, width))
        self.merge = nn.Sequential(self.merge, ConvBlock(width, width))


@dataclass(frozen=True)
class Variant:
    """A backbone: what it learns from and for, and its size; without sources its weights are
    random. ``shipped`` is that of the package, and ``short_side`` of what maps are made with."""

    sources: tuple[str, ...] = ()
    coordinates: bool = False
    width: int = 256
    channels: int = 256
    network: type[ConvBackbone] = ConvBackbone
    shipped: bool = False
    short_side: int = 480


VARIANTS = {
    "random": Variant(),
    "photos": Variant(("photos",)),
    "rooms": Variant(("rooms",)),
    "rooms, scene coordinates": Variant(("rooms",), coordinates=True),
    "both": Variant(("photos", "rooms")),
    "both, width 128": Variant(("photos", "rooms"), width=128),
    "both, 128 channels": Variant(("photos", "rooms"), channels=128),
    "both, deeper": Variant(("photos", "rooms"), network=DeeperBackbone),
    "shipped": Variant(shipped=True),
    "shipped, 360 px": Variant(shipped=True, short_side=360),
    "shipped, 640 px": Variant(shipped=True, short_side=640),
}
SIFT = "dense SIFT"


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scenes: folder that holds the scenes to judge by.
        photos: folder of photos to learn from.
        only: variants; by default all.
        judges: scenes that are mapped; none of them may be trained on.
        steps: of each training.
        pairs: of each step.
        size: side of a training view in pixels.
        rooms: rendered rooms to learn from, kept in OUT/rooms.
        seconds: time limit of a map.
        queries: of each scene at most, evenly spaced.
        processor_time: limits and times are of the processor, all threads together: for a machine
            that others use as well.
        out: folder for rows, table, backbones, checkpoints and maps.
        device: where backbones are trained.
    """

    scenes: Path
    photos: Path | None = None
    only: tuple[str, ...] = (SIFT, *VARIANTS)
    judges: tuple[str, ...] = ("redkitchen", "fox")
    steps: int = 1500
    pairs: int = 12
    size: int = 224
    rooms: int = 200
    seconds: float = 60.0
    queries: int = 100
    out: Path = Path("benchmark-results")
    processor_time: bool = False
    device: str | None = None


def trained(name: str, options: Options) -> tuple[Backbone, float | None]:
    """A variant's backbone, from its file if it is there, and the seconds of its training."""
    network = VARIANTS[name].network
    with (
        mock.patch.object(backbone_trainer, "ConvBackbone", network),
        mock.patch.object(weights, "ConvBackbone", network),
    ):
        return _trained(name, options)


def _trained(name: str, options: Options) -> tuple[Backbone, float | None]:
    variant = VARIANTS[name]
    if variant.shipped:
        return load_backbone(), None
    folder = options.out / "backbones" / f"{name.replace(', ', '-').replace(' ', '')}"
    path = folder / f"{options.steps}.safetensors"
    if not variant.sources:
        torch.manual_seed(0)
        save_backbone(ConvBackbone(width=variant.width, channels=variant.channels).fuse(), path)
        return load_backbone(path), None
    log = path.with_suffix(".json")
    if not path.is_file():
        with progress_bar() as progress:
            sources = []
            if "photos" in variant.sources:
                if options.photos is None:
                    raise OptionError(f"{name}: give --photos FOLDER")
                photos = PhotoPairs.from_folder(
                    options.photos, size=options.size, progress=progress
                )
                sources.append(WeightedSource(photos, 1.0))
            if "rooms" in variant.sources:
                rooms = RenderedPairs.from_cache(
                    options.out / "rooms", rooms=options.rooms, size=options.size, progress=progress
                )
                sources.append(WeightedSource(rooms, 1.0))
            goal: Objective = Contrast(sources)
            if variant.coordinates:
                goal = Coordinates(rooms.rooms, channels=variant.channels)
            recipe = PretrainOptions(
                steps=options.steps, pairs=options.pairs, size=options.size,
                width=variant.width, channels=variant.channels,
            )  # fmt: skip
            began = time.monotonic()
            network = backbone_trainer.pretrain(
                goal, recipe, checkpoint=path.with_suffix(".pt"),
                device=pick_device(options.device), resume=True, progress=progress,
            )  # fmt: skip
        write_text(log, json_text({"seconds": time.monotonic() - began}))
        save_backbone(network, path)
    return load_backbone(path), json.loads(log.read_text())["seconds"]


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    heads = ("variant", "scene", "steps", "training s", *COLUMNS)
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for row in rows:
        values = [row.get(key) for key in ("training_seconds", *COLUMNS)]
        figures = ["–" if value is None else f"{value:.3g}" for value in values]
        lines.append(f"| {row['variant']} | {row['scene']} | {row['steps']} | ")
        lines[-1] += " | ".join(figures) + " |"
    return "\n".join(lines) + "\n"


def run(options: Options) -> None:
    """Measures what is missing."""
    if options.processor_time:
        count_processor_time()
    if unknown := set(options.only) - {SIFT, *VARIANTS}:
        raise OptionError(f"no such variant: {', '.join(sorted(unknown))}")
    stored = options.out / "pretraining.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    for name in options.only:
        # Trained when the first of its rows is missing.
        make: Callable[[], tuple[Backbone, float | None]] = cache(
            lambda name=name: (DenseSift(), None) if name == SIFT else trained(name, options)
        )
        learned = name != SIFT and bool(VARIANTS[name].sources)
        short_side = 480 if name == SIFT else VARIANTS[name].short_side
        for place in options.judges:
            key = {
                "variant": name, "scene": place, "seconds": options.seconds,
                "steps": options.steps if learned else 0, "at_most": options.queries,
            }  # fmt: skip
            if any(key.items() <= row.items() for row in rows):
                continue
            backbone, seconds = make()
            scene = opened(place, options.scenes)
            scene = replace(scene, queries=evenly(scene.queries, options.queries))
            file = f"{place}-{backbone.fingerprint}-{short_side}.safetensors"
            path = options.out / "maps" / file
            how = MappingOptions(time_limit=options.seconds, short_side=short_side)
            with progress_bar() as progress:
                evaluation = measured_by_reloc(
                    scene, backbone=backbone, options=how, path=path, progress=progress
                )  # fmt: skip
            rows.append(key | {"training_seconds": seconds} | figures_of(evaluation))
            write_text(stored, json_text({"rows": rows}) + "\n")
    print(table(json.loads(stored.read_text())["rows"]))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")

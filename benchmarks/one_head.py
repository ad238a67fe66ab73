"""One head for a whole place, helped as later work helps it, against several heads of its bytes.

    python benchmarks/one_head.py --scene SCENE --seconds 300 --out OUT

*A global feature* (GLACE, Wang et al., CVPR 2024): every feature is followed by what the whole
image looks like, blurred by noise while the head learns. What looks alike in two rooms is then told
apart by what is around it. *A position decoder* (the same paper): the head says near which of many
places of cameras a point lies, as a mixture of these, and how far from there. Written from the
paper. Every finished row goes to OUT/one-head.json at once; the same command goes on where it
stopped.
"""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
import tyro
from accuracy import count_processor_time, figures_of, measured_by_reloc, opened
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from reloc.backbone import Backbone, FeatureExtractor, load_backbone
from reloc.backbone.descriptor import global_descriptor
from reloc.cli.console import progress_bar
from reloc.devices import pick_device
from reloc.errors import OptionError, RelocError
from reloc.files import json_text, write_text
from reloc.heads import HEADS, MlpHead
from reloc.heads.mlp import homogeneous_point
from reloc.images.augment import plain_view
from reloc.images.files import read_image
from reloc.mapping.stereo_survey import StereoSurvey
from reloc.maps.scene_map import SceneMap
from reloc.methods.ace import MappingOptions, training
from reloc.methods.ace.clusters import camera_clusters
from reloc.progress import Progress
from reloc.sampling import evenly
from reloc.scenes import Scene, posed, poses_of

Array = NDArray[np.float64]
Row = dict[str, Any]

# Length of the global feature; its entries have unit mean square.
LOOKS = 64
# Frames whose looks say in which directions those of the place vary.
LOOKED_AT = 512
# Standard deviation of the noise on the global feature while the head learns.
NOISE = 0.5
# Places of cameras that the decoder mixes.
PLACES = 50
COLUMNS = ("heads", "width", "megabytes", "steps_each", "median_percent_of_extent", "median_deg")
RECALLS = ("1%_2deg", "3%_5deg", "trusted")


@dataclass(frozen=True)
class Variant:
    """What helps the one head; ``heads`` None lets the place decide."""

    global_feature: bool = False
    places: bool = False
    heads: int | None = 1


VARIANTS = {
    "one head": Variant(),
    "global feature": Variant(global_feature=True),
    "position decoder": Variant(places=True),
    "both": Variant(global_feature=True, places=True),
    "parted": Variant(heads=None),
    "parted, global feature": Variant(global_feature=True, heads=None),
}


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        scene: folder of the scene.
        only: variants; by default all.
        seconds: time limit of each mapping.
        short_side: images are resampled to it, in pixels.
        processor_time: limits and times are of the processor, all threads together: for a machine
            that others use as well.
        seed: of mapping.
        out: folder for rows and maps.
    """

    scene: Path
    only: tuple[str, ...] = tuple(VARIANTS)
    seconds: float = 300.0
    short_side: int = 480
    processor_time: bool = False
    seed: int = 0
    out: Path = Path("benchmark-results")


class LookingBackbone(nn.Module):
    """A backbone whose every feature is followed by what the whole image looks like.

    Args:
        backbone: gives the features.
        mean: (D,) of the descriptors of the place.
        basis: (D, LOOKS) their principal directions, scaled.
    """

    def __init__(self, backbone: Backbone, mean: Array, basis: Array) -> None:
        super().__init__()
        self.backbone = backbone
        self.channels = backbone.channels + basis.shape[1]
        self.stride = backbone.stride
        self.fingerprint = f"{backbone.fingerprint}-looks"
        self._mean, self._basis = mean, basis

    @classmethod
    def of(cls, scene: Scene, backbone: Backbone, *, short_side: int) -> "LookingBackbone":
        """With the directions in which the mapping frames of a scene look different."""
        extractor = FeatureExtractor(backbone, device=pick_device())
        frames = posed(scene.mapping)
        found = []
        for frame in evenly(frames, LOOKED_AT):
            image = read_image(frame.image, gray=True)
            view = plain_view(image, short_side=short_side).image
            found.append(global_descriptor(extractor(view)))
        descriptors = np.stack(found).astype(np.float64)
        mean = descriptors.mean(axis=0)
        directions = np.linalg.svd(descriptors - mean, full_matrices=False)[2][:LOOKS].T
        size = np.sqrt(np.mean(((descriptors - mean) @ directions) ** 2))
        return cls(backbone, mean, directions / max(float(size), 1e-12))

    def forward(self, images: Tensor) -> Tensor:
        """See ``Backbone.__call__``."""
        features = self.backbone(images)
        found = [
            (global_descriptor(own.flatten(1).T) - self._mean) @ self._basis for own in features
        ]
        global_feature = torch.from_numpy(np.stack(found)).to(features)[..., None, None]
        return torch.cat([features, global_feature.expand(-1, -1, *features.shape[2:])], dim=1)


class OneHead(MlpHead):
    """An MLP that blurs the global feature while it learns, and may decode positions.

    Args:
        channels: of a feature, the global one included.
        global_feature: how many of them are global.
        places: (P, 3) what the decoder mixes, around the origin of the map; P may be zero.
        width: of the hidden layers.
        blocks: residual blocks of three layers.
        scale: typical depth of the scene, in scene units.
    """

    kind = "one"

    def __init__(
        self,
        *,
        channels: int,
        global_feature: int,
        places: Tensor,
        width: int,
        blocks: int,
        scale: float,
    ) -> None:
        super().__init__(channels=channels, width=width, blocks=blocks, scale=scale)
        self.global_feature = global_feature
        self.point = nn.Linear(width, 4 + len(places))
        # Its name has it trained, like the last layer, in small steps, if it is trained at all.
        self.point_places = nn.Parameter(places.float(), requires_grad=False)

    def spec(self) -> dict[str, int]:
        """Sizes."""
        return super().spec() | {
            "global_feature": self.global_feature,
            "places": len(self.point_places),
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], *, scale: float, weights: int) -> "OneHead":
        """See ``Head.from_spec``; for maps that this benchmark has just written."""
        sizes = {
            name: int(spec[name]) for name in ("channels", "width", "blocks", "global_feature")
        }
        return cls(places=torch.zeros(int(spec["places"]), 3), scale=scale, **sizes)

    def forward(self, features: Tensor) -> Tensor:
        """See ``MlpHead.forward``."""
        if self.training and self.global_feature:
            own, global_feature = features.split(
                [self.channels - self.global_feature, self.global_feature], dim=1
            )
            features = torch.cat(
                [own, global_feature + NOISE * torch.randn_like(global_feature)], dim=1
            )
        x = self.body(functional.relu(self.inlet(features)))
        x = functional.relu(self.outlet(x))
        with torch.autocast(x.device.type, enabled=False):
            outputs = self.point(x.float())
            near = outputs[:, 4:].softmax(dim=1) @ self.point_places
            return homogeneous_point(outputs[:, :4]) * self.scale + near


@contextlib.contextmanager
def mapping_with(variant: Variant, scene: Scene, channels: int) -> Iterator[None]:
    """Where mappings train the head of a variant, and stereo compares what is local alone."""
    places = torch.zeros(0, 3)
    if variant.places:
        centers = poses_of(posed(scene.mapping))[:, :3, 3]
        # Groups of camera centres alone, as the paper has it.
        groups = camera_clusters(poses_of(posed(scene.mapping)), PLACES, depth=0.0)
        middles = np.stack([centers[group].mean(axis=0) for group in groups])
        places = torch.from_numpy(middles - centers.mean(axis=0))

    def new_head(*, channels: int, width: int, blocks: int, scale: float, seed: int) -> OneHead:
        torch.manual_seed(seed)
        return OneHead(
            channels=channels, global_feature=LOOKS if variant.global_feature else 0, places=places,
            width=width, blocks=blocks, scale=scale,
        )  # fmt: skip

    add = StereoSurvey.add
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.dict(HEADS, {OneHead.kind: OneHead}))
        if variant.global_feature or variant.places:
            stack.enter_context(mock.patch.object(training, "new_head", new_head))
        stack.enter_context(
            mock.patch.object(StereoSurvey, "add", lambda s, v, f: add(s, v, f[:, :channels]))
        )
        yield


def measured(scene: Scene, name: str, options: Options, progress: Progress) -> Row:
    """The figures of a variant."""
    variant, backbone = VARIANTS[name], load_backbone()
    channels = backbone.channels
    looking: Backbone = backbone
    if variant.global_feature:
        looking = LookingBackbone.of(scene, backbone, short_side=options.short_side)
    path = (
        options.out / "maps" / f"{scene.name}-{'-'.join(name.replace(',', '').split())}.safetensors"
    )
    how = MappingOptions(
        heads=variant.heads, time_limit=options.seconds, short_side=options.short_side,
        seed=options.seed,
    )  # fmt: skip
    with mapping_with(variant, scene, channels):
        evaluation = measured_by_reloc(
            scene, backbone=looking, options=how, path=path, progress=progress
        )
        made = SceneMap.load(path)
    return figures_of(evaluation) | {
        "heads": len(made.regions),
        "width": made.regions[0].head.spec()["width"],
        "megabytes": evaluation.map_bytes / 1e6,
        "steps_each": made.info["steps"] / len(made.regions),
        "trusted": 100 * evaluation.localized / evaluation.queries,
    }


def table(rows: list[Row]) -> str:
    """The rows in Markdown."""
    names = (*COLUMNS, *RECALLS)
    lines = ["| " + " | ".join(("scene", "variant", *names)) + " |", "|---|---|"]
    lines[1] += "---:|" * len(names)
    for row in rows:
        figures = ["lost" if row[k] is None else f"{row[k]:.3g}" for k in names]
        lines.append(f"| {row['scene']} | {row['variant']} | " + " | ".join(figures) + " |")
    return "\n".join(lines) + "\n"


def run(options: Options) -> None:
    """Measures what is missing."""
    if unknown := set(options.only) - set(VARIANTS):
        raise OptionError(f"no such variant: {', '.join(sorted(unknown))}")
    if options.processor_time:
        count_processor_time()
    scene = opened(options.scene.name, options.scene.parent)
    stored = options.out / "one-head.json"
    rows: list[Row] = json.loads(stored.read_text())["rows"] if stored.is_file() else []
    for name in options.only:
        key = {
            "scene": scene.name, "variant": name, "limit": options.seconds, "seed": options.seed,
        }  # fmt: skip
        if any(key.items() <= row.items() for row in rows):
            continue
        print(f"{scene.name}: {name}", file=sys.stderr, flush=True)
        with progress_bar() as progress:
            rows.append(key | measured(scene, name, options, progress))
        text = json_text({"rows": rows})
        rows = json.loads(text)["rows"]
        write_text(stored, text + "\n")
    print(table(rows))


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")

"""``reloc compress``: a map in fewer bytes."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.backbone import FeatureExtractor
from reloc.cli.console import console, progress_bar
from reloc.cli.options import ImageFolder
from reloc.devices import pick_device
from reloc.files import check_writable
from reloc.maps import SceneMap
from reloc.maps.calibration import region_features
from reloc.maps.compress import compressed
from reloc.scenes import open_scene


def compress(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    bits: int = 8,
    scene: Annotated[Path | None, tyro.conf.arg(metavar="SCENE")] = None,
    images: ImageFolder = None,
    backbone: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    device: str | None = None,
    quiet: bool = False,
    json_log: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Write a map in fewer bytes.

    Args:
        map: A map made by `reloc map`.
        out: The map file to write.
        bits: For each weight: 8 or 6 lose nothing that shows; 5, 4 and 3 want the scene.
        scene: Folder that the map was made from; its images tell what rounding matters.
        backbone: Backbone weights that the map was made with; by default those of reloc.
        device: cpu, cuda or mps; by default the best there is.
        quiet: Show no progress.
        json_log: Write the progress as JSON lines to this file.
    """
    check_writable(out)
    scene_map = SceneMap.load(map)
    features = None
    if scene is not None:
        network = scene_map.serving_backbone(backbone)
        extractor = FeatureExtractor(network, device=pick_device(device))
        with progress_bar(quiet=quiet, json_log=json_log) as progress:
            frames = open_scene(scene, images=images).mapping
            features = region_features(scene_map, frames, extractor, progress=progress)
    compressed(scene_map, bits=bits, features=features).save(out)
    before, after = map.stat().st_size, out.stat().st_size
    console().print(f"{out}: {before / 1e6:.2f} MB to {after / 1e6:.2f} MB", markup=False)

"""``reloc compress``: a map in fewer bytes."""

from pathlib import Path
from typing import Annotated

import tyro

from reloc.backbone import FeatureExtractor
from reloc.cli.arguments import Omittable
from reloc.cli.console import console
from reloc.cli.options import ComputeOptions, ImageFolder, ProgressOptions
from reloc.devices import pick_device
from reloc.errors import OptionError
from reloc.files import check_writable
from reloc.maps import SceneMap
from reloc.maps.calibration import region_features
from reloc.maps.compress import SMALL_BITS, SMALL_LANDMARKS, compressed
from reloc.scenes import open_scene


def compress(
    map: Annotated[Path, tyro.conf.arg(metavar="MAP")],
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    /,
    *,
    bits: Omittable[int] = None,
    small: bool = False,
    scene: Annotated[Omittable[Path], tyro.conf.arg(metavar="SCENE")] = None,
    images: ImageFolder = None,
    compute: ComputeOptions = ComputeOptions(),
    log: ProgressOptions = ProgressOptions(),
) -> None:
    """Write a map in fewer bytes.

    Args:
        map: A map made by `reloc map`.
        out: The map file to write.
        bits: For each weight: 8, the default, or 6 lose nothing that shows; 5, 4 and 3 want the
            scene.
        small: Make it 1 MB or less: 3 bits for each weight, and 4000 landmarks of 33 bytes. Wants
            the scene.
        scene: Folder that the map was made from; its images tell what rounding matters.
    """
    if small and scene is None:
        raise OptionError("--small wants --scene SCENE: 3 bits are too few without its images")
    check_writable(out)
    scene_map = SceneMap.load(map)
    features = None
    if scene is not None:
        network = scene_map.serving_backbone(compute.backbone)
        extractor = FeatureExtractor(network, device=pick_device(compute.device))
        with log.shown() as progress:
            frames = open_scene(scene, images=images).mapping
            features = region_features(scene_map, frames, extractor, progress=progress)
    usual, landmarks = (SMALL_BITS, SMALL_LANDMARKS) if small else (8, None)
    made = compressed(
        scene_map,
        bits=usual if bits is None else bits,
        features=features,
        landmarks=landmarks,
    )
    made.save(out)
    before, after = map.stat().st_size, out.stat().st_size
    console().print(f"{out}: {before / 1e6:.2f} MB to {after / 1e6:.2f} MB", markup=False)

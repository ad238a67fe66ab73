"""How well confidence tells right poses from wrong ones: the data behind pose/trust.py.

Every map localizes its own queries, the queries of all other scenes, and photos of nowhere. A pose
is right when it lies within 5 % of the extent and 5 degrees of the truth; foreign images have no
right pose.

    python benchmarks/trust.py --maps DIR --scenes DIR --photos DIR
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from reloc import Localizer, Query, SceneMap, load_backbone, open_scene
from reloc.geometry import Camera, pose_error
from reloc.images.files import IMAGE_SUFFIXES, image_size


@dataclass(frozen=True)
class Sample:
    """One localization: what the rule saw and whether the pose was right."""

    map: str
    image: str
    foreign: bool
    right: bool
    inliers: int
    share: float
    confidence: float
    distance: float  # to the nearest mapping camera, in units of extent + depth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--maps", type=Path, required=True, help="folder of <scene>-*.safetensors")
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--per-source", type=int, default=25)
    parser.add_argument("--poses", default="redkitchen=poses_sfm.txt", help="SCENE=FILE")
    arguments = parser.parse_args()
    poses_of, poses_file = arguments.poses.split("=")
    scenes = {
        folder.name: open_scene(
            folder, poses=folder / poses_file if folder.name == poses_of else None
        )
        for folder in sorted(arguments.scenes.iterdir())
        if folder.is_dir()
    }
    backbone = load_backbone()
    samples: list[Sample] = []
    for path in sorted(arguments.maps.glob("*.safetensors")):
        own = path.name.split("-")[0]
        if own not in scenes or "-x" in path.name or "-kf" in path.name:
            continue
        scene_map = SceneMap.load(path)
        localizer = Localizer(scene_map, backbone, heads_always=True)
        centers = np.array([c.world_from_cam[:3, 3] for c in scene_map.cameras])
        reach = scene_map.extent + scene_map.scale
        queries, truths = [], []
        for name, scene in scenes.items():
            step = max(1, len(scene.queries) // arguments.per_source)
            for frame in scene.queries[::step]:
                queries.append(Query(f"{name}/{frame.name}", frame.image, frame.camera))
                truths.append(frame.world_from_cam if name == own else None)
        if arguments.photos:
            photos = sorted(p for p in arguments.photos.rglob("*") if p.suffix in IMAGE_SUFFIXES)
            for photo in photos[:: max(1, len(photos) // (2 * arguments.per_source))]:
                width, height = image_size(photo)
                camera = Camera.pinhole(width=width, height=height, fx=0.9 * max(width, height))
                queries.append(Query(photo.name, photo, camera))
                truths.append(None)
        for truth, estimate in zip(truths, localizer.localize_many(queries), strict=True):
            right, distance = False, np.inf
            if estimate.world_from_cam is not None:
                distance = np.linalg.norm(centers - estimate.world_from_cam[:3, 3], axis=1).min()
                if truth is not None:
                    meters, degrees = pose_error(estimate.world_from_cam, truth)
                    right = meters < 0.05 * scene_map.extent and degrees < 5
            samples.append(
                Sample(
                    path.stem, estimate.image, truth is None, bool(right), estimate.inliers,
                    estimate.inlier_share, estimate.confidence, float(distance / reach),
                )
            )  # fmt: skip
        report(path.stem, [s for s in samples if s.map == path.stem])
    report("all maps", samples)


def report(title: str, samples: list[Sample]) -> None:
    """Prints how shares and confidences spread over right, wrong and foreign poses."""
    print(f"\n{title}")
    groups = {
        "right": [s for s in samples if s.right],
        "wrong": [s for s in samples if not s.right and not s.foreign],
        "foreign": [s for s in samples if s.foreign],
    }
    for name, group in groups.items():
        if not group:
            continue
        shares = np.array([s.share for s in group])
        accepted = np.mean([s.confidence >= 0.5 for s in group])
        near = np.mean([s.distance < 1 for s in group])
        quantiles = " ".join(
            f"{100 * q:6.2f}" for q in np.quantile(shares, [0, 0.05, 0.5, 0.95, 1])
        )
        print(
            f"  {name:8} {len(group):5}  inlier share % at 0/5/50/95/100: {quantiles}  "
            f"accepted {100 * accepted:5.1f} %  near {100 * near:5.1f} %"
        )


if __name__ == "__main__":
    main()

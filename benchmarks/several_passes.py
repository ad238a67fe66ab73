"""Does it help to look at a query several times, shifted by half a cell or at another scale?

    python benchmarks/several_passes.py MAP SCENE --poses poses_sfm.txt --queries 60

The pose of the first pass is refined on what all passes see together, so that all rows begin at the
same pose.
"""

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import tyro
from numpy.typing import NDArray

from reloc.backbone import load_backbone
from reloc.errors import RelocError
from reloc.geometry import pose_error
from reloc.images.augment import View
from reloc.localize import Localizer
from reloc.localize.place import Candidate
from reloc.localize.query import PreparedQuery, Query
from reloc.maps import SceneMap
from reloc.pose.correspondences import concatenated
from reloc.pose.solver import refine_pose
from reloc.sampling import evenly
from reloc.scenes import open_scene, posed
from reloc.scenes.scene import Frame

Array = NDArray[np.float64]

SHIFTS = ((4, 4), (4, 0), (0, 4))
ZOOMS = (1.25, 0.8)


@dataclass(frozen=True)
class Options:
    """What to measure.

    Attributes:
        map: a map file.
        scene: the folder of the scene, whose queries are localized.
        poses: a pose set, where it brings other cameras than the scene.
        queries: at most, evenly spaced.
    """

    map: tyro.conf.Positional[Path]
    scene: tyro.conf.Positional[Path]
    poses: Path | None = None
    queries: int = 100


def shifted(view: View, right: int, down: int) -> View:
    """The view without its first columns and rows, whose cells lie elsewhere."""
    move = np.array([[1.0, 0, right], [0, 1, down], [0, 0, 1]])
    image = np.ascontiguousarray(view.image[down:, right:])
    return replace(view, image=image, original_from_view=view.original_from_view @ move)


def zoomed(view: View, factor: float) -> View:
    """The view with more or fewer pixels."""
    height, width = view.image.shape
    size = round(width * factor), round(height * factor)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    shrink = np.diag([width / size[0], height / size[1], 1.0])
    return replace(
        view,
        image=cv2.resize(view.image, size, interpolation=method),
        original_from_view=view.original_from_view @ shrink,
    )


def passes_of(view: View) -> dict[str, list[View]]:
    """What is looked at besides the view itself."""
    shifts = [shifted(view, *by) for by in SHIFTS]
    zooms = [zoomed(view, by) for by in ZOOMS]
    return {
        "one pass": [],
        "and one, shifted": shifts[:1],
        "and three, shifted": shifts,
        "and two, zoomed": zooms,
        "all six": [*shifts, *zooms],
    }


def errors(localizer: Localizer, frame: Frame) -> dict[str, tuple[float, float]]:
    """Position and rotation error of a query by what is looked at."""
    query = localizer._likeliest(Query(frame.name, frame.image, frame.camera))
    place = localizer.place
    first = place.candidates(localizer.extractor(query.view.image), query)
    pose = place.estimate(query, first, {}).world_from_cam
    assert frame.world_from_cam is not None
    found = {}
    for name, views in passes_of(query.view).items():
        if pose is None:
            found[name] = (np.inf, np.inf)
            continue
        seen = list(first)
        for view in views:
            seen += _seen(localizer, replace(query, view=view), [c.region for c in first])
        found[name] = pose_error(_refined(localizer, pose, seen), frame.world_from_cam)
    return found


def _seen(localizer: Localizer, query: PreparedQuery, regions: list[int]) -> list[Candidate]:
    return localizer.place.seen(localizer.extractor(query.view.image), regions, query)


def _refined(localizer: Localizer, pose: Array, seen: list[Candidate]) -> Array:
    """The pose refined on all that was seen, around the origin of the first region."""
    origins = [localizer.map.regions[candidate.region].origin for candidate in seen]
    around = [
        replace(c.local, scene_coordinates=c.local.scene_coordinates + origin - origins[0])
        for c, origin in zip(seen, origins, strict=True)
    ]
    near = pose.copy()
    near[:3, 3] -= origins[0]
    refined = refine_pose(near, concatenated(around), options=localizer.place.solver)
    result = near if refined is None else refined.copy()
    result[:3, 3] += origins[0]
    return result


def run(options: Options) -> None:
    """Localizes and prints a markdown table."""
    scene = open_scene(options.scene, poses=options.poses)
    localizer = Localizer(SceneMap.load(options.map), load_backbone())
    rows = [errors(localizer, frame) for frame in evenly(posed(scene.queries), options.queries)]
    extent = scene.extent()
    print("| | median of extent | median deg | 1 %, 2° | 3 %, 5° |")
    print("|---|---:|---:|---:|---:|")
    for name in rows[0]:
        position, rotation = np.array([row[name] for row in rows]).T
        shares = [
            f"{np.mean((position < limit * extent) & (rotation < degrees)):.0%}"
            for limit, degrees in ((0.01, 2), (0.03, 5))
        ]
        middle = f"{np.median(position) / extent:.3%} | {np.median(rotation):.3f}"
        print(f"| {name} | {middle} | {' | '.join(shares)} |")


if __name__ == "__main__":
    try:
        run(tyro.cli(Options, description=__doc__))
    except RelocError as error:
        sys.exit(f"error: {error}")

"""How far the mapping frames see, from plain views of frames that stand beside each other."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from reloc.mapping.views import known_inverse_depths
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.division import Division
from reloc.methods.ace.feature_sampler import FeatureSamples
from reloc.methods.ace.plain_views import PlainViews
from reloc.progress import Progress, silent
from reloc.stereo import InverseDepth, neighbours_among, stereo_neighbours

# A frame of which less than this share has a depth is not drawn from beside.
LEAST_KNOWN = 0.3


@dataclass(frozen=True)
class SurveyedFrames:
    """What plain views of frames that are spread evenly have told.

    Attributes:
        depth: typical depth of the scene, in scene units; corrected where the images show less.
        due: numbers of the frames that were due, in that order.
        swept: how many of them were compared with those beside them.
        visited: numbers of the frames that further views are to be of. Where most of those that
            were due stand beside others that see the same, they cover the place: these; else all.
        samples: of each frame that could be read and is wanted.
        descriptors: what these frames look like, by number.
        inverse_depths: how far frames see, by number, where enough of it is known.
        unusable: why frames are of no use, by number.
    """

    depth: float
    due: tuple[int, ...]
    swept: int
    visited: tuple[int, ...]
    samples: tuple[FeatureSamples, ...]
    descriptors: Mapping[int, NDArray[np.int8]]
    inverse_depths: Mapping[int, InverseDepth]
    unusable: Mapping[int, str]


def survey_frames(
    views: PlainViews,
    poses: NDArray[np.float64],
    division: Division,
    *,
    bounds: Bounds,
    progress: Progress = silent,
) -> SurveyedFrames:
    """Finds how far frames see that are spread evenly.

    What is found of a frame does not depend on which others are wanted, as long as images can be
    read.

    Args:
        views: of the frames. Where one head is trained alone, those of its frames are seen here,
            and of the others only those that tell how far these see.
        poses: (F, 4, 4) of the frames, world_from_cam.
        division: says which frames heads are trained from, and the typical depth.
        bounds: frames to see and to sweep, at most, and the time for it.
        progress: told after every frame.

    Raises:
        SceneError: hardly any image could be read.
    """
    depth, wanted = division.depth, division.frames
    needed = wanted | neighbours_among(poses, views.due, of=wanted, depth=depth)
    views.see(
        needed.intersection(views.due[: bounds.due]),
        seconds=bounds.survey_seconds(),
        progress=progress,
    )
    views.check_enough(wanted)
    due = views.due[: bounds.due]
    samples = {n: views.samples[n] for n in due if n in wanted and n in views.samples}
    inverse_depths: dict[int, InverseDepth] = {}
    swept = 0
    sweeping = views.stereo.sweep(
        depth=depth, among=due, of=wanted, seconds=bounds.survey_seconds()
    )
    for swept, (number, found) in enumerate(islice(sweeping, bounds.swept), start=1):
        if found is not None:
            known = known_inverse_depths(found, samples[number].pixels)
            samples[number] = replace(samples[number], inverse_depths=known)
            if np.isfinite(found.values).mean() > LEAST_KNOWN:
                inverse_depths[number] = found
        progress("depth", swept, len(samples))
    beside = stereo_neighbours(poses[list(due)], depth=depth)
    cover = 2 * sum(map(bool, beside)) > len(due)
    return SurveyedFrames(
        depth=depth,
        due=due,
        swept=swept,
        visited=tuple(sorted(due)) if cover else tuple(range(len(poses))),
        samples=tuple(samples.values()),
        descriptors={n: views.descriptors[n] for n in samples},
        inverse_depths=inverse_depths,
        unusable=views.unusable,
    )

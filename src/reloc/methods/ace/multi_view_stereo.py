"""How far the mapping frames see, from plain views of frames that stand beside each other."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from reloc.backbone.descriptor import global_descriptor
from reloc.mapping.stereo_survey import FRAMES_ASKED, VIEWS_FOR_DIRECTIONS, StereoSurvey
from reloc.mapping.views import known_inverse_depths
from reloc.methods.ace.bounds import Bounds
from reloc.methods.ace.feature_sampler import FeatureSampler, FeatureSamples
from reloc.methods.ace.view_schedule import plain_views, spread_order
from reloc.progress import Progress, silent
from reloc.stereo import InverseDepth, stereo_neighbours

# Of the time of a survey, what goes to seeing; sweeping takes the rest.
SEEING_SHARE = 0.45
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
    sampler: FeatureSampler,
    poses: NDArray[np.float64],
    *,
    depth: float,
    depth_measured: bool = False,
    wanted: Collection[int],
    bounds: Bounds,
    progress: Progress = silent,
) -> SurveyedFrames:
    """Takes a plain view of frames spread evenly, then finds how far they see.

    What is found of a frame does not depend on which others are wanted, as long as images can be
    read.

    Args:
        sampler: of all frames.
        poses: (F, 4, 4) of the frames, world_from_cam.
        depth: typical depth of the scene, in scene units.
        depth_measured: whether that is from ``measured_depth``; otherwise it is corrected here.
        wanted: numbers of the frames that are learned from. Of the others only those are read that
            tell how far these see.
        bounds: frames to see and to sweep, at most, and the time for it.
        progress: told after every frame.

    Raises:
        SceneError: hardly any image could be read.
    """
    began = time.monotonic()
    seconds = bounds.survey_seconds()
    stereo = StereoSurvey(sampler.reader.frames, depth=depth, stride=sampler.extractor.stride)
    order = spread_order(len(poses))[: bounds.surveyed]
    needed = {
        *order[:VIEWS_FOR_DIRECTIONS],
        *wanted,
        *_neighbours(poses, order, of=wanted, depth=depth),
    }
    samples: dict[int, FeatureSamples] = {}
    descriptors: dict[int, NDArray[np.int8]] = {}
    unusable: dict[int, str] = {}
    for seen in sampler.sampled(plain_views(order), stage=0, of=needed, unusable=unusable):
        stereo.add(seen.view, seen.features)
        if seen.view.frame in wanted:
            samples[seen.view.frame] = seen.samples
            descriptors[seen.view.frame] = global_descriptor(seen.features)
        progress("features", seen.slot + 1, len(order))
        if seconds is not None and time.monotonic() - began > SEEING_SHARE * seconds:
            order = order[: seen.slot + 1]
            break
    sampler.check_enough(unusable, len(samples))
    if not depth_measured:
        depth = stereo.settle_depth()
    inverse_depths: dict[int, InverseDepth] = {}
    swept = 0
    sweeping = islice(stereo.sweep(of=wanted, seconds=bounds.survey_seconds()), bounds.swept)
    for swept, (number, found) in enumerate(sweeping, start=1):
        if found is not None:
            known = known_inverse_depths(found, samples[number].pixels)
            samples[number] = replace(samples[number], inverse_depths=known)
            if np.isfinite(found.values).mean() > LEAST_KNOWN:
                inverse_depths[number] = found
        progress("depth", swept, len(samples))
    beside = stereo_neighbours(poses[order], depth=depth)
    cover = 2 * sum(map(bool, beside)) > len(order)
    return SurveyedFrames(
        depth=depth,
        due=tuple(order),
        swept=swept,
        visited=tuple(sorted(order)) if cover else tuple(range(len(poses))),
        samples=tuple(samples.values()),
        descriptors=descriptors,
        inverse_depths=inverse_depths,
        unusable=unusable,
    )


def measured_depth(
    sampler: FeatureSampler, poses: NDArray[np.float64], *, depth: float, bounds: Bounds
) -> float:
    """The typical depth as a survey would correct it, from the few frames that it asks.

    Arguments are those of ``survey_frames``.
    """
    stereo = StereoSurvey(sampler.reader.frames, depth=depth, stride=sampler.extractor.stride)
    order = spread_order(len(poses))[: bounds.surveyed]
    asked = order[:FRAMES_ASKED]
    read: set[int] = set()
    unusable: dict[int, str] = {}

    def see(frames: Collection[int]) -> None:
        views = sampler.sampled(
            plain_views(order), stage=0, of=set(frames) - read, unusable=unusable
        )
        for seen in views:
            stereo.add(seen.view, seen.features)
        read.update(frames)

    see(asked)
    return stereo.settle_depth(lambda depth: see(_neighbours(poses, order, of=asked, depth=depth)))


def _neighbours(
    poses: NDArray[np.float64], order: Sequence[int], *, of: Collection[int], depth: float
) -> set[int]:
    """Those of the frames in order that some of them are compared with."""
    beside = stereo_neighbours(poses[order], depth=depth)
    return {
        order[row] for frame, rows in zip(order, beside, strict=True) if frame in of for row in rows
    }

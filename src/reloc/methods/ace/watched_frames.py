"""Frames that are watched while heads are trained, and when they end the training."""

from collections.abc import Sequence
from functools import cache, partial

from reloc.backbone import FeatureExtractor
from reloc.landmarks.building import ObservedLandmarks
from reloc.landmarks.landmarks import Landmarks
from reloc.localize.landmark_solver import LandmarkSolver
from reloc.localize.self_check import OTHER_VIEWS
from reloc.mapping.mapping_frames import MappingFrames
from reloc.methods.ace.first_guesses import FirstGuesses
from reloc.methods.ace.region_features import regions_around
from reloc.methods.ace.stop_rule import StopRule
from reloc.methods.ace.training import HeadsTraining
from reloc.methods.landmarks import MadeLandmarks
from reloc.methods.until import Goal
from reloc.sampling import evenly
from reloc.scenes.scene import Frame

# Frames that are localized again and again during the training.
WATCHED = 12


def stop_rule_of(
    training: HeadsTraining,
    used: MappingFrames,
    made: MadeLandmarks,
    *,
    held_back: Sequence[Frame],
    goal: Goal | None,
    extractor: FeatureExtractor,
    short_side: int,
    depth: float,
) -> StopRule:
    """The rule that ends a training; frames are read when it first looks at them.

    Args:
        training: of the heads that localize the frames.
        used: the frames that these are trained from.
        made: landmarks that localize them, too.
        held_back: frames to watch; without any, some of those that are learned from, each localized
            by landmarks that others show as well.
        goal: what is asked of them.
        extractor: gives what heads see.
        short_side: of the views, pixels.
        depth: typical depth of the scene, in scene units.
    """
    solver_of = (
        partial(_solver, made.landmarks) if held_back else partial(_solver_of_others, made.observed)
    )
    guesses = cache(
        partial(
            FirstGuesses,
            evenly(held_back or used.frames, WATCHED),
            extractor,
            short_side=short_side,
            regions_of=partial(regions_around, training.regions, used.poses),
            solver_of=solver_of,
        )
    )
    return StopRule(
        lambda: guesses().made(training.averages, training.regions), depth=depth, goal=goal
    )


def _solver(known: Landmarks | None, _: Frame) -> LandmarkSolver | None:
    """Of the same landmarks for every frame."""
    return LandmarkSolver(known) if known is not None and len(known) else None


def _solver_of_others(observed: ObservedLandmarks | None, frame: Frame) -> LandmarkSolver | None:
    """Of those landmarks that other frames show as well."""
    known = None if observed is None else observed.without(frame.name, views=OTHER_VIEWS)
    return _solver(known, frame)

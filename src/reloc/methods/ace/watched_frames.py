"""Frames that are watched while heads are trained, and when they end the training."""

from collections.abc import Sequence
from functools import cache, partial

from reloc.backbone import FeatureExtractor
from reloc.localize.landmark_solver import LandmarkSolver
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
    guesses = cache(
        partial(
            FirstGuesses,
            evenly(held_back or used.frames, WATCHED),
            extractor,
            short_side=short_side,
            regions_of=partial(regions_around, training.regions, used.poses),
            solver_of=partial(_solver, made),
        )
    )
    return StopRule(
        lambda: guesses().made(training.averages, training.regions), depth=depth, goal=goal
    )


def _solver(made: MadeLandmarks, frame: Frame) -> LandmarkSolver | None:
    """Of the landmarks that a frame may be localized by."""
    known = made.without(frame)
    return None if known is None else LandmarkSolver(known)

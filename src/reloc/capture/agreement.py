"""Whether the poses and the focal lengths of a capture agree with its photos."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.capture.advice import Advice, named
from reloc.capture.epipolar import pair_errors
from reloc.capture.tentative_matches import MatchedPair
from reloc.geometry import inverted, quaternion_from_rotation, rotation_from_quaternion

Array = NDArray[np.float64]

FACTORS = np.exp(np.linspace(np.log(0.6), np.log(1.67), 29))
MIN_PAIRS = 5
# Pixels of a photo whose short side is 480.
CAPPED = 20.0  # more than this is wrong, whatever it is
GOOD = 1.0  # median of poses from structure from motion, with room to spare
LOOSE = 4.0  # of one pair in ten
WRONG = 6.0  # median of poses that have nothing to do with the photos
# What another reading of poses or focal length has to bring before it is believed.
FOCAL_GAIN, POSE_GAIN = 0.6, 0.4
FOCAL_SURE = 0.03


@dataclass(frozen=True)
class Agreement:
    """How well poses and focal lengths explain matches between photos.

    Attributes:
        errors: (P,) median error in pixels of each pair of photos, for a short side of 480.
        focal_costs: mean error for the focal lengths times each of ``FACTORS``.
        advice: what is wrong.
        trusted: whether poses and focal lengths are good enough to judge the coverage by.
    """

    errors: Array
    focal_costs: Array
    advice: tuple[Advice, ...]
    trusted: bool


def judged_agreement(
    pairs: Sequence[MatchedPair],
    world_from_cam: Array,
    *,
    tried: int,
    names: Sequence[str],
    focals: Sequence[float],
) -> Agreement:
    """Judges poses and focal lengths by matched pairs.

    Args:
        pairs: the pairs that could be matched.
        world_from_cam: (F, 4, 4) poses of all frames.
        tried: how many pairs were looked at.
        names: of all frames.
        focals: of all frames, in pixels of the file.
    """
    if len(pairs) < max(MIN_PAIRS, 0.15 * tried):
        return Agreement(np.zeros(0), np.zeros(0), (_unmatched(len(pairs), tried),), False)
    errors = pair_errors(pairs, world_from_cam)
    focal_costs = np.array(
        [_cost(pair_errors(pairs, world_from_cam, focal_factor=f)) for f in FACTORS]
    )
    readings = {
        name: _cost(pair_errors(pairs, poses)) for name, poses in _readings(world_from_cam).items()
    }
    cost, median = _cost(errors), float(np.median(errors))
    best, factor = float(focal_costs.min()), _minimum(focal_costs)
    reading = min(readings, key=lambda name: readings[name])
    advice = []
    if readings[reading] < min(POSE_GAIN * cost, best):
        advice.append(_convention(reading, cost, readings[reading]))
    elif best < FOCAL_GAIN * cost and abs(np.log(factor)) > FOCAL_SURE:
        advice.append(_focal(factor, focals, cost, best))
    elif median > WRONG:
        advice.append(_unfit(median))
    trusted = not any(a.severity == "serious" for a in advice)
    if not advice:
        advice += _loose(errors)
        advice += _strays(pairs, errors, names)
    return Agreement(errors, focal_costs, tuple(advice), trusted)


def _cost(errors: Array) -> float:
    return float(np.minimum(errors, CAPPED).mean())


def _minimum(costs: Array) -> float:
    """The factor of least cost, by a parabola through the three costs around it."""
    at = int(np.clip(costs.argmin(), 1, len(costs) - 2))
    left, middle, right = costs[at - 1 : at + 2]
    curvature = left - 2 * middle + right
    shift = 0.5 * (left - right) / curvature if curvature > 0 else 0.0
    return float(FACTORS[at] * (FACTORS[1] / FACTORS[0]) ** np.clip(shift, -1, 1))


def _readings(world_from_cam: Array) -> dict[str, Array]:
    """The poses as they would be if they had been written in another convention."""
    opengl = np.diag([1.0, -1.0, -1.0, 1.0])
    swapped = world_from_cam.copy()
    for pose in swapped:
        w, x, y, z = quaternion_from_rotation(pose[:3, :3])
        pose[:3, :3] = rotation_from_quaternion((z, w, x, y))
    return {
        "camera from world instead of world from camera": inverted(world_from_cam),
        "OpenGL axes (y up, z back) instead of OpenCV's (y down, z ahead)": world_from_cam @ opengl,
        "camera from world with OpenGL axes": inverted(world_from_cam) @ opengl,
        "quaternions as x y z w instead of w x y z": swapped,
    }


def _unmatched(matched: int, tried: int) -> Advice:
    return Advice(
        kind="unchecked",
        severity="warning",
        text=f"only {matched} of {tried} pairs of neighbouring photos have enough in common: "
        "poses, focal length and coverage could not be checked",
        remedy="look into the photos: they may overlap too little, be blurred, or show plain walls",
    )


def _convention(reading: str, before: float, after: float) -> Advice:
    return Advice(
        kind="convention",
        severity="serious",
        text=f"the poses fit the photos only when read as {reading}: matches are then off by "
        f"{after:.1f} px in place of {before:.1f} px",
        remedy="export the poses again in the convention of the format, see docs/scenes.md",
    )


def _focal(factor: float, focals: Sequence[float], before: float, after: float) -> Advice:
    low, high = min(focals), max(focals)
    if high < 1.01 * low:
        fits = f"a focal length of about {low * factor:.0f} px fits better than {low:.0f} px"
    else:
        fits = f"focal lengths of about {factor:.2f} times as many pixels fit better"
    return Advice(
        kind="intrinsics",
        severity="serious" if abs(factor - 1) > 0.08 else "warning",
        text=f"{fits}: matches are then off by {after:.1f} px in place of {before:.1f} px",
        remedy="calibrate the camera, or check that the intrinsics belong to images of this size",
    )


def _unfit(median: float) -> Advice:
    return Advice(
        kind="poses",
        severity="serious",
        text=f"the poses do not explain the photos: matches are off by {median:.1f} px (median), "
        "good poses come below 1 px",
        remedy="check that each pose belongs to its photo and comes from a run that succeeded",
    )


def _loose(errors: Array) -> list[Advice]:
    median, tenth = np.percentile(errors, (50, 90))
    if median <= GOOD and tenth <= LOOSE:
        return []
    return [
        Advice(
            kind="poses",
            severity="warning" if median > 3 * GOOD else "note",
            text=f"the poses are loose: matches are off by {median:.1f} px (median), in one pair "
            f"of photos in ten by more than {tenth:.1f} px; poses from structure from motion come "
            f"below {GOOD:.0f} px",
            remedy="a map is no sharper than its poses: refine them, for instance with COLMAP",
        )
    ]


def _strays(pairs: Sequence[MatchedPair], errors: Array, names: Sequence[str]) -> list[Advice]:
    """Frames that disagree with all of their neighbours, while others agree with theirs."""
    limit = max(WRONG, 5 * float(np.median(errors)))
    of_frame: dict[int, list[float]] = defaultdict(list)
    for pair, error in zip(pairs, errors, strict=True):
        of_frame[pair.first].append(error)
        of_frame[pair.second].append(error)
    least = {frame: min(found) for frame, found in of_frame.items() if len(found) > 1}
    stray = sorted((f for f, error in least.items() if error > limit), key=lambda f: -least[f])
    if not stray:
        return []
    frames = tuple(names[frame] for frame in stray)
    return [
        Advice(
            kind="poses",
            severity="warning",
            text=f"in {len(stray)} of {len(least)} photos the pose fits none of the "
            f"neighbours: {named(frames)} (the worst: at least {least[stray[0]]:.0f} px off)",
            remedy="leave these photos out of the mapping, or have their poses found again",
            frames=frames,
        )
    ]

"""What a capture saw often enough, from enough places, and where it has gaps."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.capture.advice import Advice, Viewpoint, named, share_text
from reloc.capture.overlap import connected_components, overlaps
from reloc.geometry.plan import plan_axes, up_direction
from reloc.scenes.scene import Frame, posed, poses_of

Array = NDArray[np.float64]
Counts = NDArray[np.intp]

SEES_THE_SAME = 0.4  # share of a photo that another one has to show as well
CONNECTED = 0.25
FEW_VIEWS = 3
LITTLE_PARALLAX_DEG = 2.0
NO_PARALLAX_SHARE = 0.5  # of the frames, above which the camera is said to only turn
SAME_STEP, SAME_TURN_DEG = 0.004, 0.4  # of the depth; two photos closer than this are one
MANY_SAME = 0.75
SECTORS = 12
ROUND = 10  # sectors that have to be seen before a missing one counts as a gap
MAX_PLACES = 6


@dataclass(frozen=True)
class Coverage:
    """How the frames of a capture lie to each other.

    Attributes:
        views: (N,) how many other photos show most of what a photo shows.
        parallax_deg: (N,) the largest angle under which it and such a photo see the same thing.
        advice: what is missing.
    """

    views: Counts
    parallax_deg: Array
    advice: tuple[Advice, ...]


def coverage(frames: Sequence[Frame], queries: Sequence[Frame], *, depth: float) -> Coverage:
    """Judges the coverage of a capture.

    Args:
        frames: posed mapping frames.
        queries: posed frames that are to be localized, if any are known.
        depth: typical distance of what the photos show, in scene units.
    """
    cameras, poses = [f.camera for f in frames], poses_of(frames)
    shared = overlaps(cameras, poses, cameras, poses, depth=depth)
    np.fill_diagonal(shared, 0)
    same = shared >= SEES_THE_SAME
    centers = poses[:, :3, 3]
    steps = np.linalg.norm(centers[:, None] - centers[None], axis=2)
    views = same.sum(axis=1)
    parallax = np.degrees(np.arctan(np.where(same, steps, 0).max(axis=1, initial=0) / depth))
    names = [f.name for f in frames]
    advice = [
        *_parallax(names, poses, views, parallax, depth),
        *_thin(names, poses, views, depth),
        *_gaps(names, poses, (shared >= CONNECTED) | (shared >= CONNECTED).T, steps),
        *_directions(poses),
        *_same(names, poses, steps, depth),
    ]
    known = posed(queries)
    if known:
        asked = overlaps([q.camera for q in known], poses_of(known), cameras, poses, depth=depth)
        advice += _unseen(known, asked.max(axis=1), depth)
    return Coverage(views, parallax, tuple(advice))


def _parallax(
    names: Sequence[str], poses: Array, views: Counts, parallax: Array, depth: float
) -> list[Advice]:
    flat = np.flatnonzero((parallax < LITTLE_PARALLAX_DEG) & (views > 0))
    if not len(flat):
        return []
    frames = _ordered(names, flat, parallax)
    aside = poses.copy()
    aside[:, :3, 3] += 0.3 * depth * poses[:, :3, 0]
    remedy = (
        "take photos of the same things from a step aside: a camera that only turns sees no depth"
    )
    places = _places(aside[flat], depth)
    if len(flat) > NO_PARALLAX_SHARE * len(names):
        return [
            Advice(
                kind="parallax",
                severity="serious",
                text="the camera mostly turns on the spot: in "
                f"{share_text(len(flat), len(names))} what is seen is seen from directions less "
                f"than {LITTLE_PARALLAX_DEG:.0f}° apart (median {np.median(parallax):.1f}°)",
                remedy=remedy,
                frames=frames,
                places=places,
            )
        ]
    return [
        Advice(
            kind="parallax",
            severity="warning" if len(flat) > 0.1 * len(names) else "note",
            text=f"in {share_text(len(flat), len(names))} things are seen that no photo sees from "
            f"another side, less than {LITTLE_PARALLAX_DEG:.0f}° apart: {named(frames)}",
            remedy=remedy,
            frames=frames,
            places=places,
        )
    ]


def _thin(names: Sequence[str], poses: Array, views: Counts, depth: float) -> list[Advice]:
    few = np.flatnonzero(views < FEW_VIEWS)
    if not len(few):
        return []
    frames = _ordered(names, few, views)
    share = len(few) / len(names)
    return [
        Advice(
            kind="thin",
            severity="serious" if share > 0.5 else "warning" if share > 0.1 else "note",
            text=f"thin coverage: {share_text(len(few), len(names))} share their view with fewer "
            f"than {FEW_VIEWS} others, {named(frames)}",
            remedy="take more photos around these, so that most of each is in three others",
            frames=frames,
            places=_places(poses[few], depth),
        )
    ]


def _gaps(
    names: Sequence[str], poses: Array, connected: NDArray[np.bool_], steps: Array
) -> list[Advice]:
    """Parts of the capture that no chain of overlapping photos connects."""
    main, *others = connected_components(connected)
    large = [part for part in others if len(part) >= max(3, 0.03 * len(names))]
    if not large:
        return []
    places = []
    for part in large[:MAX_PLACES]:
        between = steps[np.ix_(main, part)]
        i, j = np.unravel_index(between.argmin(), between.shape)
        pair = poses[[main[i], part[j]]]
        places.append(_place(pair))
    frames = tuple(names[part[0]] for part in large)
    return [
        Advice(
            kind="gap",
            severity="warning",
            text=f"the photos fall into {len(large) + 1} parts of "
            f"{', '.join(str(len(part)) for part in (main, *large))} that do not see each other; "
            f"the others begin at {named(frames)}",
            remedy="walk from one part to the other and keep taking photos on the way",
            frames=frames,
            places=tuple(places),
        )
    ]


def _directions(poses: Array) -> list[Advice]:
    """A capture that looks all around, but not everywhere."""
    across = plan_axes(poses, up=up_direction(poses))
    forward = poses[:, :3, 2] @ across.T
    level = np.linalg.norm(forward, axis=1) > 0.5
    if not level.any():
        return []
    angles = np.arctan2(forward[level, 1], forward[level, 0])
    sectors = np.floor(angles / (2 * np.pi) * SECTORS).astype(int) % SECTORS
    counts = np.bincount(sectors, minlength=SECTORS)
    few = counts < max(1.0, 0.05 * len(sectors) / SECTORS)
    if (~few).sum() < ROUND or not few.any():
        return []
    start = next(i for i in range(SECTORS) if few[i] and not few[i - 1])
    width = next(n for n in range(1, SECTORS + 1) if not few[(start + n) % SECTORS])
    middle = (start + width / 2) / SECTORS * 2 * np.pi
    heading = np.array([np.cos(middle), np.sin(middle)]) @ across
    here = np.median(poses[:, :3, 3], axis=0)
    side = ("right", "upper right", "top", "upper left", "left", "lower left", "bottom",
            "lower right")[round(middle / (np.pi / 4)) % 8]  # fmt: skip
    seen = int(counts[[(start + n) % SECTORS for n in range(width)]].sum())
    return [
        Advice(
            kind="direction",
            severity="note",
            text=f"the photos look all around, but {'only ' + str(seen) if seen else 'none'} "
            f"towards the {side} of the plan, over {width * 360 // SECTORS}°",
            remedy="take photos in that direction, if it is to be recognised",
            places=(Viewpoint(here, heading),),
        )
    ]


def _same(names: Sequence[str], poses: Array, steps: Array, depth: float) -> list[Advice]:
    axes, ups = poses[:, :3, 2], poses[:, :3, 1]
    near = np.cos(np.radians(SAME_TURN_DEG))
    twin = (steps < SAME_STEP * depth) & (axes @ axes.T > near) & (ups @ ups.T > near)
    np.fill_diagonal(twin, False)
    doubled = [name for name, double in zip(names, twin.any(axis=1), strict=True) if double]
    if len(doubled) <= MANY_SAME * len(names):
        return []
    return [
        Advice(
            kind="same",
            severity="note",
            text=f"the same view as in another photo: {share_text(len(doubled), len(names))}, "
            f"{named(doubled)}",
            remedy="leave out every other photo, or move faster: it costs nothing in accuracy",
            frames=tuple(doubled),
        )
    ]


def _unseen(queries: Sequence[Frame], best: Array, depth: float) -> list[Advice]:
    missing = np.flatnonzero(best < CONNECTED)
    if not len(missing):
        return []
    frames = _ordered([q.name for q in queries], missing, best)
    return [
        Advice(
            kind="queries",
            severity="warning" if len(missing) > 0.1 * len(queries) else "note",
            text=f"{len(missing)} of {len(queries)} queries look where no mapping photo looked: "
            f"{named(frames)}",
            remedy="take mapping photos there, or do not expect these to be localized",
            frames=frames,
            places=_places(poses_of(queries)[missing], depth),
        )
    ]


def _ordered(names: Sequence[str], chosen: Counts, by: NDArray[np.generic]) -> tuple[str, ...]:
    """Names of the chosen frames (indices), lowest value first."""
    return tuple(names[int(i)] for i in chosen[np.argsort(by[chosen], kind="stable")])


def _places(poses: Array, depth: float) -> tuple[Viewpoint, ...]:
    """A few places that stand for many poses: those that lie close and look alike become one."""
    left = np.ones(len(poses), dtype=bool)
    groups = []
    while left.any():
        first = poses[left.argmax()]
        near = np.linalg.norm(poses[:, :3, 3] - first[:3, 3], axis=1) < 0.5 * depth
        group = left & near & (poses[:, :3, 2] @ first[:3, 2] > np.cos(np.radians(40)))
        group[left.argmax()] = True
        groups.append(poses[group])
        left &= ~group
    groups.sort(key=len, reverse=True)
    return tuple(_place(group) for group in groups[:MAX_PLACES])


def _place(poses: Array) -> Viewpoint:
    forward = poses[:, :3, 2].mean(axis=0)
    length = float(np.linalg.norm(forward))
    return Viewpoint(
        poses[:, :3, 3].mean(axis=0), forward / length if length > 1e-9 else poses[0, :3, 2]
    )

"""Alignments from what a user knows: up, a distance, control points, positions on Earth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.alignment.alignment import Alignment
from reloc.alignment.earth import Geodetic, enu
from reloc.alignment.fitting import Fit, fit_similarity
from reloc.alignment.similarity import Similarity, turned_up
from reloc.errors import OptionError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Aligned:
    """An alignment and the fit that it is of."""

    alignment: Alignment
    fit: Fit


def with_up(base: Alignment, up: ArrayLike, *, how: str) -> Alignment:
    """The alignment with z against gravity; its scale stays, and a place on Earth is forgotten.

    Args:
        base: what is known.
        up: (3,) direction in the world.
        how: it is known, in words.

    Raises:
        OptionError: no direction.
    """
    direction = np.asarray(up, np.float64)
    if direction.shape != (3,) or not 1e-9 < np.linalg.norm(direction) < np.inf:
        raise OptionError(f"{direction.tolist()} is no direction; give --up as x,y,z")
    similarity = Similarity(base.aligned_from_world.scale, turned_up(direction))
    return Alignment(similarity, up_by=how, metres_by=base.metres_by)


def with_scale(base: Alignment, scale: float, *, how: str) -> Alignment:
    """The alignment in metres; up stays, and a place on Earth is forgotten.

    Args:
        base: what is known.
        scale: metres for each unit of the world.
        how: in words.

    Raises:
        OptionError: no scale.
    """
    if not 1e-12 < scale < 1e12:
        raise OptionError(f"{scale:g} metres for each unit of the map is no scale")
    similarity = Similarity(scale, base.aligned_from_world.rotation)
    return Alignment(similarity, up_by=base.up_by, metres_by=how)


def by_points(
    world: Array, told: Array, *, up: ArrayLike | None = None, scale: float | None = None
) -> Aligned:
    """The alignment to control points in metres with z up.

    Args:
        world: (N, 3) points in the world.
        told: (N, 3) the same points in metres.
        up: (3,) direction in the world, if it is known; two points do then.
        scale: metres for each unit of the world, if it is known.

    Raises:
        OptionError: as ``fit_similarity``.
    """
    fit = fit_similarity(world, told, up=up, scale=scale, what="control points")
    how = f"by {int(fit.used.sum())} of {len(world)} control points"
    alignment = Alignment(fit.similarity, up_by=how, metres_by=how, deviation=fit.deviation)
    return Aligned(alignment, fit)


def by_places(
    world: Array,
    places: Sequence[Geodetic],
    *,
    high: Sequence[bool] | None = None,
    up: ArrayLike | None = None,
    scale: float | None = None,
    what: str = "positions on Earth",
) -> Aligned:
    """The alignment to positions on Earth: metres east, north and up of their middle.

    Args:
        world: (N, 3) points in the world.
        places: where they are.
        high: which of them have a height; all by default. It goes with ``up``.
        up: (3,) direction in the world; with it positions on a line do, and heights, in which
            receivers err most, tilt nothing.
        scale: metres for each unit of the world, if it is known.
        what: they are, in words.

    Raises:
        OptionError: as ``fit_similarity``, or they are all over the Earth.
    """
    known = np.ones(len(places), bool) if high is None else np.asarray(high, bool)
    if not len(places):
        raise OptionError(f"no {what} are known")
    heights = [place.height for place, one in zip(places, known, strict=True) if one]
    # Of one of them, not their mean: longitudes may lie on both sides of 180 degrees.
    latitudes = sorted(range(len(places)), key=lambda row: places[row].latitude)
    middle = places[latitudes[len(latitudes) // 2]]
    origin = replace(middle, height=float(np.median(heights)) if heights else 0.0)
    told = np.array([enu(place, origin) for place in places])
    told[~known, 2] = np.nan
    fit = fit_similarity(world, told, up=up, scale=scale, what=what)
    how = f"by {int(fit.used.sum())} of {len(world)} {what}"
    if not heights:
        how += " without heights"
    alignment = Alignment(
        fit.similarity, up_by=how, metres_by=how, origin=origin, deviation=fit.deviation
    )
    return Aligned(alignment, fit)

"""The similarity between positions that are known twice, robustly, and how sure it is."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations, islice
from math import comb, degrees

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reloc.alignment.similarity import Similarity, level_similarity, turned_up, umeyama
from reloc.errors import OptionError

Array = NDArray[np.float64]

_TRIALS = 1000
# Beyond this many standard deviations of the others a position is a mistake.
_MISTAKE = 2.5
# Points whose second direction is shorter than this share of the first are on a line.
_LINE = 1e-2
# An alignment that is less sure than this points nowhere.
_MOST_TURN_DEG, _MOST_SCALE = 15.0, 0.25


@dataclass(frozen=True)
class Fit:
    """A similarity with what speaks for it.

    Attributes:
        similarity: ``target_from_source``.
        residuals: (N,) distances in units of the target; horizontal ones where up was given.
        used: (N,) bool, false for what was taken for a mistake.
        deviation: standard deviation of those used; None where nothing is left to tell it by.
        turn_error: standard deviation of the least sure rotation, degrees; None likewise.
        scale_error: standard deviation of the scale as a share of it; None likewise, and where
            the scale was given.
    """

    similarity: Similarity
    residuals: Array
    used: NDArray[np.bool_]
    deviation: float | None
    turn_error: float | None
    scale_error: float | None


def fit_similarity(
    source: Array,
    target: Array,
    *,
    up: ArrayLike | None = None,
    scale: float | None = None,
    what: str = "points",
) -> Fit:
    """The similarity that most of the positions agree with.

    From five points on (four where up is known) mistakes among fewer than half of them do no harm:
    the smallest median of residuals chooses among similarities through few points (Rousseeuw,
    1984), then least squares over all that agree.

    Args:
        source: (N, 3) positions.
        target: (N, 3) the same positions; z up where ``up`` is given, and heights may be NaN then.
        up: (3,) direction in the frame of the source, if it is known; two points do then.
        scale: if it is known.
        what: the positions are, for messages.

    Raises:
        OptionError: too few points, all in one place or on a line, or too inexact for any answer.
    """
    least = 3 if up is None else 2
    if len(source) < least:
        raise OptionError(
            f"{len(source)} {what} are known on both sides; {least} at least are needed"
            + ("; two do with --up" if up is None and len(source) == 2 else "")
        )
    _check_spread(source, target, up, what)

    def solved(rows: NDArray[np.int64] | NDArray[np.bool_]) -> Similarity:
        if up is None:
            return umeyama(source[rows], target[rows], scale=scale)
        return level_similarity(source[rows], target[rows], up, scale=scale)

    sides = slice(0, 3 if up is None else 2)

    def residuals(similarity: Similarity) -> Array:
        apart = similarity.points(source) - target
        return np.asarray(np.linalg.norm(apart[:, sides], axis=1))

    used = _agreeing(len(source), least, solved, residuals)
    if not used.all():
        _check_spread(source[used], target[used], up, what)
    similarity = solved(used)
    left = residuals(similarity)
    fit = Fit(similarity, left, used, *_errors(similarity, source[used], left[used], up, scale))
    _check_sure(fit, what)
    return fit


def _agreeing(
    count: int,
    least: int,
    solved: Callable[[NDArray[np.int64]], Similarity],
    residuals: Callable[[Similarity], Array],
) -> NDArray[np.bool_]:
    if count < least + 2:  # a majority of these is no more than what a similarity needs
        return np.ones(count, bool)
    middle = (count + least + 1) // 2 - 1
    best, spread = np.zeros(count), np.inf
    for rows in _samples(count, least):
        similarity = solved(rows)
        if not 1e-12 < similarity.scale < 1e12:
            continue
        left = residuals(similarity)
        if (median := float(np.sort(left)[middle])) < spread:
            best, spread = left, median
    # The median of a Rayleigh distribution is 1.18 and of Maxwell's 1.54 times the deviation along
    # one axis; the whole deviation is 1.2 and 1.12 times it. The factor is that of Rousseeuw and
    # Leroy for few points.
    deviation = 1.2 * (1 + 5 / (count - least)) * spread
    return np.asarray(best <= max(_MISTAKE * deviation, 1e-9 * float(np.max(best))))


def _samples(count: int, size: int) -> list[NDArray[np.int64]]:
    if comb(count, size) <= _TRIALS:
        return [np.array(rows) for rows in islice(combinations(range(count), size), _TRIALS)]
    rng = np.random.default_rng(0)
    return [rng.choice(count, size, replace=False) for _ in range(_TRIALS)]


def _check_spread(source: Array, target: Array, up: ArrayLike | None, what: str) -> None:
    """Raises OptionError for positions that leave a rotation or the scale open."""
    if up is not None:
        source, target = (source @ turned_up(up).T)[:, :2], target[:, :2]
    for points in (source, target):
        values = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if values[0] <= 1e-9 * max(1e-300, float(np.abs(points).max())):
            raise OptionError(f"all {what} are in one place; take some that are far apart")
        if up is None and values[1] < _LINE * values[0]:
            raise OptionError(
                f"the {what} are on a line, about which the place could be turned; add one beside "
                "it, or give --up"
            )


def _errors(
    similarity: Similarity,
    source: Array,
    residuals: Array,
    up: ArrayLike | None,
    scale: float | None,
) -> tuple[float | None, float | None, float | None]:
    """Standard deviations of positions, of the turn in degrees, and of the scale."""
    axes = 3 if up is None else 2
    unknowns = (6 if up is None else 3) + (scale is None)
    left = axes * len(source) - unknowns
    if left <= 0:
        return None, None, None
    along = float(np.sqrt((residuals**2).sum() / left))
    points = source if up is None else (source @ turned_up(up).T)[:, :2]
    values = similarity.scale * np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    # About the axis that the points follow, only their distance from it tells the turn.
    lever = float(np.linalg.norm(values[1:] if up is None else values))
    turn = degrees(min(along / max(lever, 1e-300), np.pi))
    known = None if scale is not None else along / max(float(np.linalg.norm(values)), 1e-300)
    return along * float(np.sqrt(axes)), turn, known


def _check_sure(fit: Fit, what: str) -> None:
    if not 1e-12 < fit.similarity.scale < 1e12:
        raise OptionError(
            f"the {what} ask for a scale of {fit.similarity.scale:.3g}; check that both sides list "
            "them in the same order"
        )
    if fit.turn_error is None or fit.deviation is None:
        return
    if fit.turn_error > _MOST_TURN_DEG or (fit.scale_error or 0) > _MOST_SCALE:
        raise OptionError(
            f"the {what} differ by {fit.deviation:.3g} from where the map has them, too much for "
            f"how near to each other they are (the turn is sure to {fit.turn_error:.0f} deg only); "
            "take some that are further apart, or better known"
        )

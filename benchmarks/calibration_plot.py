"""Draws how well confidence and covariances are calibrated."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.files import atomic_path
from reloc.view.style import BLUE, GRAY, MAP_COLORS, ORANGE, new_figure, plain_axes

Array = NDArray[np.float64]

BINS = 10
DEGREES_OF_FREEDOM = 6


def plot(
    confidences: Array,
    right: Array,
    own: tuple[Array, Array],
    normalized: Mapping[str, Array],
    path: Path,
) -> None:
    """Reliability, risk against coverage, and normalised errors against their distribution.

    Args:
        confidences: (N,) of all poses.
        right: (N,) whether they are within the bound.
        own: the same of poses of a map's own place.
        normalized: by name, squared errors in units of the covariance.
        path: of an SVG.
    """
    figure = new_figure(9.2, 3.1)
    figure.patch.set_facecolor("white")
    figure.patch.set_alpha(1)
    reliability, risk, ellipsoids = figure.subplots(1, 3)

    bins = np.minimum((confidences * BINS).astype(int), BINS - 1)
    filled = [b for b in range(BINS) if (bins == b).any()]
    stated = [confidences[bins == b].mean() for b in filled]
    found = [right[bins == b].mean() for b in filled]
    counts = [int((bins == b).sum()) for b in filled]
    reliability.plot([0, 1], [0, 1], color=GRAY, lw=0.8)
    deviations = [np.sqrt(max(f * (1 - f), 0.01) / n) for f, n in zip(found, counts, strict=True)]
    reliability.errorbar(stated, found, yerr=deviations, fmt="o-", color=BLUE, lw=1.5, ms=4)
    for x, y, count in zip(stated, found, counts, strict=True):
        reliability.annotate(
            str(count), (x, y), (5, -9), textcoords="offset points", fontsize=6, color=GRAY
        )
    reliability.set(xlabel="confidence", ylabel="share within the bound", title="reliability")

    order = np.argsort(-own[0], kind="stable")
    kept = np.arange(1, len(order) + 1)
    risk.plot(100 * kept / len(order), 100 * np.cumsum(1 - own[1][order]) / kept, color=BLUE)
    believed = (own[0] >= 0.5).sum()
    wrong = 100 * (1 - own[1][order[:believed]]).mean() if believed else 0.0
    risk.plot(100 * believed / len(order), wrong, "o", color=ORANGE, label="confidence 0.5")
    risk.legend(frameon=False, fontsize=8)
    risk.set(xlabel="surest poses kept (%)", ylabel="off by more than the bound (%)", title="risk")

    ellipsoids.plot([0, 100], [0, 100], color=GRAY, lw=0.8)
    for (name, errors), color in zip(normalized.items(), MAP_COLORS, strict=False):
        if len(errors):
            stated_shares = np.sort(_chi_squared(errors))
            held = np.arange(1, len(errors) + 1) / len(errors)
            ellipsoids.plot(100 * stated_shares, 100 * held, color=color, lw=1.5, label=name)
    ellipsoids.legend(frameon=False, fontsize=8)
    ellipsoids.set(xlabel="ellipsoid (%)", ylabel="poses in it (%)", title="covariance")
    for axes in (reliability, risk, ellipsoids):
        plain_axes(axes)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix[1:])


def _chi_squared(values: Array) -> Array:
    """The distribution function of the chi-squared distribution with six degrees of freedom."""
    half = values / 2
    return 1 - np.exp(-half) * (1 + half + half**2 / 2)

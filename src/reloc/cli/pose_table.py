"""Estimates as a table that a person reads on a terminal."""

from collections.abc import Sequence

import numpy as np

from reloc.localize import Estimate
from reloc.pose.within import drawn_errors

# Names longer than this lose their beginning: what tells photos apart is mostly their end.
WIDEST_NAME = 40


class PoseTable:
    """Lines of a table, one for each estimate as it comes.

    Args:
        names: of the images, as far as they are known before; they make the width of the column.
        unit: of the map's positions, "metre" or "unknown".
    """

    def __init__(self, names: Sequence[str] | None, unit: str) -> None:
        longest = max(map(len, names), default=0) if names else WIDEST_NAME
        self._width = min(WIDEST_NAME, max(len("photo"), longest))
        self._metric = unit == "metre"
        self._good = self._all = 0

    @property
    def header(self) -> str:
        """The line above all others."""
        position = "position (m)" if self._metric else "position"
        words = (position, "looks along", "error about", "camera")
        return self._line("photo", "found", *words)

    def row(self, estimate: Estimate) -> str:
        """The line of an estimate; why there is no pose, where there is none to be trusted."""
        self._all += 1
        pose = estimate.world_from_cam
        if not estimate.localized or pose is None:
            return f"{self._name(estimate.image)}  no     {estimate.reason or 'not localized'}"
        self._good += 1
        # The z axis of the camera is where it looks; positions tell where it stands.
        position, direction = pose[:3, 3], pose[:3, 2]
        camera = "" if estimate.camera is None else f"{estimate.camera.focal:.0f} px"
        if estimate.camera_source is not None:
            camera = f"{camera} ({estimate.camera_source})".strip()
        if estimate.place is not None:
            camera = f"{camera}, in {estimate.place}"
        return self._line(
            estimate.image,
            "yes",
            " ".join(f"{value:.2f}" if self._metric else f"{value:.4g}" for value in position),
            " ".join(f"{value:.2f}" for value in direction),
            self._error(estimate),
            camera,
        )

    @property
    def summary(self) -> str:
        """The line below all others."""
        return f"{self._good} of {self._all} localized"

    def _error(self, estimate: Estimate) -> str:
        """The median error that the covariance speaks of."""
        if estimate.covariance is None:
            return "unknown"
        turns, shifts = drawn_errors(estimate.covariance)
        shift, degrees = float(np.median(shifts)), float(np.degrees(np.median(turns)))
        distance = f"{shift:.3g}"
        if self._metric:
            distance = f"{100 * shift:.1f} cm" if shift < 1 else f"{shift:.1f} m"
        return f"{distance}, {degrees:.2f} deg"

    def _name(self, name: str) -> str:
        short = name if len(name) <= self._width else "..." + name[3 - self._width :]
        return short.ljust(self._width)

    def _line(self, name: str, *words: str) -> str:
        columns = zip(words, (5, 26, 17, 16, 0), strict=True)
        return "  ".join([self._name(name), *(w.ljust(n) for w, n in columns)]).rstrip()

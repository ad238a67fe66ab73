"""What advice is: one thing that will hurt, its evidence, and what to do about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")

_NAMED = 3


@dataclass(frozen=True)
class Viewpoint:
    """Where more photos would help.

    Attributes:
        centre: (3,) where to stand, in the world.
        forward: (3,) unit vector of where to look.
    """

    centre: Array
    forward: Array


@dataclass(frozen=True)
class Advice:
    """One thing about a capture that will hurt.

    Attributes:
        kind: what it is about, in a word that programs can rely on: ``damaged``, ``blur``,
            ``dark``, ``bright``, ``plain``, ``same``, ``poses``, ``convention``, ``intrinsics``,
            ``parallax``, ``gap``, ``thin``, ``direction``, ``queries``, ``unchecked``.
        severity: ``serious`` breaks a map, ``warning`` hurts it, ``note`` is good to know.
        text: one line with the evidence: figures and names of frames.
        remedy: one line on what to do.
        frames: names of all frames it is about, the worst first.
        places: where to take more photos.
    """

    kind: str
    severity: Severity
    text: str
    remedy: str
    frames: tuple[str, ...] = ()
    places: tuple[Viewpoint, ...] = ()


def named(frames: Sequence[str]) -> str:
    """The first few of some frames, for a line of text."""
    return ", ".join(frames[:_NAMED]) + (", ..." if len(frames) > _NAMED else "")


def share_text(part: int, whole: int) -> str:
    """``12 of 80 photos (15 %)``."""
    return f"{part} of {whole} photos ({100 * part / max(whole, 1):.0f} %)"

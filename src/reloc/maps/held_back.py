"""What a map was measured to do: errors of poses of frames that it did not learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from reloc.untrusted import items, number, record

# Of the frames that a map is measured on; more cost time and tell little more.
MAX_FRAMES = 64
# A pose is right if it is within so many metres, or such a share of the extent where there are no
# metres, and so many degrees.
METERS, SHARE_OF_EXTENT, DEGREES = 0.25, 0.03, 5.0
# Of the distances in a file: no map is larger.
_MOST_DISTANCE = 1e15

Unit = Literal["metre", "unknown"]
Way = Literal["held back", "left out"]
# Distance in scene units and angle in degrees; None for a frame that was not localized.
PoseError = tuple[float, float] | None


@dataclass(frozen=True)
class Bound:
    """How far a pose may be off to be right.

    Attributes:
        distance: of the camera centre, scene units.
        degrees: of the rotation.
    """

    distance: float
    degrees: float

    @classmethod
    def usual(cls, *, extent: float, unit: Unit) -> "Bound":
        """The one that holds where none is asked for: 25 cm or 3 % of the extent, and 5 degrees."""
        distance = METERS if unit == "metre" else SHARE_OF_EXTENT * extent
        return cls(distance, DEGREES)

    def holds(self, error: PoseError) -> bool:
        """Whether an error is within it."""
        return error is not None and error[0] <= self.distance and error[1] <= self.degrees


@dataclass(frozen=True)
class HeldBack:
    """What a map was measured to do on some of its mapping frames.

    Attributes:
        way: ``held back`` where heads did not learn from these frames, and they were localized by
            landmarks made without any of them; ``left out`` where the frames were too few for that:
            heads learned from them, and of the landmarks those were used that others show as well.
        errors: of the poses that the map gives, one for each frame.
        by_heads: of the poses that its heads give alone.
    """

    way: Way
    errors: tuple[PoseError, ...]
    by_heads: tuple[PoseError, ...]

    @property
    def frames(self) -> int:
        """How many frames were localized."""
        return len(self.errors)

    @property
    def median_distance(self) -> float:
        """Of the errors, scene units; infinite where half of the frames are lost."""
        return _median([np.inf if error is None else error[0] for error in self.errors])

    @property
    def median_degrees(self) -> float:
        """Of the errors; infinite where half of the frames are lost."""
        return _median([np.inf if error is None else error[1] for error in self.errors])

    def found(self, within: Bound) -> float:
        """Share of the frames whose pose is within a bound, 0 to 1."""
        return share_within(self.errors, within)


def share_within(errors: Sequence[PoseError], bound: Bound) -> float:
    """Share of the errors, one at least, that are within a bound, 0 to 1."""
    return sum(map(bound.holds, errors)) / len(errors)


def held_back_record(held_back: HeldBack | None) -> dict[str, Any] | None:
    """What a header says of it."""
    if held_back is None:
        return None
    return {
        "way": held_back.way,
        "errors": held_back.errors,
        "by_heads": held_back.by_heads,
    }


def read_held_back(value: Any) -> HeldBack | None:
    """What a header says; None in maps that were not measured.

    Raises:
        KeyError, ValueError: an entry is missing or impossible.
    """
    if value is None:
        return None
    told = record(value, "frames held back")
    if told["way"] not in ("held back", "left out"):
        raise ValueError("impossible way of holding frames back")
    errors, by_heads = _errors(told["errors"]), _errors(told["by_heads"])
    if not errors or len(errors) != len(by_heads):
        raise ValueError("impossible errors of frames held back")
    return HeldBack(told["way"], errors, by_heads)


def _errors(value: Any) -> tuple[PoseError, ...]:
    return tuple(_error(e) for e in items(value, "errors of frames held back", most=MAX_FRAMES))


def _error(value: Any) -> PoseError:
    if value is None:
        return None
    distance, degrees = items(value, "error of a frame held back", most=2)
    return (
        number(distance, "error of a frame held back", least=0, most=_MOST_DISTANCE),
        number(degrees, "error of a frame held back", least=0, most=180),
    )


def _median(values: Sequence[float]) -> float:
    """The upper one of two in the middle: the mean of a number and infinity is none of an error."""
    return sorted(values)[len(values) // 2]

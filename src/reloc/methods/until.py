"""What a user asks of a map: ``2cm 1deg``, ``95%``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from reloc.errors import OptionError
from reloc.maps.held_back import Bound, PoseError, Unit, share_within
from reloc.maps.scene_map import SceneMap

_LENGTHS = {"mm": 0.001, "cm": 0.01, "m": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(mm|cm|m|deg|%extent|%)")
_USAGE = "say for instance '2cm 1deg', '95%', or '0.5%extent 1deg' where there are no metres"
MEDIAN = 0.5


@dataclass(frozen=True)
class Until:
    """What frames that are held back have to reach.

    Attributes:
        share: of the frames that are to be within the bound, over 0 to 1; the median by default.
        meters: that a pose may be off; None if that is said otherwise or not at all.
        of_extent: share of the extent that it may be off, likewise.
        degrees: that it may be off; None if that is not said.
    """

    share: float = MEDIAN
    meters: float | None = None
    of_extent: float | None = None
    degrees: float | None = None

    @classmethod
    def parsed(cls, text: str) -> "Until":
        """What a user typed. Raises OptionError if it is something else."""
        found: dict[str, float] = {}
        for part in text.split():
            match = _PART.fullmatch(part)
            value = float(match[1]) if match else 0.0
            unit = match[2] if match else ""
            name = {"%": "share", "deg": "degrees", "%extent": "of_extent"}.get(unit, "meters")
            if not 0 < value < 1e6 or name in found or (unit == "%" and value > 100):
                raise OptionError(f"until {text[:80]!r}: {_USAGE}")
            found[name] = value * {"%": 0.01, "%extent": 0.01, "deg": 1.0, **_LENGTHS}[unit]
        if not found or ("meters" in found and "of_extent" in found):
            raise OptionError(f"until {text[:80]!r}: {_USAGE}")
        return cls(**found)

    def goal(self, *, extent: float, unit: Unit) -> "Goal":
        """That in a scene; what is not said is as usual.

        Args:
            extent: of the scene, in its unit.
            unit: of the scene.

        Raises:
            OptionError: metres, where there are none.
        """
        if self.meters is not None and unit != "metre":
            raise OptionError("until: this scene has no metres; say '0.5%extent 1deg' or the like")
        usual = Bound.usual(extent=extent, unit=unit)
        distance = usual.distance
        if self.meters is not None:
            distance = self.meters
        elif self.of_extent is not None:
            distance = self.of_extent * extent
        degrees = usual.degrees if self.degrees is None else self.degrees
        return Goal(self.share, Bound(distance, degrees))


@dataclass(frozen=True)
class Goal:
    """What frames of one scene that are held back have to reach.

    Attributes:
        share: of the frames that are to be within the bound, over 0 to 1.
        bound: in scene units.
    """

    share: float
    bound: Bound

    def met(self, errors: Sequence[PoseError]) -> bool:
        """Whether enough of the errors, one at least, are within the bound."""
        return share_within(errors, self.bound) >= self.share


def reaches(scene_map: SceneMap, until: str) -> bool:
    """Whether a map was measured to do what is asked of it; not if it was not measured.

    Raises:
        OptionError: what is asked is not understood, or needs metres where there are none.
    """
    goal = Until.parsed(until).goal(extent=scene_map.extent, unit=scene_map.unit)
    return scene_map.held_back is not None and goal.met(scene_map.held_back.errors)

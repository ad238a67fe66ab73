"""Maps whose whole network is trained on one scene, for the pose in the end (DSAC*)."""

from reloc.methods.dsacstar.mapper import map_scene_dsacstar
from reloc.methods.dsacstar.options import DsacStarOptions, Supervision

__all__ = ["DsacStarOptions", "Supervision", "map_scene_dsacstar"]

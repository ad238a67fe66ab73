"""The map of a place and its file."""

from reloc.maps.scene_map import MappingCamera, Region, SceneMap

__all__ = ["MappingCamera", "Region", "SceneMap"]

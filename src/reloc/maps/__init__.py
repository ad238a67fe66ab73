"""The map file."""

from reloc.maps.scene_map import MappingCamera, SceneMap

__all__ = ["MappingCamera", "SceneMap"]

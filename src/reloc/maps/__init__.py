"""The map of a place and its file."""

from reloc.maps.scene_map import MappingCamera, PreviewPoints, Region, SceneMap

__all__ = ["MappingCamera", "PreviewPoints", "Region", "SceneMap"]

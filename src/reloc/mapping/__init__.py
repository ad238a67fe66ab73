"""Making maps: the feature buffer, the loss and its curriculum, the training of heads."""

from reloc.mapping.mapper import MappingResult, map_scene
from reloc.mapping.options import PRESETS, MappingOptions, preset_options

__all__ = ["PRESETS", "MappingOptions", "MappingResult", "map_scene", "preset_options"]

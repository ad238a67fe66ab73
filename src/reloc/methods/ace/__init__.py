"""Making maps: the feature buffer, the loss and its curriculum, the training of heads."""

from reloc.mapping.result import MappingResult
from reloc.methods.ace.mapper import map_scene
from reloc.methods.ace.options import PRESETS, MappingOptions, preset_options

__all__ = ["PRESETS", "MappingOptions", "MappingResult", "map_scene", "preset_options"]

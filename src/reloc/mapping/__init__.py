"""Making maps: the feature buffer, the loss and its curriculum, the training of heads."""

from reloc.mapping.mapper import map_scene
from reloc.mapping.options import PRESETS, MappingOptions, preset_options
from reloc.mapping.result import MappingResult

__all__ = ["PRESETS", "MappingOptions", "MappingResult", "map_scene", "preset_options"]

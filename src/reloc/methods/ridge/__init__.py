"""Maps in closed form: the ridge head, fitted to viewing rays or to known coordinates."""

from reloc.methods.ridge.mapper import RidgeMapper, map_scene_ridge
from reloc.methods.ridge.options import DRAFT, RidgeOptions

__all__ = ["DRAFT", "RidgeMapper", "RidgeOptions", "map_scene_ridge"]

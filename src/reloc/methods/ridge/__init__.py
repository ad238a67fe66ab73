"""Maps in closed form: the ridge head, fitted to viewing rays or to known coordinates."""

from reloc.methods.ridge.mapper import RidgeMapper, map_scene_ridge
from reloc.methods.ridge.options import RidgeOptions

__all__ = ["RidgeMapper", "RidgeOptions", "map_scene_ridge"]

"""Map a place from posed photos; say where a new photo was taken.

The names below are the public interface; they load what they need when first used, so that
importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reloc.backbone import Backbone, load_backbone
    from reloc.errors import RelocError
    from reloc.evaluation import Evaluation
    from reloc.geometry import Camera
    from reloc.localize import Estimate, Localizer, Query
    from reloc.mapping.result import MappingResult
    from reloc.maps import SceneMap
    from reloc.methods.ace import MappingOptions, preset_options
    from reloc.methods.dispatch import map_scene
    from reloc.scenes import Frame, Scene, open_scene

_HOMES = {
    "Backbone": "backbone",
    "Camera": "geometry",
    "Estimate": "localize",
    "Evaluation": "evaluation",
    "Frame": "scenes",
    "Localizer": "localize",
    "MappingOptions": "methods.ace",
    "MappingResult": "mapping.result",
    "Query": "localize",
    "RelocError": "errors",
    "Scene": "scenes",
    "SceneMap": "maps",
    "load_backbone": "backbone",
    "map_scene": "methods.dispatch",
    "open_scene": "scenes",
    "preset_options": "methods.ace",
}

__all__ = [
    "Backbone",
    "Camera",
    "Estimate",
    "Evaluation",
    "Frame",
    "Localizer",
    "MappingOptions",
    "MappingResult",
    "Query",
    "RelocError",
    "Scene",
    "SceneMap",
    "load_backbone",
    "map_scene",
    "open_scene",
    "preset_options",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("reloc")
    if name not in _HOMES:
        raise AttributeError(f"module 'reloc' has no attribute {name!r}")
    return getattr(import_module(f"reloc.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

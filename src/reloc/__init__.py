"""Map a place from posed photos; say where a new photo was taken.

The names below are the public interface; they load what they need when first used, so that
importing the package costs nothing. ``docs/public-interface.md`` says what a version promises.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reloc import backbone as backbone
    from reloc import capture as capture
    from reloc import checkpoint as checkpoint
    from reloc import errors as errors
    from reloc import evaluation as evaluation
    from reloc import fleet as fleet
    from reloc import geometry as geometry
    from reloc import heads as heads
    from reloc import images as images
    from reloc import landmarks as landmarks
    from reloc import library as library
    from reloc import localize as localize
    from reloc import maps as maps
    from reloc import methods as methods
    from reloc import pose as pose
    from reloc import progress as progress
    from reloc import reconstruct as reconstruct
    from reloc import scenes as scenes
    from reloc import stereo as stereo
    from reloc import synthetic as synthetic
    from reloc import view as view
    from reloc.alignment import Alignment, Geodetic, Similarity
    from reloc.backbone import (
        AdaptedBackbone,
        Backbone,
        ContextAdapter,
        ContextBackbone,
        ConvBackbone,
        FeatureExtractor,
        load_backbone,
        register_backbone,
    )
    from reloc.errors import (
        CameraError,
        DownloadError,
        EvaluationError,
        ImageError,
        MapError,
        OptionError,
        OutputError,
        PluginError,
        RelocError,
        SceneError,
    )
    from reloc.evaluation import Evaluation, FrameResult, evaluate
    from reloc.geometry import Camera
    from reloc.heads import Head, register_head
    from reloc.images.files import read_image
    from reloc.images.lens import Lens
    from reloc.landmarks import DescriptorBasis, LandmarkOptions, Landmarks, Vantages
    from reloc.library import Entry, Finding, Hint, LibraryLocalizer, MapLibrary
    from reloc.localize import (
        Correspondences,
        DepthFile,
        Estimate,
        Kind,
        Localizer,
        Query,
        RankingOptions,
        Reason,
    )
    from reloc.mapping.result import MappingResult
    from reloc.maps import MappingCamera, PreviewPoints, Region, SceneMap
    from reloc.maps.held_back import Bound, HeldBack
    from reloc.maps.packing import PackedMatrix, PackedWeights
    from reloc.methods.ace import MappingOptions, preset_options
    from reloc.methods.ace.trainer import TrainingState
    from reloc.methods.ace.training import Learner, TrainingSnapshot
    from reloc.methods.dispatch import map_scene
    from reloc.methods.dsacstar import DsacStarOptions
    from reloc.methods.refine import RefineMapOptions, RefineResult, refine_map
    from reloc.methods.ridge import RidgeOptions
    from reloc.pose.evidence import CellEvidence, Evidence, LandmarkEvidence
    from reloc.pose.solver import SolverOptions
    from reloc.progress import Progress
    from reloc.scenes import (
        Depth,
        Frame,
        ListReader,
        Mask,
        RawDepth,
        RawFrame,
        RawScene,
        Reader,
        Scene,
        Skipped,
        open_scene,
        register_reader,
    )
    from reloc.scenes.depth import DepthMap
    from reloc.scenes.scene import Model

    __version__: str

_HOMES = {
    "AdaptedBackbone": "backbone",
    "Alignment": "alignment",
    "Backbone": "backbone",
    "Bound": "maps.held_back",
    "Camera": "geometry",
    "CameraError": "errors",
    "CellEvidence": "pose.evidence",
    "ContextAdapter": "backbone",
    "ContextBackbone": "backbone",
    "ConvBackbone": "backbone",
    "Correspondences": "localize",
    "Depth": "scenes",
    "DepthFile": "localize",
    "DepthMap": "scenes.depth",
    "DescriptorBasis": "landmarks",
    "Vantages": "landmarks",
    "DownloadError": "errors",
    "DsacStarOptions": "methods.dsacstar",
    "Entry": "library",
    "Estimate": "localize",
    "Evaluation": "evaluation",
    "EvaluationError": "errors",
    "Evidence": "pose.evidence",
    "FeatureExtractor": "backbone",
    "Finding": "library",
    "Frame": "scenes",
    "FrameResult": "evaluation",
    "Geodetic": "alignment",
    "Head": "heads",
    "HeldBack": "maps.held_back",
    "Hint": "library",
    "ImageError": "errors",
    "Kind": "localize",
    "LandmarkEvidence": "pose.evidence",
    "LandmarkOptions": "landmarks",
    "Landmarks": "landmarks",
    "Learner": "methods.ace.training",
    "Lens": "images.lens",
    "LibraryLocalizer": "library",
    "ListReader": "scenes",
    "Localizer": "localize",
    "MapError": "errors",
    "MapLibrary": "library",
    "MappingCamera": "maps",
    "MappingOptions": "methods.ace",
    "MappingResult": "mapping.result",
    "Mask": "scenes",
    "Model": "scenes.scene",
    "OptionError": "errors",
    "OutputError": "errors",
    "PackedMatrix": "maps.packing",
    "PackedWeights": "maps.packing",
    "PluginError": "errors",
    "PreviewPoints": "maps",
    "Progress": "progress",
    "Query": "localize",
    "RankingOptions": "localize",
    "RawDepth": "scenes",
    "RawFrame": "scenes",
    "RawScene": "scenes",
    "Reader": "scenes",
    "Reason": "localize",
    "RefineMapOptions": "methods.refine",
    "RefineResult": "methods.refine",
    "Region": "maps",
    "RelocError": "errors",
    "RidgeOptions": "methods.ridge",
    "Scene": "scenes",
    "SceneError": "errors",
    "SceneMap": "maps",
    "Similarity": "alignment",
    "Skipped": "scenes",
    "SolverOptions": "pose.solver",
    "TrainingSnapshot": "methods.ace.training",
    "TrainingState": "methods.ace.trainer",
    "evaluate": "evaluation",
    "load_backbone": "backbone",
    "map_scene": "methods.dispatch",
    "open_scene": "scenes",
    "preset_options": "methods.ace",
    "read_image": "images.files",
    "refine_map": "methods.refine",
    "register_backbone": "backbone",
    "register_head": "heads",
    "register_reader": "scenes",
}
# Folders and files whose public names are public, too.
_MODULES = (
    "backbone",
    "capture",
    "checkpoint",
    "errors",
    "evaluation",
    "fleet",
    "geometry",
    "heads",
    "images",
    "landmarks",
    "library",
    "localize",
    "maps",
    "methods",
    "pose",
    "progress",
    "reconstruct",
    "scenes",
    "stereo",
    "synthetic",
    "view",
)

__all__ = [
    "AdaptedBackbone",
    "Alignment",
    "Backbone",
    "Bound",
    "Camera",
    "CameraError",
    "CellEvidence",
    "ContextAdapter",
    "ContextBackbone",
    "ConvBackbone",
    "Correspondences",
    "Depth",
    "DepthFile",
    "DepthMap",
    "DescriptorBasis",
    "DownloadError",
    "DsacStarOptions",
    "Entry",
    "Estimate",
    "Evaluation",
    "EvaluationError",
    "Evidence",
    "FeatureExtractor",
    "Finding",
    "Frame",
    "FrameResult",
    "Geodetic",
    "Head",
    "HeldBack",
    "Hint",
    "ImageError",
    "Kind",
    "LandmarkEvidence",
    "LandmarkOptions",
    "Landmarks",
    "Learner",
    "Lens",
    "LibraryLocalizer",
    "ListReader",
    "Localizer",
    "MapError",
    "MapLibrary",
    "MappingCamera",
    "MappingOptions",
    "MappingResult",
    "Mask",
    "Model",
    "OptionError",
    "OutputError",
    "PackedMatrix",
    "PackedWeights",
    "PluginError",
    "PreviewPoints",
    "Progress",
    "Query",
    "RankingOptions",
    "RawDepth",
    "RawFrame",
    "RawScene",
    "Reader",
    "Reason",
    "RefineMapOptions",
    "RefineResult",
    "Region",
    "RelocError",
    "RidgeOptions",
    "Scene",
    "SceneError",
    "SceneMap",
    "Similarity",
    "Skipped",
    "SolverOptions",
    "TrainingSnapshot",
    "TrainingState",
    "Vantages",
    "evaluate",
    "load_backbone",
    "map_scene",
    "open_scene",
    "preset_options",
    "read_image",
    "refine_map",
    "register_backbone",
    "register_head",
    "register_reader",
]

if not TYPE_CHECKING:  # which would take every name for one that is there

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            return version("reloc")
        if name in _MODULES:
            return import_module(f"reloc.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module 'reloc' has no attribute {name!r}")
        return getattr(import_module(f"reloc.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]

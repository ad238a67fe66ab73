"""Scenes: posed frames of one place, and readers of the formats they come in."""

from reloc.scenes.checks import check_mappable
from reloc.scenes.colmap_model import Points, read_points
from reloc.scenes.opening import open_scene
from reloc.scenes.raw import RawDepth, RawFrame, RawScene
from reloc.scenes.readers import LAYOUTS, ListReader, Reader, register_reader
from reloc.scenes.scene import Depth, Frame, Mask, Scene, Skipped, posed, poses_of

__all__ = [
    "LAYOUTS",
    "Depth",
    "Frame",
    "ListReader",
    "Mask",
    "Points",
    "RawDepth",
    "RawFrame",
    "RawScene",
    "Reader",
    "Scene",
    "Skipped",
    "check_mappable",
    "open_scene",
    "posed",
    "poses_of",
    "read_points",
    "register_reader",
]

"""Depth of the mapping images from their own features, and new views drawn with it."""

from reloc.stereo.inverse_depth import InverseDepth
from reloc.stereo.neighbours import stereo_neighbours
from reloc.stereo.novel_view import novel_view
from reloc.stereo.sweep import SweptView, sweep_inverse_depth

__all__ = [
    "InverseDepth",
    "SweptView",
    "novel_view",
    "stereo_neighbours",
    "sweep_inverse_depth",
]

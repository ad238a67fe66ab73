"""Depth of the mapping images from their own features, and new views drawn with it."""

from reloc.stereo.inverse_depth import InverseDepth
from reloc.stereo.neighbours import neighbours_among, stereo_neighbours
from reloc.stereo.novel_view import novel_view
from reloc.stereo.sweep import SweepDepth, plane_sweep

__all__ = [
    "InverseDepth",
    "SweepDepth",
    "neighbours_among",
    "novel_view",
    "plane_sweep",
    "stereo_neighbours",
]

"""Refining maps end to end for the pose (DSAC*)."""

from reloc.methods.refine.options import RefineMapOptions
from reloc.methods.refine.refiner import RefineResult, refine_map

__all__ = ["RefineMapOptions", "RefineResult", "refine_map"]

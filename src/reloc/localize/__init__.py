"""From images and a map to camera poses."""

from reloc.localize.estimate import Estimate
from reloc.localize.localizer import Correspondences, Localizer, Query

__all__ = ["Correspondences", "Estimate", "Localizer", "Query"]

"""From images and a map to camera poses."""

from reloc.localize.estimate import Estimate
from reloc.localize.localizer import Localizer
from reloc.localize.place import RankingOptions
from reloc.localize.query import DepthFile, Query
from reloc.localize.reasons import Reason
from reloc.pose.correspondences import Correspondences, Kind

__all__ = [
    "Correspondences",
    "DepthFile",
    "Estimate",
    "Kind",
    "Localizer",
    "Query",
    "RankingOptions",
    "Reason",
]

"""How the world of a scene lies in a frame with up, metres, or a place on Earth."""

from reloc.alignment.alignment import Alignment
from reloc.alignment.earth import Geodetic
from reloc.alignment.similarity import Similarity

__all__ = ["Alignment", "Geodetic", "Similarity"]

"""Many maps in one folder or bucket, and localization among them."""

from reloc.library.entry import Entry, Hint
from reloc.library.library import MapLibrary, is_library
from reloc.library.localizer import LibraryLocalizer
from reloc.library.repair import Finding

__all__ = ["Entry", "Finding", "Hint", "LibraryLocalizer", "MapLibrary", "is_library"]

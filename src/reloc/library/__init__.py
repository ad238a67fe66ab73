"""Many maps in one folder or bucket, and localization among them."""

from reloc.library.index import Entry, Hint
from reloc.library.library import MapLibrary, is_library
from reloc.library.localizer import LibraryLocalizer

__all__ = ["Entry", "Hint", "LibraryLocalizer", "MapLibrary", "is_library"]

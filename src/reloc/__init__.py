"""Map a place from posed photos; say where a new photo was taken."""

"""Camera poses from pairs of pixels and scene points, and how far they can be trusted."""

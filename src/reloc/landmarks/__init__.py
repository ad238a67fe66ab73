"""Landmarks: points of a place known to a fraction of a pixel, and how a photo finds them again."""

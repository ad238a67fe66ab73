"""Plots, pictures of points, pages and films of maps and of how well they localize."""

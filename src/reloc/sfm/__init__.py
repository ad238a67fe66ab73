"""Poses of videos and of photos that have none, by structure from motion."""

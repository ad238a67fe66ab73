"""The photos that the rooms below are tested with serve here as well."""

from ..mapping.conftest import dots, frame_of, wall_frames

__all__ = ["dots", "frame_of", "wall_frames"]

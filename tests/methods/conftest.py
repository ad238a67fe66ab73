"""The photos that the rooms below are tested with serve here as well."""

from ..mapping.conftest import dots, frame_of

__all__ = ["dots", "frame_of"]

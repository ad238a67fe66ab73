"""Landmarks: points of a place known to a fraction of a pixel, and how a photo finds them again."""

from reloc.landmarks.building import LandmarkOptions, build_landmarks
from reloc.landmarks.compact import DescriptorBasis
from reloc.landmarks.landmarks import Landmarks
from reloc.landmarks.vantages import Vantages

__all__ = ["DescriptorBasis", "LandmarkOptions", "Landmarks", "Vantages", "build_landmarks"]

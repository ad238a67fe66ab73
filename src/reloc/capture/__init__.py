"""Advice on a capture before it is mapped, from its images and poses alone."""

from reloc.capture.advice import Advice, Viewpoint
from reloc.capture.survey import Survey, survey_scene

__all__ = ["Advice", "Survey", "Viewpoint", "survey_scene"]

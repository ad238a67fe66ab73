"""Estimates against known poses: the figures of the field."""

from reloc.evaluation.metrics import (
    Evaluation,
    FrameResult,
    evaluate,
    worst_frames,
    write_evaluation,
)
from reloc.evaluation.reading import read_evaluation
from reloc.evaluation.table import evaluation_table

__all__ = [
    "Evaluation",
    "FrameResult",
    "evaluate",
    "evaluation_table",
    "read_evaluation",
    "worst_frames",
    "write_evaluation",
]

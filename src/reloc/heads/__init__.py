"""Heads: the scene-specific regressors. New kinds are added to ``HEADS``."""

from collections.abc import Mapping
from typing import Any

from reloc.heads.head import Head
from reloc.heads.mlp import MlpHead
from reloc.heads.ridge import RidgeHead

HEADS: dict[str, type[Head]] = {kind.kind: kind for kind in (MlpHead, RidgeHead)}


def build_head(spec: Mapping[str, Any], *, scale: float, weights: int) -> Head:
    """An untrained head as a file describes it; see ``Head.from_spec``.

    Args:
        spec: ``kind`` and what ``Head.spec`` gave; not to be trusted.
        scale: typical depth of the scene, positive.
        weights: numbers that the file holds for the head.

    Raises:
        KeyError, ValueError: no such kind, or impossible sizes.
    """
    return HEADS[spec["kind"]].from_spec(spec, scale=scale, weights=weights)


__all__ = ["HEADS", "Head", "MlpHead", "RidgeHead", "build_head"]

"""Heads: the scene-specific regressors."""

from reloc.heads.head import Head
from reloc.heads.kinds import HEADS, build_head, register_head
from reloc.heads.mlp import MlpHead
from reloc.heads.ridge import RidgeHead

__all__ = ["HEADS", "Head", "MlpHead", "RidgeHead", "build_head", "register_head"]

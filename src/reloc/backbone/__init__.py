"""The scene-agnostic network that turns an image into a grid of features."""

from reloc.backbone.adapter import AdaptedBackbone, ContextAdapter
from reloc.backbone.extractor import FeatureExtractor
from reloc.backbone.network import Backbone, ContextBackbone, ConvBackbone
from reloc.backbone.registered import register_backbone
from reloc.backbone.weights import (
    find_backbone,
    load_backbone,
    load_context_backbone,
    save_backbone,
)

__all__ = [
    "AdaptedBackbone",
    "Backbone",
    "ContextAdapter",
    "ContextBackbone",
    "ConvBackbone",
    "FeatureExtractor",
    "find_backbone",
    "load_backbone",
    "load_context_backbone",
    "register_backbone",
    "save_backbone",
]

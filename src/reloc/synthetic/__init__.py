"""A synthetic scene: rooms made from a seed, painted, lit and photographed, with exact depth."""

from reloc.synthetic.bake import Baked, bake
from reloc.synthetic.cache import cached_training_views, read_views, write_views
from reloc.synthetic.campus import Space, make_campus, write_campus
from reloc.synthetic.paths import walk
from reloc.synthetic.photo import Conditions, any_conditions
from reloc.synthetic.render import Rendering, render, render_depth
from reloc.synthetic.rooms import make_room
from reloc.synthetic.scene import write_synthetic_scene
from reloc.synthetic.training_views import (
    TrainingViews,
    correspondences,
    render_training_views,
)
from reloc.synthetic.world import World

__all__ = [
    "Baked",
    "Conditions",
    "Rendering",
    "Space",
    "TrainingViews",
    "World",
    "any_conditions",
    "bake",
    "cached_training_views",
    "correspondences",
    "make_campus",
    "make_room",
    "read_views",
    "render",
    "render_depth",
    "render_training_views",
    "walk",
    "write_campus",
    "write_synthetic_scene",
    "write_views",
]

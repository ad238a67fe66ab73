"""A head hidden among random ones."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import torch

from reloc.heads import MlpHead
from reloc.maps import Region, SceneMap


def test_crowded(script: Callable[[str], ModuleType]) -> None:
    heads = script("heads")
    own = Region(MlpHead(channels=4, width=8, blocks=0, scale=3.0), np.zeros(3))
    made = SceneMap((own,), "toy", 480, 4.0, "metre", ())
    many = heads.crowded(made, 5)
    assert [region is own for region in many.regions] == [False, False, True, False, False]
    other = many.regions[0]
    assert other.head.spec() == own.head.spec()
    assert other.scale == 3.0
    assert not torch.equal(other.head.inlet.weight, own.head.inlet.weight)
    assert other.views.shape == (64, 1176)
    assert heads.crowded(made, 1).regions[0] is own

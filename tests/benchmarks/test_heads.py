"""The heads of a map hidden among random ones."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import torch

from reloc.errors import OptionError
from reloc.heads import MlpHead
from reloc.maps import Region, SceneMap


def test_crowded(script: Callable[[str], ModuleType]) -> None:
    heads = script("heads")
    views = np.arange(64 * 8, dtype=np.int8).reshape(64, 8)
    own = Region(MlpHead(channels=4, width=8, blocks=0, scale=3.0), np.zeros(3), views=views)
    made = SceneMap((own, replace(own)), "toy", 480, 4.0, "metre", ())
    many = heads.crowded(made, 8)
    assert [r.head is own.head for r in many.regions] == [n in (2, 6) for n in range(8)]
    other = many.regions[0]
    assert other.head.spec() == own.head.spec()
    assert other.scale == 3.0
    assert not torch.equal(*(each.head.get_parameter("inlet.weight") for each in (other, own)))
    # As many views as a map of eight heads keeps of each, and no two the same.
    assert all(r.views.shape == (32, 8) for r in many.regions)
    assert {bytes(view) for view in many.regions[2].views} <= {bytes(view) for view in views}
    assert not {bytes(view) for view in other.views} & {bytes(view) for view in views}
    assert heads.crowded(made, 2).regions[0].head is own.head
    with pytest.raises(OptionError, match="less than 2"):
        heads.crowded(made, 1)

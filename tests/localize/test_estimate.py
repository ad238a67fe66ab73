"""The pose of an estimate, in the direction and the type that others want."""

import sys

import numpy as np
import pytest

from reloc.errors import OptionError
from reloc.geometry import look_at
from reloc.localize import Estimate

FOUND = Estimate("a.jpg", localized=True, world_from_cam=look_at((1, 2, 3), (0, 0, 0)))
LOST = Estimate("a.jpg", localized=False, world_from_cam=None)


def test_both_directions_are_inverse():
    np.testing.assert_allclose(FOUND.cam_from_world @ FOUND.world_from_cam, np.eye(4), atol=1e-12)
    assert LOST.cam_from_world is None


def test_pycolmap_takes_the_pose():
    pytest.importorskip("pycolmap")
    rigid = FOUND.rigid3d()
    np.testing.assert_allclose(rigid.matrix(), FOUND.cam_from_world[:3], atol=1e-12)
    point = np.array([0.3, -0.2, 0.9])
    expected = (FOUND.cam_from_world @ [*point, 1])[:3]
    np.testing.assert_allclose(rigid * point, expected, atol=1e-12)
    assert LOST.rigid3d() is None


def test_without_pycolmap_a_line_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(OptionError, match="pip install pycolmap") as refused:
        FOUND.rigid3d()
    assert "\n" not in str(refused.value)

"""Coverage from poses alone: what is enough, and where it is not."""

from pathlib import Path

import numpy as np
import pytest

from reloc.capture.coverage import coverage
from reloc.geometry import Camera, look_at
from reloc.scenes import Frame

CAMERA = Camera.pinhole(width=400, height=300, fx=328)


def frames(poses: np.ndarray, prefix: str = "f") -> list[Frame]:
    return [Frame(f"{prefix}{i}", Path("x"), CAMERA, pose) for i, pose in enumerate(poses)]


def kinds(poses: np.ndarray, **options) -> dict[str, tuple[str, ...]]:
    found = coverage(frames(poses), options.pop("queries", []), depth=options.pop("depth", 2.0))
    return {advice.kind: advice.frames for advice in found.advice}


def test_a_dense_ring_is_enough(ring):
    result = coverage(frames(ring(40)), [], depth=2.0)
    assert result.advice == ()
    assert result.views.min() >= 4
    assert result.parallax_deg.min() > 15


def test_does_not_depend_on_the_unit_of_length(ring):
    poses = ring(10)
    far = poses.copy()
    far[:, :3, 3] *= 100
    one, other = coverage(frames(poses), [], depth=2), coverage(frames(far), [], depth=200)
    np.testing.assert_array_equal(one.views, other.views)
    np.testing.assert_allclose(one.parallax_deg, other.parallax_deg)
    assert [a.text for a in one.advice] == [a.text for a in other.advice]


def test_few_views_of_a_side_are_named_with_the_place(ring):
    lone = look_at((6, 0, 0), (8, 0, 0))[None]
    found = coverage(frames(np.concatenate([ring(40), lone])), [], depth=2.0)
    thin = next(a for a in found.advice if a.kind == "thin")
    assert thin.frames == ("f40",)
    np.testing.assert_allclose(thin.places[0].centre, (6, 0, 0), atol=1e-9)
    np.testing.assert_allclose(thin.places[0].forward, (1, 0, 0), atol=1e-9)


def test_a_gap_lies_between_the_parts():
    steps = np.arange(12) * 0.1
    left = [look_at((x, 0, 0), (x, 2, 0)) for x in steps]
    right = [look_at((x + 9, 0, 0), (x + 9, 2, 0)) for x in steps]
    found = coverage(frames(np.array(left + right)), [], depth=2.0)
    gap = next(a for a in found.advice if a.kind == "gap")
    assert "2 parts of 12, 12" in gap.text
    np.testing.assert_allclose(gap.places[0].centre, (5.05, 0, 0), atol=1e-9)


def test_a_side_that_is_not_looked_at(ring):
    poses = ring(48, radius=0.4, inwards=False)
    assert "direction" not in kinds(poses)
    found = coverage(frames(poses[5:-4]), [], depth=2.0)
    side = next(a for a in found.advice if a.kind == "direction")
    assert side.places[0].forward @ (1, 0, 0) > 0.9
    # A camera that looks one way was not meant to look around.
    assert "direction" not in kinds(poses[:14])


@pytest.mark.parametrize("radius", [0.0, 0.01])
def test_turning_on_the_spot(ring, radius):
    found = coverage(frames(ring(48, radius=radius, inwards=False)), [], depth=2.0)
    serious = [a for a in found.advice if a.severity == "serious"]
    assert [a.kind for a in serious] == ["parallax"]


def test_the_same_view_many_times(ring):
    assert "same" in kinds(np.repeat(ring(30), 2, axis=0))


def test_queries_that_look_elsewhere(ring):
    queries = frames(np.array([ring(40)[0], look_at((2, 0, 0), (9, 0, 0))]), "q")
    assert kinds(ring(40), queries=queries) == {"queries": ("q1",)}

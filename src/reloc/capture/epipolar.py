"""How well poses and focal lengths explain what two photos have in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.capture.tentative_matches import MatchedPair
from reloc.geometry import inverted

Array = NDArray[np.float64]

_NO_BASELINE = 1e-12


def pair_error(pair: MatchedPair, world_from_cam: Array, *, focal_factor: float = 1.0) -> float:
    """Median Sampson distance in pixels of a pair's matches under the given poses.

    With E = [t]x R the distance is |x2' E x1| / sqrt((E x1)_1^2 + (E x1)_2^2 + (E' x2)_1^2 +
    (E' x2)_2^2), Hartley and Zisserman, Multiple View Geometry, 11.4.3.

    Args:
        pair: the matches.
        world_from_cam: (F, 4, 4) poses of all frames.
        focal_factor: the focal lengths times this; distortion stays that of the camera.
    """
    a, b = _rays(pair.rays_first / focal_factor), _rays(pair.rays_second / focal_factor)
    second_from_first = inverted(world_from_cam[pair.second]) @ world_from_cam[pair.first]
    t = second_from_first[:3, 3]
    if np.linalg.norm(t) < _NO_BASELINE:
        # A camera that only turned: any baseline gives a constraint that must hold.
        t = np.array([1.0, 0.0, 0.0])
    t = t / np.linalg.norm(t)
    essential = np.cross(np.eye(3), t) @ second_from_first[:3, :3]
    line_b, line_a = a @ essential.T, b @ essential
    value = np.abs((b * line_b).sum(axis=1))
    slope = np.sqrt((line_b[:, :2] ** 2).sum(axis=1) + (line_a[:, :2] ** 2).sum(axis=1))
    return float(np.median(value / np.maximum(slope, 1e-12))) * pair.focal * focal_factor


def pair_errors(
    pairs: Sequence[MatchedPair], world_from_cam: Array, *, focal_factor: float = 1.0
) -> Array:
    """``pair_error`` of each pair, (P,)."""
    return np.array([pair_error(pair, world_from_cam, focal_factor=focal_factor) for pair in pairs])


def pair_depth(pair: MatchedPair, world_from_cam: Array) -> float | None:
    """Median depth of what a pair sees, in scene units; None where it has too little parallax."""
    first_from_second = inverted(world_from_cam[pair.first]) @ world_from_cam[pair.second]
    a = _unit(_rays(pair.rays_first))
    b = _unit(_rays(pair.rays_second)) @ first_from_second[:3, :3].T
    sine = np.linalg.norm(np.cross(a, b), axis=1)
    # Below two pixels of parallax the depth is that of the noise.
    telling = sine > 2 / pair.focal
    if telling.sum() < max(10, 0.3 * len(sine)):
        return None
    along = np.linalg.norm(np.cross(first_from_second[:3, 3], b[telling]), axis=1)
    return float(np.median(along / sine[telling]))


def _rays(rays: Array) -> Array:
    return np.concatenate([rays, np.ones((len(rays), 1))], axis=1)


def _unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

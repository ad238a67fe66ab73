"""Cameras that are one, calibrated several times: once for each photo, say."""

from collections.abc import Mapping, Sequence

from reloc.geometry import Camera

# Focal lengths of one camera lie within this share of each other, most of the time.
AGREEING = 0.06
# A few cameras this near to many others are those, badly calibrated: no lens of their own.
STRAY, STRAY_SHARE = 0.2, 0.2


def calibrations(counts: Mapping[Camera, int]) -> list[list[Camera]]:
    """Groups of cameras that are one by their focal lengths, the one with most frames first.

    Args:
        counts: how many frames each camera has; all of one image size.

    Returns:
        Each group by rising focal length. Cameras that stray from a far larger group are in it, few
        enough to leave its middle where it is.
    """
    left = sorted(counts, key=lambda camera: camera.focal)
    groups: list[list[Camera]] = []
    while left:
        first, last = _densest(left, counts)
        groups.append(left[first:last])
        left = left[:first] + left[last:]
    return _without_strays(groups, counts)


def _densest(cameras: Sequence[Camera], counts: Mapping[Camera, int]) -> tuple[int, int]:
    """Rows from and to of the agreeing cameras with the most frames, sorted by focal length."""
    best, most, held, first = (0, 1), 0, 0, 0
    for last, camera in enumerate(cameras):
        held += counts[camera]
        while camera.focal > (1 + AGREEING) * cameras[first].focal:
            held -= counts[cameras[first]]
            first += 1
        if held > most:
            most, best = held, (first, last + 1)
    return best


def _without_strays(
    groups: Sequence[list[Camera]], counts: Mapping[Camera, int]
) -> list[list[Camera]]:
    """Groups as they come, the largest first, those that stray taken into a larger one."""
    kept: list[list[Camera]] = []
    for group in groups:
        middle, frames = _middle(group), _frames(group, counts)
        home = next(
            (
                other
                for other in kept
                if abs(middle / _middle(other) - 1) < STRAY
                and frames < STRAY_SHARE * _frames(other, counts)
            ),
            None,
        )
        if home is None:
            kept.append(group)
        else:
            home.extend(group)
            home.sort(key=lambda camera: camera.focal)
    return kept


def _middle(group: Sequence[Camera]) -> float:
    return group[len(group) // 2].focal


def _frames(group: Sequence[Camera], counts: Mapping[Camera, int]) -> int:
    return sum(counts[camera] for camera in group)

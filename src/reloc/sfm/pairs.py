"""Which images to match: neighbours in the order of capture, and those that look alike."""

import numpy as np
from numpy.typing import NDArray

from reloc.backbone.descriptor import similarity

# Neighbours on one side: all of the nearest, then every power of two up to the farthest. Photos are
# mostly taken in some order, too.
NEAREST = {"video": 6, "photos": 3}
FARTHEST = {"video": 16, "photos": 3}
# Of each image, those that look most like it beside the neighbours: where a walk comes back to what
# it has seen, and what belongs together of photos in any order.
ALIKE = {"video": 8, "photos": 20}
# From so many photos on half as many do: they are taken densely, and pairs cost most of the time.
MANY, ALIKE_OF_MANY = 300, 10


def sequence_pairs(count: int, *, kind: str) -> set[tuple[int, int]]:
    """Pairs (first, second) of neighbours in the order of capture.

    Args:
        count: of images.
        kind: ``video`` or ``photos``.
    """
    steps = {*range(1, NEAREST[kind] + 1)}
    steps |= {2**k for k in range(12) if NEAREST[kind] < 2**k <= FARTHEST[kind]}
    return {(i, i + step) for step in steps for i in range(count - step)}


def alike_pairs(
    descriptors: NDArray[np.int8], *, known: set[tuple[int, int]], most: int
) -> set[tuple[int, int]]:
    """Pairs of images that look alike, beside those that are known.

    Args:
        descriptors: (N, D) of whole images.
        known: pairs (first, second) that are not asked for.
        most: pairs of each image.
    """
    count = len(descriptors)
    taken: list[set[int]] = [{i} for i in range(count)]
    for first, second in known:
        taken[first].add(second)
        taken[second].add(first)
    found = set()
    for i in range(count):
        likeness = similarity(descriptors[i], descriptors)
        likeness[list(taken[i])] = -np.inf
        for j in np.argsort(-likeness, kind="stable")[:most].tolist():
            if np.isfinite(likeness[j]):
                found.add((min(i, j), max(i, j)))
    return found


def pairs_to_match(descriptors: NDArray[np.int8], *, kind: str) -> list[tuple[int, int]]:
    """All pairs (first, second) of images to match, ascending.

    Args:
        descriptors: (N, D) of whole images, in the order of capture.
        kind: ``video`` or ``photos``.
    """
    near = sequence_pairs(len(descriptors), kind=kind)
    most = ALIKE[kind] if len(descriptors) < MANY else min(ALIKE[kind], ALIKE_OF_MANY)
    return sorted(near | alike_pairs(descriptors, known=near, most=most))

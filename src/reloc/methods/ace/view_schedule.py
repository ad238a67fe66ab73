"""Which view of which frame is looked at when."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from reloc.mapping.views import Kind

# One view in so many of a frame is plain, since queries will come so.
PLAIN_EVERY = 4


@dataclass(frozen=True)
class ScheduledView:
    """A view that is due.

    Attributes:
        frame: number of the frame.
        kind: how the view is made.
        visit: number of the pass over the frames; views of different visits differ.
    """

    frame: int
    kind: Kind = "plain"
    visit: int = 0


def passes_over(
    frames: Sequence[int],
    *,
    wanted: Collection[int],
    unusable: Collection[int],
    with_depth: Collection[int],
    seed: int,
) -> Iterator[ScheduledView]:
    """Endless views in passes over frames, every pass in a new order.

    A homography bends only planes as another eye would: where depth is known, views are drawn with
    it instead.

    Args:
        frames: numbers of those that are visited.
        wanted: numbers of those that matter; the passes end when none of them is left.
        unusable: numbers of frames whose image is of no use; may grow meanwhile. The passes end
            when fewer than two others are left.
        with_depth: numbers of frames that novel views can be drawn of.
        seed: of the orders.
    """
    rng = np.random.default_rng([seed, 7])
    for visit in count():
        left = [frame for frame in frames if frame not in unusable]
        if len(left) < 2 or not any(frame in wanted for frame in left):
            return
        for frame in rng.permutation(frames).tolist():
            if (visit + frame) % PLAIN_EVERY == 0:
                yield ScheduledView(frame, "plain", visit)
            else:
                kind: Kind = "novel" if frame in with_depth else "augmented"
                yield ScheduledView(frame, kind, visit)

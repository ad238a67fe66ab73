"""Reading the views of a schedule ahead of whoever looks at them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reloc.errors import CameraError, ImageError
from reloc.images.image_cache import read_gray
from reloc.mapping.views import PreparedView, prepare_view
from reloc.methods.ace.view_schedule import ScheduledView
from reloc.prefetching import prefetched, reading_threads
from reloc.scenes.scene import Frame, Skipped
from reloc.stereo import InverseDepth

# A view with fewer usable cells tells nothing.
MIN_CELLS = 16
# Views that each thread has ready or in the making.
AHEAD_OF_EACH = 3


@dataclass(frozen=True)
class ViewReader:
    """Reads frames and makes views of them.

    Attributes:
        frames: that are read.
        short_side: images are resampled to this short side in pixels, before augmentation.
        stride: pixels per cell.
        seed: of augmentation.
        read: gives the grey pixels of an image file.
    """

    frames: Sequence[Frame]
    short_side: int
    stride: int
    seed: int = 0
    read: Callable[[Path], NDArray[np.uint8]] = read_gray

    def views(
        self,
        schedule: Iterable[ScheduledView],
        *,
        of: Collection[int],
        unusable: dict[int, str],
        depth: float = 1.0,
        inverse_depths: Mapping[int, InverseDepth] | None = None,
    ) -> Iterator[tuple[int, PreparedView]]:
        """Views as scheduled, each with its place in the schedule.

        What is made of a frame does not depend on which others are wanted.

        Args:
            schedule: what is due.
            of: numbers of the frames that are wanted; the others are passed over.
            unusable: by number, why frames are of no use. They are passed over; those that turn out
                to be so join them.
            depth: typical depth of the scene, in scene units; moves the eye of novel views.
            inverse_depths: how far frames see, by number, where that is known.
        """
        known = inverse_depths or {}

        def prepare(due: tuple[int, ScheduledView]) -> PreparedView:
            scheduled = due[1]
            return prepare_view(
                self.frames[scheduled.frame],
                scheduled.frame,
                kind=scheduled.kind,
                short_side=self.short_side,
                stride=self.stride,
                seed=self.seed * 1000 + scheduled.visit,
                depth=depth,
                inverse_depth=known.get(scheduled.frame),
                read=self.read,
            )

        due = (
            (slot, scheduled)
            for slot, scheduled in enumerate(schedule)
            if scheduled.frame in of and scheduled.frame not in unusable
        )
        threads = reading_threads()
        ahead = min(AHEAD_OF_EACH * threads, len(of))
        with prefetched(prepare, due, ahead=ahead, workers=threads) as made:
            for (slot, scheduled), job in made:
                frame = scheduled.frame
                try:
                    view = job.result()
                except (ImageError, CameraError) as error:
                    unusable.setdefault(frame, str(error))
                    continue
                if view.usable.sum() >= MIN_CELLS:
                    yield slot, view
                elif view.kind != "novel":
                    # A depth that does not make pictures says nothing about the frame's other
                    # views.
                    unusable.setdefault(
                        frame, f"{self.frames[frame].name}: hardly a pixel has a viewing ray"
                    )

    def skipped(self, unusable: Mapping[int, str]) -> tuple[Skipped, ...]:
        """Frames that are of no use, in the order in which that was found out."""
        return tuple(Skipped(self.frames[frame].name, why) for frame, why in unusable.items())

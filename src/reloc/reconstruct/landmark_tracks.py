"""Which photos show which landmarks, and where: tracks of keypoints that were measured."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.images.files import read_image
from reloc.landmarks import LandmarkOptions, Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.landmarks.showing import shown_landmarks
from reloc.prefetching import prefetched
from reloc.progress import Progress, silent
from reloc.scenes.scene import Frame
from reloc.scenes.sparse import NOTHING_SEEN, Sighting, SparsePoints

# As far as a keypoint may be from its point when landmarks are made.
WINDOW = LandmarkOptions.tolerance


def landmark_tracks(
    landmarks: Landmarks, frames: Sequence[Frame], *, progress: Progress = silent
) -> SparsePoints:
    """The landmarks that two photos at least show, where they show them, in their mean colour.

    A map keeps no tracks. Poses of photos are known, so that keypoints are compared with the
    landmarks that should be seen within ``WINDOW`` pixels, as when a query is localized.

    Args:
        landmarks: of a map.
        frames: with poses. Those whose image cannot be read, or is of another size than their
            camera, show none.
        progress: told of frames.
    """
    matcher = LandmarkMatcher(landmarks)

    def shown(frame: Frame) -> tuple[Sighting, NDArray[np.uint8]]:
        camera, nothing = frame.camera, np.zeros((0, 3), np.uint8)
        try:
            image = read_image(frame.image)
        except ImageError:
            return NOTHING_SEEN, nothing
        if image.shape[:2] != (camera.height, camera.width):
            return NOTHING_SEEN, nothing
        assert frame.world_from_cam is not None
        pixels, rows = shown_landmarks(matcher, image, frame.world_from_cam, camera, window=WINDOW)
        columns, lines = pixels.astype(np.int64).T
        return Sighting(pixels, rows), image[lines, columns]

    sightings, sums = {}, np.zeros((len(landmarks), 3))
    with prefetched(shown, frames, ahead=4) as found:
        for number, (frame, job) in enumerate(found, start=1):
            sighting, colors = job.result()
            sightings[frame.name] = sighting
            sums[sighting.points] += colors
            progress("tracks", number, len(frames))
    rows = np.concatenate([NOTHING_SEEN.points, *(s.points for s in sightings.values())])
    counts = np.bincount(rows, minlength=len(landmarks))
    colors = np.rint(sums / np.maximum(counts, 1)[:, None]).astype(np.uint8)
    return SparsePoints(landmarks.points, colors, sightings).with_tracks(frames)

"""The queries of a film: which of them are seen, in which colour, and what they come to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LogNorm
from numpy.typing import NDArray

from reloc.errors import ImageError
from reloc.evaluation.figures import error_ticks, length_scale, length_text
from reloc.evaluation.metrics import Evaluation, FrameResult, median_errors, percent_within
from reloc.images.files import read_image
from reloc.landmarks import Landmarks
from reloc.landmarks.matching import LandmarkMatcher
from reloc.sampling import even_picks, evenly
from reloc.scenes.scene import Frame
from reloc.view.agreement import agreeing_landmarks
from reloc.view.style import ERROR_COLORS

Array = NDArray[np.float64]

MOST_QUERIES = 60  # more would flicker by
MOST_RAYS = 80  # to landmarks of one query


@dataclass(frozen=True)
class Arrival:
    """A query as it comes in.

    Attributes:
        number: how many queries have come with it, those that are not seen included.
        landmarks: (M, 3) that agree with its pose.
    """

    result: FrameResult
    frame: Frame
    color: tuple[int, int, int]
    number: int
    landmarks: Array


def arrivals_of(
    evaluation: Evaluation, queries: Sequence[Frame], landmarks: Landmarks | None
) -> list[Arrival]:
    """A sample of the queries with a true pose, with the colour of their error."""
    frames = {frame.name: frame for frame in queries}
    judged = [r for r in evaluation.frames if r.translation_error is not None]
    known = [n for n, result in enumerate(judged) if result.image in frames]
    scale, ticks = length_scale(evaluation)[0], error_ticks(evaluation)
    norm = LogNorm(ticks[0], ticks[-1], clip=True)
    matcher = None if landmarks is None else LandmarkMatcher(landmarks)
    arrivals = []
    for number in evenly(known, MOST_QUERIES):
        result = judged[number]
        error = result.translation_error if result.localized else None
        worst = ticks[-1] if error is None else max(error * scale, 1e-9)
        red, green, blue = (int(255 * c) for c in ERROR_COLORS(float(norm(worst)))[:3])
        frame = frames[result.image]
        seen = _agreeing(matcher, result, frame)
        arrivals.append(Arrival(result, frame, (red, green, blue), number + 1, seen))
    return arrivals


def _agreeing(matcher: LandmarkMatcher | None, result: FrameResult, frame: Frame) -> Array:
    """Some of the landmarks (M, 3) that decided the pose of a query, if any did."""
    none = np.zeros((0, 3))
    if matcher is None or result.world_from_cam is None or not result.landmark_inliers:
        return none
    try:
        photo = read_image(frame.image)
    except ImageError:
        return none
    _, rows = agreeing_landmarks(matcher, photo, result.world_from_cam, frame.camera)
    return matcher.landmarks.points[rows[even_picks(len(rows), MOST_RAYS)]]


def recall_so_far(come: Sequence[FrameResult], evaluation: Evaluation) -> list[tuple[str, str]]:
    """Share within the limit that the field reports, and the median, of those that have come."""
    metric = evaluation.unit == "metre"
    limit = (0.05, 5.0) if metric else (0.01 * evaluation.scene_extent, 2.0)
    told = "within 5 cm, 5°" if metric else "within 1 % of extent, 2°"
    return [
        (f"{percent_within(come, *limit):.0f} %", told),
        (length_text(median_errors(come)[0], evaluation), "median error"),
    ]

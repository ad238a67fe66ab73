"""Why a query was not localized, so that its user can be told what to do.

Measures are of the grey view that the networks see. Of blur: natural pictures have about as much
contrast at each scale (Field, "Relations between the statistics of natural images and the response
properties of cortical cells", 1987), and blur takes it from the fine ones, in one direction or all.
"""

from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Of grey values: at most so bright are all but a twentieth of the pixels of a picture that is too
# dark, at least so bright is half of one that is overexposed. Photos of six places had 163 and
# more, 63 to 98 with an eighth of the light and 34 to 52 with a thirty-second.
DARK, BURNT = 70, 245
# Contrast of neighbouring pixels, in the direction that has least, over that at four times the
# scale. Photos of six places had 0.48 and more, 0.28 to 0.40 where a hand shook by a twentieth of
# the width. Nothing but ramps has 0.25.
BLURRED = 0.42
# Grey values by which detail deviates from its surroundings, and the share of a view with such
# detail. Photos of six places had two thirds and more, with a thirty-second of their light 0.39;
# covers, bare walls and ramps have none.
DETAIL, LEAST_DETAIL = 1.5, 0.2
# Cosine between what a photo looks like and the most similar view of its map. Nine of ten photos of
# a place had more, of those of other places none did.
ALIKE = 0.9
# A pose that is this likely is more than chance.
BEYOND_CHANCE = 0.4


class Reason(StrEnum):
    """Kinds of reasons for which a query was not localized."""

    BAD_INPUT = "bad_input"  # no image, or no camera for it
    TOO_DARK = "too_dark"
    OVEREXPOSED = "overexposed"
    BARE = "bare"  # nothing but a bare surface
    TOO_BLURRED = "too_blurred"
    INTRINSICS = "intrinsics"  # another focal length agrees far better
    POOR_MAP = "poor_map"  # the map does not find its own mapping frames
    CONTRADICTED = "contradicted"  # heads and landmarks agree with a pose each
    AMBIGUOUS = "ambiguous"  # two parts of the place look like the picture
    NOT_PRECISE = "not_precise"  # the place, but nothing precise
    NOT_THIS_PLACE = "not_this_place"


TEXTS = {
    Reason.TOO_DARK: "the picture is too dark; make more light",
    Reason.OVEREXPOSED: "the picture is overexposed; turn away from the light",
    Reason.BARE: "the picture shows a bare surface; step back or turn to where there is more",
    Reason.TOO_BLURRED: "the picture is blurred; hold still and let it focus",
    Reason.POOR_MAP: "the map does not even find its own mapping frames; map for longer",
    Reason.CONTRADICTED: "landmarks agree with another pose than heads do; look from elsewhere",
    Reason.AMBIGUOUS: "two parts of this place look like the picture; look from elsewhere",
    Reason.NOT_PRECISE: "the picture looks like this place, but too little of it agrees with a "
    "pose; look from elsewhere",
    Reason.NOT_THIS_PLACE: "the picture does not show this place, or a part that is not mapped",
}


def sees_anything(view: Gray) -> bool:
    """Whether a view has detail: without any, what networks say of it is about its borders.

    Args:
        view: (H, W).
    """
    small = _halved(_halved(view.astype(np.float32)))
    detail = small - cv2.GaussianBlur(small, (0, 0), 2)
    around = cv2.boxFilter(detail * detail, -1, (21, 21))
    return bool((around > DETAIL**2).mean() >= LEAST_DETAIL)


def fault_of_picture(view: Gray) -> Reason | None:
    """What is wrong with a picture, None if nothing is.

    Args:
        view: (H, W).
    """
    median, bright = np.percentile(view, (50, 95))
    if bright < DARK:
        return Reason.TOO_DARK
    if median >= BURNT:
        return Reason.OVEREXPOSED
    if not sees_anything(view):
        return Reason.BARE
    return Reason.TOO_BLURRED if sharpness(view) < BLURRED else None


def sharpness(view: Gray) -> float:
    """Contrast of fine detail over that of coarse, in the direction where it is least.

    Args:
        view: (H, W), not flat.
    """
    octaves = [view.astype(np.float32)]
    for _ in range(3):
        octaves.append(_halved(octaves[-1]))
    return float((_contrasts(octaves[1]) / np.maximum(_contrasts(octaves[3]), 1e-6)).min())


def reason_of_doubt(view: Gray, *, certainty: float, likeness: float, reliability: float) -> Reason:
    """Why a pose of a query is not to be believed.

    Args:
        view: (H, W) of it.
        certainty: probability that the pose is right, 0 to 1.
        likeness: cosine between what it looks like and the most similar view of the map; NaN where
            the map has none.
        reliability: of the map.
    """
    fault = fault_of_picture(view)
    if fault is not None:
        return fault
    if reliability < 0.5:
        return Reason.POOR_MAP
    if certainty > BEYOND_CHANCE or likeness > ALIKE:
        return Reason.NOT_PRECISE
    return Reason.NOT_THIS_PLACE


def _halved(image: Floats) -> Floats:
    return np.asarray(cv2.pyrDown(image), np.float32)


def _contrasts(image: Floats) -> NDArray[np.float64]:
    """Root mean squares (4,) of differences across two pixels, along rows, columns, diagonals."""
    differences = (
        image[:, 2:] - image[:, :-2],
        image[2:] - image[:-2],
        image[2:, 2:] - image[:-2, :-2],
        image[2:, :-2] - image[:-2, 2:],
    )
    return np.array([np.sqrt((d * d).mean()) if d.size else 0.0 for d in differences])

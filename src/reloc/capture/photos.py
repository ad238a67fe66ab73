"""Photos that a map learns little from: blurred, dark, overexposed, without texture."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reloc.capture.advice import Advice, named, share_text

Gray = NDArray[np.uint8]

SHORT_SIDE = 480  # pixels: what the backbone sees of a photo

BLURRED = 0.64
DARK = 40  # grey value that nine tenths of a dark photo stay below
BURNT = 0.3  # share of a photo that is white
FLAT = 24  # grey values between the fifth and the ninety-fifth percentile


@dataclass(frozen=True)
class PhotoFacts:
    """What one photo is like.

    Attributes:
        name: of the frame.
        blur: 0 (sharp) to 1, see ``blur``.
        shadow: grey value that nine tenths of its pixels stay below.
        burnt: share of its pixels that are white.
        contrast: grey values between the fifth and the ninety-fifth percentile.
    """

    name: str
    blur: float
    shadow: float
    burnt: float
    contrast: float


def photo_facts(name: str, image: Gray) -> PhotoFacts:
    """Measures a photo (H, W), best at the size that the backbone sees."""
    low, shadow, high = np.percentile(image, (5, 90, 95))
    return PhotoFacts(
        name=name,
        blur=blur(image),
        shadow=float(shadow),
        burnt=float((image >= 250).mean()),
        contrast=float(high - low),
    )


def blur(image: Gray) -> float:
    """How blurred an image (H, W) is, 0 to 1, whatever it shows.

    What blurring it once more takes away from the differences of neighbours: much from a sharp
    image, little from one that is blurred already (Crete et al. 2007, "The blur effect"). Taken
    along both axes; the worse one counts, since motion blurs along one.
    """
    pixels = image.astype(np.float32)
    values = []
    for axis, size in ((0, (1, 9)), (1, (9, 1))):
        again = cv2.blur(pixels, size)
        sharp = np.abs(np.diff(pixels, axis=axis))
        smooth = np.abs(np.diff(again, axis=axis))
        total = float(sharp.sum())
        values.append(1 - float(np.maximum(sharp - smooth, 0).sum()) / total if total else 1.0)
    return max(values)


def photo_advice(facts: Sequence[PhotoFacts]) -> list[Advice]:
    """What is wrong with the photos that were looked at."""
    dark = sorted((f for f in facts if f.shadow < DARK), key=lambda f: f.shadow)
    burnt = sorted((f for f in facts if f.burnt > BURNT), key=lambda f: -f.burnt)
    exposed = [f for f in facts if f.shadow >= DARK and f.burnt <= BURNT]
    plain = sorted((f for f in exposed if f.contrast < FLAT), key=lambda f: f.contrast)
    blurred = sorted(
        (f for f in exposed if f.contrast >= FLAT and f.blur > BLURRED), key=lambda f: -f.blur
    )
    found = (
        (
            "blur",
            blurred,
            "blurred",
            lambda f: f"blur {f.blur:.2f} of 1, sharp is below {BLURRED}",
            "take them again more slowly or with more light, or leave them out of the mapping",
        ),
        (
            "dark",
            dark,
            "too dark",
            lambda f: f"nine tenths of it below grey {f.shadow:.0f} of 255",
            "take them again with more light or a longer exposure",
        ),
        (
            "bright",
            burnt,
            "overexposed",
            lambda f: f"{100 * f.burnt:.0f} % of it plain white",
            "take them again with a shorter exposure, not against the light",
        ),
        (
            "plain",
            plain,
            "show next to nothing",
            lambda f: f"only {f.contrast:.0f} of 255 grey values",
            "step back, so that edges of the plain surface come into view",
        ),
    )
    advice = []
    for kind, photos, what, evidence, remedy in found:
        if photos:
            names = tuple(f.name for f in photos)
            share = len(photos) / len(facts)
            advice.append(
                Advice(
                    kind=kind,
                    severity="serious" if share > 0.4 else "warning" if share > 0.1 else "note",
                    text=f"{what}: {share_text(len(photos), len(facts))}, {named(names)} "
                    f"(the worst: {evidence(photos[0])})",
                    remedy=remedy,
                    frames=names,
                )
            )
    return advice

"""When to believe a pose: a rule calibrated on real scenes, with photos of other places."""

import numpy as np
from numpy.typing import NDArray

# A cell agrees with a pose when its scene coordinate reprojects this close, for views of a short
# side of 480 pixels.
AGREEMENT_PX = 10.0
# The share of agreeing cells at which right and wrong poses are equally likely, and how fast
# belief changes around it. `benchmarks/trust.py` shows the shares that these stand on.
EVEN_SHARE = 0.03
STEEPNESS = 4.0


def confidence(errors: NDArray[np.float64], *, short_side: int = 480) -> float:
    """How likely a pose is right, 0 to 1; it is to be believed from 0.5 on.

    Chance makes some cells agree with the best pose for any image: their share grows with the area
    of the agreement disc, so that the disc is measured in shares of the view.

    Args:
        errors: (N,) reprojection errors of all cells of the view in its pixels, infinity where a
            point lies behind the camera.
        short_side: of the view, in pixels.
    """
    if not len(errors):
        return 0.0
    share = float((errors < AGREEMENT_PX * short_side / 480).mean())
    if share == 0.0:
        return 0.0
    return float(1.0 / (1.0 + (EVEN_SHARE / share) ** STEEPNESS))

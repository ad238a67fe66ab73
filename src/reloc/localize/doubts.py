"""What landmarks say against a pose although many agree with it."""

from dataclasses import replace

from reloc.localize.estimate import Estimate
from reloc.localize.landmark_solver import LandmarkSolution
from reloc.localize.reasons import TEXTS, Reason


def with_doubts(estimate: Estimate, found: LandmarkSolution) -> Estimate:
    """The estimate, not believed where another focal length or another place fits as well.

    With a wrong focal length a pose is off along the optical axis by about as much of the depth as
    that is, however many landmarks agree. Of two places that look alike either may be meant.

    Args:
        estimate: by landmarks.
        found: what these say.
    """
    fit = found.focal
    if fit is not None and fit.is_other and estimate.camera is not None:
        focal = fit.ratio * estimate.camera.focal
        return replace(
            estimate,
            localized=False,
            confidence=estimate.confidence * fit.likelihood,
            certainty=estimate.certainty * fit.likelihood,
            reason=f"intrinsics do not fit; a focal length of {focal:.0f} px agrees far better",
            reason_kind=Reason.INTRINSICS,
        )
    if found.ambiguous and estimate.localized:
        return replace(
            estimate,
            localized=False,
            confidence=estimate.confidence / 2,
            certainty=estimate.certainty / 2,
            reason=TEXTS[Reason.AMBIGUOUS],
            reason_kind=Reason.AMBIGUOUS,
        )
    return estimate

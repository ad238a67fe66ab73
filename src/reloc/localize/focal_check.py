"""What to think of an estimate whose intrinsics do not fit."""

from dataclasses import replace

from reloc.localize.estimate import Estimate
from reloc.localize.reasons import Reason
from reloc.pose.focal_fit import FocalFit


def with_focal_fit(estimate: Estimate, fit: FocalFit | None) -> Estimate:
    """The estimate, not believed where another focal length agrees far better.

    Such a pose is off along the optical axis by about as much of the depth as the focal length is,
    however many landmarks agree with it.

    Args:
        estimate: by landmarks.
        fit: the focal length that these agree with best; None where it is not known.
    """
    if fit is None or not fit.is_other or estimate.camera is None:
        return estimate
    focal = fit.ratio * estimate.camera.focal
    return replace(
        estimate,
        localized=False,
        confidence=estimate.confidence * fit.likelihood,
        reason=f"intrinsics do not fit; a focal length of {focal:.0f} px agrees far better",
        reason_kind=Reason.INTRINSICS,
    )

"""What localization answers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.alignment import Alignment
from reloc.errors import OptionError
from reloc.geometry import Camera, inverted
from reloc.localize.reasons import Reason
from reloc.maps.held_back import Bound
from reloc.pose.evidence import Evidence
from reloc.pose.within import probability_within

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Where a camera stood, and how far to trust that.

    Attributes:
        image: name of the image.
        localized: whether the pose should be believed: ``confidence`` is 0.5 or more.
        world_from_cam: (4, 4) float64 pose in the map's frame and unit, OpenCV camera axes. Present
            also when ``localized`` is false but a pose was found; None when there is none.
        inliers: scene coordinates that agree with the pose; 0 where ``landmarks_alone``.
        inlier_share: inliers over all coordinates predicted for the image, 0 to 1.
        confidence: probability that the pose is off by no more than ``bound``; the rule is
            ``pose.trust``.
        certainty: probability that it is the right pose of the image, however exact.
        bound: that confidence is stated for: 25 cm for a map in metres, else 3 % of its extent; and
            5 degrees. None where no map was asked.
        covariance: (6, 6) of a small motion of the camera in its own frame: rotation vector in
            radians, then translation in map units. The error of a right pose is normally
            distributed with it, about. None where there is no pose, or what agrees with it leaves
            it open in a direction.
        seconds: wall time by stage, of those that ran: ``read``, ``backbone``, ``head``, ``pose``;
            ``landmarks`` where the map has any, to match them; and ``keypoints`` where these were
            found before the network ran. Where they were found beside it, ``landmarks`` has what
            that took beyond the others.
        reason: one line that says why there is no pose to be trusted, else None.
        reason_kind: what kind of reason that is, for programs that tell their users what to do;
            None where there is none, or where the estimate was read from a file that does not say.
        place: the map of a library that gave the pose; None where there was but one map.
        camera: intrinsics that the pose is for, at the size of the stored image; None where there
            was none or the image could not be read.
        camera_source: where they come from: ``given``, ``map``, ``map (median of N)`` of so many
            cameras of the map, ``scaled`` (the map's, magnified as EXIF says), ``exif``, or
            ``searched``: a pinhole whose focal length landmarks agree with best.
        landmark_inliers: landmarks of the map that agree with the pose, where they decided it; else
            0.
        landmarks_alone: landmarks were sure of the pose, so that neither the backbone nor heads
            looked at the image.
        contradicted: heads and landmarks of the map agree with a pose each, and these are not one.
            It is the pose of landmarks if many agree with it, else that of heads; either is less
            sure.
        evidence: all that certainty, covariance and confidence were concluded from; None where
            there is no pose, and in estimates that were read from a file.
        alignment: of the map that gave the pose; None where it has none or there is no pose, and in
            estimates that were read from a file.
    """

    image: str
    localized: bool
    world_from_cam: Array | None
    inliers: int = 0
    inlier_share: float = 0.0
    confidence: float = 0.0
    covariance: Array | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    reason: str | None = None
    place: str | None = None
    camera: Camera | None = None
    camera_source: str | None = None
    landmark_inliers: int = 0
    landmarks_alone: bool = False
    contradicted: bool = False
    reason_kind: Reason | None = None
    certainty: float = 0.0
    bound: Bound | None = None
    evidence: Evidence | None = None
    alignment: Alignment | None = None

    @property
    def cam_from_world(self) -> Array | None:
        """The inverse of ``world_from_cam``, (4, 4); None where there is no pose."""
        return None if self.world_from_cam is None else inverted(self.world_from_cam)

    @property
    def total_seconds(self) -> float:
        """The sum of all stages' seconds."""
        return sum(self.seconds.values())

    def probability(self, within: Bound | None = None) -> float:
        """The probability that the pose is off by no more than a bound.

        Args:
            within: distance and angle; by default ``bound``, which gives ``confidence``.
        """
        if within is None or within == self.bound:
            return self.confidence
        return self.certainty * probability_within(within, self.covariance)

    def rigid3d(self) -> Any:
        """``cam_from_world`` as a ``pycolmap.Rigid3d``; None where there is no pose.

        Raises:
            OptionError: pycolmap is not installed.
        """
        pose = self.cam_from_world
        try:
            import pycolmap
        except ImportError as error:
            raise OptionError(
                f"a pose as a Rigid3d needs pycolmap ({error}); install it with `pip install "
                "pycolmap`, or take cam_from_world"
            ) from error
        return None if pose is None else pycolmap.Rigid3d(pose[:3])

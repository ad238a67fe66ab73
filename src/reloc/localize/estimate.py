"""What localization answers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reloc.errors import OptionError
from reloc.geometry import Camera, inverted
from reloc.localize.reasons import Reason

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """Where a camera stood, and how far to trust that.

    Attributes:
        image: name of the image.
        localized: whether the pose should be believed; the rule is ``pose.trust``.
        world_from_cam: (4, 4) float64 pose in the map's frame and unit, OpenCV camera axes. Present
            also when ``localized`` is false but a pose was found; None when there is none.
        inliers: scene coordinates that agree with the pose.
        inlier_share: inliers over all coordinates predicted for the image, 0 to 1.
        confidence: 0 to 1, ``localized`` is true from 0.5 on.
        covariance: (6, 6) of a small motion of the camera in its own frame: rotation vector in
            radians, then translation in map units. None where there is no pose.
        seconds: wall time by stage: ``read``, ``backbone``, ``head``, ``pose``, and ``landmarks``
            where the map has any: to match them, and what finding keypoints took beyond the others.
        reason: one line that says why there is no pose to be trusted, else None.
        reason_kind: what kind of reason that is, for programs that tell their users what to do;
            None where there is none, or where the estimate was read from a file that does not say.
        place: the map of a library that gave the pose; None where there was but one map.
        camera: intrinsics that the pose is for, at the size of the stored image; None where there
            was none or the image could not be read.
        camera_source: where they come from: ``given``, ``map``, ``map (median of N)`` of so many
            cameras of the map, ``scaled`` (the map's, magnified as EXIF says) or ``exif``.
        landmark_inliers: landmarks of the map that agree with the pose, where they decided it; else
            0.
        contradicted: heads and landmarks of the map agree with a pose each, and these are not one.
            It is the pose of landmarks if many agree with it, else that of heads; either is less
            sure.
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
    contradicted: bool = False
    reason_kind: Reason | None = None

    @property
    def cam_from_world(self) -> Array | None:
        """The inverse of ``world_from_cam``, (4, 4); None where there is no pose."""
        return None if self.world_from_cam is None else inverted(self.world_from_cam)

    @property
    def total_seconds(self) -> float:
        """The sum of all stages' seconds."""
        return sum(self.seconds.values())

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

"""How far the mapping frames of a scene see: measured where there is depth, else swept."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reloc.backbone import Backbone, FeatureExtractor
from reloc.devices import pick_device
from reloc.errors import ImageError
from reloc.geometry import Camera
from reloc.mapping.scene_scale import scene_scale
from reloc.mapping.stereo_survey import StereoSurvey
from reloc.mapping.views import prepare_view
from reloc.progress import Progress, silent
from reloc.scenes.depth import DepthAlongRays, read_depth_map
from reloc.scenes.scene import Frame, poses_of
from reloc.stereo import InverseDepth

Array = NDArray[np.float64]

# Of the views that are swept, in pixels; what maps are made with.
SHORT_SIDE = 480


def depths_of_frames(
    frames: tuple[Frame, ...], backbone: Backbone, *, progress: Progress = silent
) -> Iterator[tuple[Frame, DepthAlongRays]]:
    """Frames with how far they see.

    Measured depth is taken where all frames have it; otherwise each frame is swept against those
    beside it with the features of the backbone. Frames that cannot be read or that no other frame
    sees from beside are left out.

    Args:
        frames: posed, of one scene.
        backbone: whose features are compared.
        progress: told of every frame.
    """
    if all(frame.depth is not None for frame in frames):
        for done, frame in enumerate(frames, start=1):
            assert frame.depth is not None
            try:
                measured = read_depth_map(frame.depth)
            except ImageError:
                continue
            progress("depth", done, len(frames))
            yield frame, measured
        return
    extractor = FeatureExtractor(backbone, device=pick_device("cpu"))
    survey = StereoSurvey(frames, stride=extractor.stride)
    for number, frame in enumerate(frames):
        progress("depth", number + 1, len(frames))
        try:
            view = prepare_view(
                frame, number, kind="plain", short_side=SHORT_SIDE, stride=extractor.stride
            )
        except ImageError:
            continue
        survey.add(view, extractor(view.image))
    depth = survey.typical_depth(scene_scale(poses_of(frames)))
    for number, swept in survey.sweep(depth=depth):
        if swept is not None:
            yield frames[number], SweptDepth(swept, frames[number].camera)


@dataclass(frozen=True)
class SweptDepth:
    """Depth that a plane sweep found.

    Attributes:
        inverse_depth: over the image.
        camera: of the image.
    """

    inverse_depth: InverseDepth
    camera: Camera

    def along(self, rays: Array) -> Array:
        """Depth (N,) along rays (N, 2); see ``DepthAlongRays``."""
        depths = np.full(len(rays), np.nan)
        seen = self.camera.sees(rays)
        depths[seen] = 1 / self.inverse_depth.at(self.camera.pixels(rays[seen]))
        return depths

"""Pairs from posed scenes: real surfaces, parallax and light, matched through depth."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from reloc.backbone.pretrain.view_pairs import Array, Gray, Pair, cropped_pair
from reloc.errors import SceneError
from reloc.geometry import Camera, inverted, transformed
from reloc.images.augment import View, apply_homography, cell_pixels, plain_view
from reloc.scenes.depth import DepthAlongRays

# Pictures are shrunk to this short side: crops of them are smaller still.
SHORT_SIDE = 512
# Views of one point may differ by this share in depth: what is measured is no better.
TOLERANCE = 0.05
# Views are paired if the second sees this share of the first.
OVERLAP = (0.2, 0.95)
# So many others are tried as partners of a view.
CANDIDATES = 40


@dataclass(frozen=True)
class PosedView:
    """A picture with its pose, and how far it sees.

    Attributes:
        view: the picture, shrunk.
        camera: of the original picture.
        world_from_cam: (4, 4).
        depths: along rays of the camera.
    """

    view: View
    camera: Camera
    world_from_cam: Array
    depths: DepthAlongRays

    @classmethod
    def of(
        cls, image: Gray, camera: Camera, world_from_cam: Array, depths: DepthAlongRays
    ) -> "PosedView":
        """The view of a picture (H, W) of the camera's size."""
        view = plain_view(image, short_side=min(SHORT_SIDE, *image.shape))
        return cls(view, camera, world_from_cam, depths)


def matches(first: PosedView, second: PosedView, *, stride: int) -> tuple[Array, Array, int]:
    """Pixels (N, 2) of two views that show the same point, and how many the first was asked for.

    A cell of the first is lifted by its depth and projected into the second, whose own depth at
    that place must agree.
    """
    cells = cell_pixels(*first.view.image.shape, stride=stride)
    pixels = first.view.original_pixels(cells)
    rays = first.camera.rays(pixels)
    points = np.c_[rays, np.ones(len(cells))] * first.depths.along(rays)[:, None]
    second_from_first = inverted(second.world_from_cam) @ first.world_from_cam
    moved = transformed(second_from_first, points)
    low, high = second.camera.ray_bounds()
    with np.errstate(divide="ignore", invalid="ignore"):
        rays = moved[:, :2] / moved[:, 2:]
        good = (moved[:, 2] > 0) & ((rays > low) & (rays < high)).all(axis=1)
    cells, rays, expected = cells[good], rays[good], moved[good, 2]
    targets = second.camera.pixels(rays)
    # Pixels outside of the picture have no depth to be asked for.
    shown = ((targets > 0) & (targets < (second.camera.width, second.camera.height))).all(axis=1)
    cells, targets, expected = cells[shown], targets[shown], expected[shown]
    with np.errstate(invalid="ignore"):
        agreeing = np.abs(second.depths.along(rays[shown]) / expected - 1)
        seen = np.asarray(agreeing < TOLERANCE)
    view_from_original = np.linalg.inv(second.view.original_from_view).astype(np.float64)
    return cells[seen], apply_homography(view_from_original, targets[seen]), len(pixels)


class PosedPairs:
    """Two views of one scene that see the same, each turned and zoomed a little on top.

    Args:
        views: of one scene.
        name: of the scene, for errors.
        size: side of a view in pixels.
        stride: pixels between correspondences.

    Raises:
        SceneError: no two views see the same.
    """

    def __init__(
        self, views: Sequence[PosedView], *, name: str, size: int, stride: int = 8
    ) -> None:
        self.views = views
        self.size = size
        self.stride = stride
        rng = np.random.default_rng(0)
        self.pairs: list[tuple[int, int]] = []
        for a in range(len(views)):
            for b in rng.permutation(len(views))[:CANDIDATES]:
                if a != b and self._overlap(a, int(b)):
                    self.pairs.append((a, int(b)))
        if not self.pairs:
            raise SceneError(f"{name}: no two of its {len(views)} views with depth see the same")

    def _overlap(self, first: int, second: int) -> bool:
        before, _, asked = matches(self.views[first], self.views[second], stride=8 * self.stride)
        return OVERLAP[0] < len(before) / asked < OVERLAP[1]

    def pair(self, seed: int) -> Pair:
        """Crops two posed views that see the same surface, around places that both show."""
        rng = np.random.default_rng([seed, 3])
        a, b = self.pairs[rng.integers(len(self.pairs))]
        before, after, _ = matches(self.views[a], self.views[b], stride=self.stride)
        images = (self.views[a].view.image, self.views[b].view.image)
        return cropped_pair(images, (before, after), rng, size=self.size)

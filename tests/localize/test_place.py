"""Maps of several regions: the head that knows is found among those that do not."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from reloc.backbone.descriptor import global_descriptor
from reloc.geometry import Camera, look_at, pose_error, pose_from, transformed
from reloc.localize import Localizer, RankingOptions
from reloc.maps import MappingCamera, Region, SceneMap
from reloc.scenes.depth import DepthMap

CAMERA = Camera.pinhole(width=320, height=240, fx=280)
ORIGIN = np.array([1.0e6, -2.0e6, 300.0])
POSE = pose_from(np.eye(3), ORIGIN) @ look_at((1.0, -4, 0.7), (0.2, 0, 0))
OF_ONE = (MappingCamera("a.jpg", POSE, CAMERA),)


class Oracle:
    """A backbone whose features are the true scene coordinates, relative to the origin."""

    channels, stride, fingerprint = 3, 8, "oracle"

    def __call__(self, images):
        rows, columns = (-(-side // 8) for side in images.shape[-2:])
        x, y = np.meshgrid(np.arange(columns) * 8 + 4.0, np.arange(rows) * 8 + 4.0)
        rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
        depth = 3 + np.sin(5 * rays[:, :1]) + rays[:, 1:]
        points = transformed(POSE, np.c_[rays, np.ones(len(rays))] * depth) - ORIGIN
        return torch.from_numpy(points.T.reshape(1, 3, rows, columns)).float()


class Knows(torch.nn.Module):
    """A head whose coordinates are true for a share of the cells, around an origin of its own."""

    channels, scale = 3, torch.tensor(3.0)

    def __init__(self, share, shift):
        super().__init__()
        self.share, self.shift = share, torch.as_tensor(shift).float()
        self.asked = 0

    def __deepcopy__(self, memo):
        return self

    def forward(self, features):
        self.asked += len(features)
        device, features = features.device, features.cpu()
        noise = torch.rand(features.shape, generator=torch.Generator().manual_seed(1)) * 10 - 5
        known = torch.arange(len(features)) % 100 < 100 * self.share
        return torch.where(known[:, None], features - self.shift, noise).to(device)


def region(share, *, shift=(0, 0, 0), views=None):
    head: Any = Knows(share, shift)
    more: dict[str, Any] = {} if views is None else {"views": np.asarray(views, np.int8)}
    return Region(head, ORIGIN + np.asarray(shift), **more)


def localizer(regions, *, cameras=OF_ONE, **ranking):
    scene_map = SceneMap(
        regions=tuple(regions),
        backbone="oracle",
        short_side=240,
        extent=4.0,
        unit="metre",
        cameras=cameras,
    )
    options = RankingOptions(**ranking)
    return Localizer(scene_map, Oracle(), device="cpu", ranking=options)


def photo():
    return np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)


def found(place):
    return pose_error(place.localize(photo()).world_from_cam, POSE)[0] < 1e-3


@pytest.mark.parametrize("at", range(5))
def test_the_region_that_knows_gives_the_pose(at):
    """Around its own origin, which the coordinates of the others know nothing of."""
    regions = [region(0.0) for _ in range(5)]
    regions[at] = region(0.6, shift=(30.0, -20, 5))
    place = localizer(regions)
    estimate = place.localize(photo())
    assert pose_error(estimate.world_from_cam, POSE)[0] < 1e-3
    assert estimate.localized
    assert 0.5 < estimate.inlier_share < 0.7
    points = place.correspondences(photo(), CAMERA).scene_coordinates
    truth = Oracle()(torch.zeros(1, 1, 240, 320))[0].flatten(1).T.double().numpy() + ORIGIN
    assert 0.55 < (np.linalg.norm(points - truth, axis=1) < 1e-3).mean() < 0.65
    assert found(localizer(regions, shortlist=99, finalists=99))


def test_of_two_that_know_the_one_that_knows_more_wins():
    estimate = localizer([region(0.3), region(0.7), region(0.4)]).localize(photo())
    assert 0.6 < estimate.inlier_share < 0.8


def test_only_finalists_see_the_whole_image():
    regions = [region(0.6), *(region(0.0) for _ in range(5))]
    assert found(localizer(regions, probe_cells=200, finalists=2))
    asked = sorted(r.head.asked for r in regions)
    assert asked == [200] * 4 + [200 + 1200] * 2


def test_a_sure_probe_leaves_two_finalists_and_a_doubtful_one_all():
    for sure, finalists in ((0.4, 2), (0.8, 4)):
        regions = [region(0.6), *(region(0.0) for _ in range(5))]
        assert found(localizer(regions, probe_cells=200, sure=sure))
        asked = sorted(r.head.asked for r in regions)
        assert asked == [200] * (6 - finalists) + [200 + 1200] * finalists


class KnowsOneSide(Knows):
    """A head that knows the left or the right of the image, to within centimetres."""

    def __init__(self, right):
        super().__init__(0.0, (0, 0, 0))
        self.right = right

    def forward(self, features):
        device, features = features.device, features.cpu()
        column = torch.arange(len(features)) % (320 // 8)
        known = (column >= 160 // 8) == self.right
        noise = torch.randn(features.shape, generator=torch.Generator().manual_seed(2))
        seen = torch.where(known[:, None], features + 0.02 * noise, super().forward(features))
        return seen.to(device)


def measured_depth():
    x, y = np.meshgrid(np.arange(320) + 0.5, np.arange(240) + 0.5)
    rays = CAMERA.rays(np.stack([x.ravel(), y.ravel()], axis=1))
    depth = 3 + np.sin(5 * rays[:, 0]) + rays[:, 1]
    return DepthMap(depth.reshape(240, 320).astype(np.float32), CAMERA)


@pytest.mark.parametrize("depth", [None, measured_depth()])
def test_the_pose_is_refined_on_what_several_heads_see(depth):
    heads: list[Any] = [KnowsOneSide(right) for right in (False, True)]
    regions = [Region(head, ORIGIN) for head in heads]

    def error(place):
        return pose_error(place.localize(photo(), depth=depth).world_from_cam, POSE)[0]

    alone = [error(localizer([r])) for r in regions]
    # Without it the pose would be that of one of them, the second as chance has it.
    assert error(localizer(regions)) < 0.65 * alone[1]


def true_view():
    return global_descriptor(Oracle()(torch.zeros(1, 1, 240, 320))[0].flatten(1).T)


def test_heads_of_regions_that_look_otherwise_are_not_run():
    other = [[9, -9, 9, -9, 9, -9], [0, 0, 9, 9, 0, 0]]
    regions = [region(0.0, views=other) for _ in range(6)]
    regions[4] = region(0.6, views=[*other, true_view()])
    assert found(localizer(regions, shortlist=3))
    assert sum(r.head.asked > 0 for r in regions) == 3


@pytest.mark.slow
@pytest.mark.parametrize("at", range(3))
def test_of_too_many_cameras_those_of_the_region_that_the_image_looks_like_are_tried(at):
    """Six cameras of one size, of which each region was made from two."""
    view = true_view()[None]
    regions = [region(0.0, views=-view)] * 3
    regions[at] = region(0.5, views=view)
    focals = 280 * 1.3 ** np.arange(-3, 3)
    cameras = [Camera.pinhole(width=320, height=240, fx=f) for f in focals]
    pairs = {at: (3, 0), (at + 1) % 3: (1, 2), (at + 2) % 3: (4, 5)}
    place = localizer(
        [replace(r, frames=pairs[number]) for number, r in enumerate(regions)],
        cameras=tuple(MappingCamera(f"{n}.jpg", POSE, c) for n, c in enumerate(cameras)),
    )
    assert found(place)
    assert place.localize(photo()).camera == CAMERA


def test_regions_without_views_are_never_left_out():
    regions = [region(0.0, views=[true_view()]) for _ in range(6)]
    regions[3] = region(0.6)
    assert found(localizer(regions, shortlist=2))


@pytest.mark.slow
def test_an_image_that_no_region_knows_is_refused():
    estimate = localizer([region(0.0) for _ in range(4)]).localize(photo())
    assert not estimate.localized
    assert estimate.reason
